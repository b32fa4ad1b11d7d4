//! Groups, schedules, rules and tariffs: common operations, and those of each collection.

use axum::http::Method;
use serde_json::{Value, json};

use crate::twins::{Plugs, in_network};
use crate::world::{House, and, bare, hex, mac, plug, with};

/// Returns documents of every collection and every kind.
fn samples() -> Vec<(&'static str, Value)> {
    let day = json!(["mon", "sun"]);
    let schedule = |when: Value| {
        json!({"name": "evening", "enabled": true, "targets": [mac(1)], "action": "on", "when": when,
               "random": "10m", "catch_up": null})
    };
    let rule = |kind: Value| {
        let mut rule = json!({"name": "standby", "enabled": false, "plug": mac(1)});
        rule.as_object_mut()
            .unwrap()
            .extend(kind.as_object().unwrap().clone());
        rule
    };
    let tariff = |kind: Value| {
        let mut tariff = json!({"name": "home", "currency": "EUR", "valid_from": "2026-01-01", "plugs": [mac(1)]});
        tariff
            .as_object_mut()
            .unwrap()
            .extend(kind.as_object().unwrap().clone());
        tariff
    };
    vec![
        ("groups", json!({"name": "lamps", "plugs": [mac(1)]})),
        ("groups", json!({"name": "Lämpchen 💡", "plugs": []})),
        ("schedules", schedule(json!({"at": "07:00", "days": day}))),
        (
            "schedules",
            schedule(json!({"sun": "sunset", "offset": "-15m", "days": day})),
        ),
        ("schedules", schedule(json!({"once": "2199-12-24T18:00"}))),
        (
            "schedules",
            schedule(json!({"sun": "sunrise", "offset": "-1h30m", "days": day})),
        ),
        (
            "schedules",
            schedule(json!({"once": "2199-12-31T18:00:30"})),
        ),
        ("schedules", schedule(json!({"cron": "*/5 7-9 * * 1-5"}))),
        (
            "schedules",
            schedule(json!({"cron": "0 7 * JAN-MAR Mon-FRI"})),
        ),
        ("schedules", schedule(json!({"cron": "0 7 L * ?"}))),
        ("schedules", schedule(json!({"cron": "0 7 15W * *"}))),
        ("schedules", schedule(json!({"cron": "0 7 * * 5#2,SUN#L"}))),
        ("schedules", schedule(json!({"cron": "@daily"}))),
        (
            "rules",
            rule(
                json!({"kind": "standby_kill", "below_w": 10.0, "for": "5m", "restore_at": "07:00", "test_pulse": {"every": "2h", "for": "1m"}}),
            ),
        ),
        ("rules", rule(json!({"kind": "auto_off", "after": "2h"}))),
        ("rules", rule(json!({"kind": "auto_off", "after": "1m30s"}))),
        ("rules", rule(json!({"kind": "auto_off", "after": "36h"}))),
        (
            "rules",
            rule(json!({"kind": "keep_on", "after": "1h1m1s500ms"})),
        ),
        (
            "rules",
            rule(json!({"kind": "over_power", "above_w": 2000.0, "for": "10s"})),
        ),
        (
            "rules",
            rule(
                json!({"kind": "follow", "leader": mac(2), "above_w": 30.0, "hysteresis_w": 5.0, "delay": "10s"}),
            ),
        ),
        ("rules", rule(json!({"kind": "keep_on", "after": null}))),
        ("rules", rule(json!({"kind": "power_on", "state": "last"}))),
        ("tariffs", tariff(json!({"kind": "flat", "price": 0.32}))),
        (
            "tariffs",
            tariff(
                json!({"kind": "day_night", "day": 0.34, "night": 0.26, "day_begins": "06:00", "night_begins": "22:00", "days": ["mon", "tue"]}),
            ),
        ),
        (
            "tariffs",
            tariff(
                json!({"kind": "hourly", "prices": [{"t": "2026-11-22T00:00:00Z", "price": -0.01}], "otherwise": null}),
            ),
        ),
        (
            "tariffs",
            tariff(json!({"kind": "hourly", "prices": [
                {"t": "2026-11-29T00:00:00Z", "price": 0.1},
                {"t": "2026-11-30T23:45:00Z", "price": 0.1},
                {"t": "2026-12-31T00:00:00Z", "price": 0.1},
            ], "otherwise": null})),
        ),
    ]
}

