//! Hue bridges: pairing, lights, takeovers as jobs.

use std::net::Ipv4Addr;
use std::time::Duration;

use api::{ErrorKind, Event, TakeoverState};
use emulator::bridge::server::{self, RoomHandle};
use emulator::bridge::{BridgeConfig, TwinModel};
use serde_json::{Value, json};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

use crate::twins::in_network;
use crate::world::House;

const HALL: Ipv4Addr = Ipv4Addr::new(127, 74, 2, 1);

/// An emulated bridge and bulbs, running until stopped.
struct Bridge {
    room: RoomHandle,
    path: String,
    stop: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

impl Bridge {
    fn start(model: TwinModel, bulbs: &[&str], faults: &[&str]) -> Self {
        let mut config = BridgeConfig::new(model, HALL);
        config.faults = faults.iter().map(|fault| fault.parse().unwrap()).collect();
        Self::serve(config, bulbs)
    }

    fn serve(config: BridgeConfig, bulbs: &[&str]) -> Self {
        let path = format!("/api/v1/bridges/{}", config.bridge_id());
        let bulbs: Vec<_> = bulbs.iter().map(|bulb| bulb.parse().unwrap()).collect();
        let room = RoomHandle::new(vec![config], &bulbs).unwrap();
        let open = server::open(room.clone(), None).unwrap();
        let (stop, stopped) = oneshot::channel();
        let task = tokio::spawn(async move {
            open.run(async {
                let _ = stopped.await;
            })
            .await;
        });
        Self {
            room,
            path,
            stop,
            task,
        }
    }

    async fn stop(self) {
        let _ = self.stop.send(());
        self.task.await.unwrap();
    }

    /// Presses the button and pairs.
    async fn pair(&self, house: &House) -> Value {
        self.room.press(0);
        let body = json!({"address": HALL});
        let answer = house.post("/api/v1/bridges", body).await;
        assert_eq!(answer.header("location"), self.path);
        answer.expect(201)
    }

