//! `mains setup` across namespaces, with real loss.

use crate::lab::NetworkLab;

const HOME: &str = "Home, sweet home:correct horse";

/// Loss each way, in percent, at which two of three questions remain without an answer.
const HEAVY: u8 = 40;

fn setup_at(loss: u8, key: &str) -> Option<(NetworkLab, i32, serde_json::Value)> {
    let mut lab = NetworkLab::new()?;
    lab.emulate(
        &[
            "--listen",
            "10.77.0.20",
            "--mac",
            "AC:CF:23:00:00:20",
            "--ap",
            "--home-network",
            HOME,
        ],
        1,
    );
    lab.emulate(&["--listen", "10.77.0.30", "--count", "20"], 20);
    if loss > 0 {
        lab.lose(loss);
    }
    let key = lab.file("key", key);
    let words = [
        "setup",
        "--ssid",
        "Home, sweet home",
        "--key-file",
        &key,
        "--module",
        "10.77.0.20",
    ];
    let words = [&words[..], &["--wifi", "manual", "--yes"]].concat();
    let (mut code, mut outcome) = lab.mains(&words);
    if code != 0 && loss >= HEAVY {
        // Of 3,000 joins in virtual time 15 gave up at this loss. A second run must do it then: nothing half-done stays.
        eprintln!("the first run gave up: {outcome}");
        (code, outcome) = lab.mains(&words);
    }
    if loss > 0 {
        assert!(lab.lost() > 0, "the loss must have been real");
    }
    Some((lab, code, outcome))
}

fn joins_at(loss: u8) {
    let Some((lab, code, outcome)) = setup_at(loss, "correct horse\n") else {
        return;
    };
    assert_eq!(code, 0, "{outcome}");
    assert_eq!(outcome["plug"], "AC:CF:23:00:00:20");
    assert_eq!(outcome["confirmed"], true);
    let (code, plugs) = lab.mains(&["status", "AC:CF:23:00:00:20"]);
    assert_eq!(code, 0, "{plugs}");
}

#[test]
fn a_plug_joins_without_loss() {
    joins_at(0);
}

#[test]
fn a_plug_joins_at_20_percent_loss_each_way() {
    joins_at(20);
}

#[test]
fn a_plug_joins_at_40_percent_loss_each_way() {
    joins_at(HEAVY);
}

#[test]
fn a_wrong_key_at_20_percent_loss_leaves_the_plug_reachable() {
    let Some((lab, code, outcome)) = setup_at(20, "wrong horse!\n") else {
        return;
    };
    assert_eq!(code, 5, "{outcome}");
    assert_eq!(outcome["error"]["kind"], "refused");
    let (code, plugs) = lab.mains(&["status", "10.77.0.20"]);
    assert_eq!(
        code, 0,
        "the plug must still answer on its own network: {plugs}"
    );
}

#[test]
fn all_plugs_move_to_another_network_and_one_failure_does_not_stop_the_rest() {
    let Some(mut lab) = NetworkLab::new() else {
        return;
    };
    let networks = [
        "--home-network",
        "Old:old old key",
        "--home-network",
        "New:new new key",
    ];
    let quick = ["--fault", "restart=200ms", "--fault", "association=50ms"];
    let good = [
        "--listen",
        "10.77.0.20",
        "--count",
        "3",
        "--mac",
        "AC:CF:23:00:00:20",
    ];
    lab.emulate(&[&good[..], &networks, &quick].concat(), 3);
    // One that is out of reach of the new network, the first by its MAC; and one that is on no network yet.
    let bad = ["--listen", "10.77.0.30", "--mac", "AC:CF:23:00:00:1F"];
    lab.emulate(&[&bad[..], &networks[..2], &quick].concat(), 1);
    lab.emulate(
        &[
            "--listen",
            "10.77.0.40",
            "--mac",
            "AC:CF:23:00:00:40",
            "--ap",
        ],
        1,
    );
    let key = lab.file("key", "new new key\n");
    let (code, outcome) = lab.mains(&[
        "setup",
        "--all",
        "--wifi",
        "manual",
        "--ssid",
        "New",
        "--key-file",
        &key,
        "--wait",
        "5s",
    ]);
    assert_eq!(code, 4, "{outcome}");
    let list = outcome.as_array().expect("an array");
    let plugs: Vec<&str> = list
        .iter()
        .map(|one| one["plug"].as_str().unwrap())
        .collect();
    assert_eq!(
        plugs,
        [
            "AC:CF:23:00:00:1F",
            "AC:CF:23:00:00:20",
            "AC:CF:23:00:00:21",
            "AC:CF:23:00:00:22"
        ],
        "the fresh one is left alone"
    );
    assert_eq!(list[0]["error"]["kind"], "no_answer", "{outcome}");
    for one in &list[1..] {
        assert_eq!(one["confirmed"], true, "{outcome}");
    }
}
