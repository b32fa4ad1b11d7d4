//! Several plugs at once, and naming them.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::home::Home;
use crate::scripted::{MAC, ScriptedPlug};

#[test]
fn every_target_is_tried_and_told_in_order() {
    let home = Home::with_network();
    let plug = ScriptedPlug::obedient([127, 21, 0, 1]);
    let run = home
        .json(&[
            "on",
            "127.21.0.9",
            "127.21.0.1",
            "no such name",
            "127.21.0.8",
        ])
        .ends_with(4);
    let array = run.json();
    let array = array.as_array().unwrap();
    assert_eq!(array.len(), 4);
    assert_eq!(
        (&array[0]["plug"], &array[0]["error"]["kind"]),
        (&json!("127.21.0.9"), &json!("no_answer"))
    );
    assert_eq!(
        (&array[1]["plug"], &array[1]["confirmed"]),
        (&json!(MAC), &json!(true))
    );
    assert_eq!(
        (&array[2]["plug"], &array[2]["error"]["kind"]),
        (&json!("no such name"), &json!("not_found"))
    );
    assert_eq!(array[3]["error"]["kind"], "no_answer");
    assert!(
        plug.requests()
            .iter()
            .any(|request| request.contains(",ON,"))
    );
    // The first failure in order decides, not the first in time.
    home.json(&["status", "no such name", "127.21.0.9"])
        .ends_with(3);
}

#[test]
fn targets_do_not_wait_for_one_another() {
    let home = Home::with_network();
    let silent: Vec<String> = (10..30).map(|last| format!("127.21.0.{last}")).collect();
    let words: Vec<&str> = ["--timeout", "1s", "status"]
        .into_iter()
        .chain(silent.iter().map(String::as_str))
        .collect();
    let begin = Instant::now();
    let run = home.json(&words).ends_with(4);
    assert!(
        begin.elapsed() < Duration::from_secs(15),
        "{:?}",
        begin.elapsed()
    );
    assert_eq!(run.json().as_array().unwrap().len(), 20);
}

#[test]
fn wrong_targets_are_usage() {
    let home = Home::with_network();
    for wrong in [
        "::1",
        "0.0.0.0",
        "255.255.255.255",
        "127.255.255.255",
        "256.1.1.1",
        "",
        "192.168.1.7:8899",
        "224.0.0.1",
    ] {
        let run = home.json(&["on", wrong]).ends_with(2);
        assert_eq!(run.error_kind(), "usage", "{wrong}");
    }
    assert_eq!(home.json(&["on"]).ends_with(2).error_kind(), "usage");
    assert_eq!(
        home.json(&["on", "--interface", "nope0", "127.21.0.1"])
            .ends_with(2)
            .error_kind(),
        "usage"
    );
}

#[test]
fn an_unknown_name_is_3_and_near_ones_are_named() {
    let mut home = Home::with_network();
    home.emulate(&["--listen", "127.21.1.1"], 1);
    home.run(&["name", "127.21.1.1", "kitchen"]).ends_with(0);
    let run = home.run(&["on", "kitchn"]).ends_with(3);
    assert!(run.stderr.contains("kitchen"), "{run:?}");
    let run = home.run(&["on", "cellar"]).ends_with(3);
    assert!(run.stderr.contains("mains name"), "{run:?}");
}

#[test]
fn a_plug_is_found_by_mac_serial_and_name_wherever_it_is() {
    let mut home = Home::with_network();
    let words = [
        "--listen",
        "127.21.2.1",
        "--mac",
        "ACCF23AABBCC",
        "--serial",
        "040001212",
    ];
    home.emulate(&words, 1);
    for target in [
        "AC:CF:23:AA:BB:CC",
        "accf23aabbcc",
        "ac-cf-23-aa-bb-cc",
        "040001212",
    ] {
        let home = Home::new();
        let run = home.json(&["status", target]).ends_with(0);
        assert_eq!(run.json()[0]["address"], "127.21.2.1", "{target}");
    }
    home.run(&["name", "040001212", "Fern\u{e9} lamp"])
        .ends_with(0);
    // It moves, as DHCP lets it; another plug takes its place.
    home.end_emulators();
    home.emulate(
        &[
            "--listen",
            "127.21.2.2",
            "--mac",
            "ACCF23AABBCC",
            "--serial",
            "040001212",
        ],
        1,
    );
    home.emulate(&["--listen", "127.21.2.1"], 1);
    for target in [
        "Fern\u{e9} lamp",
        "FERN\u{c9} LAMP",
        "ACCF23AABBCC",
        "040001212",
    ] {
        let run = home.json(&["on", target]).ends_with(0);
        assert_eq!(
            (&run.json()[0]["plug"], &run.json()[0]["relay"]),
            (&json!("AC:CF:23:AA:BB:CC"), &json!("on"))
        );
    }
    assert_eq!(
        home.json(&["status", "127.21.2.1"]).ends_with(0).json()[0]["relay"],
        "off"
    );
    assert_eq!(
        home.json(&["status", "127.21.2.2"]).ends_with(0).json()[0]["name"],
        "Fern\u{e9} lamp"
    );
    // Gone altogether: a name that no scan finds.
    home.end_emulators();
    for target in [
        "Fern\u{e9} lamp",
        "ACCF23AABBCC",
        "040001212",
        "ACCF23000099",
        "123456789",
    ] {
        let run = home.json(&["status", target]).ends_with(3);
        assert_eq!(run.json()[0]["error"]["kind"], "not_found", "{target}");
    }
}
