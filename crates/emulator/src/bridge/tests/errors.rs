//! The error table: each row provoked by a request, and by a fault where no honest request leads to it.

use super::*;

/// Method, path, body, and the whole reply.
const VECTORS: [(&str, &str, &str, &str); 15] = [
    (
        "PUT",
        "/api/K/config",
        r#"{"touchlink":true}"#,
        r#"[{"success":{"/config/touchlink":true}}]"#,
    ),
    (
        "PUT",
        "/api/K/config/",
        r#"{"touchlink": true}"#,
        r#"[{"success":{"/config/touchlink":true}}]"#,
    ),
    (
        "PUT",
        "/api/K/config",
        r#"{"touchLink": true}"#,
        r#"[{"error":{"type":6,"address":"/config/touchLink","description":"parameter, touchLink, not available"}}]"#,
    ),
    (
        "PUT",
        "/api/K/config",
        "{\u{201c}touchlink\u{201d}: true}",
        r#"[{"error":{"type":2,"address":"/config","description":"body contains invalid json"}}]"#,
    ),
    (
        "PUT",
        "/api/wrong/config",
        r#"{"touchlink":true}"#,
        r#"[{"error":{"type":1,"address":"/config","description":"unauthorized user"}}]"#,
    ),
    (
        "PUT",
        "/api/K/config",
        r#"{"touchlink":"yes"}"#,
        r#"[{"error":{"type":7,"address":"/config/touchlink","description":"invalid value, yes, for parameter, touchlink"}}]"#,
    ),
    (
        "PUT",
        "/api/K/config",
        r#"{"mac":"x"}"#,
        r#"[{"error":{"type":8,"address":"/config/mac","description":"parameter, mac, is not modifiable"}}]"#,
    ),
    (
        "GET",
        "/api/wrong/lights",
        "",
        r#"[{"error":{"type":1,"address":"/lights","description":"unauthorized user"}}]"#,
    ),
    (
        "GET",
        "/api/K/lights/99",
        "",
        r#"[{"error":{"type":3,"address":"/lights/99","description":"resource, /lights/99, not available"}}]"#,
    ),
    (
        "DELETE",
        "/api/K/lights",
        "",
        r#"[{"error":{"type":4,"address":"/lights","description":"method, DELETE, not available for resource, /lights"}}]"#,
    ),
    (
        "POST",
        "/api",
        "",
        r#"[{"error":{"type":2,"address":"/","description":"body contains invalid json"}}]"#,
    ),
    (
        "POST",
        "/api/K/lights",
        "",
        r#"[{"success":{"/lights":"Searching for new devices"}}]"#,
    ),
    (
        "POST",
        "/api/K/lights",
        "{}",
        r#"[{"success":{"/lights":"Searching for new devices"}}]"#,
    ),
    (
        "POST",
        "/api/K/lights",
        r#"{"deviceid":["45AF34","543636"]}"#,
        r#"[{"success":{"/lights":"Searching for new devices"}}]"#,
    ),
    (
        "DELETE",
        "/api/K/lights/1",
        "",
        r#"[{"success":"/lights/1 deleted"}]"#,
    ),
];

#[test]
fn replies_to_the_letter() {
    for (method, path, body, expected) in VECTORS {
        let mut bench = RoomBench::square(&[], &["near:1"]);
        assert_eq!(
            bench.text(method, path, body),
            expected,
            "{method} {path} {body}"
        );
    }
}

