//! `mains setup --all --to-ssid` across namespaces, with real loss: stopped by the first plug that does not come back, and resumed.

use serde_json::Value;

use crate::lab::NetworkLab;

/// Adds a plug on the network `Old`; only some are in reach of `New`.
fn plug(lab: &mut NetworkLab, number: u8, signal: u8, is_in_reach: bool) {
    let address = format!("10.77.0.{number}");
    let mac = mac(number);
    let signal = format!("signal={signal}");
    let mut words = vec!["--listen", &address, "--mac", &mac];
    words.extend(["--home-network", "Old:the old key"]);
    if is_in_reach {
        words.extend(["--home-network", "New:the new key"]);
    }
    for fault in ["restart=300ms", "association=100ms", &signal] {
        words.extend(["--fault", fault]);
    }
    lab.emulate(&words, 1);
}

fn mac(number: u8) -> String {
    format!("AC:CF:23:00:00:{number:02X}")
}

fn move_all(lab: &NetworkLab) -> (i32, Vec<Value>) {
    let key = lab.file("key", "the new key");
    let words = ["setup", "--all", "--to-ssid", "New", "--key-file", &key];
    let (code, reports) =
        lab.mains(&[&["--interface", "lan0"], &words[..], &["--wait", "20s"]].concat());
    (code, reports.as_array().expect("an array").clone())
}

fn numbers(reports: &[Value]) -> Vec<&str> {
    let plugs = reports.iter().map(|one| one["plug"].as_str().unwrap());
    plugs.map(|mac| &mac[15..]).collect()
}

#[test]
fn a_fleet_moves_at_20_percent_loss_up_to_the_first_that_stays_away_and_then_the_rest() {
    let Some(mut lab) = NetworkLab::new() else {
        return;
    };
    // By signal: 13, then 11, 15 (which stays away) and 10, then 14, 12.
    for (number, signal) in [(10, 50), (11, 70), (12, 20), (13, 90), (14, 40)] {
        plug(&mut lab, number, signal, true);
    }
    plug(&mut lab, 15, 60, false);
    lab.lose(20);
    let (code, reports) = move_all(&lab);
    assert_eq!(code, 4, "{reports:?}");
    assert_eq!(
        numbers(&reports),
        ["0D", "0B", "0F", "0A", "0E", "0C"],
        "{reports:?}"
    );
    let confirmed: Vec<_> = reports.iter().map(|one| &one["confirmed"]).collect();
    assert_eq!(
        confirmed,
        [true, true, false, true, false, false],
        "{reports:?}"
    );
    assert_eq!(reports[2]["error"]["kind"], "no_answer", "{reports:?}");
    for one in &reports[4..] {
        assert_eq!(one["steps"].as_array().map(Vec::len), Some(0), "{one}");
        assert!(one.get("error").is_none(), "{one}");
    }
    assert!(lab.lost() > 0, "the loss must have been real");

    // The one that stays away is on no network. The rest moves, and what has moved is left alone.
    let (code, reports) = move_all(&lab);
    assert_eq!(code, 0, "{reports:?}");
    assert_eq!(
        numbers(&reports),
        ["0E", "0C", "0A", "0B", "0D"],
        "{reports:?}"
    );
    for (place, one) in reports.iter().enumerate() {
        assert_eq!(one["confirmed"], true, "{one}");
        assert_eq!(
            one["steps"].as_array().unwrap().is_empty(),
            place >= 2,
            "{one}"
        );
    }
}
