//! Finding, pairing, listing and moving: the JSON as the contract has it, and what a person sees.

use std::os::unix::fs::PermissionsExt as _;

use serde_json::json;

use crate::fixture::{FIRST, HueFixture, NOBODY, SECOND};

#[test]
fn each_model_is_paired_with_used_and_forgotten() {
    for (model, scheme) in [("bsb001", "http"), ("bsb002", "https"), ("bsb003", "https")] {
        let fixture = HueFixture::with(&["--model", model, "--bulb", "near:1"]);
        let run = fixture
            .json(&["hue", "pair", FIRST, "--trust-certificate"])
            .ends_with(0);
        let id = run.json()["bridge"].as_str().unwrap().to_owned();
        assert_eq!(run.json(), json!({"bridge": id, "paired": true}));
        assert!(id.len() == 16 && id.contains("fffe"), "{id}");
        let file = std::fs::metadata(fixture.state().join("hue.json")).unwrap();
        assert_eq!(file.permissions().mode() & 0o777, 0o600);
        // Known by its id from now on, at the address where it was.
        let lights = fixture.lights(&id);
        let light = &lights[0];
        assert_eq!(
            light,
            &json!({"id": "1", "name": "Hue color lamp 1", "unique_id": light["unique_id"], "model": "LCT007", "reachable": true})
        );
        let shown = fixture.run(&["hue", "lights", FIRST]).ends_with(0).stdout;
        assert!(shown.starts_with("ID  NAME"), "{shown}");
        // Again: the key that is kept is still good, and nobody has to press anything.
        let key = fixture.kept_key();
        let again = fixture.run(&["hue", "pair", FIRST]).ends_with(0);
        assert!(again.stderr.contains("already paired"), "{again:?}");
        assert!(again.stdout.contains(scheme), "{again:?}");
        assert_eq!(fixture.kept_key(), key);
        let forgotten = fixture.json(&["hue", "forget", &id]).ends_with(0).json();
        assert_eq!(forgotten, json!({"bridge": id, "forgotten": true}));
        fixture.json(&["hue", "forget", &id]).ends_with(3);
        // It answers to a search by its id, but gives nothing to a stranger.
        let stranger = fixture.json(&["hue", "lights", &id]).ends_with(2);
        assert_eq!(stranger.error_kind(), "usage");
    }
}

#[test]
fn bridges_are_found() {
    let mut fixture = HueFixture::empty();
    for (model, address) in [
        ("bsb001", "127.94.0.1"),
        ("bsb002", "127.94.0.2"),
        ("bsb003", "127.94.0.3"),
    ] {
        fixture.start(&[
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
    let found = fixture.json(&["hue", "discover"]).ends_with(0).json();
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
            "software": found[1]["software"], "api": "1.67.0"})
    );
    fixture.pair("127.94.0.2");
    let shown = fixture.run(&["hue", "discover"]).ends_with(0).stdout;
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
    fixture.cut_power();
    fixture.start(&[
        "--listen",
        "127.94.0.7",
        "--model",
        "bsb002",
        "--mac",
        "00:17:88:00:00:02",
        "--press-after",
        "0s",
    ]);
    let moved = fixture
        .json(&["hue", "clip", "001788fffe000002", "get", "/api/config"])
        .ends_with(0);
    assert_eq!(moved.json()["bridgeid"], "001788FFFE000002");
    fixture.cut_power();
    assert_eq!(
        fixture
            .json(&["hue", "discover", "--wait", "1s"])
            .ends_with(0)
            .json(),
        json!([])
    );
}

#[test]
fn a_light_is_named_in_three_ways() {
    let fixture = HueFixture::paired(&["--bulb", "near:1", "--bulb", "near:1"]);
    let lights = fixture.lights(FIRST);
    for name in [
        &lights[0]["id"],
        &lights[0]["name"],
        &lights[0]["unique_id"],
    ] {
        let told = fixture
            .json(&["hue", "identify", FIRST, name.as_str().unwrap()])
            .ends_with(0)
            .json();
        assert_eq!(told["light"]["id"], "1", "{told}");
    }
    let blinked = fixture
        .json(&["hue", "clip", FIRST, "get", "lights/1"])
        .ends_with(0)
        .json();
    assert_eq!(blinked["state"]["alert"], "select");
    fixture.json(&["hue", "identify", FIRST, "99"]).ends_with(3);
    fixture
        .json(&["hue", "identify", FIRST, "Shelf"])
        .ends_with(3);
    // Two of one name: nobody can tell which.
    fixture
        .json(&[
            "hue",
            "clip",
            FIRST,
            "put",
            "lights/2",
            r#"{"name":"Hue color lamp 1"}"#,
        ])
        .ends_with(0);
    let both = fixture
        .json(&["hue", "identify", FIRST, "Hue color lamp 1"])
        .ends_with(2);
    let message = both.json()["error"]["message"].as_str().unwrap().to_owned();
    assert!(message.contains("1, 2"), "{message}");
}

