//! Events of a real hub: they contain the same JSON as the API.

use axum::http::Method;
use http_body_util::BodyExt;
use serde_json::{Value, json};
use tokio::time::{Duration, timeout};

use crate::contract;
use crate::twins::{Plugs, in_network};
use crate::world::{House, and, bare, hex, mac, plug};

/// One event of the stream.
#[derive(Debug)]
struct Event {
    id: String,
    name: String,
    data: Value,
}

/// A client that reads events as they arrive.
struct Ear {
    body: axum::body::Body,
    text: String,
}

impl Ear {
    async fn open(house: &House, last: Option<&str>) -> Self {
        let mut request = bare(Method::GET, "/api/v1/events");
        if let Some(last) = last {
            request = and(request, "last-event-id", last);
        }
        let response = house.send(request).await;
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        Self {
            body: response.into_body(),
            text: String::new(),
        }
    }

    async fn next(&mut self) -> Event {
        loop {
            while let Some((block, rest)) = self.text.split_once("\n\n") {
                let (block, rest) = (block.to_owned(), rest.to_owned());
                self.text = rest;
                if let Some(event) = event(&block) {
                    return event;
                }
            }
            let frame = timeout(Duration::from_secs(10), self.body.frame()).await;
            let frame = frame.expect("no event comes").expect("the stream ended");
            let bytes = frame.unwrap().into_data().unwrap();
            self.text += std::str::from_utf8(&bytes).unwrap();
        }
    }

    /// Reads events until one matches.
    async fn until(&mut self, wanted: impl Fn(&Event) -> bool) -> Event {
        loop {
            let event = self.next().await;
            if wanted(&event) {
                return event;
            }
        }
    }
}

fn event(block: &str) -> Option<Event> {
    let field = |name: &str| {
        let line = block.lines().find_map(|line| line.strip_prefix(name));
        line.map(str::to_owned)
    };
    Some(Event {
        id: field("id: ")?,
        name: field("event: ")?,
        data: serde_json::from_str(&field("data: ")?).unwrap(),
    })
}

#[test]
fn what_is_told_is_what_is_shown() {
    in_network(async {
        let plugs = Plugs::start(vec![plug(1, &[])]).await;
        let house = House::open().await;
        let mut ear = Ear::open(&house, None).await;
        house.adopt(1).await;
        let told = ear.until(|event| event.name == "plug").await;
        contract::validate("/components/schemas/Plug", &told.data, "plug");
        house
            .put(
                &format!("/api/v1/plugs/{}/relay", hex(1)),
                json!({"state": "on"}),
            )
            .await
            .expect(200);
        let on = ear
            .until(|event| event.name == "plug" && event.data["relay"] == "on")
            .await;
        assert_eq!(on.data["mac"], told.data["mac"]);
        // Two readings begin the total.
        let reading = ear
            .until(|event| event.name == "reading" && event.data["energy_total_wh"].is_u64())
            .await;
        let mut plain = reading.data.clone();
        plain.as_object_mut().unwrap().remove("energy_total_wh");
        contract::validate("/components/schemas/Reading", &plain, "reading");

        let schedule =
            json!({"name": "x", "targets": [mac(1)], "action": "on", "when": {"at": "07:00"}});
        let made = house.post("/api/v1/schedules", schedule).await;
        let told = ear.until(|event| event.name == "schedule").await;
        assert_eq!(told.data, made.expect(201));
        house.delete(made.header("location")).await.expect(204);
        let told = ear.until(|event| event.name == "schedule").await;
        assert_eq!(
            told.data,
            json!({"id": made.expect(201)["id"], "removed": true})
        );
        let rule = json!({"name": "x", "plug": mac(1), "kind": "keep_on"});
        let made = house.post("/api/v1/rules", rule).await;
        let told = ear.until(|event| event.name == "rule").await;
        assert_eq!(told.data, made.expect(201));
        house
            .delete(&format!("/api/v1/plugs/{}", hex(1)))
            .await
            .expect(204);
        let gone = ear
            .until(|event| event.name == "plug" && event.data["removed"] == true)
            .await;
        assert_eq!(gone.data["mac"], on.data["mac"]);
        house.close().await;
        plugs.stop().await;
    });
}

#[test]
fn nothing_is_lost_over_a_cut() {
    in_network(async {
        let house = House::open().await;
        let mut whole = Ear::open(&house, None).await;
        let mut cut = Ear::open(&house, None).await;
        let make = async |name: &str| {
            let rule =
                json!({"name": name, "targets": [], "action": "on", "when": {"at": "07:00"}});
            // A group, to have something to name.
            let group = house
                .post("/api/v1/groups", json!({"name": name, "plugs": []}))
                .await;
            let mut rule = rule;
            rule["targets"] = json!([group.expect(201)["id"]]);
            house.post("/api/v1/schedules", rule).await.expect(201);
        };
        make("1").await;
        let mut seen = vec![cut.next().await];
        drop(cut);
        make("2").await;
        make("3").await;
        let mut cut = Ear::open(&house, Some(&seen[0].id)).await;
        make("4").await;
        for _ in 0..3 {
            seen.push(cut.next().await);
        }
        for event in seen {
            let same = whole.next().await;
            assert_eq!((&event.id, &event.data), (&same.id, &same.data));
        }
        let mut stranger = Ear::open(&house, Some("deadbeef-3")).await;
        assert_eq!(stranger.next().await.name, "reset");
        house.close().await;
    });
}

#[test]
fn the_stream_ends_with_the_hub() {
    in_network(async {
        let house = House::open().await;
        let mut ear = Ear::open(&house, None).await;
        house.hub.cancel().cancel();
        let end = async { while ear.body.frame().await.is_some() {} };
        timeout(Duration::from_secs(2), end)
            .await
            .expect("it goes on");
        house.close().await;
    });
}
