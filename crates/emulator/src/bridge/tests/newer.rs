//! The interface below `/clip/v2`.

use serde_json::json;

use super::*;

const DISCOVERY: &str = "/clip/v2/resource/zigbee_device_discovery";

fn ask(bench: &mut RoomBench, method: &str, path: &str, body: &str) -> (u16, Value) {
    let request = RoomRequest {
        method,
        path,
        key: Some(KEY),
        body: body.as_bytes(),
        is_secure: true,
    };
    let answer = bench.send(0, &request);
    (answer.status, serde_json::from_slice(&answer.body).unwrap())
}

fn data(bench: &mut RoomBench, path: &str) -> Vec<Value> {
    let (status, reply) = ask(bench, "GET", path, "");
    assert_eq!((status, &reply["errors"]), (200, &json!([])), "{reply}");
    reply["data"].as_array().unwrap().clone()
}

fn discovery(bench: &mut RoomBench) -> (String, Value) {
    let all = data(bench, DISCOVERY);
    assert_eq!(all.len(), 1);
    (
        format!("{DISCOVERY}/{}", all[0]["id"].as_str().unwrap()),
        all[0].clone(),
    )
}

#[test]
fn without_a_key_it_is_forbidden_and_before_its_time_it_is_not_there() {
    for (model, api, status) in [
        (TwinModel::Square, "1.48.0", 403),
        (TwinModel::Square, "1.47.0", 404),
        (TwinModel::Pro, "", 403),
        (TwinModel::Round, "", 404),
    ] {
        let mut bench = RoomBench::of(vec![config(model, api, &[])], &[]);
        for key in [None, Some("wrong")] {
            let request = RoomRequest {
                method: "GET",
                path: "/clip/v2/resource",
                key,
                body: b"",
                is_secure: true,
            };
            assert_eq!(bench.send(0, &request).status, status, "{model} {api}");
        }
    }
}

#[test]
fn a_search_is_begun_and_told() {
    let mut bench = RoomBench::square(&[], &["far", "far:foreign"]);
    let (path, resource) = discovery(&mut bench);
    assert_eq!(resource["status"], "ready");
    assert!(
        resource["action"]["action_type_values"]
            .as_array()
            .unwrap()
            .contains(&json!("search"))
    );
    let id = resource["id"].clone();
    let (status, reply) = ask(
        &mut bench,
        "PUT",
        &path,
        r#"{"action":{"action_type":"search"}}"#,
    );
    assert_eq!(
        (status, reply),
        (
            200,
            json!({"errors": [], "data": [{"rid": id, "rtype": "zigbee_device_discovery"}]})
        )
    );
    assert_eq!(discovery(&mut bench).1["status"], "active");
    bench.wait(SEARCH);
    assert_eq!(discovery(&mut bench).1["status"], "ready");
    assert_eq!(data(&mut bench, "/clip/v2/resource/light").len(), 1);
    let code = bench.bulb(1).serial;
    let body = json!({"action": {"action_type": "search", "search_codes": [code]}}).to_string();
    assert_eq!(ask(&mut bench, "PUT", &path, &body).0, 200);
    bench.wait(SEARCH);
    assert_eq!(bench.lights(0).len(), 2, "both interfaces show the same");
}