    /// Waits until a takeover has ended, and returns it.
    async fn ended(house: &House, path: &str) -> Value {
        let waited = timeout(Duration::from_secs(60), async {
            loop {
                let job = house.get(path).await.expect(200);
                if job["state"] != "running" {
                    return job;
                }
                sleep(Duration::from_millis(200)).await;
            }
        });
        waited.await.expect("the takeover does not end")
    }
}

#[test]
fn a_bridge_from_pairing_to_farewell() {
    in_network(async {
        let bridge = Bridge::start(TwinModel::Round, &["near:1"], &[]);
        let house = House::open().await;
        assert_eq!(house.get("/api/v1/bridges").await.expect(200), json!([]));
        let body = json!({"address": format!("http://{HALL}")});
        let unpressed = house.post("/api/v1/bridges", body.clone()).await;
        let problem = unpressed.problem(502, "refused", None);
        assert!(
            problem["detail"].as_str().unwrap().contains("101"),
            "{problem}"
        );
        assert!(
            problem["hint"].as_str().unwrap().contains("press"),
            "{problem}"
        );

        let paired = bridge.pair(&house).await;
        assert_eq!(paired["model"], "BSB001");
        // Its key still opens it: nobody has to press again.
        let again = house.post("/api/v1/bridges", body).await;
        assert_eq!(again.expect(200)["id"], paired["id"]);
        let all = house.get("/api/v1/bridges").await.expect(200);
        assert_eq!(all.as_array().unwrap().len(), 1);
        assert_eq!(house.get(&bridge.path).await.expect(200), all[0]);
        let upper = bridge
            .path
            .to_uppercase()
            .replace("/API/V1/BRIDGES/", "/api/v1/bridges/");
        house.get(&upper).await.expect(200);
        let lights = house.get(&format!("{}/lights", bridge.path)).await;
        let lights = lights.expect(200);
        assert_eq!(lights.as_array().unwrap().len(), 1, "{lights}");
        assert_eq!(lights[0]["reachable"], true);

        house.delete(&bridge.path).await.expect(204);
        house
            .get(&bridge.path)
            .await
            .problem(404, "not_found", None);
        house
            .delete(&bridge.path)
            .await
            .problem(404, "not_found", None);
        house.close().await;
        bridge.stop().await;
    });
}

#[test]
fn the_key_is_kept_for_its_owner_alone_and_never_told() {
    in_network(async {
        use std::os::unix::fs::PermissionsExt;

        let bridge = Bridge::start(TwinModel::Round, &[], &[]);
        let house = House::open().await;
        bridge.pair(&house).await;
        let file = house.state.path().join("hue.json");
        let kept: Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
        let mode = std::fs::metadata(&file).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let key = find_key(&kept).expect("a key in the file");
        for path in [
            "/api/v1/bridges".to_owned(),
            bridge.path.clone(),
            format!("{}/lights", bridge.path),
            format!("{}/takeovers", bridge.path),
        ] {
            let answer = house.get(&path).await;
            answer.expect(200);
            assert!(!String::from_utf8_lossy(&answer.body).contains(&key));
        }
        house.close().await;
        bridge.stop().await;
    });
}

/// Returns the longest text under a name with `key` in it.
fn find_key(json: &Value) -> Option<String> {
    match json {
        Value::Object(object) => object
            .iter()
            .find_map(|(name, value)| match value.as_str() {
                Some(text) if name.contains("key") && text.len() > 8 => Some(text.to_owned()),
                _ => find_key(value),
            }),
        Value::Array(items) => items.iter().find_map(find_key),
        _ => None,
    }
}

#[test]
fn a_bulb_of_another_bridge_is_taken_over() {
    in_network(async {
        let bridge = Bridge::start(TwinModel::Round, &["near:foreign"], &[]);
        let house = House::open().await;
        bridge.pair(&house).await;
        let takeovers = format!("{}/takeovers", bridge.path);
        // Somebody has to say that it is his own.
        let careless = house.post(&takeovers, json!({})).await;
        careless.problem(400, "usage", Some("nearby_lamps_are_mine"));

        let mut events = house.hub.bus().subscribe();
        let order = json!({"via": "auto", "serial": null, "nearby_lamps_are_mine": true});
        let begun = house.post(&takeovers, order.clone()).await;
        let job = begun.expect(202);
        assert_eq!(job["state"], "running");
        let path = begun.header("location").to_owned();
        let second = house.post(&takeovers, order).await;
        second.problem(409, "conflict", None);
        house
            .delete(&bridge.path)
            .await
            .problem(409, "conflict", None);

        let done = Bridge::ended(&house, &path).await;
        assert_eq!(done["state"], "done", "{done}");
        assert_eq!(
            (&done["captured"], &done["via"]),
            (&json!(true), &json!("rest"))
        );
        assert_eq!(done["new_lights"].as_array().unwrap().len(), 1, "{done}");
        assert!(done["steps"].as_array().unwrap().len() >= 3, "{done}");
        assert_eq!(done["error"], Value::Null);
        let lights = house.get(&format!("{}/lights", bridge.path)).await;
        assert_eq!(
            lights.expect(200)[0]["unique_id"],
            done["new_lights"][0]["unique_id"]
        );
        let all = house.get(&takeovers).await.expect(200);
        assert_eq!(all, json!([done]));

        let mut told = Vec::new();
        while let Ok(event) = events.try_recv() {
            if let Event::Takeover(job) = &event.event {
                told.push(job.state);
            }
        }
        assert_eq!(told.first(), Some(&TakeoverState::Running));
        assert_eq!(told.last(), Some(&TakeoverState::Done));
        house.close().await;
        bridge.stop().await;
    });
}

#[test]
fn a_takeover_that_brings_nothing_says_so() {
    in_network(async {
        let bridge = Bridge::start(TwinModel::Round, &["far:foreign"], &[]);
        let serial = bridge.room.bulbs()[0].serial.clone();
        let house = House::open().await;
        bridge.pair(&house).await;
        let takeovers = format!("{}/takeovers", bridge.path);
        let order = json!({"nearby_lamps_are_mine": true, "via": "tcp30000"});
        let begun = house.post(&takeovers, order).await;
        begun.expect(202);
        let failed = Bridge::ended(&house, begun.header("location")).await;
        assert_eq!(failed["state"], "failed", "{failed}");
        assert_eq!(failed["error"]["kind"], "refused");
        assert_eq!(failed["new_lights"], json!([]));

        // By its serial number it comes from wherever it is.
        let order = json!({ "serial": serial });
        let begun = house.post(&takeovers, order).await;
        begun.expect(202);
        let done = Bridge::ended(&house, begun.header("location")).await;
        assert_eq!(
            (&done["state"], &done["via"]),
            (&json!("done"), &json!("serial")),
            "{done}"
        );
        house.close().await;
        bridge.stop().await;
    });
}

#[test]
fn a_job_ends_with_the_hub() {
    in_network(async {
        let bridge = Bridge::start(TwinModel::Round, &["far:foreign"], &["search-time=60s"]);
        let house = House::open().await;
        bridge.pair(&house).await;
        let takeovers = format!("{}/takeovers", bridge.path);
        let begun = house
            .post(&takeovers, json!({"nearby_lamps_are_mine": true}))
            .await;
        begun.expect(202);
        sleep(Duration::from_millis(300)).await;
        let mut events = house.hub.bus().subscribe();
        // Fails when a task does not end.
        house.close().await;
        let mut last = None;
        while let Ok(event) = events.try_recv() {
            last = Some(event);
        }
        let Event::Takeover(job) = &last.expect("the end is told").event else {
            panic!("not a takeover")
        };
        let kind = job.error.as_ref().map(|error| error.kind);
        assert_eq!(
            (job.state, kind),
            (TakeoverState::Failed, Some(ErrorKind::Unavailable))
        );
        bridge.stop().await;
    });
}

#[test]
fn a_certificate_is_shown_before_it_is_believed() {
    in_network(async {
        let bridge = Bridge::start(TwinModel::Square, &[], &[]);
        let house = House::open().await;
        bridge.room.press(0);
        let unknown = house
            .post("/api/v1/bridges", json!({"address": HALL}))
            .await;
        let certificate = unknown.problem(409, "conflict", None)["certificate"].clone();
        assert_eq!(house.get("/api/v1/bridges").await.expect(200), json!([]));
        let other = json!({"address": HALL, "certificate": "00".repeat(32)});
        house
            .post("/api/v1/bridges", other)
            .await
            .problem(409, "conflict", None);
        let body = json!({"address": HALL, "certificate": certificate});
        let paired = house.post("/api/v1/bridges", body).await.expect(201);
        assert_eq!(paired["address"], format!("https://{HALL}"));
        house
            .get(&format!("{}/lights", bridge.path))
            .await
            .expect(200);
        house.close().await;
        bridge.stop().await;
    });
}

#[test]
fn what_cannot_be() {
    in_network(async {
        let bridge = Bridge::start(TwinModel::Round, &[], &[]);
        let house = House::open().await;
        for (body, field) in [
            (json!({"address": "a b"}), "address"),
            (json!({"address": ""}), "address"),
            (
                json!({"address": HALL, "certificate": "xyz"}),
                "certificate",
            ),
        ] {
            let answer = house.post("/api/v1/bridges", body).await;
            answer.problem(400, "usage", Some(field));
        }
        let nobody = json!({"address": "127.74.2.99"});
        house
            .post("/api/v1/bridges", nobody)
            .await
            .problem(504, "no_answer", None);
        house
            .get("/api/v1/bridges/nonsense")
            .await
            .problem(404, "not_found", None);
        let stranger = "/api/v1/bridges/001788fffe999999";
        for path in ["", "/lights", "/takeovers", "/takeovers/t-00000000"] {
            let answer = house.get(&format!("{stranger}{path}")).await;
            answer.problem(404, "not_found", None);
        }
        let order = json!({"nearby_lamps_are_mine": true});
        let answer = house.post(&format!("{stranger}/takeovers"), order).await;
        answer.problem(404, "not_found", None);

        bridge.pair(&house).await;
        let takeovers = format!("{}/takeovers", bridge.path);
        for (body, field) in [
            (json!({"via": "usb"}), "via"),
            (json!({"serial": "12345"}), "serial"),
        ] {
            house
                .post(&takeovers, body)
                .await
                .problem(400, "usage", Some(field));
        }
        let unknown = house.get(&format!("{takeovers}/t-00000000")).await;
        unknown.problem(404, "not_found", None);
        // The owner has removed the key there.
        bridge.room.revoke_keys(0);
        let refused = house.get(&format!("{}/lights", bridge.path)).await;
        refused.problem(502, "refused", None);
        house.close().await;
        bridge.stop().await;
    });
}

#[test]
fn another_bridge_at_its_address_is_not_taken_for_it() {
    in_network(async {
        let bridge = Bridge::start(TwinModel::Round, &[], &[]);
        let house = House::open().await;
        bridge.pair(&house).await;
        let lights = format!("{}/lights", bridge.path);
        bridge.stop().await;
        let mut config = BridgeConfig::new(TwinModel::Round, HALL);
        config.mac = "00:17:88:99:99:99".parse().unwrap();
        let other = Bridge::serve(config, &[]);
        let problem = house.get(&lights).await;
        let told = problem.problem(404, "not_found", None);
        assert!(
            told["detail"]
                .as_str()
                .unwrap()
                .contains("001788fffe999999"),
            "{told}"
        );
        house.close().await;
        other.stop().await;
    });
}
