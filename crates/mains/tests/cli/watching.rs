//! `mains watch` without a hub: it asks the plugs itself.

use std::io::{BufRead, BufReader};
use std::process::Stdio;

use serde_json::Value;

use crate::home::{Home, finish};

fn emulated(home: &mut Home) {
    home.emulate(&["--count", "2", "--relay", "on", "--load", "60W"], 2);
}

#[test]
fn a_reading_a_line() {
    let mut home = Home::with_network();
    emulated(&mut home);
    let mut command = home.command();
    let mut child = command
        .args(["--json", "--timeout", "20s", "watch"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let readings: Vec<Value> = lines
        .take(6)
        .map(|line| serde_json::from_str(&line.unwrap()).unwrap())
        .collect();
    // With the pipe closed it ends by itself, long before its time is over.
    let run = finish(child.wait_with_output());
    assert_eq!((run.code, run.stderr.as_str()), (0, ""), "{run:?}");
    let mut of_each = std::collections::HashMap::<_, Vec<_>>::new();
    for reading in &readings {
        assert!(reading["power_w"].as_f64().unwrap() > 50.0, "{reading}");
        of_each
            .entry(reading["plug"].to_string())
            .or_default()
            .push(reading["at"].clone());
    }
    assert_eq!(of_each.len(), 2, "{readings:?}");
    assert!(
        of_each.values().all(|times| times.len() >= 2),
        "{readings:?}"
    );
}

/// Watching in one terminal, and switching in another.
#[test]
fn other_verbs_work_beside_it() {
    let mut home = Home::with_network();
    emulated(&mut home);
    let mut watch = home
        .command()
        .args(["--json", "watch"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(watch.stdout.take().unwrap()).lines();
    lines.next().unwrap().unwrap();
    for verb in ["off", "on", "toggle", "status", "meter"] {
        home.json(&[verb, "127.0.0.2", "127.0.0.3"]).ends_with(0);
    }
    let found = home.json(&["discover", "--expect", "2"]).ends_with(0);
    assert_eq!(found.json().as_array().unwrap().len(), 2);
    let off = |line: String| serde_json::from_str::<Value>(&line).unwrap()["power_w"] == 0.0;
    assert!(
        lines.map(Result::unwrap).any(off),
        "it sees what the others do"
    );
    watch.kill().unwrap();
    watch.wait().unwrap();
}

#[test]
fn only_the_plugs_that_were_named() {
    let mut home = Home::with_network();
    emulated(&mut home);
    home.run(&["name", "127.0.0.3", "lamp"]).ends_with(0);
    let run = home.run(&["--timeout", "6s", "watch", "lamp"]).ends_with(0);
    assert!(run.stdout.starts_with("TIME"), "{run:?}");
    let rows: Vec<&str> = run.stdout.lines().skip(1).collect();
    assert!(
        rows.len() >= 2 && rows.iter().all(|row| row.contains(" lamp ")),
        "{run:?}"
    );
    assert_eq!(
        home.json(&["watch", "attic"]).ends_with(3).error_kind(),
        "not_found"
    );
}
