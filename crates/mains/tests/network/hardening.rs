//! `mains harden` across namespaces, with real loss, and with a cable that is pulled out in the middle of a step.

use std::io::{BufRead, BufReader};
use std::process::{Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::lab::{NetworkLab, document};

const MAC: &str = "AC:CF:23:00:00:20";
/// A restart that is still going on when the cable has been pulled out, also on a busy machine.
const SLOW_RESTART: &str = "restart=5s";
/// The message of a step that waits for the restarted module.
const RESTARTING: &str = "discovery-word: restarting the plug's module";

/// A plug on which everything stands open.
fn plug(lab: &mut NetworkLab, faults: &[&str]) {
    let mut words = vec!["--listen", "10.77.0.20", "--mac", MAC];
    let always = [
        "association=300ms",
        "ap-stays",
        "sockb=TCP,8816,cloud.example",
    ];
    for fault in always.iter().chain(faults) {
        words.extend(["--fault", fault]);
    }
    lab.emulate(&words, 1);
    lab.emulate(&["--listen", "10.77.0.30", "--count", "20"], 20);
}

fn states(report: &Value) -> Vec<&str> {
    let steps = report["steps"].as_array().unwrap().iter();
    steps.map(|step| step["state"].as_str().unwrap()).collect()
}

/// Waits until everything stands open, as on a plug that has joined its network again.
fn stands_open_again(lab: &NetworkLab) -> Value {
    let end = Instant::now() + Duration::from_secs(20);
    loop {
        let (_, plan) = harden(lab, &["--dry-run"]);
        if states(&plan) == ["open"; 4] {
            return plan;
        }
        assert!(Instant::now() < end, "{plan}");
    }
}

fn harden(lab: &NetworkLab, words: &[&str]) -> (i32, Value) {
    lab.mains(&[&["--yes", "harden", MAC], words].concat())
}

/// Hardens the plug; `meanwhile` happens when the first restart begins.
fn harden_while(lab: &NetworkLab, meanwhile: impl FnOnce()) -> Output {
    let mut command = lab.json(&["--yes", "harden", MAC]);
    let mut child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let is_it = |line: std::io::Result<String>| line.is_ok_and(|line| line.contains(RESTARTING));
    assert!(lines.any(is_it), "no restart");
    meanwhile();
    lines.for_each(drop);
    child.wait_with_output().unwrap()
}

#[test]
fn everything_is_closed_and_restored_at_20_percent_loss_each_way() {
    let Some(mut lab) = NetworkLab::new() else {
        return;
    };
    plug(&mut lab, &[]);
    let (_, plan) = harden(&lab, &["--dry-run"]);
    assert_eq!(states(&plan), ["open"; 4], "{plan}");
    lab.lose(20);
    let (code, report) = harden(&lab, &[]);
    assert_eq!((code, states(&report)), (0, vec!["closed"; 4]), "{report}");
    // Its word is another one, and all that needs it goes on.
    let (code, name) = lab.mains(&["at", "10.77.0.20", "MID"]);
    assert_eq!(
        (code, &name[0]["reply"]),
        (0, &json!("+ok=HF-LPB100")),
        "{name}"
    );
    let (code, report) = harden(&lab, &["--undo"]);
    assert_eq!((code, states(&report)), (0, vec!["open"; 4]), "{report}");
    assert!(lab.lost() > 0, "the loss must have been real");
    assert_eq!(stands_open_again(&lab), plan);
}

#[test]
fn a_setting_that_does_not_hold_is_taken_back_at_20_percent_loss() {
    let Some(mut lab) = NetworkLab::new() else {
        return;
    };
    plug(&mut lab, &["reverts=ASWD", "forgets=SOCKB"]);
    lab.lose(20);
    let (code, report) = harden(&lab, &[]);
    let expected = vec!["failed", "closed", "closed", "failed"];
    assert_eq!((code, states(&report)), (5, expected), "{report}");
    for step in [0, 3] {
        let reason = report["steps"][step]["reason"].as_str().unwrap();
        assert!(reason.ends_with("the old value is back"), "{reason}");
    }
    assert!(lab.lost() > 0, "the loss must have been real");
}

#[test]
fn cut_off_for_some_seconds_in_the_middle_of_a_step_it_goes_on() {
    let Some(mut lab) = NetworkLab::new() else {
        return;
    };
    plug(&mut lab, &[SLOW_RESTART]);
    let output = harden_while(&lab, || {
        lab.cable("plugs", false);
        std::thread::sleep(Duration::from_secs(8));
        lab.cable("plugs", true);
    });
    let report = document(&output);
    let code = output.status.code();
    assert_eq!(
        (code, states(&report)),
        (Some(0), vec!["closed"; 4]),
        "{report}"
    );
}

#[test]
fn cut_off_for_good_it_says_so_and_is_restored_when_the_plug_is_back() {
    let Some(mut lab) = NetworkLab::new() else {
        return;
    };
    plug(&mut lab, &[SLOW_RESTART]);
    let output = harden_while(&lab, || lab.cable("plugs", false));
    let report = document(&output);
    assert_eq!(output.status.code(), Some(5), "{report}");
    let expected = ["failed", "skipped", "skipped", "skipped"];
    assert_eq!(states(&report), expected, "{report}");
    let reason = report["steps"][0]["reason"].as_str().unwrap();
    for part in [
        "no longer replies after its restart",
        "the plug may have either value",
    ] {
        assert!(reason.contains(part), "{reason}");
    }
    let hint = report["error"]["hint"].as_str().unwrap();
    assert!(hint.contains("--undo"), "{hint}");
    lab.cable("plugs", true);
    let (code, report) = harden(&lab, &["--undo"]);
    assert_eq!(code, 0, "{report}");
    assert_eq!(states(&report), ["open", "skipped", "skipped", "skipped"]);
    stands_open_again(&lab);
}
