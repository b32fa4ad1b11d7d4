//! Plugs: adoption, names, switching, metering, removal.

use axum::http::Method;
use serde_json::{Value, json};

use crate::twins::{Plugs, in_network};
use crate::world::{House, and, at, hex, mac, plug, with};

#[test]
fn a_plug_from_adoption_to_farewell() {
    in_network(async {
        let plugs = Plugs::start(vec![plug(1, &[]), plug(2, &[])]).await;
        let house = House::open().await;
        let path = format!("/api/v1/plugs/{}", hex(1));
        house.get(&path).await.problem(404, "not_found", None);
        assert_eq!(house.get("/api/v1/plugs").await.expect(200), json!([]));

        let body = json!({"address": at(1)});
        let answer = house.post("/api/v1/plugs", body.clone()).await;
        let adopted = answer.expect(201);
        assert_eq!(answer.header("location"), path);
        assert_eq!(answer.header("etag"), "\"1\"");
        assert_eq!(adopted["available"], true);
        assert_eq!(adopted["mac"].as_str().unwrap().len(), 17);
        let again = house.post("/api/v1/plugs", body).await;
        again.expect(200);
        assert_eq!(again.header("location"), path);
        // In either case; with separators it is no path.
        let mac = adopted["mac"].as_str().unwrap();
        let upper = format!("/api/v1/plugs/{}", mac.replace(':', ""));
        assert_eq!(house.get(&upper).await.expect(200)["mac"], mac);
        for separated in [mac.to_owned(), mac.replace(':', "-")] {
            let path = format!("/api/v1/plugs/{separated}");
            house.get(&path).await.problem(404, "not_found", None);
        }

        let found = house.post("/api/v1/discover", json!({"wait": "1s"})).await;
        let found = found.expect(200);
        let found = found.as_array().unwrap();
        assert_eq!(found.len(), 2, "{found:?}");
        for one in found {
            assert_eq!(one["adopted"], one["mac"] == adopted["mac"]);
        }

        house.delete(&path).await.expect(204);
        house.get(&path).await.problem(404, "not_found", None);
        house.delete(&path).await.problem(404, "not_found", None);
        house.close().await;
        plugs.stop().await;
    });
}

#[test]
fn two_tabs_do_not_overwrite_each_other() {
    in_network(async {
        let plugs = Plugs::start(vec![plug(1, &[]), plug(2, &[])]).await;
        let house = House::open().await;
        house.adopt(2).await;
        let path = format!("/api/v1/plugs/{}", hex(1));
        let change = json!({"name": "Küche", "room": "台所", "metering": "5s", "power_on": "last"});
        let request = and(with(Method::PATCH, &path, change), "if-match", "\"1\"");
        let changed = house.ask(request).await;
        let json = changed.expect(200);
        assert_eq!(changed.header("etag"), "\"2\"");
        assert_eq!(
            (&json["name"], &json["room"]),
            (&json!("Küche"), &json!("台所"))
        );
        assert_eq!(
            (&json["metering"], &json["power_on"]),
            (&json!("5s"), &json!("last"))
        );

        assert_eq!(json["often_unplugged"], false);
        for (given, kept) in [
            (json!(true), true),
            (Value::Null, false),
            (json!(true), true),
        ] {
            let change = json!({"often_unplugged": given});
            let json = house.patch(&path, change).await.expect(200);
            assert_eq!(json["often_unplugged"], kept);
        }
        let late = with(Method::PATCH, &path, json!({"name": "lamp"}));
        let late = house.ask(and(late, "if-match", "\"1\"")).await;
        late.problem(412, "conflict", None);
        assert_eq!(house.get(&path).await.expect(200)["name"], "Küche");
        let any = with(Method::PATCH, &path, json!({"metering": "off"}));
        house.ask(and(any, "if-match", "*")).await.expect(200);

        // What is left out stays, null takes back.
        let cleared = house
            .patch(&path, json!({"room": null, "metering": null}))
            .await;
        let json = cleared.expect(200);
        assert_eq!(
            (&json["room"], &json["metering"]),
            (&Value::Null, &json!("1s"))
        );
        assert_eq!(
            (&json["name"], &json["power_on"]),
            (&json!("Küche"), &json!("last"))
        );

        let other = format!("/api/v1/plugs/{}", hex(2));
        let taken = house.patch(&other, json!({"name": "KÜCHE"})).await;
        taken.problem(409, "conflict", Some("name"));
        for (change, field) in [
            (json!({"name": ""}), "name"),
            (json!({"name": 7}), "name"),
            (json!({"room": " x"}), "room"),
            (json!({"metering": "10ms"}), "metering"),
            (json!({"metering": 10}), "metering"),
            (json!({"power_on": "maybe"}), "power_on"),
            (json!({"often_unplugged": "yes"}), "often_unplugged"),
            (json!({"nmae": "x"}), "nmae"),
            (json!({"mac": "accf23000001"}), "mac"),
        ] {
            let answer = house.patch(&other, change).await;
            answer.problem(400, "usage", Some(field));
        }
        let request = with(Method::DELETE, &other, Value::Null);
        let stale = house.ask(and(request, "if-match", "\"7\"")).await;
        stale.problem(412, "conflict", None);
        house.get(&other).await.expect(200);
        house.close().await;
        plugs.stop().await;
    });
}

