//! `discover`.

use std::io::{BufRead, BufReader};
use std::net::UdpSocket;
use std::process::Stdio;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::home::Home;

fn addresses(plugs: &Value) -> Vec<&str> {
    let mut addresses: Vec<&str> = plugs
        .as_array()
        .unwrap()
        .iter()
        .map(|plug| plug["address"].as_str().unwrap())
        .collect();
    addresses.sort_unstable();
    addresses
}

#[test]
fn finds_all_and_tells_them_in_full() {
    let mut home = Home::with_network();
    home.emulate(
        &["--listen", "127.23.0.1", "--count", "3", "--relay", "on"],
        3,
    );
    let begin = Instant::now();
    let plugs = home.json(&["discover"]).ends_with(0).json();
    assert!(
        begin.elapsed() < Duration::from_secs(6),
        "{:?}",
        begin.elapsed()
    );
    assert_eq!(
        addresses(&plugs),
        ["127.23.0.1", "127.23.0.2", "127.23.0.3"]
    );
    let plug = plugs
        .as_array()
        .unwrap()
        .iter()
        .find(|plug| plug["address"] == "127.23.0.1")
        .unwrap();
    let fields: Vec<&String> = plug.as_object().unwrap().keys().collect();
    let contract = [
        "mac", "family", "serial", "address", "relay", "model", "name", "res", "extra", "seen",
    ];
    assert_eq!(fields.len(), contract.len());
    assert!(
        contract.iter().all(|field| plug.get(field).is_some()),
        "{plug}"
    );
    assert_eq!(
        (&plug["family"], &plug["relay"], &plug["name"]),
        (&json!("reco"), &json!("on"), &Value::Null)
    );
}

