//! Identification, keys, lists: what is said without the radio.

use super::*;

#[test]
fn the_square_one_identifies_itself_as_the_capture_does() {
    let mut bench = RoomBench::of(vec![config(TwinModel::Square, "1.43.0", &[])], &[]);
    let expected = r#"{"name":"Hue Bridge","datastoreversion":"99","swversion":"1943185030","apiversion":"1.43.0","mac":"00:17:88:01:02:03","bridgeid":"001788FFFE010203","factorynew":false,"replacesbridgeid":null,"modelid":"BSB002","starterkitid":""}"#;
    for path in [
        "/api/config",
        "/api/0/config",
        "/api/nouser/config",
        "/api/config/",
        "/api/config?x=1",
    ] {
        assert_eq!(bench.text("GET", path, ""), expected, "{path}");
    }
}

#[test]
fn the_round_one_and_its_ancestor() {
    let mut bench = RoomBench::of(vec![config(TwinModel::Round, "", &[])], &[]);
    assert_eq!(
        bench.text("GET", "/api/config", ""),
        r#"{"name":"Philips hue","swversion":"01032318","apiversion":"1.13.0","mac":"00:17:88:01:02:03","bridgeid":"001788FFFE010203","factorynew":false,"replacesbridgeid":null,"modelid":"BSB001"}"#
    );
    for api in ["none", "1.0"] {
        let mut bench = RoomBench::of(vec![config(TwinModel::Round, api, &[])], &["near:1"]);
        assert_eq!(
            bench.text("GET", "/api/config", ""),
            r#"{"name":"Philips hue","swversion":"01003542"}"#
        );
        assert_eq!(
            bench.text("GET", "/api/K/lights", ""),
            r#"{"1":{"name":"Hue color lamp 1"}}"#
        );
    }
}

#[test]
fn the_pro_speaks_https_only() {
    let mut bench = RoomBench::of(vec![config(TwinModel::Pro, "", &[])], &[]);
    assert_eq!(bench.ask("GET", "/api/config", "")["modelid"], "BSB003");
    let plain = RoomRequest {
        method: "GET",
        path: "/api/config",
        key: None,
        body: b"",
        is_secure: false,
    };
    let answer = bench.send(0, &plain);
    assert_eq!(
        (answer.status, answer.location.as_deref()),
        (301, Some("https://127.1.2.3/api/config"))
    );
}

#[test]
fn only_who_has_a_key_sees_the_rest_of_the_configuration() {
    let mut bench = RoomBench::square(&[], &[]);
    let all = bench.ask("GET", "/api/K/config", "");
    assert_eq!(all["whitelist"][KEY]["create date"], "2026-11-23T10:00:00");
    assert!(all["zigbeechannel"].is_number() && all["ipaddress"] == "127.1.2.3");
    assert!(
        bench
            .ask("GET", "/api/other/config", "")
            .get("whitelist")
            .is_none()
    );
    let everything = bench.ask("GET", "/api/K", "");
    assert!(everything["lights"].is_object() && everything["config"]["whitelist"].is_object());
    assert_eq!(
        bench.ask("GET", "/api/K/capabilities", "")["lights"]["available"],
        63
    );
}

#[test]
fn a_press_counts_for_half_a_minute() {
    let body = r#"{"devicetype":"hue-move#shelf","generateclientkey":true}"#;
    let not_pressed =
        r#"[{"error":{"type":101,"address":"","description":"link button not pressed"}}]"#;
    let mut bench = RoomBench::square(&[], &[]);
    assert_eq!(bench.text("POST", "/api", body), not_pressed);
    bench.room.press(bench.now, 0);
    bench.wait(Duration::from_millis(29_999));
    let reply = bench.ask("POST", "/api/", body);
    let key = reply[0]["success"]["username"].as_str().unwrap().to_owned();
    assert!(
        key.len() == 40 && key.bytes().all(|byte| byte.is_ascii_alphanumeric()),
        "{key}"
    );
    assert_eq!(reply[0]["success"]["clientkey"].as_str().unwrap().len(), 32);
    bench.wait(Duration::from_millis(1));
    assert_eq!(bench.text("POST", "/api", body), not_pressed);
    assert_eq!(bench.text("GET", &format!("/api/{key}/lights"), ""), "{}");
    bench.room.revoke_keys(bench.now, 0);
    assert_eq!(bench.errors("GET", &format!("/api/{key}/lights"), ""), [1]);
}

#[test]
fn somebody_presses_by_the_clock() {
    let body = r#"{"devicetype":"a#b"}"#;
    let mut late = config(TwinModel::Square, "", &[]);
    late.press_after = Some(Duration::from_secs(10));
    let mut bench = RoomBench::of(vec![late.clone()], &[]);
    for (wait, is_pressed) in [(0, false), (10, true), (29, true), (1, false)] {
        bench.wait(Duration::from_secs(wait));
        assert_eq!(bench.errors("POST", "/api", body).is_empty(), is_pressed);
    }
    late.press_after = Some(Duration::ZERO);
    let mut bench = RoomBench::of(vec![late], &[]);
    bench.wait(Duration::from_secs(100_000));
    assert!(bench.errors("POST", "/api", body).is_empty());
}