#[test]
fn switched_and_read_back() {
    in_network(async {
        let plugs = Plugs::start(vec![
            plug(1, &[]),
            plug(2, &["stuck-relay"]),
            plug(3, &["busy-tcp"]),
        ])
        .await;
        let house = House::open().await;
        house.adopt(3).await;
        let path = |number, what: &str| format!("/api/v1/plugs/{}/{what}", hex(number));
        for (state, relay) in [
            ("on", "on"),
            ("toggle", "off"),
            ("toggle", "on"),
            ("off", "off"),
        ] {
            let answer = house.put(&path(1, "relay"), json!({"state": state})).await;
            assert_eq!(
                answer.expect(200),
                json!({"relay": relay, "confirmed": true})
            );
            let view = house.get(&format!("/api/v1/plugs/{}", hex(1))).await;
            assert_eq!(view.expect(200)["relay"], relay);
        }
        for (number, relay) in [(2, "off"), (3, "off")] {
            let answer = house
                .put(&path(number, "relay"), json!({"state": "on"}))
                .await;
            let problem = answer.problem(502, "refused", None);
            assert_eq!(problem["confirmed"], false, "{problem}");
            assert_eq!(problem["relay"], relay, "{problem}");
        }
        for (body, field) in [
            (json!({"state": "dim"}), Some("state")),
            (json!({"state": null}), Some("state")),
            (json!({}), Some("state")),
            (json!({"state": "on", "for": "5m"}), Some("for")),
            (json!([]), None),
            (json!(["on"]), None),
        ] {
            let answer = house.put(&path(1, "relay"), body).await;
            answer.problem(400, "usage", field);
        }

        assert_eq!(house.get(&path(1, "delay")).await.expect(200), Value::Null);
        let delayed = house
            .post(&path(1, "delay"), json!({"state": "off", "minutes": 30}))
            .await;
        let delayed = delayed.expect(200);
        assert_eq!(house.get(&path(1, "delay")).await.expect(200), delayed);
        assert_eq!(
            (&delayed["relay"], &delayed["minutes"]),
            (&json!("off"), &json!(30))
        );
        for minutes in [
            json!(0),
            json!(2001),
            json!(-1),
            json!(1.5),
            json!("30"),
            json!(70_000),
        ] {
            let body = json!({"state": "off", "minutes": minutes});
            let answer = house.post(&path(1, "delay"), body).await;
            answer.problem(400, "usage", Some("minutes"));
        }
        let version = house.get(&path(1, "version")).await.expect(200);
        assert_eq!(version["plug"], mac(1).as_str());
        assert!(version["version"].as_str().unwrap().starts_with("1.0"));
        let reading = house.post(&path(1, "meter"), Value::Null).await.expect(200);
        assert!(reading["voltage_v"].as_f64().unwrap() > 200.0);
        let refused = house.get(&path(3, "version")).await;
        refused.problem(502, "refused", None);
        house.close().await;
        plugs.stop().await;
    });
}

