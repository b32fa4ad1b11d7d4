//! An Orvibo S20: every verb that makes sense for a plug without a meter, and the codes of what does not.

use std::net::UdpSocket;

use serde_json::{Value, json};

use crate::home::Home;

const AT: &str = "127.0.0.9";
const MAC: &str = "AC:CF:23:00:00:09";

fn home(words: &[&str]) -> Home {
    let mut home = Home::with_network();
    let words: Vec<&str> = ["--plug-name", "Coffee maker"]
        .iter()
        .chain(words)
        .copied()
        .collect();
    assert_eq!(
        home.emulate_device("s20", &words, 1),
        [format!("ready {AT} {MAC}")]
    );
    home
}

fn without_time(mut plug: Value) -> Value {
    plug.as_object_mut().unwrap().remove("seen").unwrap();
    plug
}

fn plug(relay: &str) -> Value {
    json!({
        "mac": MAC, "family": "orvibo", "serial": null, "address": AT, "relay": relay, "model": "SOC005",
        "name": null, "res": null, "extra": "Coffee maker",
    })
}

#[test]
fn found_shown_switched_and_delayed() {
    let home = home(&[]);
    let found = home.json(&["discover"]).ends_with(0).json();
    assert_eq!(found.as_array().unwrap().len(), 1, "{found}");
    assert_eq!(without_time(found[0].clone()), plug("off"));

    for (verb, relay) in [
        ("on", "on"),
        ("on", "on"),
        ("toggle", "off"),
        ("toggle", "on"),
    ] {
        let run = home.json(&[verb, AT]).ends_with(0);
        let result = &run.json()[0];
        assert_eq!(
            (&result["plug"], &result["relay"], &result["confirmed"]),
            (&json!(MAC), &json!(relay), &json!(true))
        );
        assert_eq!(run.stderr, "");
    }
    // By its MAC, at the address where it was seen.
    let status = home.json(&["status", "accf23000009"]).ends_with(0).json();
    assert_eq!(without_time(status[0].clone()), plug("on"));
    let version = home.json(&["version", AT]).ends_with(0).json();
    assert_eq!(
        version,
        json!([{"plug": MAC, "version": "firmware 9, hardware 4, radio 36"}])
    );
    let delay = home.json(&["delay", AT, "off", "30m"]).ends_with(0).json();
    assert_eq!(
        (&delay["plug"], &delay["relay"], &delay["minutes"]),
        (&json!(MAC), &json!("off"), &json!(30))
    );
    let too_long = home.json(&["delay", AT, "off", "19h"]).ends_with(2);
    assert_eq!(too_long.error_kind(), "usage");
    assert!(too_long.stdout.contains("1092 minutes"), "{too_long:?}");

    home.json(&["name", AT, "coffee"]).ends_with(0);
    let off = home.run(&["off", "coffee"]).ends_with(0);
    assert!(off.stdout.contains("coffee is off"), "{off:?}");
    let probe = home.json(&["probe", AT]).ends_with(0).json();
    assert_eq!(
        (&probe["family"], &probe["mac"], &probe["module"]),
        (&json!("orvibo"), &json!(MAC), &json!("HF-LPB100"))
    );
}

#[test]
fn it_has_no_meter() {
    let mut home = home(&[]);
    let refused = home.json(&["meter", AT]).ends_with(2).json();
    assert_eq!(refused[0]["error"]["kind"], "usage");
    let hint = refused[0]["error"]["hint"].as_str().unwrap();
    assert!(hint.contains("no meter"), "{hint}");
    home.json(&["name", AT, "coffee"]).ends_with(0);
    assert_eq!(home.json(&["meter"]).ends_with(0).json(), json!([]));
    home.emulate(&["--load", "60W", "--relay", "on"], 1);
    let read = home.json(&["meter"]).ends_with(0).json();
    assert_eq!(read.as_array().unwrap().len(), 1, "{read}");
    assert_eq!(read[0]["plug"], "AC:CF:23:00:00:02");

    let watched = home
        .json(&["--timeout", "1500ms", "watch", AT])
        .ends_with(0);
    let first: Value = serde_json::from_str(watched.stdout.lines().next().unwrap()).unwrap();
    let fields: Vec<&String> = first.as_object().unwrap().keys().collect();
    assert_eq!(fields, ["at", "plug", "relay"], "{first}");
    assert_eq!(
        (&first["plug"], &first["relay"]),
        (&json!(MAC), &json!("off"))
    );
}