#[test]
fn a_client_key_is_no_matter_of_the_round_one() {
    let mut bench = RoomBench::of(vec![config(TwinModel::Round, "", &[])], &[]);
    bench.room.press(bench.now, 0);
    let reply = bench.text("POST", "/api", r#"{"devicetype":"a#b"}"#);
    assert!(!reply.contains("clientkey"), "{reply}");
    assert_eq!(
        bench.errors(
            "POST",
            "/api",
            r#"{"devicetype":"a#b","generateclientkey":true}"#
        ),
        [6]
    );
}

#[test]
fn before_the_cloud_took_the_button_a_program_could_press_it() {
    let mut bench = RoomBench::of(vec![config(TwinModel::Round, "1.13.0", &[])], &[]);
    assert!(
        bench
            .errors("PUT", "/api/K/config", r#"{"linkbutton":true}"#)
            .is_empty()
    );
    assert!(
        bench
            .errors("POST", "/api", r#"{"devicetype":"a#b"}"#)
            .is_empty()
    );
    assert!(
        bench
            .errors("DELETE", "/api/K/config/whitelist/K", "")
            .is_empty()
    );
    assert_eq!(bench.errors("GET", "/api/K/lights", ""), [1]);
    let mut bench = RoomBench::square(&[], &[]);
    assert_eq!(
        bench.errors("PUT", "/api/K/config", r#"{"linkbutton":true}"#),
        [8]
    );
    assert_eq!(bench.errors("DELETE", "/api/K/config/whitelist/K", ""), [1]);
}

#[test]
fn a_light_is_listed_named_and_lit() {
    let mut bench = RoomBench::square(&[], &["far:1", "near:foreign"]);
    let light = bench.ask("GET", "/api/K/lights/1", "");
    assert_eq!(light["uniqueid"], bench.bulb(0).unique_id);
    assert_eq!(
        (&light["state"]["reachable"], &light["modelid"]),
        (&true.into(), &"LCT007".into())
    );
    assert_eq!(
        bench.ask("GET", "/api/K/lights", ""),
        serde_json::json!({"1": light})
    );
    assert_eq!(
        bench.text("PUT", "/api/K/lights/1", r#"{"name":"Desk"}"#),
        r#"[{"success":{"/lights/1/name":"Desk"}}]"#
    );
    assert_eq!(bench.ask("GET", "/api/K/lights/1", "")["name"], "Desk");
    assert_eq!(
        bench.text("PUT", "/api/K/lights/1/state", r#"{"alert":"select"}"#),
        r#"[{"success":{"/lights/1/state/alert":"select"}}]"#
    );
    assert_eq!((bench.bulb(0).blinked, bench.bulb(1).blinked), (1, 0));
    bench.ask("PUT", "/api/K/lights/1/state", r#"{"on":false}"#);
    assert!(!bench.bulb(0).on);
    bench.room.power(bench.now, 0, false);
    assert_eq!(
        bench.ask("GET", "/api/K/lights/1", "")["state"]["reachable"],
        false
    );
    bench.ask(
        "PUT",
        "/api/K/lights/1/state",
        r#"{"on":true,"alert":"lselect"}"#,
    );
    assert_eq!(bench.bulb(0).blinked, 1, "it does not hear that");
}

#[test]
fn the_description_that_ssdp_points_at() {
    for (model, part) in [
        (TwinModel::Round, "Philips hue bridge 2012"),
        (TwinModel::Square, "<modelNumber>BSB002<"),
    ] {
        let mut bench = RoomBench::of(vec![config(model, "", &[])], &[]);
        let answer = bench.answer(0, "GET", "/description.xml", "");
        let text = String::from_utf8(answer.body).unwrap();
        assert_eq!((answer.status, answer.content_type), (200, "text/xml"));
        assert!(
            text.contains(part) && text.contains("<serialNumber>001788010203<"),
            "{text}"
        );
    }
    let mut pro = RoomBench::of(vec![config(TwinModel::Pro, "", &[])], &[]);
    assert_eq!(pro.answer(0, "GET", "/description.xml", "").status, 404);
}

proptest::proptest! {
    #[test]
    fn no_request_makes_a_bridge_panic(method in "GET|PUT|POST|DELETE|X", path in "/(api|clip/v2)?(/K|/config|/lights|/new|/1|/state|/resource|/é)*", body: Vec<u8>) {
        let mut bench = RoomBench::square(&[], &["near:1", "far"]);
        let path = path.replace("/K", &format!("/{KEY}"));
        for is_secure in [false, true] {
            bench.send(0, &RoomRequest { method: &method, path: &path, key: Some(KEY), body: &body, is_secure });
            bench.wait(SEARCH);
        }
    }

    #[test]
    fn no_parameter_makes_a_bridge_panic(name in "touchlink|name|deviceid|on|alert|xy|devicetype|x", value in "[0-9]{1,4}|true|null|\"[a-z0-9]{0,6}\"|\\[\\]|\\[1,\"45AF34\"\\]|\\{\\}") {
        let mut bench = RoomBench::square(&[], &["near:1"]);
        let body = format!(r#"{{"{name}":{value}}}"#);
        for (method, path) in [("PUT", "/api/K/config"), ("POST", "/api/K/lights"), ("PUT", "/api/K/lights/1/state"), ("POST", "/api"), ("PUT", "/api/K/lights/1")] {
            let reply = bench.ask(method, path, &body);
            proptest::prop_assert_eq!(reply.as_array().map(Vec::len), Some(1));
        }
    }
}
