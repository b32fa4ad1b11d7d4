//! Every verb with what it is meant for: its JSON as the contract has it, and what a person sees.

use std::io::Read as _;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Stdio;

use serde_json::json;

use crate::home::finish;
use crate::house::{FIRST, House, NOBODY, SECOND};

/// The serials of the bulbs of a twin with these bulbs, as it tells them; they come from the seed.
fn serials(house: &House, bulbs: &[&str]) -> Vec<String> {
    let mut twin = house
        .command()
        .args([
            "emulate",
            "bridge",
            "--listen",
            "127.94.0.200",
            "--no-announce",
        ])
        .args(["--timeout", "300ms"])
        .args(bulbs)
        .stderr(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let mut said = String::new();
    twin.stderr
        .take()
        .unwrap()
        .read_to_string(&mut said)
        .unwrap();
    twin.wait().unwrap();
    let serials = said.split("serial ").skip(1);
    serials.map(|rest| rest[..6].to_owned()).collect()
}

#[test]
fn each_model_is_paired_with_used_and_forgotten() {
    for (model, scheme) in [("bsb001", "http"), ("bsb002", "https"), ("bsb003", "https")] {
        let house = House::with(&["--model", model, "--bulb", "near:1"]);
        let run = house
            .json(&["hue", "pair", FIRST, "--trust-certificate"])
            .ends_with(0);
        let id = run.json()["bridge"].as_str().unwrap().to_owned();
        assert_eq!(run.json(), json!({"bridge": id, "paired": true}));
        assert!(id.len() == 16 && id.contains("fffe"), "{id}");
        let file = std::fs::metadata(house.state().join("hue.json")).unwrap();
        assert_eq!(file.permissions().mode() & 0o777, 0o600);
        // Known by its id from now on, at the address where it was.
        let lights = house.lights(&id);
        let light = &lights[0];
        assert_eq!(
            light,
            &json!({"id": "1", "name": "Hue color lamp 1", "unique_id": light["unique_id"], "model": "LCT007", "reachable": true})
        );
        let shown = house.run(&["hue", "lights", FIRST]).ends_with(0).stdout;
        assert!(shown.starts_with("ID  NAME"), "{shown}");
        // Again: the key that is kept is still good, and nobody has to press anything.
        let key = house.kept_key();
        let again = house.run(&["hue", "pair", FIRST]).ends_with(0);
        assert!(again.stderr.contains("paired already"), "{again:?}");
        assert!(again.stdout.contains(scheme), "{again:?}");
        assert_eq!(house.kept_key(), key);
        let forgotten = house.json(&["hue", "forget", &id]).ends_with(0).json();
        assert_eq!(forgotten, json!({"bridge": id, "forgotten": true}));
        house.json(&["hue", "forget", &id]).ends_with(3);
        // It answers to a search by its id, but gives nothing to a stranger.
        let stranger = house.json(&["hue", "lights", &id]).ends_with(2);
        assert_eq!(stranger.error_kind(), "usage");
    }
}

#[test]
fn bridges_are_found() {
    let mut house = House::empty();
    for (model, address) in [
        ("bsb001", "127.94.0.1"),
        ("bsb002", "127.94.0.2"),
        ("bsb003", "127.94.0.3"),
    ] {
        house.start(&[
            "--listen",
            address,
            "--model",
            model,
            "--mac",
            &format!("00:17:88:00:00:0{}", &address[9..]),
            "--press-after",
            "0s",
        ]);
    }
    let found = house.json(&["hue", "discover"]).ends_with(0).json();
    let mut found = found.as_array().unwrap().clone();
    found.sort_by_key(|bridge| bridge["model"].as_str().unwrap().to_owned());
    let models: Vec<_> = found
        .iter()
        .map(|bridge| bridge["model"].as_str().unwrap())
        .collect();
    assert_eq!(models, ["BSB001", "BSB002", "BSB003"], "{found:?}");
    assert_eq!(
        found[1],
        json!({"id": "001788fffe000002", "address": "127.94.0.2", "model": "BSB002", "name": "Hue Bridge",
            "software": found[1]["software"], "api": found[1]["api"]})
    );
    house.pair("127.94.0.2");
    let shown = house.run(&["hue", "discover"]).ends_with(0).stdout;
    let row = |address: &str| {
        shown
            .lines()
            .find(|line| line.contains(address))
            .unwrap()
            .to_owned()
    };
    assert!(row("127.94.0.2").ends_with("yes"), "{shown}");
    assert!(row("127.94.0.1").ends_with("no"), "{shown}");
    // A bridge that has moved is followed by its id.
    house.cut_power();
    house.start(&[
        "--listen",
        "127.94.0.7",
        "--model",
        "bsb002",
        "--mac",
        "00:17:88:00:00:02",
        "--press-after",
        "0s",
    ]);
    let moved = house
        .json(&["hue", "clip", "001788fffe000002", "get", "/api/config"])
        .ends_with(0);
    assert_eq!(moved.json()["bridgeid"], "001788FFFE000002");
    house.cut_power();
    assert_eq!(
        house
            .json(&["hue", "discover", "--wait", "1s"])
            .ends_with(0)
            .json(),
        json!([])
    );
}

#[test]
fn a_search_finds_what_is_new_and_a_serial_what_is_bound() {
    let bulbs = ["--bulb", "near", "--bulb", "far:foreign"];
    let house = House::paired(&bulbs);
    let id = house.pair(FIRST);
    let searched = house.json(&["hue", "search", FIRST]).ends_with(0).json();
    assert_eq!(searched["bridge"], id.as_str());
    assert_eq!(searched["new_lights"].as_array().unwrap().len(), 1);
    assert_eq!(searched["new_lights"][0]["id"], "1");
    assert!(searched["new_lights"][0]["unique_id"].is_string());
    // Nothing more is new: that is no failure.
    let nothing = house.json(&["hue", "search", FIRST]).ends_with(0).json();
    assert_eq!(nothing["new_lights"], json!([]));
    // The second bulb comes when it is called by its serial.
    let serial = serials(&house, &bulbs)[1].clone();
    let called = house
        .json(&["hue", "search", FIRST, "--serial", &serial.to_lowercase()])
        .ends_with(0)
        .json();
    assert_eq!(
        called["new_lights"].as_array().unwrap().len(),
        1,
        "{called}"
    );
    for bad in ["45AF3", "45AF3G", "", "45AF345"] {
        house
            .json(&["hue", "search", FIRST, "--serial", bad])
            .ends_with(2);
    }
}

#[test]
fn a_bulb_is_taken_over_on_each_way() {
    for (model, words, via) in [
        ("bsb002", &[][..], "rest"),
        ("bsb003", &["--via", "rest"], "rest"),
        ("bsb001", &[], "rest"),
        ("bsb001", &["--via", "tcp30000"], "tcp30000"),
    ] {
        let house = House::paired(&["--model", model, "--bulb", "near:foreign"]);
        let verb = [&["--yes", "hue", "takeover", FIRST], words].concat();
        let taken = house.json(&verb).ends_with(0).json();
        assert_eq!(taken["via"], via, "{taken}");
        assert_eq!(taken["captured"], true, "{taken}");
        assert_eq!(
            taken["new_lights"][0]["name"], "Hue color lamp 1",
            "{taken}"
        );
        assert_eq!(house.names(FIRST), ["Hue color lamp 1"]);
    }
    // Old firmware has no touchlink in its configuration.
    let house = House::paired(&[
        "--model",
        "bsb001",
        "--api",
        "1.8.0",
        "--bulb",
        "near:foreign",
    ]);
    let taken = house
        .json(&["--yes", "hue", "takeover", FIRST])
        .ends_with(0)
        .json();
    assert_eq!(taken["via"], "tcp30000", "{taken}");
    let refused = House::paired(&[
        "--model",
        "bsb001",
        "--api",
        "1.8.0",
        "--bulb",
        "near:foreign",
    ]);
    refused
        .json(&["--yes", "hue", "takeover", FIRST, "--via", "rest"])
        .ends_with(5);
}

#[test]
fn auto_falls_back_and_says_why() {
    let house = House::paired(&[
        "--model",
        "bsb001",
        "--fault",
        "error=6PUT/config",
        "--bulb",
        "near:foreign",
    ]);
    let run = house
        .json(&["--yes", "hue", "takeover", FIRST])
        .ends_with(0);
    assert_eq!(run.json()["via"], "tcp30000");
    assert!(
        run.json()["notes"]
            .as_array()
            .is_some_and(|notes| !notes.is_empty())
    );
    assert!(run.stderr.contains("tcp30000"), "{run:?}");
}

#[test]
fn a_takeover_that_took_nothing_is_refused_with_its_whole_result() {
    for words in [
        &["--bulb", "far:foreign"][..],
        &["--bulb", "near:foreign", "--fault", "unpowered"],
    ] {
        let house = House::paired(words);
        let run = house
            .json(&["--yes", "hue", "takeover", FIRST])
            .ends_with(5);
        let told = run.json();
        assert_eq!(told["error"]["kind"], "refused", "{told}");
        assert_eq!(told["captured"], json!(null), "{told}");
        assert_eq!(told["new_lights"], json!([]), "{told}");
        assert!(house.names(FIRST).is_empty());
    }
    // Where the bridge says that it has captured nothing, that is told.
    let house = House::paired(&[
        "--model",
        "bsb001",
        "--fault",
        "touchlink-failed",
        "--bulb",
        "near:foreign",
    ]);
    let run = house
        .json(&["--yes", "hue", "takeover", FIRST, "--via", "tcp30000"])
        .ends_with(5);
    assert_eq!(run.json()["captured"], false);
    let people = house
        .run(&["--yes", "hue", "takeover", FIRST, "--via", "tcp30000"])
        .ends_with(5);
    assert!(
        people.stderr.contains("error: ") && people.stdout.is_empty(),
        "{people:?}"
    );
}

#[test]
fn a_takeover_by_serial_needs_no_closeness_and_no_question() {
    let bulb = ["--bulb", "far:foreign"];
    let house = House::paired(&bulb);
    let serial = serials(&house, &bulb)[0].clone();
    let taken = house
        .json(&["hue", "takeover", FIRST, "--serial", &serial])
        .ends_with(0)
        .json();
    assert_eq!(
        (&taken["via"], &taken["captured"]),
        (&json!("serial"), &json!(true)),
        "{taken}"
    );
    let nobody = house
        .json(&["hue", "takeover", FIRST, "--serial", "000000"])
        .ends_with(5)
        .json();
    assert_eq!(
        (&nobody["via"], &nobody["captured"]),
        (&json!("serial"), &json!(false)),
        "{nobody}"
    );
    house
        .json(&["hue", "takeover", FIRST, "--serial", "zz"])
        .ends_with(2);
    house
        .json(&[
            "hue", "takeover", FIRST, "--serial", &serial, "--via", "rest",
        ])
        .ends_with(2);
}

#[test]
fn a_light_is_named_in_three_ways() {
    let house = House::paired(&["--bulb", "near:1", "--bulb", "near:1"]);
    let lights = house.lights(FIRST);
    for name in [
        &lights[0]["id"],
        &lights[0]["name"],
        &lights[0]["unique_id"],
    ] {
        let told = house
            .json(&["hue", "identify", FIRST, name.as_str().unwrap()])
            .ends_with(0)
            .json();
        assert_eq!(told["light"]["id"], "1", "{told}");
    }
    let blinked = house
        .json(&["hue", "clip", FIRST, "get", "lights/1"])
        .ends_with(0)
        .json();
    assert_eq!(blinked["state"]["alert"], "select");
    house.json(&["hue", "identify", FIRST, "99"]).ends_with(3);
    house
        .json(&["hue", "identify", FIRST, "Shelf"])
        .ends_with(3);
    // Two of one name: nobody can tell which.
    house
        .json(&[
            "hue",
            "clip",
            FIRST,
            "put",
            "lights/2",
            r#"{"name":"Hue color lamp 1"}"#,
        ])
        .ends_with(0);
    let both = house
        .json(&["hue", "identify", FIRST, "Hue color lamp 1"])
        .ends_with(2);
    let message = both.json()["error"]["message"].as_str().unwrap().to_owned();
    assert!(message.contains("1, 2"), "{message}");
}

#[test]
fn a_light_moves_and_a_second_time_says_that_it_has() {
    let house = House::paired(&["--count", "2", "--bulb", "near:1", "--bulb", "near:2"]);
    house
        .json(&[
            "hue",
            "clip",
            FIRST,
            "put",
            "lights/1",
            r#"{"name":"Desk"}"#,
        ])
        .ends_with(0);
    let verb = [
        "--yes", "hue", "move", "Desk", "--from", FIRST, "--to", SECOND,
    ];
    let first = house.json(&verb).ends_with(0).json();
    assert_eq!(first["moved"], true, "{first}");
    assert_eq!(
        first["steps"],
        json!(["checked", "opened", "deleted", "appeared", "renamed"]),
        "{first}"
    );
    assert_eq!(first["from"], house.pair(FIRST).as_str());
    assert_eq!(first["to"], house.pair(SECOND).as_str());
    assert_eq!(house.names(FIRST), [""; 0]);
    assert!(house.names(SECOND).contains(&"Desk".to_owned()));
    let second = house.json(&verb).ends_with(0).json();
    assert_eq!(second["moved"], true, "{second}");
    assert_eq!(house.lights(SECOND).len(), 2);
    // Both are the same bridge; a light that is not there; a bridge that is not paired with.
    house
        .json(&[
            "--yes", "hue", "move", "1", "--from", SECOND, "--to", SECOND,
        ])
        .ends_with(2);
    house
        .json(&[
            "--yes", "hue", "move", "Shelf", "--from", FIRST, "--to", SECOND,
        ])
        .ends_with(3);
    house
        .json(&[
            "--yes", "hue", "move", "1", "--from", SECOND, "--to", NOBODY,
        ])
        .ends_with(4);
    house.json(&["hue", "forget", FIRST]).ends_with(0);
    house
        .json(&["--yes", "hue", "move", "1", "--from", SECOND, "--to", FIRST])
        .ends_with(2);
    assert_eq!(house.lights(SECOND).len(), 2);
}

#[test]
fn a_full_bridge_loses_nobody_a_light() {
    let mut house = House::with(&["--bulb", "near:1"]);
    house.start(&[
        "--listen",
        SECOND,
        "--mac",
        "00:17:88:00:00:02",
        "--press-after",
        "0s",
        "--fault",
        "full",
        "--no-announce",
    ]);
    house.pair(FIRST);
    house.pair(SECOND);
    let run = house
        .json(&["--yes", "hue", "move", "1", "--from", FIRST, "--to", SECOND])
        .ends_with(5);
    assert_eq!(run.error_kind(), "refused");
    assert_eq!(house.names(FIRST), ["Hue color lamp 1"]);
}

#[test]
fn a_move_needs_agreement() {
    let house = House::paired(&["--count", "2", "--bulb", "near:1"]);
    let run = house
        .json(&["hue", "move", "1", "--from", FIRST, "--to", SECOND])
        .ends_with(2);
    let message = run.json()["error"]["message"].as_str().unwrap().to_owned();
    assert!(message.contains("no terminal to ask on"), "{message}");
    assert_eq!(house.names(FIRST), ["Hue color lamp 1"]);
    let run = house.json(&["hue", "takeover", FIRST]).ends_with(2);
    assert_eq!(run.error_kind(), "usage");
}

#[test]
fn clip_prints_what_the_bridge_says() {
    let house = House::paired(&["--bulb", "near:1"]);
    let config = house
        .json(&["hue", "clip", FIRST, "get", "/api/config"])
        .ends_with(0);
    // In the bridge's own order.
    assert!(
        config.stdout.starts_with(r#"{"name":"Hue Bridge","#),
        "{config:?}"
    );
    assert_eq!(config.json()["modelid"], "BSB002");
    let people = house
        .run(&["hue", "clip", FIRST, "get", "lights"])
        .ends_with(0)
        .stdout;
    assert!(people.starts_with("{\n  \"1\": {\n"), "{people}");
    let body = house.write("body.json", "{\"on\": false}\n");
    let file = format!("@{}", body.display());
    let put = house
        .json(&["hue", "clip", FIRST, "put", "lights/1/state", &file])
        .ends_with(0);
    assert_eq!(
        put.json(),
        json!([{"success": {"/lights/1/state/on": false}}])
    );
    let from_stdin = house
        .command()
        .args(["--json", "hue", "clip", FIRST, "put", "lights/1/state", "-"])
        .stdin(std::fs::File::open(&body).unwrap())
        .output();
    finish(from_stdin).ends_with(0);
    let second = house
        .json(&["hue", "clip", FIRST, "get", "/clip/v2/resource/device"])
        .ends_with(0);
    assert_eq!(second.json()["errors"], json!([]));
}

#[test]
fn clip_explains_what_the_bridge_refuses() {
    let house = House::paired(&["--bulb", "near:1"]);
    for (words, number, part) in [
        (
            &["put", "config", r#"{"touchLink":true}"#][..],
            6,
            "touchLink",
        ),
        (
            &["put", "lights/1/state", r#"{"on":"yes"}"#],
            7,
            "invalid value",
        ),
        (&["get", "lights/99"], 3, "not available"),
        (&["delete", "config"], 4, "not available"),
    ] {
        let run = house
            .json(&[&["hue", "clip", FIRST], words].concat())
            .ends_with(5);
        assert_eq!(run.json()[0]["error"]["type"], number, "{run:?}");
        assert!(
            run.stderr.contains(part) && run.stderr.contains("error: "),
            "{run:?}"
        );
    }
}

#[test]
fn clip_sends_nothing_that_is_no_json() {
    let house = House::empty();
    // Nobody is there, so whatever was sent would end with 4.
    for (body, part) in [
        ("{\u{201c}on\u{201d}: true}", "U+201C"),
        ("{\"on\u{201d}: true}", ""),
        ("{\u{2018}on\u{2019}: true}", "U+2018"),
        ("{\"on\":\u{a0}true}", "U+00A0"),
        ("{\u{2033}on\u{2033}: true}", "U+2033"),
        ("{\u{ab}on\u{bb}: true}", "U+00AB"),
        ("{'on': true}", "column 2"),
        ("{\"on\": tru}", "column"),
        ("", ""),
    ] {
        let run = house
            .json(&["hue", "clip", NOBODY, "put", "lights/1/state", body])
            .ends_with(2);
        let message = run.json()["error"]["message"].as_str().unwrap().to_owned();
        assert!(
            message.contains("was not sent") && message.contains(part),
            "{body}: {message}"
        );
    }
    let windows = house.write("windows.json", "");
    std::fs::write(&windows, b"{\x93on\x94: true}").unwrap();
    let file = format!("@{}", windows.display());
    house
        .json(&["hue", "clip", NOBODY, "put", "lights/1/state", &file])
        .ends_with(2);
    for words in [
        &["get", "lights", "{}"][..],
        &["patch", "lights", "{}"],
        &["get", "a b"],
        &["get", "lights\n"],
        &["put", "lights/1", "@/nowhere/at/all"],
        &["get", "http://elsewhere/api"],
    ] {
        let run = house.json(&[&["hue", "clip", NOBODY], words].concat());
        assert!(
            run.code == 2 || (words.len() == 2 && run.code == 4),
            "{words:?} {run:?}"
        );
    }
}

#[test]
fn a_key_that_is_given_is_used_instead_of_the_one_that_is_kept() {
    let house = House::paired(&["--bulb", "near:1"]);
    let good = house.write("good.key", &format!("{}\n", house.kept_key()));
    let bad = house.write("bad.key", "0000000000000000000000000000000000000000");
    let (good, bad) = (good.to_str().unwrap(), bad.to_str().unwrap());
    house
        .json(&["hue", "lights", FIRST, "--app-key-file", good])
        .ends_with(0);
    let refused = house
        .json(&["hue", "--app-key-file", bad, "lights", FIRST])
        .ends_with(5);
    assert!(
        refused.json()["error"]["hint"]
            .as_str()
            .unwrap()
            .contains("pair"),
        "{refused:?}"
    );
    let by_variable = |key: &str, words: &[&str]| {
        finish(
            house
                .command()
                .env("MAINS_HUE_KEY", key)
                .arg("--json")
                .args(words)
                .output(),
        )
    };
    by_variable("0000", &["hue", "lights", FIRST]).ends_with(5);
    by_variable("0000", &["hue", "lights", FIRST, "--app-key-file", good]).ends_with(0);
    by_variable("no key/../config", &["hue", "lights", FIRST]).ends_with(2);
    by_variable("", &["hue", "lights", FIRST]).ends_with(0);
    house
        .json(&["hue", "lights", FIRST, "--app-key-file", "/nowhere"])
        .ends_with(2);
    house
        .json(&["hue", "discover", "--app-key-file", good])
        .ends_with(2);
    // A key of another program is kept without the button, if the bridge takes it.
    house
        .json(&["hue", "pair", FIRST, "--app-key-file", bad])
        .ends_with(5);
    house.json(&["hue", "forget", FIRST]).ends_with(0);
    house
        .json(&[
            "hue",
            "pair",
            FIRST,
            "--trust-certificate",
            "--app-key-file",
            good,
        ])
        .ends_with(0);
    assert_eq!(house.lights(FIRST).len(), 1);
}