#[test]
fn a_light_moves_and_a_second_time_says_that_it_has() {
    let fixture = HueFixture::paired(&["--count", "2", "--bulb", "near:1", "--bulb", "near:2"]);
    fixture
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
    let first = fixture.json(&verb).ends_with(0).json();
    assert_eq!(first["moved"], true, "{first}");
    assert_eq!(
        first["steps"],
        json!(["checked", "opened", "deleted", "appeared", "renamed"]),
        "{first}"
    );
    assert_eq!(first["from"], fixture.pair(FIRST).as_str());
    assert_eq!(first["to"], fixture.pair(SECOND).as_str());
    assert_eq!(fixture.names(FIRST), [""; 0]);
    assert!(fixture.names(SECOND).contains(&"Desk".to_owned()));
    let second = fixture.json(&verb).ends_with(0).json();
    assert_eq!(second["moved"], true, "{second}");
    assert_eq!(fixture.lights(SECOND).len(), 2);
    // Both are the same bridge; a light that is not there; a bridge that is not paired with.
    fixture
        .json(&[
            "--yes", "hue", "move", "1", "--from", SECOND, "--to", SECOND,
        ])
        .ends_with(2);
    fixture
        .json(&[
            "--yes", "hue", "move", "Shelf", "--from", FIRST, "--to", SECOND,
        ])
        .ends_with(3);
    fixture
        .json(&[
            "--yes", "hue", "move", "1", "--from", SECOND, "--to", NOBODY,
        ])
        .ends_with(4);
    fixture.json(&["hue", "forget", FIRST]).ends_with(0);
    fixture
        .json(&["--yes", "hue", "move", "1", "--from", SECOND, "--to", FIRST])
        .ends_with(2);
    assert_eq!(fixture.lights(SECOND).len(), 2);
}

#[test]
fn a_full_bridge_loses_nobody_a_light() {
    let mut fixture = HueFixture::with(&["--bulb", "near:1"]);
    fixture.start(&[
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
    fixture.pair(FIRST);
    fixture.pair(SECOND);
    let run = fixture
        .json(&["--yes", "hue", "move", "1", "--from", FIRST, "--to", SECOND])
        .ends_with(5);
    assert_eq!(run.error_kind(), "refused");
    assert_eq!(fixture.names(FIRST), ["Hue color lamp 1"]);
}

#[test]
fn a_move_needs_agreement() {
    let fixture = HueFixture::paired(&["--count", "2", "--bulb", "near:1"]);
    let run = fixture
        .json(&["hue", "move", "1", "--from", FIRST, "--to", SECOND])
        .ends_with(2);
    let message = run.json()["error"]["message"].as_str().unwrap().to_owned();
    assert!(message.contains("no terminal to ask on"), "{message}");
    assert_eq!(fixture.names(FIRST), ["Hue color lamp 1"]);
    let run = fixture.json(&["hue", "takeover", FIRST]).ends_with(2);
    assert_eq!(run.error_kind(), "usage");
}

#[test]
fn an_address_that_several_bridges_had_does_not_say_which_is_forgotten() {
    let mut fixture = HueFixture::empty();
    for (port, mac) in [("8080", "00:17:88:00:00:01"), ("8081", "00:17:88:00:00:02")] {
        fixture.start(&[
            "--listen",
            FIRST,
            "--model",
            "bsb001",
            "--no-announce",
            "--http-port",
            port,
            "--touchlink-port",
            &format!("3{port}"),
            "--mac",
            mac,
            "--press-after",
            "0s",
        ]);
        fixture.pair(&format!("{FIRST}:{port}"));
    }
    let run = fixture.json(&["hue", "forget", FIRST]).ends_with(2);
    let message = run.json()["error"]["message"].as_str().unwrap().to_owned();
    for id in ["001788fffe000001", "001788fffe000002"] {
        assert!(message.contains(id), "{message}");
        fixture.json(&["hue", "lights", id]).ends_with(0);
    }
    let one = format!("{FIRST}:8081");
    let run = fixture.json(&["hue", "forget", &one]).ends_with(0);
    assert_eq!(run.json()["bridge"], "001788fffe000002");
    fixture.json(&["hue", "forget", FIRST]).ends_with(0);
}

#[test]
fn a_search_that_runs_out_of_time_tells_what_it_has_found() {
    let mut fixture = HueFixture::with(&["--mac", "00:17:88:00:00:01"]);
    fixture.start(&[
        "--listen",
        SECOND,
        "--fault",
        "hang",
        "--mac",
        "00:17:88:00:00:02",
    ]);
    let words = ["--timeout", "3s", "hue", "discover", "--wait", "1500ms"];
    let found = fixture.json(&words).ends_with(0).json();
    let ids: Vec<_> = found
        .as_array()
        .unwrap()
        .iter()
        .map(|bridge| &bridge["id"])
        .collect();
    assert_eq!(ids, ["001788fffe000001"]);
}

#[test]
fn nobody_walks_to_a_bridge_whose_key_cannot_be_kept() {
    let mut fixture = HueFixture::empty();
    fixture.start(&["--listen", FIRST, "--model", "bsb001", "--no-announce"]);
    let run = fixture
        .command()
        .env("MAINS_STATE", "/proc/nowhere")
        .args(["--json", "--timeout", "5s", "hue", "pair", FIRST])
        .output();
    let run = crate::home::finish(run).ends_with(7);
    assert!(!run.stderr.contains("press"), "{run:?}");
}
