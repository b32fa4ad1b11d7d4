//! Certificates that are not the bridge's: refused with a clear word, and no key is sent.

use serde_json::Value;

use crate::fixture::{FIRST, HueFixture};

const MAC: &str = "00:17:88:00:00:01";

/// A bridge at the first address, in place of what was there, that writes down what it is asked.
fn bridge(fixture: &mut HueFixture, words: &[&str]) -> std::path::PathBuf {
    fixture.cut_power();
    let record = fixture.path("record.jsonl");
    let _ = std::fs::remove_file(&record);
    let own = [
        "--listen",
        FIRST,
        "--mac",
        MAC,
        "--press-after",
        "0s",
        "--no-announce",
        "--record",
        record.to_str().unwrap(),
    ];
    fixture.start(&[&own, words].concat());
    record
}

/// Returns the requests that the bridge has recorded so far.
fn asked(record: &std::path::Path) -> String {
    std::fs::read_to_string(record).unwrap_or_default()
}

#[test]
fn the_first_time_a_person_has_to_agree() {
    let mut fixture = HueFixture::empty();
    let record = bridge(&mut fixture, &[]);
    let run = fixture.json(&["hue", "pair", FIRST]).ends_with(2);
    let message = run.json()["error"]["message"].as_str().unwrap().to_owned();
    let fingerprint = message
        .split_whitespace()
        .find(|word| word.len() == 64)
        .expect("a SHA-256")
        .to_owned();
    assert!(!asked(&record).contains("POST"), "{}", asked(&record));
    // Another than the one that was agreed to.
    let other = format!("--trust-certificate={}", "0".repeat(64));
    fixture.json(&["hue", "pair", FIRST, &other]).ends_with(6);
    let this = format!("--trust-certificate={fingerprint}");
    fixture.json(&["hue", "pair", FIRST, &this]).ends_with(0);
    assert!(asked(&record).contains("POST"), "{}", asked(&record));
    // From now on nothing is asked.
    fixture.json(&["hue", "lights", FIRST]).ends_with(0);
}

#[test]
fn a_key_that_is_given_is_not_sent_to_a_certificate_that_nobody_has_agreed_to() {
    let mut fixture = HueFixture::empty();
    let record = bridge(&mut fixture, &[]);
    let key = fixture.write("key", "SECRETSECRETSECRET");
    let run = fixture
        .json(&[
            "hue",
            "lights",
            FIRST,
            "--app-key-file",
            key.to_str().unwrap(),
        ])
        .ends_with(2);
    assert!(run.stdout.contains("mains hue pair"), "{run:?}");
    assert!(!asked(&record).contains("/lights"), "{}", asked(&record));
}

#[test]
fn what_is_not_the_bridges_is_refused() {
    for (fault, part) in [
        ("cert-wrong-name", "not for this bridge"),
        ("cert-expired", "not valid"),
        ("cert-changed", "not the one that was accepted before"),
    ] {
        let mut fixture = HueFixture::empty();
        bridge(&mut fixture, &[]);
        fixture.pair(FIRST);
        let key = fixture.kept_key();
        let record = bridge(&mut fixture, &["--fault", fault]);
        for words in [
            &["hue", "lights", FIRST][..],
            &["hue", "search", FIRST],
            &["--yes", "hue", "takeover", FIRST],
            &["hue", "identify", FIRST, "1"],
            &["hue", "clip", FIRST, "get", "lights"],
        ] {
            let run = fixture.json(words).ends_with(6);
            assert_eq!(run.error_kind(), "bad_answer");
            assert!(run.stdout.contains(part), "{fault}: {run:?}");
        }
        let asked = asked(&record);
        assert!(
            !asked.contains("/lights") && !asked.contains(&key),
            "{fault}: {asked}"
        );
    }
}

#[test]
fn a_wrong_name_or_an_old_date_is_not_agreed_to_either() {
    for fault in ["cert-wrong-name", "cert-expired"] {
        let mut fixture = HueFixture::empty();
        let record = bridge(&mut fixture, &["--fault", fault]);
        let run = fixture
            .json(&["--yes", "hue", "pair", FIRST, "--trust-certificate"])
            .ends_with(6);
        assert_eq!(run.error_kind(), "bad_answer");
        assert!(!asked(&record).contains("POST"), "{fault}");
        assert!(!fixture.state().join("hue.json").exists());
    }
}

#[test]
fn another_certificate_takes_another_pairing_and_the_old_key_is_not_shown_to_it() {
    let mut fixture = HueFixture::empty();
    bridge(&mut fixture, &[]);
    let id = fixture.pair(FIRST);
    let old = fixture.kept_key();
    let record = bridge(&mut fixture, &["--fault", "cert-changed", "--seed", "7"]);
    // Also a new pairing has to be agreed to.
    fixture.json(&["hue", "pair", FIRST]).ends_with(2);
    assert_eq!(fixture.pair(FIRST), id);
    assert_ne!(fixture.kept_key(), old, "the button was pressed again");
    assert!(!asked(&record).contains(&old));
    fixture.json(&["hue", "lights", FIRST]).ends_with(0);
    // Back to the first: changed again.
    bridge(&mut fixture, &[]);
    fixture.json(&["hue", "lights", FIRST]).ends_with(6);
}

#[test]
fn capitals_in_the_name_are_the_same_name() {
    let mut fixture = HueFixture::empty();
    bridge(&mut fixture, &["--fault", "cert-upper-case"]);
    fixture.pair(FIRST);
    assert_eq!(
        fixture.json(&["hue", "lights", FIRST]).ends_with(0).json()[0]["model"],
        Value::Null
    );
}

#[test]
fn without_https_a_bridge_that_had_it_gets_no_key() {
    let mut fixture = HueFixture::empty();
    bridge(&mut fixture, &[]);
    fixture.pair(FIRST);
    let record = bridge(&mut fixture, &["--fault", "no-https"]);
    for address in [FIRST, "http://127.94.0.1"] {
        let run = fixture.json(&["hue", "lights", address]).ends_with(6);
        assert_eq!(run.error_kind(), "bad_answer");
    }
    assert!(!asked(&record).contains("/lights"), "{}", asked(&record));
}
