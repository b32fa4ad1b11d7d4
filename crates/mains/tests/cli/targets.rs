//! Several plugs at once, and naming them.

use std::path::{Path, PathBuf};
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

/// Plugs at 127.21.1.1 to 127.21.1.3; the first is called lamp.
fn three_plugs() -> Home {
    let mut home = Home::with_network();
    home.emulate(
        &["--listen", "127.21.1.1", "--count", "3", "--load", "60"],
        3,
    );
    home.run(&["name", "127.21.1.1", "lamp"]).ends_with(0);
    home
}

#[test]
fn verbs_that_read_mean_all_plugs_unless_some_are_named() {
    let mut home = three_plugs();
    for verb in ["status", "meter", "version"] {
        let all = home.json(&[verb]).ends_with(0).json();
        assert_eq!(all.as_array().unwrap().len(), 3, "{verb}: {all}");
    }
    let run = home.run(&["meter"]).ends_with(0);
    let first = run.stdout.lines().nth(1).unwrap();
    assert!(
        first.starts_with("lamp "),
        "those with a name first: {run:?}"
    );
    // One that has a name and does not reply is not passed over.
    home.end_emulators();
    let all = home.json(&["status"]).ends_with(3).json();
    assert_eq!(all.as_array().unwrap().len(), 1, "{all}");
    assert_eq!(all[0]["plug"], "AC:CF:23:15:01:01");
    assert_eq!(all[0]["error"]["kind"], "not_found");
    let other = Home::with_network();
    assert_eq!(other.json(&["status"]).ends_with(0).json(), json!([]));
}

#[test]
fn all_plugs_are_switched_only_when_that_is_agreed_to() {
    let home = three_plugs();
    let relays = |home: &Home| {
        let all = home.json(&["status"]).ends_with(0).json();
        let relays = all.as_array().unwrap().iter();
        relays.map(|plug| plug["relay"].clone()).collect::<Vec<_>>()
    };
    home.json(&["on"]).ends_with(2);
    home.json(&["on", "--all", "lamp"]).ends_with(2);
    let refused = home.json(&["on", "--all"]).ends_with(2);
    assert_eq!(refused.error_kind(), "usage");
    assert_eq!(relays(&home), ["off", "off", "off"]);
    let on = home.json(&["--yes", "on", "--all"]).ends_with(0).json();
    assert_eq!(on.as_array().unwrap().len(), 3, "{on}");
    assert_eq!(relays(&home), ["on", "on", "on"]);
}

#[test]
fn the_same_plug_twice_is_one() {
    let home = three_plugs();
    let run = home
        .json(&[
            "toggle",
            "lamp",
            "LAMP",
            "AC:CF:23:15:01:01",
            "127.21.1.2",
            "127.21.1.2",
        ])
        .ends_with(0);
    let array = run.json();
    assert_eq!(array.as_array().unwrap().len(), 2, "{array}");
    assert_eq!(array[0]["relay"], "on");
}

/// The commands that a plug was given, in order, as its emulator has recorded them.
fn switches(record: &Path) -> Vec<&'static str> {
    let text = std::fs::read_to_string(record).unwrap();
    let lines = text.lines().filter(|line| line.contains("AT+YZSWITCH="));
    lines
        .map(|line| if line.contains(",ON,") { "on" } else { "off" })
        .collect()
}

/// One plug at 127.21.2.1, called lamp, and the record of its commands.
fn one_plug(words: &[&str]) -> (Home, PathBuf) {
    let mut home = Home::with_network();
    let record = home.path("record");
    let mut all = vec!["--listen", "127.21.2.1", "--load", "60", "--record"];
    all.push(record.to_str().unwrap());
    all.extend(words);
    home.emulate(&all, 1);
    home.run(&["name", "127.21.2.1", "lamp"]).ends_with(0);
    (home, record)
}

#[test]
fn identify_clicks_twice_and_asks_when_the_plug_is_on() {
    let (home, record) = one_plug(&[]);
    let run = home.json(&["identify", "lamp"]).ends_with(0);
    assert_eq!(
        run.json(),
        json!({"plug": "AC:CF:23:15:02:01", "relay": "off"})
    );
    assert_eq!(switches(&record), ["on", "off"]);
    home.json(&["on", "lamp"]).ends_with(0);
    assert_eq!(
        home.json(&["identify", "lamp"]).ends_with(2).error_kind(),
        "usage"
    );
    assert_eq!(switches(&record), ["on", "off", "on"]);
    home.json(&["--yes", "identify", "lamp"]).ends_with(0);
    assert_eq!(switches(&record), ["on", "off", "on", "off", "on"]);
    home.json(&["identify", "attic"]).ends_with(3);
}

#[test]
fn a_plug_that_draws_power_after_off_is_warned_of() {
    let (home, _) = one_plug(&["--fault", "welded-relay", "--relay", "on"]);
    let run = home.json(&["off", "lamp"]).ends_with(0);
    let result = &run.json()[0];
    assert_eq!(
        (&result["relay"], &result["confirmed"]),
        (&json!("off"), &json!(true))
    );
    let drawn = result["still_drawing_w"].as_f64().unwrap();
    assert!((50.0..70.0).contains(&drawn), "{result}");
    assert!(
        run.stderr.contains("lamp is off, but still draws 60 W"),
        "{run:?}"
    );

    let (home, _) = one_plug(&["--relay", "on"]);
    let run = home.json(&["off", "lamp"]).ends_with(0);
    assert!(run.json()[0].get("still_drawing_w").is_none(), "{run:?}");
    assert_eq!(run.stderr, "");
}

#[test]
fn timers_name_the_day_are_listed_and_cancelled() {
    let (home, record) = one_plug(&[]);
    assert_eq!(home.json(&["delay"]).ends_with(0).json(), json!([]));
    let set = home
        .json(&["delay", "lamp", "off", "30m"])
        .ends_with(0)
        .json();
    let run = home.run(&["delay", "lamp", "on", "2000m"]).ends_with(0);
    // Thirty-three hours from now is never today.
    assert!(
        !run.stdout.contains("today") && run.stdout.contains(" in 2000 min: "),
        "{run:?}"
    );
    let pending = home.json(&["delay"]).ends_with(0).json();
    assert_eq!(
        pending.as_array().unwrap().len(),
        1,
        "the second replaced the first: {pending}"
    );
    assert_eq!(
        (&pending[0]["plug"], &pending[0]["minutes"]),
        (&set["plug"], &json!(2000))
    );
    let list = home.run(&["delay"]).ends_with(0).stdout;
    assert!(list.lines().nth(1).unwrap().starts_with("lamp"), "{list}");
    home.json(&["delay", "lamp"]).ends_with(2);
    home.json(&["delay", "--cancel"]).ends_with(2);
    let run = home.run(&["delay", "lamp", "--cancel"]).ends_with(0);
    assert!(run.stdout.contains("lamp stays off"), "{run:?}");
    assert!(
        run.stderr.contains("on some firmware a timer remains"),
        "{run:?}"
    );
    assert_eq!(switches(&record), ["off"]);
    assert_eq!(home.json(&["delay"]).ends_with(0).json(), json!([]));
}
