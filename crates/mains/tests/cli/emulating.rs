//! `emulate plug` and `demo --tour`.

use std::process::Stdio;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::home::{Home, finish};

#[test]
fn says_ready_for_each_and_ends_with_a_signal() {
    for signal in [Signal::SIGINT, Signal::SIGTERM] {
        let mut home = Home::with_network();
        let lines = home.emulate(
            &[
                "--listen",
                "127.25.0.1",
                "--count",
                "3",
                "--mac",
                "ac:cf:23:00:00:fe",
            ],
            3,
        );
        assert_eq!(
            lines,
            [
                "ready 127.25.0.1 AC:CF:23:00:00:FE",
                "ready 127.25.0.2 AC:CF:23:00:00:FF",
                "ready 127.25.0.3 AC:CF:23:00:01:00",
            ]
        );
        let child = home.take_running();
        kill(Pid::from_raw(child.id().try_into().unwrap()), signal).unwrap();
        let run = finish(child.wait_with_output());
        assert_eq!(run.code, 0, "{run:?}");
    }
}

#[test]
fn is_what_the_options_say() {
    let mut home = Home::with_network();
    let words = [
        "--serial",
        "040001212",
        "--relay",
        "on",
        "--load",
        "1500W",
        "--profile",
        "p10a",
        "--seed",
        "3",
    ];
    home.emulate(&words, 1);
    let plug = home.json(&["status", "127.0.0.2"]).ends_with(0).json()[0].clone();
    assert_eq!(
        (plug["serial"].as_str(), plug["relay"].as_str()),
        (Some("040001212"), Some("on"))
    );
    let reading = home.json(&["meter", "040001212"]).ends_with(0).json()[0].clone();
    let power = reading["power_w"].as_f64().unwrap();
    assert!((1300.0..1700.0).contains(&power), "{reading}");
    assert!(
        (200.0..260.0).contains(&reading["voltage_v"].as_f64().unwrap()),
        "{reading}"
    );
    assert!(home.json(&["version", "127.0.0.2"]).ends_with(0).json()[0]["version"].is_string());
    let delayed = home
        .json(&["delay", "040001212", "off", "30m"])
        .ends_with(0)
        .json();
    assert_eq!(
        (delayed["relay"].as_str(), delayed["minutes"].as_u64()),
        (Some("off"), Some(30))
    );
    assert_eq!(delayed["plug"], plug["mac"]);
    assert!(delayed["due"].as_str().unwrap().ends_with('Z'), "{delayed}");
}

#[test]
fn each_listen_address_has_its_own() {
    let mut home = Home::with_network();
    let lines = home.emulate(
        &[
            "--listen",
            "127.25.1.1",
            "--listen",
            "127.25.2.1",
            "--count",
            "2",
        ],
        4,
    );
    let addresses: Vec<&str> = lines
        .iter()
        .filter_map(|line| line.split(' ').nth(1))
        .collect();
    assert_eq!(
        addresses,
        ["127.25.1.1", "127.25.1.2", "127.25.2.1", "127.25.2.2"]
    );
}

#[test]
fn faults_are_listed() {
    let home = Home::new();
    let run = home
        .run(&["emulate", "plug", "--fault", "help"])
        .ends_with(0);
    for fault in ["lost", "stuck-relay", "slow-relay", "half-open"] {
        assert!(run.stdout.contains(fault), "{run:?}");
    }
}

#[test]
fn what_cannot_be_is_usage() {
    let home = Home::with_network();
    for words in [
        ["--listen", "0.0.0.0"].as_slice(),
        &["--listen", "::1"],
        &["--listen", "127.255.255.255"],
        &["--listen", "nowhere"],
        &["--count", "0"],
        &["--count", "-1"],
        &["--count", "many"],
        &["--listen", "127.255.255.250", "--count", "10"],
        &[
            "--listen",
            "127.25.3.1",
            "--listen",
            "127.25.3.3",
            "--count",
            "3",
        ],
        &["--mac", "nope"],
        &["--serial", "nope"],
        &["--load", "toaster"],
        &["--load", "-5"],
        &["--relay", "maybe"],
        &["--profile", "s20"],
        &["--home-network", "no colon"],
        &["--fault", "nonsense"],
        &["--fault", "lost=200%"],
        &["--seed", "x"],
        &["--home-address", "127.0.0.9"],
    ] {
        let words: Vec<&str> = ["emulate", "plug"].iter().chain(words).copied().collect();
        assert_eq!(
            home.json(&words).ends_with(2).error_kind(),
            "usage",
            "{words:?}"
        );
    }
    home.json(&["emulate", "toaster"]).ends_with(2);
    home.json(&["emulate"]).ends_with(2);
}

#[test]
fn an_address_that_is_not_here_or_taken_is_7() {
    let mut home = Home::with_network();
    assert_eq!(
        home.json(&["emulate", "plug", "--listen", "192.0.2.1"])
            .ends_with(7)
            .error_kind(),
        "local"
    );
    home.emulate(&["--listen", "127.25.4.1"], 1);
    assert_eq!(
        home.json(&["emulate", "plug", "--listen", "127.25.4.1"])
            .ends_with(7)
            .error_kind(),
        "local"
    );
    let record = home.path("no/such/folder/record");
    let record = record.to_str().unwrap();
    assert_eq!(
        home.json(&[
            "emulate",
            "plug",
            "--listen",
            "127.25.4.2",
            "--record",
            record
        ])
        .ends_with(7)
        .error_kind(),
        "local"
    );
}

#[test]
fn the_tour_runs_through_by_itself() {
    let home = Home::with_network();
    let child = home
        .command()
        .args(["demo", "--tour"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let run = finish(child.wait_with_output()).ends_with(0);
    for word in [
        "$ mains discover",
        "kitchen is on",
        "127.77.0.99",
        "127.77.0.105",
        "lamp is on",
        "energy_wh",
        "http://127.0.0.1:8480/login?token=",
        "evening",
    ] {
        assert!(
            run.stdout.contains(word) || run.stderr.contains(word),
            "{word}: {run:#?}"
        );
    }
    assert!(!home.state().exists(), "the demo keeps to itself");
}

#[test]
fn a_twin_at_the_clients_own_address_is_warned_of() {
    for (address, is_own) in [("127.0.0.1", true), ("127.0.0.2", false)] {
        let home = Home::with_network();
        let run = home.run(&["--timeout", "1s", "emulate", "plug", "--listen", address]);
        assert_eq!(run.code, 0, "{run:?}");
        assert!(run.stdout.contains(&format!("ready {address} ")), "{run:?}");
        let warning = format!("warning: {address} is an address of this computer");
        assert_eq!(run.stderr.contains(&warning), is_own, "{run:?}");
    }
}
