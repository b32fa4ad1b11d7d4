//! A plug without a meter: an Orvibo S20.

use emulator::OrviboConfig;
use serde_json::{Value, json};

use crate::twins::{Plugs, in_network};
use crate::world::{House, at, hex, mac};

fn s20(number: u8) -> OrviboConfig {
    OrviboConfig {
        name: "Coffee maker".parse().unwrap(),
        ..OrviboConfig::at(at(number))
    }
}

#[test]
fn everything_that_makes_sense_works_and_nothing_tells_of_energy() {
    in_network(async {
        let plugs = Plugs::start(vec![s20(1), s20(2)]).await;
        let house = House::open().await;
        let found = house.post("/api/v1/discover", json!({"wait": "1s"})).await;
        let found = found.expect(200);
        assert_eq!(found.as_array().unwrap().len(), 2, "{found}");
        for one in found.as_array().unwrap() {
            assert_eq!(
                (&one["family"], &one["model"], &one["extra"]),
                (&json!("orvibo"), &json!("SOC005"), &json!("Coffee maker"))
            );
            assert_eq!(
                (&one["relay"], &one["adopted"]),
                (&json!("off"), &json!(false))
            );
        }
        house.adopt(2).await;
        let path = format!("/api/v1/plugs/{}", hex(1));
        let plug = house.get(&path).await.expect(200);
        assert_eq!(
            (&plug["metering"], &plug["extra"]),
            (&json!("off"), &json!("Coffee maker"))
        );
        assert_eq!(
            (&plug["reading"], &plug["energy_total_wh"]),
            (&Value::Null, &Value::Null)
        );

        let relay = format!("{path}/relay");
        for state in ["on", "off", "toggle"] {
            let switched = house.put(&relay, json!({"state": state})).await.expect(200);
            assert_eq!(switched["confirmed"], true, "{switched}");
        }
        assert_eq!(house.get(&path).await.expect(200)["relay"], "on");
        let delay = format!("{path}/delay");
        let body = json!({"state": "off", "minutes": 30});
        assert_eq!(house.post(&delay, body).await.expect(200)["minutes"], 30);
        let body = json!({"state": "off", "minutes": 2000});
        house.post(&delay, body).await.problem(400, "usage", None);
        let metering = house.patch(&path, json!({"metering": "5s"})).await;
        metering.problem(400, "usage", Some("metering"));
        house
            .patch(&path, json!({"name": "coffee", "power_on": "last"}))
            .await
            .expect(200);

        let group = json!({"name": "both", "plugs": [mac(1), mac(2)]});
        let group = house.post("/api/v1/groups", group).await.expect(201);
        let group = format!("/api/v1/groups/{}/relay", group["id"].as_str().unwrap());
        let switched = house.put(&group, json!({"state": "off"})).await.expect(200);
        for one in switched.as_array().unwrap() {
            assert_eq!(
                (&one["relay"], &one["confirmed"]),
                (&json!("off"), &json!(true))
            );
        }
        for fields in [
            json!({"kind": "standby_kill", "below_w": 5, "for": "1m"}),
            json!({"kind": "over_power", "above_w": 2000, "for": "1m"}),
        ] {
            let mut rule = fields;
            (rule["name"], rule["plug"]) = (json!("needs a meter"), json!(mac(1)));
            let refused = house.post("/api/v1/rules", rule).await;
            refused.problem(400, "usage", Some("plug"));
        }
        let rule = json!({"name": "off again", "kind": "auto_off", "after": "10m", "plug": mac(1)});
        house.post("/api/v1/rules", rule).await.expect(201);

        let metrics = house.get("/metrics").await;
        let metrics = String::from_utf8(metrics.body).unwrap();
        let of_it: Vec<&str> = metrics
            .lines()
            .filter(|line| line.contains(&hex(1)))
            .collect();
        assert!(
            of_it
                .iter()
                .any(|line| line.starts_with("mains_plug_relay_on")),
            "{of_it:?}"
        );
        assert!(
            of_it
                .iter()
                .any(|line| line.starts_with("mains_plug_available")),
            "{of_it:?}"
        );
        for field in ["power_watts", "voltage", "current", "frequency", "energy"] {
            assert!(
                !of_it.iter().any(|line| line.contains(field)),
                "{field}: {of_it:?}"
            );
        }
        let history = house.get(&format!("{path}/history")).await.expect(200);
        assert_eq!(history["points"], json!([]));
        assert_eq!(
            house.get("/api/v1/energy?by=day").await.expect(200),
            json!([])
        );
        house.close().await;
        plugs.stop().await;
    });
}