/// A plug cannot be asked for its timer, so the hub remembers it.
#[test]
fn a_timer_is_known_after_a_restart() {
    in_network(async {
        let plugs = Plugs::start(vec![plug(1, &[])]).await;
        let house = House::open().await;
        house.adopt(1).await;
        let delay = format!("/api/v1/plugs/{}/delay", hex(1));
        let body = json!({"state": "off", "minutes": 30});
        let delayed = house.post(&delay, body).await.expect(200);
        let house = house.restarted().await;
        house.adopt(1).await;
        assert_eq!(house.get(&delay).await.expect(200), delayed);
        house.close().await;
        plugs.stop().await;
    });
}

#[test]
fn a_plug_that_is_gone_does_not_answer() {
    in_network(async {
        let plugs = Plugs::start(vec![plug(1, &[])]).await;
        let house = House::open().await;
        house.adopt(1).await;
        plugs.stop().await;
        let path = format!("/api/v1/plugs/{}/relay", hex(1));
        let answer = house.put(&path, json!({"state": "on"})).await;
        answer.problem(504, "no_answer", None);
        let answer = house.post("/api/v1/plugs", json!({"address": at(9)})).await;
        answer.problem(504, "no_answer", None);
        for (address, field) in [
            (json!("kitchen"), "address"),
            (json!("::1"), "address"),
            (json!(7), "address"),
        ] {
            let answer = house
                .post("/api/v1/plugs", json!({"address": address}))
                .await;
            answer.problem(400, "usage", Some(field));
        }
        house.close().await;
    });
}

#[test]
fn a_new_plug_in_the_place_of_an_old_one() {
    in_network(async {
        let plugs = Plugs::start(vec![plug(1, &[]), plug(2, &[])]).await;
        let house = House::open().await;
        house.adopt(2).await;
        let old = format!("/api/v1/plugs/{}", hex(1));
        house.patch(&old, json!({"name": "lamp"})).await.expect(200);
        // The field that names the plug in each of them, and how it names it.
        let named = [
            ("groups", "plugs", json!({"name": "g", "plugs": [mac(1)]})),
            (
                "schedules",
                "targets",
                json!({"name": "s", "targets": [mac(1)], "action": "on", "when": {"at": "07:00"}}),
            ),
            (
                "rules",
                "plug",
                json!({"name": "r", "plug": mac(1), "kind": "auto_off", "after": "1d"}),
            ),
            (
                "tariffs",
                "plugs",
                json!({"name": "t", "currency": "EUR", "plugs": [mac(1)], "kind": "flat", "price": 1}),
            ),
        ];
        for (collection, _, body) in &named {
            let path = format!("/api/v1/{collection}");
            house.post(&path, body.clone()).await.expect(201);
        }
        let replace = format!("{old}/replace");
        let itself = house.post(&replace, json!({"by": mac(1)})).await;
        assert!(itself.status.is_client_error());
        let nobody = house.post(&replace, json!({"by": "accf23ffffff"})).await;
        assert!(nobody.status.is_client_error());
        house
            .post(&replace, json!({"by": "lamp"}))
            .await
            .problem(400, "usage", Some("by"));
        let new = house
            .post(&replace, json!({"by": mac(2)}))
            .await
            .expect(200);
        assert_eq!(new["name"], "lamp");
        house.get(&old).await.problem(404, "not_found", None);
        for (collection, field, _) in named {
            let all = house
                .get(&format!("/api/v1/{collection}"))
                .await
                .expect(200);
            let names = &all[0][field];
            let plug = names.get(0).unwrap_or(names);
            assert_eq!(*plug, json!(mac(2)), "{collection}");
        }
        house.close().await;
        plugs.stop().await;
    });
}
