//! `mains setup --method smartlink` across namespaces: real loss, and a computer with several interfaces.

use serde_json::Value;

use crate::lab::NetworkLab;

const KEY: &str = "s3cret-K3y!";
const MAC: &str = "AC:CF:23:00:00:20";

/// A plug that listens to lengths on a network.
fn listener(lab: &mut NetworkLab, address: &str) {
    let network = format!("Home:{KEY}");
    lab.emulate(
        &[
            "--listen",
            address,
            "--mac",
            MAC,
            "--smartlink",
            "--home-network",
            &network,
        ],
        1,
    );
}

fn setup(lab: &NetworkLab, limit: &str, words: &[&str]) -> (i32, Value) {
    let key = lab.file("key", KEY);
    let all = ["--timeout", limit, "setup", "--method", "smartlink"];
    let key = ["--ssid", "Home", "--key-file", &key];
    lab.mains(&[words, &all, &key].concat())
}

/// The interface that it sends from.
fn sender(report: &Value) -> &str {
    report["steps"][0]["detail"].as_str().unwrap()
}

#[test]
fn a_plug_in_another_namespace_learns_the_key_at_5_percent_loss_each_way() {
    let Some(mut lab) = NetworkLab::new() else {
        return;
    };
    listener(&mut lab, "10.77.0.20");
    lab.lose(5);
    let (code, report) = setup(&lab, "2m", &["--interface", "lan0"]);
    assert_eq!(code, 0, "{report}");
    assert_eq!(report["plug"], MAC);
    assert_eq!(report["confirmed"], true);
    assert!(lab.lost() > 0, "the loss must have been real");
    let (code, status) = lab.mains(&["status", MAC]);
    assert_eq!((code, &status[0]["address"]), (0, &"10.77.0.20".into()));
}

#[test]
fn of_several_interfaces_it_is_the_one_with_the_default_route_or_the_named_one() {
    let Some(mut lab) = NetworkLab::new() else {
        return;
    };
    listener(&mut lab, "10.78.0.1");
    let (code, report) = setup(&lab, "4s", &[]);
    assert_eq!(code, 4, "{report}");
    assert_eq!(sender(&report), "sends from lan0 (10.77.0.250)");
    let (code, report) = setup(&lab, "30s", &["--interface", "lan1"]);
    assert_eq!(code, 0, "{report}");
    assert_eq!(sender(&report), "sends from lan1 (10.78.0.250)");
    assert_eq!(report["plug"], MAC);
}

#[test]
fn the_key_goes_to_no_network_by_chance() {
    let Some(mut lab) = NetworkLab::new() else {
        return;
    };
    listener(&mut lab, "10.78.0.1");
    // Without a default route none of two is the right one.
    lab.ip("client", "route del default");
    let both = ["--interface", "lan0", "--interface", "lan1"];
    for (interfaces, named) in [
        (&[][..], "lan0, lan1"),
        (&both, "lan0, lan1"),
        (&["--interface", "eth9"], "eth9"),
    ] {
        let sent = lab.sent();
        let (code, report) = setup(&lab, "4s", interfaces);
        assert_eq!(
            (code, &report["error"]["kind"]),
            (2, &"usage".into()),
            "{report}"
        );
        let message = report["error"]["message"].as_str().unwrap();
        assert!(message.contains(named), "{message}");
        assert_eq!(lab.sent(), sent, "nothing was sent");
    }
    // One that is up needs no route.
    lab.ip("client", "link set lan0 down");
    let (code, report) = setup(&lab, "30s", &[]);
    assert_eq!(code, 0, "{report}");
    assert_eq!(sender(&report), "sends from lan1 (10.78.0.250)");
}