#[test]
fn every_kind_lives_the_same_life() {
    in_network(async {
        let plugs = Plugs::start(vec![plug(1, &[]), plug(2, &[])]).await;
        let house = House::open().await;
        house.adopt(2).await;
        for (collection, sample) in samples() {
            life(&house, collection, sample).await;
        }
        house.close().await;
        plugs.stop().await;
    });
}

async fn life(house: &House, collection: &str, sample: Value) {
    let all = format!("/api/v1/{collection}");
    assert_eq!(house.get(&all).await.expect(200), json!([]), "{sample}");
    let made = house.post(&all, sample.clone()).await;
    let document = made.expect(201);
    let path = made.header("location").to_owned();
    assert_eq!(path, format!("{all}/{}", document["id"].as_str().unwrap()));
    assert_eq!(made.header("etag"), "\"1\"");
    for (name, value) in sample.as_object().unwrap() {
        assert_eq!(&document[name], value, "{name} of {sample}");
    }
    // The answer to a change of a tariff also has its effect on costs of the past, if there is one; the tariff itself does not.
    let mut stored = document.clone();
    let repriced = stored.as_object_mut().unwrap().remove("repriced");
    assert!(repriced.is_none() || collection == "tariffs", "{document}");
    assert_eq!(house.get(&all).await.expect(200), json!([stored]));

    let double = house.post(&all, sample.clone()).await;
    double.problem(409, "conflict", Some("name"));
    // What was read is sent back as it is, with a new name.
    let mut edited = house.get(&path).await.expect(200);
    edited["name"] = "ANOTHER".into();
    let request = and(
        with(Method::PUT, &path, edited.clone()),
        "if-match",
        "\"1\"",
    );
    let replaced = house.ask(request).await;
    assert_eq!(replaced.expect(200)["name"], "ANOTHER");
    assert_eq!(replaced.header("etag"), "\"2\"");
    let late = and(with(Method::PUT, &path, edited), "if-match", "\"1\"");
    house.ask(late).await.problem(412, "conflict", None);
    let late = and(bare(Method::DELETE, &path), "if-match", "\"1\"");
    house.ask(late).await.problem(412, "conflict", None);

    // Whatever is left out by mistake or added is named.
    for name in sample.as_object().unwrap().keys() {
        let mut wrong = sample.clone();
        wrong[name] = json!({"no": "sense"});
        let answer = house.put(&path, wrong).await;
        let problem = answer.expect(400);
        assert_eq!(
            problem["kind"], "usage",
            "{name} of {collection}: {problem}"
        );
    }
    let mut unknown = sample.clone();
    unknown["colour"] = "red".into();
    house
        .put(&path, unknown)
        .await
        .problem(400, "usage", Some("colour"));
    let mut nameless = sample;
    nameless.as_object_mut().unwrap().remove("name");
    house
        .put(&path, nameless)
        .await
        .problem(400, "usage", Some("name"));
    assert_eq!(house.get(&path).await.header("etag"), "\"2\"");

    house.delete(&path).await.expect(204);
    house.delete(&path).await.problem(404, "not_found", None);
    house.get(&path).await.problem(404, "not_found", None);
}

#[test]
fn a_patch_changes_what_it_names() {
    in_network(async {
        let plugs = Plugs::start(vec![plug(1, &[])]).await;
        let house = House::open().await;
        house.adopt(1).await;
        for (collection, sample) in samples() {
            if sample["leader"].is_null() {
                patched(&house, collection, &sample).await;
            }
        }

        let schedule = json!({"name": "x", "enabled": false, "targets": [mac(1)], "action": "on",
            "when": {"at": "07:00", "days": ["mon"]}, "random": "10m", "catch_up": "5m"});
        let path = made(&house, "schedules", &schedule).await;
        for (patch, field, value) in [
            (
                json!({"when": {"days": null}}),
                "when",
                json!({"at": "07:00", "days": ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]}),
            ),
            (
                json!({"when": {"at": null, "days": null, "cron": "0 7 * * *"}}),
                "when",
                json!({"cron": "0 7 * * *"}),
            ),
            (json!({"random": null}), "random", Value::Null),
            (json!({"enabled": null}), "enabled", json!(true)),
        ] {
            let document = house.patch(&path, patch.clone()).await.expect(200);
            assert_eq!(document[field], value, "{patch}");
            assert_eq!(document["catch_up"], "5m", "{patch}");
        }
        for (patch, field) in [
            (json!({"when": {"sun": "sunset"}}), Some("when")),
            (json!({"targets": null}), Some("targets")),
            (json!({"targets": ["accf23ffffff"]}), Some("targets")),
            (json!([]), None),
        ] {
            let answer = house.patch(&path, patch).await;
            answer.problem(400, "usage", field);
        }
        house.close().await;
        plugs.stop().await;
    });
}

