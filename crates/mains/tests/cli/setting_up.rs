//! `mains setup --method smartlink` and `mains setup --all --to-ssid`, against twins in a network of the test's own.

use std::net::{Ipv4Addr, UdpSocket};
use std::time::Instant;

use serde_json::Value;

use crate::home::{FinishedRun, Home};

const KEY: &str = "s3cret-K3y!";

/// Runs `mains --json setup` with the key in a file.
fn setup(home: &Home, key: &str, words: &[&str]) -> FinishedRun {
    let file = home.write("home.key", key);
    let file = file.to_str().unwrap().to_owned();
    home.json(&[&["setup", "--key-file", &file][..], words].concat())
}

fn smart(home: &Home, key: &str, words: &[&str]) -> FinishedRun {
    let method = ["--method", "smartlink", "--ssid", "Home"];
    setup(home, key, &[&method[..], words].concat())
}

fn step_names(report: &Value) -> Vec<&str> {
    let steps = report["steps"].as_array().unwrap().iter();
    steps.map(|step| step["step"].as_str().unwrap()).collect()
}

#[test]
fn a_plug_learns_the_key_from_lengths() {
    let mut home = Home::with_network();
    let network = format!("Home:{KEY}");
    let ready = home.emulate(
        &[
            "--smartlink",
            "--home-network",
            &network,
            "--fault",
            "restart=300ms",
        ],
        1,
    );
    let mac = ready[0].split(' ').nth(2).unwrap();
    let run = smart(&home, KEY, &["--name", "kitchen"]).ends_with(0);
    let report = run.json();
    assert_eq!(
        (&report["plug"], &report["ssid"]),
        (&mac.into(), &"Home".into())
    );
    assert_eq!(report["confirmed"], true);
    assert_eq!(step_names(&report), ["interface", "send", "reply", "seen"]);
    assert!(run.stderr.contains("radio range"), "{run:?}");
    assert!(!run.stdout.contains(KEY) && !run.stderr.contains(KEY));
    home.json(&["on", "kitchen"]).ends_with(0);
}

#[test]
fn nobody_who_listens_and_a_key_that_is_not_that_of_the_network() {
    let mut home = Home::with_network();
    let begin = Instant::now();
    let run = finish_timeout(&home, KEY).ends_with(4);
    let report = run.json();
    assert_eq!(report["confirmed"], false);
    assert_eq!(report["error"]["kind"], "no_answer");
    let message = report["error"]["message"].as_str().unwrap();
    assert_eq!(message, "no plug has joined within 6s");
    assert_eq!(step_names(&report), ["interface", "send"]);
    assert!(begin.elapsed().as_secs() < 20);
    home.emulate(&["--smartlink", "--home-network", "Home:another key"], 1);
    finish_timeout(&home, KEY).ends_with(4);
}

fn finish_timeout(home: &Home, key: &str) -> FinishedRun {
    let file = home.write("home.key", key);
    let words = [
        "--timeout",
        "6s",
        "setup",
        "--method",
        "smartlink",
        "--ssid",
        "Home",
        "--key-file",
    ];
    home.json(&[&words[..], &[file.to_str().unwrap()]].concat())
}

#[test]
fn a_taken_port_and_options_of_another_method() {
    let home = Home::with_network();
    let _taken = UdpSocket::bind((Ipv4Addr::LOCALHOST, 49999)).unwrap();
    let run = smart(&home, KEY, &[]).ends_with(7);
    assert!(
        run.json()["error"]["message"]
            .as_str()
            .unwrap()
            .contains("49999"),
        "{run:?}"
    );
    for words in [
        &["--module", "127.0.0.2"][..],
        &["--wifi", "manual"],
        &["--plug-ssid", "Reco900000621"],
        &["--no-verify"],
        &["--all"],
    ] {
        assert_eq!(
            smart(&home, KEY, words).ends_with(2).error_kind(),
            "usage",
            "{words:?}"
        );
    }
    assert_eq!(
        smart(&home, "seven77", &[]).ends_with(2).error_kind(),
        "usage"
    );
}

/// Plugs on `Old` that know `New` as well.
fn fleet(home: &mut Home, count: usize, more: &[&str]) -> Vec<String> {
    let count_text = count.to_string();
    let mut words = vec![
        "--count",
        &count_text,
        "--home-network",
        "Old:the old key",
        "--home-network",
        "New:the new key",
    ];
    for fault in ["restart=300ms", "association=100ms"] {
        words.extend(["--fault", fault]);
    }
    words.extend(more);
    let ready = home.emulate(&words, count);
    ready
        .iter()
        .map(|line| line.split(' ').nth(2).unwrap().to_owned())
        .collect()
}

fn move_all(home: &Home, key: &str, more: &[&str]) -> FinishedRun {
    setup(
        home,
        key,
        &[&["--all", "--to-ssid", "New"][..], more].concat(),
    )
}

#[test]
fn all_plugs_move_and_are_left_alone_afterwards() {
    let mut home = Home::with_network();
    let mut macs = fleet(&mut home, 6, &[]);
    let run = move_all(&home, "the new key", &[]).ends_with(0);
    let reports = run.json();
    let reports = reports.as_array().unwrap();
    assert!(
        reports
            .iter()
            .all(|one| one["confirmed"] == true && one["ssid"] == "New"),
        "{run:?}"
    );
    assert!(
        reports
            .iter()
            .all(|one| one.get("error").is_none() && !step_names(one).is_empty())
    );
    let mut moved: Vec<_> = reports
        .iter()
        .map(|one| one["plug"].as_str().unwrap().to_owned())
        .collect();
    moved.sort();
    macs.sort();
    assert_eq!(moved, macs);
    assert!(!run.stdout.contains("the new key") && !run.stderr.contains("the new key"));
    assert!(run.stderr.contains("6 of 6 plugs set up"), "{run:?}");
    let run = move_all(&home, "the new key", &[]).ends_with(0);
    assert!(run.stderr.contains("6 of 6 plugs set up"), "{run:?}");
    let again = run.json();
    let again = again.as_array().unwrap();
    assert_eq!(again.len(), 6);
    assert!(
        again
            .iter()
            .all(|one| one["confirmed"] == true && step_names(one).is_empty())
    );
}

