//! The Orvibo S20 over a bridge, with and without loss, with `mains` and with a published client that we did not write.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::lab::NetworkLab;
use crate::needs;

const TWO: [&str; 6] = [
    "--listen",
    "10.77.0.1",
    "--count",
    "2",
    "--mac",
    "AC:CF:23:00:00:01",
];

/// Discovers, then switches the first one and reads it back, each by the client's own means.
const CLIENT: &str = "
from orvibo.s20 import S20, discover
for host, found in sorted(discover(timeout=1).items()):
    print(host, found['mac'].hex(), found['st'])
socket = S20('10.77.0.1')
for wanted in (True, False, True):
    socket.on = wanted
    print(socket.on)
print(S20('10.77.0.2', mac='AC:CF:23:00:00:02').on)
";

#[test]
fn the_published_client_finds_and_switches_it() {
    let Some(python) = needs::met(needs::python("orvibo")) else {
        return;
    };
    let Some(mut lab) = NetworkLab::new() else {
        return;
    };
    let ten_copies = [&TWO[..], &["--fault", "copies=10"]].concat();
    lab.emulate_as("s20", &ten_copies, 2);
    let output = lab
        .client(python.to_str().unwrap())
        .args(["-c", CLIENT])
        .output()
        .unwrap();
    let lines = String::from_utf8_lossy(&output.stdout).into_owned();
    let lines: Vec<&str> = lines.lines().collect();
    let expected = [
        "10.77.0.1 accf23000001 0",
        "10.77.0.2 accf23000002 0",
        "True",
        "False",
        "True",
        "False",
    ];
    assert_eq!(
        lines,
        expected,
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    // What the client switched is what we read.
    let (code, status) = lab.mains(&["status", "10.77.0.1", "10.77.0.2"]);
    assert_eq!(
        (code, &status[0]["relay"], &status[1]["relay"]),
        (0, &json!("on"), &json!("off"))
    );
}

fn macs(plugs: &Value) -> BTreeSet<String> {
    let plugs = plugs.as_array().expect("an array of plugs").iter();
    plugs
        .map(|plug| plug["mac"].as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn fifty_beside_fifty_others_are_found_at_20_percent_loss() {
    let Some(mut lab) = NetworkLab::new() else {
        return;
    };
    lab.emulate(
        &[
            "--listen",
            "10.77.0.1",
            "--count",
            "50",
            "--mac",
            "AC:CF:23:01:00:01",
        ],
        50,
    );
    lab.emulate_as(
        "s20",
        &[
            "--listen",
            "10.77.0.101",
            "--count",
            "50",
            "--mac",
            "AC:CF:23:02:00:01",
            "--plug-name",
            "lamp",
        ],
        50,
    );
    lab.lose(20);
    let (code, plugs) = lab.mains(&["discover", "--interface", "lan0"]);
    assert_eq!(code, 0, "{plugs}");
    assert_eq!(macs(&plugs).len(), 100, "{plugs}");
    assert!(lab.lost() > 0, "the loss must have been real");
    let of_family = |family: &str| {
        let plugs = plugs.as_array().unwrap().iter();
        plugs.filter(|plug| plug["family"] == family).count()
    };
    assert_eq!(
        (of_family("reco"), of_family("orvibo")),
        (50, 50),
        "{plugs}"
    );
}

#[test]
fn it_is_switched_by_its_mac_at_30_percent_loss() {
    let Some(mut lab) = NetworkLab::new() else {
        return;
    };
    lab.emulate_as("s20", &TWO, 2);
    lab.lose(30);
    for (verb, relay) in [("on", "on"), ("off", "off"), ("toggle", "on")] {
        let (code, switched) = lab.mains(&[verb, "AC:CF:23:00:00:01", "AC:CF:23:00:00:02"]);
        assert_eq!(code, 0, "{switched}");
        for one in switched.as_array().unwrap() {
            assert_eq!(
                (&one["relay"], &one["confirmed"]),
                (&json!(relay), &json!(true)),
                "{switched}"
            );
        }
    }
    assert!(lab.lost() > 0, "the loss must have been real");
}
