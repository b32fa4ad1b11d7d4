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
    print(int(socket.on))
print(int(S20('10.77.0.2', mac='AC:CF:23:00:00:02').on))
";

/// The same by the client of another author, who takes the acknowledgement for the switch.
const OTHER_CLIENT: &str = "
import asyncio
from asyncio_orvibo.s20 import S20
# Python 3.11 no longer has an option that the client gives.
endpoint = asyncio.BaseEventLoop.create_datagram_endpoint
asyncio.BaseEventLoop.create_datagram_endpoint = (
    lambda loop, *given, reuse_address=None, **options: endpoint(loop, *given, **options))
async def main():
    found = await S20.discovery('10.77.0.255', timeout=1, retry=1)
    for plug in sorted(found.values(), key=lambda plug: plug.hp):
        print(plug.hp[0], plug.mac.hex(), plug.state)
    socket = S20(('10.77.0.1', 10000), 'AC:CF:23:00:00:01')
    for wanted in (1, 0, 1):
        assert await socket.state_change(wanted)
        again = S20(socket.hp, socket.mac)
        await again.subscribe_if_necessary()
        print(again.state)
    other = S20(('10.77.0.2', 10000), 'AC:CF:23:00:00:02')
    await other.subscribe_if_necessary()
    print(other.state)
asyncio.run(main())
";

#[test]
fn the_published_client_finds_and_switches_it() {
    finds_and_switches("orvibo", CLIENT);
}

#[test]
fn the_other_published_client_finds_and_switches_it() {
    finds_and_switches("asyncio_orvibo", OTHER_CLIENT);
}

fn finds_and_switches(package: &str, client: &str) {
    let Some(python) = needs::met(needs::python(package)) else {
        return;
    };
    let Some(mut lab) = NetworkLab::new() else {
        return;
    };
    let ten_copies = [&TWO[..], &["--fault", "copies=10"]].concat();
    lab.emulate_as("s20", &ten_copies, 2);
    let output = lab
        .client(python.to_str().unwrap())
        .args(["-c", client])
        .output()
        .unwrap();
    let lines = String::from_utf8_lossy(&output.stdout).into_owned();
    let lines: Vec<&str> = lines.lines().collect();
    let expected = [
        "10.77.0.1 accf23000001 0",
        "10.77.0.2 accf23000002 0",
        "1",
        "0",
        "1",
        "0",
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