/// Creates a document and returns its path.
async fn made(house: &House, collection: &str, body: &Value) -> String {
    let made = house
        .post(&format!("/api/v1/{collection}"), body.clone())
        .await;
    made.expect(201);
    made.header("location").to_owned()
}

async fn patched(house: &House, collection: &str, sample: &Value) {
    let path = made(house, collection, sample).await;
    let before = house.get(&path).await.expect(200);
    // Omitted fields stay.
    let renamed = house.patch(&path, json!({"name": "other"})).await;
    let mut expected = before.clone();
    expected["name"] = "other".into();
    assert_eq!(renamed.expect(200), expected, "{sample}");
    assert_eq!(renamed.header("etag"), "\"2\"");
    // What was read can be sent back.
    house.patch(&path, before.clone()).await.expect(200);
    // Unknown fields are refused, also where they would be reset.
    for value in [json!("red"), Value::Null] {
        let unknown = house.patch(&path, json!({"colour": value})).await;
        unknown.problem(400, "usage", Some("colour"));
    }
    // A required field cannot be reset.
    let nameless = house.patch(&path, json!({"name": null})).await;
    nameless.problem(400, "usage", Some("name"));
    let stale = and(
        with(Method::PATCH, &path, json!({"name": "late"})),
        "if-match",
        "\"1\"",
    );
    house.ask(stale).await.problem(412, "conflict", None);
    let fresh = and(
        with(Method::PATCH, &path, json!({"name": "fresh"})),
        "if-match",
        "\"3\"",
    );
    assert_eq!(house.ask(fresh).await.expect(200)["name"], "fresh");
    let none = house
        .patch(&format!("/api/v1/{collection}/g-00000000"), json!({}))
        .await;
    none.problem(404, "not_found", None);
    house.delete(&path).await.expect(204);
}

#[test]
fn what_a_document_names_has_to_exist() {
    in_network(async {
        let plugs = Plugs::start(vec![plug(1, &[])]).await;
        let house = House::open().await;
        house.adopt(1).await;
        let stranger = "accf23ffffff";
        let at = json!({"at": "07:00"});
        for (collection, body, field) in [
            (
                "groups",
                json!({"name": "x", "plugs": [mac(1), stranger]}),
                "plugs",
            ),
            (
                "groups",
                json!({"name": "x", "plugs": [mac(1), mac(1)]}),
                "plugs",
            ),
            (
                "groups",
                json!({"name": "x", "plugs": ["kitchen"]}),
                "plugs[0]",
            ),
            (
                "schedules",
                json!({"name": "x", "targets": [stranger], "action": "on", "when": at}),
                "targets",
            ),
            (
                "schedules",
                json!({"name": "x", "targets": ["g-00000000"], "action": "on", "when": at}),
                "targets",
            ),
            (
                "schedules",
                json!({"name": "x", "targets": [], "action": "on", "when": at}),
                "targets",
            ),
            (
                "schedules",
                json!({"name": "x", "targets": [mac(1)], "action": "on", "when": {"at": "25:00"}}),
                "when.at",
            ),
            (
                "schedules",
                json!({"name": "x", "targets": [mac(1)], "action": "on", "when": {}}),
                "when",
            ),
            (
                "rules",
                json!({"name": "x", "plug": stranger, "kind": "keep_on"}),
                "plug",
            ),
            (
                "rules",
                json!({"name": "x", "plug": mac(1), "kind": "follow", "leader": stranger, "above_w": 5}),
                "leader",
            ),
            (
                "tariffs",
                json!({"name": "x", "currency": "EUR", "plugs": [stranger], "kind": "flat", "price": 1}),
                "plugs",
            ),
            (
                "tariffs",
                json!({"name": "x", "currency": "EUR", "kind": "flat", "price": -1}),
                "price",
            ),
            (
                "tariffs",
                json!({"name": "x", "currency": "Euro", "kind": "flat", "price": 1}),
                "currency",
            ),
            ("groups", json!({"name": "--help", "plugs": []}), "name"),
            (
                "schedules",
                json!({"name": "x", "targets": [mac(1)], "action": "on", "when": {"once": "2026-01-01T18:00"}}),
                "when.once",
            ),
            // The first kind in the program's own list.
            (
                "tariffs",
                json!({"name": "x", "currency": "EUR", "kind": 0, "price": 1}),
                "kind",
            ),
            (
                "rules",
                json!({"name": "x", "plug": mac(1), "kind": 1, "after": "5m"}),
                "kind",
            ),
        ] {
            let answer = house.post(&format!("/api/v1/{collection}"), body).await;
            answer.problem(400, "usage", Some(field));
        }
        house.close().await;
        plugs.stop().await;
    });
}