#[test]
fn a_light_is_one_thing_in_both_interfaces() {
    let mut bench = RoomBench::square(&[], &["near:1"]);
    let devices = data(&mut bench, "/clip/v2/resource/device");
    let device = devices
        .iter()
        .find(|device| device["id_v1"] == "/lights/1")
        .unwrap()
        .clone();
    let path = format!(
        "/clip/v2/resource/device/{}",
        device["id"].as_str().unwrap()
    );
    assert_eq!(
        ask(
            &mut bench,
            "PUT",
            &path,
            r#"{"identify":{"action":"identify"}}"#
        )
        .0,
        200
    );
    assert_eq!(bench.bulb(0).blinked, 1);
    assert_eq!(
        ask(&mut bench, "PUT", &path, r#"{"metadata":{"name":"Desk"}}"#).0,
        200
    );
    assert_eq!(bench.ask("GET", "/api/K/lights/1", "")["name"], "Desk");
    let light = data(&mut bench, "/clip/v2/resource/light")[0].clone();
    assert_eq!(light["owner"]["rid"], device["id"]);
    let light = format!("/clip/v2/resource/light/{}", light["id"].as_str().unwrap());
    assert_eq!(
        ask(&mut bench, "PUT", &light, r#"{"on":{"on":false}}"#).0,
        200
    );
    assert!(!bench.bulb(0).on);
    let connectivity = data(&mut bench, "/clip/v2/resource/zigbee_connectivity");
    assert!(
        connectivity
            .iter()
            .any(|one| one["id_v1"] == "/lights/1" && one["status"] == "connected")
    );
    assert_eq!(ask(&mut bench, "DELETE", &path, "").0, 200);
    assert!(bench.lights(0).is_empty() && bench.owner(0).is_none());
    assert_eq!(ask(&mut bench, "DELETE", &path, "").0, 404);
}

#[test]
fn ids_differ_and_stay() {
    let mut bench = RoomBench::square(&[], &["near:1", "near:1"]);
    let ids = |bench: &mut RoomBench| -> Vec<String> {
        data(bench, "/clip/v2/resource")
            .iter()
            .map(|one| one["id"].as_str().unwrap().to_owned())
            .collect()
    };
    let mut all = ids(&mut bench);
    assert_eq!(all, ids(&mut RoomBench::square(&[], &["near:1", "near:1"])));
    assert!(
        all.iter()
            .all(|id| id.len() == 36 && id.split('-').count() == 5),
        "{all:?}"
    );
    all.sort();
    all.dedup();
    assert_eq!(all.len(), 4 + 2 * 3);
}

#[test]
fn refusals() {
    let mut bench = RoomBench::square(&["capacity=1"], &["near:1"]);
    let (path, _) = discovery(&mut bench);
    let eleven = json!({"action": {"action_type": "search", "search_codes": vec!["45AF34"; 11]}})
        .to_string();
    for (method, path, body, status) in [
        (
            "PUT",
            path.as_str(),
            r#"{"action":{"action_type":"search"}}"#,
            507,
        ),
        (
            "PUT",
            &path,
            r#"{"action":{"action_type":"touchlink"}}"#,
            400,
        ),
        ("PUT", &path, &eleven, 400),
        (
            "PUT",
            &path,
            r#"{"action":{"action_type":"search","search_codes":["x"]}}"#,
            400,
        ),
        ("PUT", &path, "{}", 400),
        ("PUT", &path, "{\u{201c}", 400),
        ("DELETE", &path, "", 405),
        ("POST", "/clip/v2/resource/light", "{}", 405),
        ("GET", "/clip/v2/resource/light/none", "", 404),
        ("GET", "/clip/v2/nothing", "", 404),
    ] {
        let (got, reply) = ask(&mut bench, method, path, body);
        assert_eq!(got, status, "{method} {path} {body}");
        assert!(
            reply["errors"][0]["description"].is_string() && reply["data"] == json!([]),
            "{reply}"
        );
    }
    assert_eq!(
        data(&mut bench, "/clip/v2/resource/scene"),
        Vec::<Value>::new()
    );
}

#[test]
fn events_tell_of_what_came_and_went() {
    let mut bench = RoomBench::square(&[], &["near"]);
    assert_eq!(bench.room.events(bench.now, 0, None), (0, String::new()));
    bench.search(0, "");
    let (count, text) = bench.room.events(bench.now, 0, Some(0));
    assert!(
        count == 1 && text.contains("\"type\":\"add\"") && text.contains("/lights/1"),
        "{text}"
    );
    bench.ask("DELETE", "/api/K/lights/1", "");
    let (count, text) = bench.room.events(bench.now, 0, Some(1));
    assert!(count == 2 && text.contains("\"type\":\"delete\""), "{text}");
    let request = RoomRequest {
        method: "GET",
        path: "/eventstream/clip/v2",
        key: Some(KEY),
        body: b"",
        is_secure: true,
    };
    let answer = bench.send(0, &request);
    assert!(answer.is_stream && answer.content_type == "text/event-stream");
}
