//! The log of past events.

use axum::http::Method;
use serde_json::{Value, json};

use crate::twins::{Plugs, in_network};
use crate::world::{House, at, hex, mac, plug, with};

async fn log(house: &House, query: &str) -> Vec<Value> {
    let path = format!("/api/v1/log{query}");
    let entries = house.get(&path).await.expect(200);
    entries.as_array().unwrap().clone()
}

fn texts(entries: &[Value]) -> Vec<&str> {
    let texts = entries.iter().map(|entry| entry["text"].as_str().unwrap());
    texts.collect()
}

#[test]
fn what_happened_is_there_newest_first_and_with_its_cause() {
    in_network(async {
        let plugs = Plugs::start(vec![plug(1, &[]), plug(2, &["stuck-relay"])]).await;
        let house = House::open().await;
        assert_eq!(log(&house, "").await, Vec::<Value>::new());
        house.adopt(2).await;
        let path = format!("/api/v1/plugs/{}", hex(1));
        let name = json!({"name": "lamp"});
        house
            .ask(with(Method::PATCH, &path, name))
            .await
            .expect(200);
        for state in ["on", "off"] {
            let switched = house
                .put(&format!("{path}/relay"), json!({"state": state}))
                .await;
            assert_eq!(switched.expect(200)["confirmed"], true);
        }
        let stuck = format!("/api/v1/plugs/{}/relay", hex(2));
        house.put(&stuck, json!({"state": "on"})).await.expect(502);
        let schedule =
            json!({"name": "dusk", "targets": [mac(1)], "action": "on", "when": {"at": "07:00"}});
        let schedule = house.post("/api/v1/schedules", schedule).await.expect(201);
        let path = format!("/api/v1/schedules/{}", schedule["id"].as_str().unwrap());
        house.delete(&path).await.expect(204);

        let all = log(&house, "").await;
        let second = mac(2);
        let stuck = format!("{second} did not turn on, although it accepted the command");
        let added = [1, 2].map(|number| format!("{} was added", mac(number)));
        let named = format!("{} is called lamp now", mac(1));
        let expected = [
            "the schedule ‘dusk’ was removed",
            "the schedule ‘dusk’ was created",
            &stuck,
            "lamp turned off",
            "lamp turned on",
            &named,
            &added[1],
            &added[0],
        ];
        assert_eq!(texts(&all), expected);
        let ids: Vec<_> = all.iter().map(|entry| entry["id"].as_u64()).collect();
        assert_eq!(ids, (1..=8).rev().map(Some).collect::<Vec<_>>());
        assert_eq!(
            (&all[4]["kind"], &all[4]["plug"], &all[4]["relay"]),
            (&json!("switch"), &json!(mac(1)), &json!("on"))
        );
        assert!(all[4]["cause"].is_string(), "{}", all[4]);

        for (query, wanted) in [
            ("?kinds=schedule", &[0, 1][..]),
            ("?kinds=schedule,plug&limit=3", &[0, 1, 5]),
            ("?problems=true", &[2]),
            (&format!("?plugs={second}"), &[2, 6]),
            ("?before=3", &[6, 7]),
            ("?to=2001-01-01", &[]),
            ("?from=2199-01-01", &[]),
        ] {
            let expected: Vec<_> = wanted.iter().map(|at| all[*at].clone()).collect();
            assert_eq!(log(&house, query).await, expected, "{query}");
        }
        for (query, field) in [
            ("limit=0", "limit"),
            ("limit=1001", "limit"),
            ("limit=x", "limit"),
            ("before=-1", "before"),
            ("before=9223372036854775808", "before"),
            ("kinds=reading", "kinds"),
            ("kinds=", "kinds"),
            ("plugs=kitchen", "plugs"),
            ("problems=1", "problems"),
            ("from=2026-01-02&to=2026-01-01", "from"),
            ("from=noon", "from"),
            ("since=1d", "since"),
        ] {
            let refused = house.get(&format!("/api/v1/log?{query}")).await;
            refused.problem(400, "usage", Some(field));
        }
        let address = at(1).to_string();
        assert!(!texts(&all).iter().any(|text| text.contains(&address)));
        house.close().await;
        plugs.stop().await;
    });
}

#[test]
fn edits_say_what_has_changed() {
    in_network(async {
        let plugs = Plugs::start(vec![plug(1, &[])]).await;
        let house = House::open().await;
        house.adopt(1).await;
        let path = format!("/api/v1/plugs/{}", hex(1));
        for change in [
            json!({"name": "lamp", "room": "hall"}),
            json!({"metering": "5s", "power_on": "last"}),
            json!({"room": null, "metering": "off", "often_unplugged": true}),
            json!({"name": "light"}),
            json!({"name": "light"}),
        ] {
            let edited = house.ask(with(Method::PATCH, &path, change)).await;
            edited.expect(200);
        }
        let schedule =
            json!({"name": "dusk", "targets": [mac(1)], "action": "on", "when": {"at": "07:00"}});
        let schedule = house.post("/api/v1/schedules", schedule).await.expect(201);
        let path = format!("/api/v1/schedules/{}", schedule["id"].as_str().unwrap());
        for change in [
            json!({"enabled": false}),
            json!({"name": "dawn", "enabled": true}),
            json!({"when": {"at": "08:00"}, "catch_up": "10m"}),
            json!({"enabled": true}),
        ] {
            let edited = house.ask(with(Method::PATCH, &path, change)).await;
            edited.expect(200);
        }
        let all = log(&house, "?kinds=plug,schedule").await;
        let mut texts = texts(&all);
        texts.reverse();
        let named = format!("{} is called lamp now", mac(1));
        let in_room = format!("{} is in the room hall now", mac(1));
        let expected = [
            &named,
            &in_room,
            "lamp is metered every 5s now, is turned as before after an outage now",
            "lamp is in no room now, is not metered any more, counts as often unplugged now",
            "lamp is called light now",
            "the schedule ‘dusk’ was created",
            "the schedule ‘dusk’ was disabled",
            "the schedule ‘dawn’ was enabled, was called ‘dusk’ before",
            "the schedule ‘dawn’ was changed (catch up, when)",
            "the schedule ‘dawn’ was saved again, unchanged",
        ];
        assert_eq!(texts[1..], expected);
        house.close().await;
        plugs.stop().await;
    });
}

#[test]
fn a_relay_that_conducts_while_it_is_off_is_a_problem_until_it_ends() {
    in_network(async {
        let plugs = Plugs::start(vec![plug(1, &["welded-relay"])]).await;
        let house = House::open().await;
        house.adopt(1).await;
        let path = format!("/api/v1/plugs/{}", hex(1));
        for state in ["on", "off"] {
            let relay = format!("{path}/relay");
            house.put(&relay, json!({"state": state})).await.expect(200);
        }
        let text = format!(
            "{} is off, but still draws 60 W; its relay may be welded",
            mac(1)
        );
        let told = loop {
            let problems = log(&house, "?kinds=problem").await;
            if let Some(problem) = problems.first() {
                break problem.clone();
            }
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        };
        assert_eq!(
            (&told["text"], &told["problem"]),
            (&json!(text), &json!(true))
        );
        assert_eq!(house.get(&path).await.expect(200)["still_drawing_w"], 60.0);
        assert_eq!(house.hub.log().unread(), 1);
        house.hub.log().mark_read();
        assert_eq!(house.hub.log().unread(), 0);
        house.close().await;
        plugs.stop().await;
    });
}
