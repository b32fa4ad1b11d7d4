//! Calls by hand, and keys that are given.

use std::process::Stdio;

use serde_json::json;

use crate::fixture::{FIRST, HueFixture, NOBODY};
use crate::home::finish;

#[test]
fn clip_prints_what_the_bridge_says() {
    let fixture = HueFixture::paired(&["--bulb", "near:1"]);
    let config = fixture
        .json(&["hue", "clip", FIRST, "get", "/api/config"])
        .ends_with(0);
    // In the bridge's own order.
    assert!(
        config.stdout.starts_with(r#"{"name":"Hue Bridge","#),
        "{config:?}"
    );
    assert_eq!(config.json()["modelid"], "BSB002");
    let people = fixture
        .run(&["hue", "clip", FIRST, "get", "lights"])
        .ends_with(0)
        .stdout;
    assert!(people.starts_with("{\n  \"1\": {\n"), "{people}");
    let body = fixture.write("body.json", "{\"on\": false}\n");
    let file = format!("@{}", body.display());
    let put = fixture
        .json(&["hue", "clip", FIRST, "put", "lights/1/state", &file])
        .ends_with(0);
    assert_eq!(
        put.json(),
        json!([{"success": {"/lights/1/state/on": false}}])
    );
    let from_stdin = fixture
        .command()
        .args(["--json", "hue", "clip", FIRST, "put", "lights/1/state", "-"])
        .stdin(std::fs::File::open(&body).unwrap())
        .output();
    finish(from_stdin).ends_with(0);
    let second = fixture
        .json(&["hue", "clip", FIRST, "get", "/clip/v2/resource/device"])
        .ends_with(0);
    assert_eq!(second.json()["errors"], json!([]));
}

#[test]
fn clip_explains_what_the_bridge_refuses() {
    let fixture = HueFixture::paired(&["--bulb", "near:1"]);
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
        let run = fixture
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
    let fixture = HueFixture::empty();
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
        let run = fixture
            .json(&["hue", "clip", NOBODY, "put", "lights/1/state", body])
            .ends_with(2);
        let message = run.json()["error"]["message"].as_str().unwrap().to_owned();
        assert!(
            message.contains("was not sent") && message.contains(part),
            "{body}: {message}"
        );
    }
    let windows = fixture.write("windows.json", "");
    std::fs::write(&windows, b"{\x93on\x94: true}").unwrap();
    let file = format!("@{}", windows.display());
    fixture
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
        let run = fixture.json(&[&["hue", "clip", NOBODY], words].concat());
        assert!(
            run.code == 2 || (words.len() == 2 && run.code == 4),
            "{words:?} {run:?}"
        );
    }
}

/// A pipe may never deliver anything.
#[test]
fn a_body_or_key_that_does_not_come_is_not_waited_for_for_ever() {
    let fixture = HueFixture::paired(&["--model", "bsb001", "--no-announce", "--bulb", "near:1"]);
    for words in [
        &["clip", FIRST, "put", "lights/1", "-"][..],
        &["clip", FIRST, "put", "lights/1", "@/dev/stdin"],
        &["lights", FIRST, "--app-key-file", "/dev/stdin"],
    ] {
        let mut child = fixture
            .command()
            .args(["--json", "--timeout", "500ms", "hue"])
            .args(words)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let open = child.stdin.take();
        let run = finish(child.wait_with_output()).ends_with(4);
        assert_eq!(run.error_kind(), "no_answer", "{words:?}");
        drop(open);
    }
}

#[test]
fn a_key_that_is_given_is_used_instead_of_the_one_that_is_kept() {
    let fixture = HueFixture::paired(&["--bulb", "near:1"]);
    let good = fixture.write("good.key", &format!("{}\n", fixture.kept_key()));
    let bad = fixture.write("bad.key", "0000000000000000000000000000000000000000");
    let (good, bad) = (good.to_str().unwrap(), bad.to_str().unwrap());
    fixture
        .json(&["hue", "lights", FIRST, "--app-key-file", good])
        .ends_with(0);
    let refused = fixture
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
            fixture
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
    fixture
        .json(&["hue", "lights", FIRST, "--app-key-file", "/nowhere"])
        .ends_with(2);
    fixture
        .json(&["hue", "discover", "--app-key-file", good])
        .ends_with(2);
    // A key of another program is kept without the button, if the bridge takes it.
    fixture
        .json(&["hue", "pair", FIRST, "--app-key-file", bad])
        .ends_with(5);
    fixture.json(&["hue", "forget", FIRST]).ends_with(0);
    fixture
        .json(&[
            "hue",
            "pair",
            FIRST,
            "--trust-certificate",
            "--app-key-file",
            good,
        ])
        .ends_with(0);
    fixture.json(&["hue", "forget", FIRST]).ends_with(0);
    let key = std::fs::read_to_string(good).unwrap();
    let pair = ["hue", "pair", FIRST, "--trust-certificate"];
    by_variable(key.trim(), &pair).ends_with(0);
    assert_eq!(fixture.lights(FIRST).len(), 1);
}
