//! Interfaces as they are met in the field: without a broadcast address, with a wrong one, links between two, two of one network.

use std::process::Stdio;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::lab::NetworkLab;

const PLUG: &str = "10.77.0.20";

fn found(lab: &NetworkLab, words: &[&str]) -> Vec<String> {
    let all = [words, &["discover", "--expect", "1", "--wait", "5s"]].concat();
    let (_, plugs) = lab.mains(&all);
    let plugs = plugs.as_array().unwrap();
    plugs
        .iter()
        .map(|plug| plug["address"].to_string())
        .collect()
}

#[test]
fn plugs_are_found_whatever_broadcast_address_the_system_tells() {
    let Some(mut lab) = NetworkLab::new() else {
        return;
    };
    lab.emulate(&["--listen", PLUG], 1);
    lab.ip("plugs", "route add 10.79.0.1 dev lan0");
    for address in [
        "10.77.0.250/24",
        "10.77.0.250/24 brd 10.99.0.255",
        "10.77.0.250/24 brd 10.77.0.0",
        "10.77.0.250/24 brd 10.77.0.127",
        "10.77.0.250 peer 10.77.0.20/32",
        "10.79.0.1 peer 10.77.0.20/32",
        "10.79.0.1 peer 10.77.0.20/24",
    ] {
        reaches(&lab, address, PLUG);
    }
    lab.end_emulators();
    lab.ip("plugs", "addr add 10.77.0.251/24 brd + dev lan0");
    lab.emulate(&["--listen", "10.77.0.251"], 1);
    reaches(&lab, "10.77.0.250/31", "10.77.0.251");
}

/// Finds and switches the one plug by an interface with this address.
fn reaches(lab: &NetworkLab, address: &str, plug: &str) {
    lab.ip("client", "addr flush dev lan0");
    lab.ip("client", &format!("addr add {address} dev lan0"));
    let plugs = found(lab, &["--interface", "lan0"]);
    assert_eq!(plugs, [format!("\"{plug}\"")], "{address}");
    let (code, switched) = lab.mains(&["--interface", "lan0", "on", plug]);
    assert_eq!(code, 0, "{address}: {switched}");
}

/// A client with two interfaces of one network, and a plug behind the second one only.
fn with_twin_interfaces() -> Option<NetworkLab> {
    let lab = NetworkLab::new()?;
    lab.ip("plugs", "link set lan0 down");
    lab.ip("plugs", "addr add 10.77.0.222/24 brd + dev lan1");
    lab.ip("client", "addr flush dev lan1");
    lab.ip("client", "addr add 10.77.0.251/24 brd + dev lan1");
    Some(lab)
}

#[test]
fn a_plug_behind_the_second_of_two_interfaces_with_one_network() {
    const PLUG: &str = "10.77.0.222";
    let Some(mut lab) = with_twin_interfaces() else {
        return;
    };
    lab.emulate(&["--listen", PLUG], 1);
    for interface in [&["--interface", "lan1"][..], &[]] {
        lab.forget();
        assert_eq!(found(&lab, interface), [format!("\"{PLUG}\"")]);
        for words in [
            &["status"][..],
            &["on"],
            &["meter"],
            &["version"],
            &["probe"],
        ] {
            lab.forget();
            let (code, answer) = lab.mains(&[interface, words, &[PLUG]].concat());
            assert_eq!(code, 0, "{interface:?} {words:?}: {answer}");
        }
    }
    let (code, answer) = lab.mains(&["--interface", "lan1", "at", "--tcp", PLUG, "VER"]);
    assert_eq!(code, 0, "{answer}");

    // A hub takes it in and commands it.
    let mut hub = lab
        .client(env!("CARGO_BIN_EXE_mains"))
        .arg("serve")
        .env("MAINS_HUB_ADOPT", "true")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let deadline = Instant::now() + Duration::from_secs(40);
    let answer = loop {
        let (code, answer) = lab.mains(&["off", PLUG]);
        let is_by_hub = lab.mains(&["hub", "status"]).0 == 0;
        if (code == 0 && is_by_hub) || Instant::now() > deadline {
            break (code, answer);
        }
        std::thread::sleep(Duration::from_millis(200));
    };
    let meter = lab.mains(&["meter", PLUG]);
    let _ = hub.kill();
    let _ = hub.wait();
    assert_eq!(answer.0, 0, "{}", answer.1);
    assert_eq!(meter.0, 0, "{}", meter.1);

    lab.end_emulators();
    lab.forget();
    let (code, answer) = lab.mains(&["status", PLUG]);
    assert_eq!(code, 4, "{answer}");
    let hint = answer[0]["error"]["hint"].to_string();
    assert!(
        hint.contains("lan0 and lan1 have the same network 10.77.0.0/24"),
        "{hint}"
    );
    let (code, answer) = lab.mains(&["status", "AC:CF:23:99:99:99"]);
    assert_eq!(code, 3, "{answer}");
    assert!(answer.to_string().contains("lan0 and lan1"), "{answer}");
}

#[test]
fn a_bridge_behind_the_second_of_two_interfaces_with_one_network() {
    let Some(mut lab) = with_twin_interfaces() else {
        return;
    };
    lab.emulate_as("bridge", &["--listen", "10.77.0.222"], 1);
    for interface in [&["--interface", "lan1"][..], &[]] {
        let (code, bridges) = lab.mains(&[interface, &["hue", "discover"]].concat());
        assert_eq!(
            (code, bridges.as_array().map(Vec::len)),
            (0, Some(1)),
            "{bridges}"
        );
        let ask = ["hue", "pair", "10.77.0.222", "--wait", "1s", "--yes"];
        let (_, answer) = lab.mains(&[interface, &ask[..]].concat());
        // Nobody presses the button; but it answers.
        assert_ne!(
            answer["error"]["kind"],
            Value::from("no_answer"),
            "{answer}"
        );
    }
}
