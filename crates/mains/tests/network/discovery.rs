//! Broadcast discovery over a bridge, with and without loss.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::lab::NetworkLab;

fn addresses(plugs: &Value) -> BTreeSet<String> {
    let plugs = plugs.as_array().expect("an array of plugs");
    plugs
        .iter()
        .map(|plug| plug["address"].as_str().unwrap().to_owned())
        .collect()
}

fn all_of(net: &str, count: u8) -> BTreeSet<String> {
    (1..=count).map(|host| format!("{net}.{host}")).collect()
}

fn finds_all(count: u8, loss: u8) {
    let Some(mut lab) = NetworkLab::new() else {
        return;
    };
    let many = count.to_string();
    lab.emulate(&["--listen", "10.77.0.1", "--count", &many], count.into());
    if loss > 0 {
        lab.lose(loss);
    }
    let (code, plugs) = lab.mains(&["discover", "--interface", "lan0"]);
    assert_eq!(code, 0, "{plugs}");
    assert_eq!(addresses(&plugs), all_of("10.77.0", count));
    if loss > 0 {
        assert!(lab.lost() > 0, "the loss must have been real");
    }
}

#[test]
fn two_hundred_plugs_without_loss() {
    finds_all(200, 0);
}

#[test]
fn fifty_plugs_at_20_percent_loss_each_way() {
    finds_all(50, 20);
}

#[test]
fn two_hundred_plugs_at_40_percent_loss_each_way() {
    finds_all(200, 40);
}

#[test]
fn both_interfaces_are_searched_by_default() {
    let Some(mut lab) = NetworkLab::new() else {
        return;
    };
    lab.emulate(&["--listen", "10.77.0.1", "--count", "3"], 3);
    lab.emulate(
        &[
            "--listen",
            "10.78.0.1",
            "--count",
            "2",
            "--mac",
            "AC:CF:23:78:00:01",
        ],
        2,
    );
    let (code, plugs) = lab.mains(&["discover"]);
    assert_eq!(code, 0, "{plugs}");
    let expected = &all_of("10.77.0", 3) | &all_of("10.78.0", 2);
    assert_eq!(addresses(&plugs), expected);
}

#[test]
fn a_plug_is_switched_by_its_mac_at_40_percent_loss() {
    let Some(mut lab) = NetworkLab::new() else {
        return;
    };
    lab.emulate(
        &[
            "--listen",
            "10.77.0.7",
            "--mac",
            "AC:CF:23:00:00:07",
            "--relay",
            "off",
        ],
        1,
    );
    lab.lose(40);
    let (code, results) = lab.mains(&["on", "accf23000007"]);
    assert_eq!(code, 0, "{results}");
    assert_eq!(results[0]["relay"], "on");
    assert_eq!(results[0]["confirmed"], true);
}

#[test]
fn a_plug_that_moved_is_followed_by_its_mac() {
    let Some(mut lab) = NetworkLab::new() else {
        return;
    };
    lab.emulate(&["--listen", "10.77.0.7", "--mac", "AC:CF:23:00:00:07"], 1);
    let (code, _) = lab.mains(&["name", "10.77.0.7", "lamp"]);
    assert_eq!(code, 0);
    lab.end_emulators();
    lab.emulate(&["--listen", "10.77.0.9", "--mac", "AC:CF:23:00:00:07"], 1);
    lab.emulate(&["--listen", "10.77.0.7", "--mac", "AC:CF:23:00:00:08"], 1);
    let (code, plugs) = lab.mains(&["status", "lamp"]);
    assert_eq!(code, 0, "{plugs}");
    assert_eq!(plugs[0]["address"], "10.77.0.9");
    assert_eq!(plugs[0]["mac"], "AC:CF:23:00:00:07");
}