#[test]
fn the_first_that_does_not_come_back_ends_it() {
    let mut home = Home::with_network();
    fleet(&mut home, 5, &[]);
    // A wrong key: the first plug is lost, and no other is touched.
    let run = move_all(&home, "a wrong key", &["--wait", "4s"]).ends_with(4);
    let reports = run.json();
    let reports = reports.as_array().unwrap();
    assert_eq!(reports.len(), 5);
    assert_eq!(reports[0]["error"]["kind"], "no_answer");
    assert!(run.stderr.contains("0 of 5 plugs set up"), "{run:?}");
    for one in &reports[1..] {
        assert_eq!(
            (&one["confirmed"], step_names(one).len()),
            (&false.into(), 0),
            "{one}"
        );
        assert!(one.get("error").is_none(), "{one}");
    }
    // The others move with the right key.
    let rest = move_all(&home, "the new key", &[]).ends_with(0).json();
    assert_eq!(rest.as_array().unwrap().len(), 4);
}

/// Returns the plugs of a move in the order in which they began, and the highest number of moves under way at the same time after
/// the first had ended.
fn course(stderr: &str) -> (Vec<String>, usize) {
    let (mut begun, mut under_way, mut most) = (Vec::new(), Vec::new(), 0);
    for line in stderr.lines().filter(|line| line.starts_with('[')) {
        let (_, text) = line.split_once("] ").unwrap();
        let Some(mac) = text.get(..17).filter(|mac| mac.starts_with("AC:CF")) else {
            continue;
        };
        if text == mac {
            begun.push(mac.to_owned());
            under_way.push(mac);
            assert!(
                begun.len() == 1 || !under_way.contains(&begun[0].as_str()),
                "{stderr}"
            );
            most = most.max(under_way.len());
        } else {
            under_way.retain(|one| *one != mac);
        }
    }
    assert_eq!(under_way, [""; 0], "{stderr}");
    (begun, most)
}

#[test]
fn the_strongest_moves_alone_and_then_three_at_a_time_by_signal() {
    let mut home = Home::with_network();
    let signals = [30, 85, 55, 95, 10, 70, 45, 0];
    let mut macs = Vec::new();
    for (place, signal) in signals.into_iter().enumerate() {
        let (address, fault) = (format!("127.0.0.{}", place + 2), format!("signal={signal}"));
        let mac = fleet(&mut home, 1, &["--listen", &address, "--fault", &fault]).remove(0);
        macs.push((signal, mac));
    }
    macs.sort_unstable_by(|one, other| other.cmp(one));
    let expected: Vec<String> = macs.into_iter().map(|(_, mac)| mac).collect();
    let run = move_all(&home, "the new key", &[]).ends_with(0);
    let (begun, most) = course(&run.stderr);
    assert_eq!(begun, expected);
    assert_eq!(most, 3, "{}", run.stderr);
    let reports = run.json();
    let reports = reports.as_array().unwrap().iter();
    let reported: Vec<_> = reports.map(|one| one["plug"].as_str().unwrap()).collect();
    assert_eq!(reported, expected);
}

#[test]
fn one_that_does_not_come_back_stops_the_batches_and_another_run_goes_on() {
    let mut home = Home::with_network();
    // The fourth, the last of its batch, is out of reach of the new network.
    for (place, signal) in [90, 80, 70, 60, 50, 40].into_iter().enumerate() {
        let (address, fault) = (format!("127.0.0.{}", place + 2), format!("signal={signal}"));
        let more = ["--listen", &address, "--fault", &fault];
        match place {
            3 => {
                let known = ["--home-network", "Old:the old key"];
                home.emulate(&[&more[..], &known].concat(), 1);
            }
            _ => drop(fleet(&mut home, 1, &more)),
        }
    }
    let run = move_all(&home, "the new key", &["--wait", "4s"]).ends_with(4);
    let confirmed = |run: &FinishedRun| -> Vec<bool> {
        let reports = run.json();
        let reports = reports.as_array().unwrap().iter();
        reports.map(|one| one["confirmed"] == true).collect()
    };
    assert_eq!(
        confirmed(&run),
        [true, true, true, false, false, false],
        "{run:?}"
    );
    assert_eq!(run.json()[3]["error"]["kind"], "no_answer");
    assert!(run.stderr.contains("3 of 6 plugs set up"), "{run:?}");
    let run = move_all(&home, "the new key", &[]).ends_with(0);
    assert_eq!(confirmed(&run), [true; 5], "{run:?}");
    assert_eq!(course(&run.stderr).0.len(), 2, "{run:?}");
}

#[test]
fn usage_of_a_move() {
    let home = Home::with_network();
    setup(&home, KEY, &["--to-ssid", "New"]).ends_with(2);
    setup(&home, KEY, &["--all", "--to-ssid", "New", "--ssid", "Old"]).ends_with(2);
    setup(&home, "seven77", &["--all", "--to-ssid", "New"]).ends_with(2);
    assert_eq!(
        move_all(&home, KEY, &[]).ends_with(3).error_kind(),
        "not_found"
    );
}
