//! Bulbs that are new, and bulbs that belong to something else.

use std::io::Read as _;
use std::process::Stdio;

use serde_json::json;

use crate::fixture::{FIRST, HueFixture};

/// The serials of the bulbs of a twin with these bulbs, as it tells them; they come from the seed.
fn serials(fixture: &HueFixture, bulbs: &[&str]) -> Vec<String> {
    let mut twin = fixture
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
fn a_search_finds_what_is_new_and_a_serial_what_is_bound() {
    let bulbs = ["--bulb", "near", "--bulb", "far:foreign"];
    let fixture = HueFixture::paired(&bulbs);
    let id = fixture.pair(FIRST);
    let searched = fixture.json(&["hue", "search", FIRST]).ends_with(0).json();
    assert_eq!(searched["bridge"], id.as_str());
    assert_eq!(searched["new_lights"].as_array().unwrap().len(), 1);
    assert_eq!(searched["new_lights"][0]["id"], "1");
    assert!(searched["new_lights"][0]["unique_id"].is_string());
    // Nothing more is new: that is no failure.
    let nothing = fixture.json(&["hue", "search", FIRST]).ends_with(0).json();
    assert_eq!(nothing["new_lights"], json!([]));
    // The second bulb comes when it is called by its serial.
    let serial = serials(&fixture, &bulbs)[1].clone();
    let called = fixture
        .json(&["hue", "search", FIRST, "--serial", &serial.to_lowercase()])
        .ends_with(0)
        .json();
    assert_eq!(
        called["new_lights"].as_array().unwrap().len(),
        1,
        "{called}"
    );
    for bad in ["45AF3", "45AF3G", "", "45AF345"] {
        fixture
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
        let fixture = HueFixture::paired(&["--model", model, "--bulb", "near:foreign"]);
        let verb = [&["--yes", "hue", "takeover", FIRST], words].concat();
        let taken = fixture.json(&verb).ends_with(0).json();
        assert_eq!(taken["via"], via, "{taken}");
        assert_eq!(taken["captured"], true, "{taken}");
        assert_eq!(
            taken["new_lights"][0]["name"], "Hue color lamp 1",
            "{taken}"
        );
        assert_eq!(fixture.names(FIRST), ["Hue color lamp 1"]);
    }
    // Old firmware has no touchlink in its configuration.
    let old = [
        "--model",
        "bsb001",
        "--api",
        "1.8.0",
        "--bulb",
        "near:foreign",
    ];
    let fixture = HueFixture::paired(&old);
    let taken = fixture
        .json(&["--yes", "hue", "takeover", FIRST])
        .ends_with(0)
        .json();
    assert_eq!(taken["via"], "tcp30000", "{taken}");
    HueFixture::paired(&old)
        .json(&["--yes", "hue", "takeover", FIRST, "--via", "rest"])
        .ends_with(5);
}

#[test]
fn auto_falls_back_and_says_why() {
    let fixture = HueFixture::paired(&[
        "--model",
        "bsb001",
        "--fault",
        "error=6PUT/config",
        "--bulb",
        "near:foreign",
    ]);
    let run = fixture
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
        let fixture = HueFixture::paired(words);
        let run = fixture
            .json(&["--yes", "hue", "takeover", FIRST])
            .ends_with(5);
        let told = run.json();
        assert_eq!(told["error"]["kind"], "refused", "{told}");
        assert_eq!(told["captured"], json!(null), "{told}");
        assert_eq!(told["new_lights"], json!([]), "{told}");
        assert!(fixture.names(FIRST).is_empty());
    }
    // Where the bridge says that it has captured nothing, that is told.
    let fixture = HueFixture::paired(&[
        "--model",
        "bsb001",
        "--fault",
        "touchlink-failed",
        "--bulb",
        "near:foreign",
    ]);
    let run = fixture
        .json(&["--yes", "hue", "takeover", FIRST, "--via", "tcp30000"])
        .ends_with(5);
    assert_eq!(run.json()["captured"], false);
    let people = fixture
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
    let fixture = HueFixture::paired(&bulb);
    let serial = serials(&fixture, &bulb)[0].clone();
    let taken = fixture
        .json(&["hue", "takeover", FIRST, "--serial", &serial])
        .ends_with(0)
        .json();
    assert_eq!(
        (&taken["via"], &taken["captured"]),
        (&json!("serial"), &json!(true)),
        "{taken}"
    );
    let nobody = fixture
        .json(&["hue", "takeover", FIRST, "--serial", "000000"])
        .ends_with(5)
        .json();
    assert_eq!(
        (&nobody["via"], &nobody["captured"]),
        (&json!("serial"), &json!(false)),
        "{nobody}"
    );
    fixture
        .json(&["hue", "takeover", FIRST, "--serial", "zz"])
        .ends_with(2);
    fixture
        .json(&[
            "hue", "takeover", FIRST, "--serial", &serial, "--via", "rest",
        ])
        .ends_with(2);
}

#[test]
fn a_takeover_that_is_cut_short_says_that_it_may_have_captured_a_bulb() {
    let fixture = HueFixture::paired(&["--model", "bsb001", "--no-announce"]);
    // The bridge cannot say what it captured, so it is waited for ten seconds.
    let run = fixture
        .json(&["--yes", "--timeout", "6s", "hue", "takeover", FIRST])
        .ends_with(4)
        .json();
    let hint = run["error"]["hint"].as_str().unwrap();
    assert!(
        hint.contains("captured") && hint.contains("hue search"),
        "{hint}"
    );
}