#[test]
fn a_taken_port_is_no_error() {
    let home = home(&[]);
    let _taken = UdpSocket::bind(("127.0.0.1", 10_000));
    let run = home.json(&["on", AT]).ends_with(0);
    assert_eq!(run.json()[0]["confirmed"], true);
    assert_eq!(run.stderr, "");
    let found = home.json(&["discover"]).ends_with(0).json();
    assert_eq!(without_time(found[0].clone()), plug("on"));
}

#[test]
fn the_code_says_what_failed() {
    for (fault, words, code) in [
        ("stuck-relay", &["on"][..], 5),
        ("lying-relay", &["on"], 5),
        ("wrong-mac", &["on"], 4),
        ("no-table", &["version"], 4),
        ("lying-table", &["version"], 6),
        // What it sends cannot be read, so only its Wi-Fi module is known.
        ("truncated", &["on"], 5),
        ("all-one", &["status"], 0),
        ("discovery-silent", &["status"], 0),
        ("no-countdown", &["delay"], 4),
    ] {
        let mut home = Home::with_network();
        home.emulate_device("s20", &["--fault", fault], 1);
        let mut words: Vec<&str> = words.to_vec();
        words.insert(1, AT);
        if words[0] == "delay" {
            words.extend(["off", "5m"]);
        }
        let run = home.json(&words);
        assert_eq!(run.code, code, "{fault}: {run:?}");
        if words[0] == "status" {
            // Only its Wi-Fi module is heard.
            assert_eq!(run.json()[0]["family"], "module", "{fault}");
        }
    }
    let home = Home::with_network();
    home.json(&["on", AT]).ends_with(4);
    home.json(&["on", MAC]).ends_with(3);
}

#[test]
fn emulated_as_the_options_say() {
    let mut home = Home::with_network();
    let record = home.path("record.jsonl");
    let words = [
        "--listen",
        "127.25.6.1",
        "--count",
        "2",
        "--mac",
        "ac:cf:23:00:00:fe",
        "--profile",
        "soc001",
        "--relay",
        "on",
        "--seed",
        "3",
        "--record",
        record.to_str().unwrap(),
    ];
    let lines = home.emulate_device("s20", &words, 2);
    assert_eq!(
        lines,
        [
            "ready 127.25.6.1 AC:CF:23:00:00:FE",
            "ready 127.25.6.2 AC:CF:23:00:00:FF"
        ]
    );
    let found = home
        .json(&["discover", "--expect", "2"])
        .ends_with(0)
        .json();
    for one in found.as_array().unwrap() {
        assert_eq!(
            (&one["model"], &one["relay"], &one["extra"]),
            (&json!("SOC001"), &json!("on"), &Value::Null)
        );
    }
    let record = std::fs::read_to_string(record).unwrap();
    assert!(
        record.contains(r#""transport":"udp""#) && record.contains("686400067161"),
        "{record}"
    );
    let faults = home
        .run(&["emulate", "s20", "--fault", "help"])
        .ends_with(0);
    for fault in [
        "press=D",
        "subscription=D",
        "split-table",
        "wrong-mac",
        "truncated",
        "late=D",
    ] {
        assert!(faults.stdout.contains(fault), "{fault}");
    }
    for words in [
        &["--profile", "sp2"][..],
        &["--plug-name", "a name of more than 16 bytes"],
        &["--fault", "half-open"],
        &["--count", "0"],
        &["--load", "60W"],
        &["--home-address", "127.0.0.9"],
    ] {
        let words: Vec<&str> = ["emulate", "s20"].iter().chain(words).copied().collect();
        assert_eq!(
            home.json(&words).ends_with(2).error_kind(),
            "usage",
            "{words:?}"
        );
    }
    let taken = home
        .json(&["emulate", "s20", "--listen", "127.25.6.1"])
        .ends_with(7);
    assert_eq!(taken.error_kind(), "local");
}