#[test]
fn shows_a_table_with_names() {
    let mut home = Home::with_network();
    home.emulate(
        &[
            "--listen",
            "127.23.1.1",
            "--mac",
            "ACCF23AABBCC",
            "--serial",
            "040001212",
            "--relay",
            "on",
        ],
        1,
    );
    let run = home.run(&["discover"]).ends_with(0);
    assert!(
        run.stderr.contains("mains name AC:CF:23:AA:BB:CC"),
        "{run:?}"
    );
    home.run(&["name", "040001212", "kitchen"]).ends_with(0);
    let run = home.run(&["discover"]).ends_with(0);
    insta::assert_snapshot!(run.stdout, @r"
    NAME              RELAY  ADDRESS          MAC                SERIAL     KIND
    kitchen           ON     127.23.1.1       AC:CF:23:AA:BB:CC  040001212  reco
    ");
}

#[test]
fn nothing_there_is_0_and_an_empty_array() {
    let home = Home::with_network();
    assert_eq!(home.json(&["discover"]).ends_with(0).json(), json!([]));
    let begin = Instant::now();
    assert_eq!(
        home.json(&["discover", "--wait", "300ms"])
            .ends_with(0)
            .json(),
        json!([])
    );
    assert!(
        begin.elapsed() < Duration::from_secs(4),
        "{:?}",
        begin.elapsed()
    );
    let run = home.run(&["discover", "--wait", "300ms"]).ends_with(0);
    assert_eq!(run.stdout, "");
    assert!(run.stderr.contains("no plug"), "{run:?}");
}

#[test]
fn fewer_than_expected_is_3_and_still_the_array() {
    let mut home = Home::with_network();
    home.emulate(&["--listen", "127.23.2.1", "--count", "2"], 2);
    let plugs = home
        .json(&["discover", "--expect", "3", "--wait", "1s"])
        .ends_with(3)
        .json();
    assert_eq!(addresses(&plugs), ["127.23.2.1", "127.23.2.2"]);
    let run = home
        .run(&["discover", "--expect", "3", "--wait", "1s"])
        .ends_with(3);
    assert!(
        run.stderr.contains("3") && run.stdout.contains("127.23.2.2"),
        "{run:?}"
    );
    let begin = Instant::now();
    let plugs = home
        .json(&["discover", "--expect", "2", "--wait", "20s"])
        .ends_with(0)
        .json();
    assert_eq!(addresses(&plugs).len(), 2);
    assert!(
        begin.elapsed() < Duration::from_secs(15),
        "{:?}",
        begin.elapsed()
    );
}

#[test]
fn asks_other_addresses_too() {
    let mut home = Home::with_network();
    home.emulate(&["--listen", "127.23.3.1", "--count", "2"], 2);
    // Without an interface to scan from there is only loopback here: the address alone must do.
    let mut command = home.command();
    command
        .env_remove("MAINS_INTERFACE")
        .args(["--json", "discover", "--to", "127.23.3.2"]);
    let plugs = crate::home::finish(command.output()).ends_with(0).json();
    assert!(addresses(&plugs).contains(&"127.23.3.2"), "{plugs}");
}

#[test]
fn a_taken_port_is_told_with_its_holder() {
    let mut home = Home::with_network();
    home.emulate(&["--listen", "127.23.4.1"], 1);
    let _taken = UdpSocket::bind("127.0.0.1:48899").unwrap();
    // An SP-2 answers to that port alone: nothing is heard, and that is not "nothing there".
    let run = home.json(&["discover", "--wait", "500ms"]).ends_with(7);
    assert_eq!(run.error_kind(), "local");
    assert!(
        run.stdout.contains(&std::process::id().to_string()),
        "{run:?}"
    );
    for verb in ["on", "status", "toggle"] {
        let run = home
            .json(&["--timeout", "6s", verb, "127.23.4.1"])
            .ends_with(7);
        assert_eq!(run.json()[0]["error"]["kind"], "local", "{verb}");
    }
}

#[test]
fn wrong_options_are_usage() {
    let home = Home::with_network();
    for words in [
        ["--wait", "5"].as_slice(),
        &["--wait", "-1s"],
        &["--wait", "abc"],
        &["--wait", "0s"],
        &["--expect", "-1"],
        &["--expect", "x"],
        &["--to", "::1"],
        &["--to", "nowhere"],
        &["--interface", "nope0"],
        &["--interface", "10.99.99.99"],
        &["--word", ""],
        &["--word", "a word of more than twenty bytes"],
        &["--watch", "--expect", "1"],
        &["127.0.0.2"],
    ] {
        let words: Vec<&str> = ["discover"].iter().chain(words).copied().collect();
        assert_eq!(
            home.json(&words).ends_with(2).error_kind(),
            "usage",
            "{words:?}"
        );
    }
}

#[test]
fn logs_go_to_stderr() {
    let mut home = Home::with_network();
    home.emulate(&["--listen", "127.22.0.1"], 1);
    let run = home.json(&["-v", "status", "127.22.0.1"]).ends_with(0);
    assert_eq!(run.json().as_array().unwrap().len(), 1);
    assert!(run.stderr.contains("DEBUG"), "{run:?}");
}

#[test]
fn endless_output_ends_with_its_reader() {
    let mut home = Home::with_network();
    home.emulate(&["--listen", "127.22.1.1"], 1);
    let mut child = home
        .command()
        .args(["discover", "--watch", "--json"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let line = lines.next().unwrap().unwrap();
    let plug: Value = serde_json::from_str(&line).unwrap();
    assert_eq!(plug["address"], "127.22.1.1");
    drop(lines);
    // The next line has no reader any more.
    home.emulate(&["--listen", "127.22.1.2"], 1);
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

#[test]
fn what_other_tools_call_it_is_understood() {
    let mut home = Home::with_network();
    home.emulate(&["--listen", "127.22.2.1", "--count", "2"], 2);
    for word in ["scan", "list", "ls"] {
        let found = home.json(&[word]).ends_with(0).json();
        assert_eq!(addresses(&found), ["127.22.2.1", "127.22.2.2"], "{word}");
    }
}