#[test]
fn a_name_belongs_to_one_plug_or_group() {
    in_network(async {
        let plugs = Plugs::start(vec![plug(1, &[])]).await;
        let house = House::open().await;
        house.adopt(1).await;
        let plug = format!("/api/v1/plugs/{}", hex(1));
        house
            .patch(&plug, json!({"name": "Lamp"}))
            .await
            .expect(200);
        let taken = json!({"name": "lamp", "plugs": []});
        let taken = house.post("/api/v1/groups", taken).await;
        taken.problem(409, "conflict", Some("name"));
        let group = json!({"name": "lamps", "plugs": [mac(1)]});
        let group = house.post("/api/v1/groups", group).await;
        group.expect(201);
        let taken = house.patch(&plug, json!({"name": "LAMPS"})).await;
        taken.problem(409, "conflict", Some("name"));
        for name in ["--help", "-v"] {
            let option = house.patch(&plug, json!({"name": name})).await;
            option.problem(400, "usage", Some("name"));
        }
        let path = group.header("location");
        house.patch(path, json!({"plugs": []})).await.expect(200);
        house.close().await;
        plugs.stop().await;
    });
}

#[test]
fn documents_that_name_what_was_removed_are_marked_and_can_be_edited() {
    in_network(async {
        let plugs = Plugs::start(vec![plug(1, &[]), plug(2, &[])]).await;
        let house = House::open().await;
        house.adopt(2).await;
        let made = async |collection: &str, body: Value| {
            let made = house.post(&format!("/api/v1/{collection}"), body).await;
            made.expect(201);
            made.header("location").to_owned()
        };
        let group = made(
            "groups",
            json!({"name": "lamps", "plugs": [mac(1), mac(2)]}),
        )
        .await;
        let group_id = group.rsplit('/').next().unwrap().to_owned();
        let at = json!({"at": "07:00"});
        let targets = json!([mac(2), group_id]);
        let schedule = json!({"name": "x", "targets": targets, "action": "on", "when": at});
        let schedule = made("schedules", schedule).await;
        let part = json!({"name": "y", "targets": [mac(1), mac(2)], "action": "on", "when": at});
        let part = made("schedules", part).await;
        let rule =
            json!({"name": "x", "plug": mac(2), "kind": "over_power", "above_w": 9, "for": "1s"});
        let rule = made("rules", rule).await;
        let before = house.get(&rule).await.expect(200);
        assert_eq!(before["missing"], Value::Null);
        // Metered each second: a second until it is seen, one more to be sure, and the replies.
        assert_eq!(before["reacts_within_s"], 12);
        house
            .delete(&format!("/api/v1/plugs/{}", hex(2)))
            .await
            .expect(204);
        house.delete(&group).await.expect(204);

        let view = house.get(&schedule).await.expect(200);
        assert_eq!((&view["missing"], &view["next"]), (&targets, &Value::Null));
        assert_eq!(view["upcoming"], Value::Null);
        let view = house.get(&part).await.expect(200);
        assert_eq!(view["missing"], json!([mac(2)]));
        assert_ne!(view["next"], Value::Null);
        assert_eq!(
            house.get(&rule).await.expect(200)["missing"],
            json!([mac(2)])
        );
        for path in [&schedule, &part, &rule] {
            let disabled = house
                .patch(path, json!({"enabled": false}))
                .await
                .expect(200);
            assert_eq!(disabled["enabled"], false);
            // As it was read, it can be sent back.
            house.put(path, disabled).await.expect(200);
        }
        let mended = house
            .patch(&schedule, json!({"targets": [mac(1)]}))
            .await
            .expect(200);
        assert_eq!(mended["missing"], Value::Null);
        // What was taken out does not come in again.
        let again = house.patch(&schedule, json!({"targets": [mac(2)]})).await;
        again.problem(400, "usage", Some("targets"));
        house.close().await;
        plugs.stop().await;
    });
}