#[test]
fn honest_errors() {
    let eleven: Vec<String> = (0..11).map(|number| format!("{number:06}")).collect();
    let eleven = serde_json::json!({"deviceid": eleven}).to_string();
    let long = format!(r#"{{"devicetype":"{}"}}"#, "x".repeat(41));
    for (method, path, body, number) in [
        ("GET", "/api/wrong", "", 1),
        ("POST", "/api/wrong/lights", "", 1),
        ("POST", "/api", "{\"devicetype\":\"a\u{201d}", 2),
        ("PUT", "/api/K/lights/1/state", "{on:true}", 2),
        ("PUT", "/api/K/lights/1", "[]", 2),
        ("POST", "/api/K/lights", "[1]", 2),
        ("GET", "/api/K/nothing", "", 3),
        ("DELETE", "/api/K/lights/99", "", 3),
        ("PUT", "/api/K/lights/99/state", r#"{"on":true}"#, 3),
        ("GET", "/api", "", 4),
        ("POST", "/api/K/config", "{}", 4),
        ("GET", "/api/K/lights/1/state", "", 4),
        ("POST", "/api/K/lights/1", "", 4),
        ("PUT", "/api/K/groups", "{}", 4),
        ("POST", "/api", "{}", 5),
        ("PUT", "/api/K/config", "{}", 5),
        (
            "PUT",
            "/api/K/lights/1/state",
            r#"{"on":true,"blink":1}"#,
            6,
        ),
        ("POST", "/api/K/lights", r#"{"deviceids":["45AF34"]}"#, 6),
        ("POST", "/api", r#"{"devicetype":1}"#, 7),
        ("POST", "/api", r#"{"devicetype":""}"#, 7),
        ("POST", "/api", &long, 7),
        (
            "POST",
            "/api",
            r#"{"devicetype":"a#b","username":"chosen"}"#,
            7,
        ),
        ("POST", "/api/K/lights", r#"{"deviceid":["45AF3"]}"#, 7),
        ("POST", "/api/K/lights", r#"{"deviceid":["45AF3G"]}"#, 7),
        ("POST", "/api/K/lights", r#"{"deviceid":[]}"#, 7),
        ("POST", "/api/K/lights", r#"{"deviceid":"45AF34"}"#, 7),
        ("PUT", "/api/K/config", r#"{"name":"x"}"#, 7),
        ("PUT", "/api/K/lights/1", r#"{"name":""}"#, 7),
        ("PUT", "/api/K/lights/1/state", r#"{"bri":300}"#, 7),
        ("PUT", "/api/K/config", r#"{"apiversion":"2"}"#, 8),
        ("POST", "/api/K/lights", &eleven, 11),
        ("POST", "/api", r#"{"devicetype":"a#b"}"#, 101),
    ] {
        let mut bench = RoomBench::square(&[], &["near:1"]);
        assert_eq!(
            bench.errors(method, path, body),
            [number],
            "{method} {path} {body}"
        );
    }
}

#[test]
fn a_lamp_that_is_off_takes_nothing_but_on() {
    let mut bench = RoomBench::square(&[], &["near:1"]);
    bench.ask("PUT", "/api/K/lights/1/state", r#"{"on":false}"#);
    assert_eq!(
        bench.errors("PUT", "/api/K/lights/1/state", r#"{"alert":"select"}"#),
        [201]
    );
    assert!(
        bench
            .errors(
                "PUT",
                "/api/K/lights/1/state",
                r#"{"alert":"select","on":true}"#
            )
            .is_empty()
    );
}

#[test]
fn a_full_bridge_searches_no_more() {
    let mut bench = RoomBench::square(&["capacity=1"], &["near:1", "near"]);
    assert_eq!(bench.errors("POST", "/api/K/lights", ""), [203]);
    assert_eq!(
        bench.ask("GET", "/api/K/capabilities", "")["lights"]["available"],
        0
    );
    bench.ask("DELETE", "/api/K/lights/1", "");
    assert!(bench.errors("POST", "/api/K/lights", "").is_empty());
}

#[test]
fn old_firmware_knows_less() {
    let at = |api: &str| RoomBench::of(vec![config(TwinModel::Round, api, &[])], &["near:1"]);
    let touchlink = r#"{"touchlink":true}"#;
    assert_eq!(at("1.8.0").errors("PUT", "/api/K/config", touchlink), [6]);
    assert!(
        at("1.9.0")
            .errors("PUT", "/api/K/config", touchlink)
            .is_empty()
    );
    assert_eq!(at("1.6.0").errors("DELETE", "/api/K/lights/1", ""), [4]);
    assert!(
        at("1.7.0")
            .errors("DELETE", "/api/K/lights/1", "")
            .is_empty()
    );
    assert_eq!(at("1.13.0").errors("GET", "/api/K/capabilities", ""), [3]);
}

#[test]
fn several_parameters_work_or_do_not_each_by_itself() {
    let mut bench = RoomBench::square(&[], &[]);
    let reply = bench.ask(
        "PUT",
        "/api/K/config",
        r#"{"name":"Hall","nothing":1,"mac":2}"#,
    );
    let items = reply.as_array().unwrap();
    assert_eq!(items.len(), 3);
    assert_eq!(
        items
            .iter()
            .filter(|item| item.get("success").is_some())
            .count(),
        1
    );
    assert_eq!(bench.ask("GET", "/api/config", "")["name"], "Hall");
}

#[test]
fn what_no_request_provokes_a_fault_does() {
    for number in [1, 2, 3, 4, 5, 6, 7, 8, 11, 12, 101, 201, 203, 901] {
        let mut bench = RoomBench::square(&[&format!("error={number}")], &["near:1"]);
        assert_eq!(
            bench.errors("GET", "/api/K/lights", ""),
            [number],
            "with a key"
        );
        assert!(
            bench.ask("GET", "/api/config", "")["bridgeid"].is_string(),
            "identification goes on"
        );
    }
}

#[test]
fn what_is_not_there() {
    let mut bench = RoomBench::square(&[], &[]);
    for path in [
        "/",
        "/index.html",
        "/clip/v2/resource",
        "/eventstream/clip/v2",
        "/debug/clip.html",
    ] {
        assert_eq!(
            bench.answer(0, "GET", path, "").status,
            404,
            "{path} by HTTP"
        );
    }
}