#[test]
fn a_group_is_switched_and_tells_of_each() {
    in_network(async {
        let plugs = Plugs::start(vec![plug(1, &[]), plug(2, &["stuck-relay"]), plug(3, &[])]).await;
        let house = House::open().await;
        house.adopt(3).await;
        let group = json!({"name": "all", "plugs": [mac(1), mac(2), mac(3)]});
        let group = house.post("/api/v1/groups", group).await;
        let path = format!("{}/relay", group.header("location"));
        house
            .delete(&format!("/api/v1/plugs/{}", hex(3)))
            .await
            .expect(204);
        let told = house.put(&path, json!({"state": "on"})).await.expect(200);
        let told = told.as_array().unwrap();
        let plugs_told: Vec<_> = told
            .iter()
            .map(|one| one["plug"].as_str().unwrap())
            .collect();
        assert_eq!(plugs_told, [mac(1), mac(2), mac(3)]);
        assert_eq!(
            (&told[0]["relay"], &told[0]["confirmed"]),
            (&json!("on"), &json!(true))
        );
        assert_eq!(told[0]["error"], Value::Null);
        assert_eq!(
            (&told[1]["confirmed"], &told[1]["error"]["kind"]),
            (&json!(false), &json!("refused"))
        );
        assert_eq!(
            (&told[2]["relay"], &told[2]["error"]["kind"]),
            (&Value::Null, &json!("not_found"))
        );
        let nobody = house
            .put("/api/v1/groups/g-00000000/relay", json!({"state": "on"}))
            .await;
        nobody.problem(404, "not_found", None);
        house.close().await;
        plugs.stop().await;
    });
}

#[test]
fn what_is_known_already_is_not_sent_again() {
    in_network(async {
        let house = House::open().await;
        let made = house
            .post("/api/v1/groups", json!({"name": "none", "plugs": []}))
            .await;
        let path = made.header("location").to_owned();
        let ask = async |tag| {
            house
                .ask(and(bare(Method::GET, &path), "if-none-match", tag))
                .await
        };
        for (tag, status) in [("\"1\"", 304), ("W/\"1\"", 304), ("*", 304), ("\"2\"", 200)] {
            let answer = ask(tag).await;
            answer.expect(status);
            assert_eq!(answer.header("etag"), "\"1\"");
        }
        house.close().await;
    });
}

#[test]
fn the_next_time_is_told() {
    in_network(async {
        let plugs = Plugs::start(vec![plug(1, &[])]).await;
        let house = House::open().await;
        house.adopt(1).await;
        let schedule = json!({"name": "x", "targets": [mac(1)], "action": "on", "when": {"once": "2199-07-01T12:00"}});
        let made = house.post("/api/v1/schedules", schedule).await;
        let mut json = made.expect(201);
        assert_eq!(json["next"], "2199-07-01T10:00:00Z");
        assert_eq!(json["upcoming"], json!(["2199-07-01T10:00:00Z"]));
        assert_eq!(
            (&json["last"], &json["halted"]),
            (&Value::Null, &Value::Null)
        );
        json["enabled"] = false.into();
        let off = house.put(made.header("location"), json).await;
        assert_eq!(off.expect(200)["next"], Value::Null);
        let daily = json!({"name": "y", "targets": [mac(1)], "action": "on", "when": {"cron": "0 7 * * *"}, "random": "2h"});
        let daily = house.post("/api/v1/schedules", daily).await.expect(201);
        let times: Vec<jiff::Timestamp> =
            serde_json::from_value(daily["upcoming"].clone()).unwrap();
        assert_eq!((times.len(), &daily["upcoming"][0]), (3, &daily["next"]));
        for pair in times.windows(2) {
            let hours = pair[0].duration_until(pair[1]).as_hours();
            assert!((22..27).contains(&hours), "{times:?}");
        }
        house.close().await;
        plugs.stop().await;
    });
}
