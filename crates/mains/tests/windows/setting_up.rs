//! `mains setup` on Windows, where its user joins the plug's network.

use nix::sys::signal::Signal;

use crate::bench::{StartedProgram, WindowsBench, eventually};

const HOME: &str = "Home:correct horse";
/// A module that is back soon.
const QUICK: [&str; 4] = ["--fault", "restart=300ms", "--fault", "association=100ms"];

pub fn fresh(bench: &mut WindowsBench) -> (String, String) {
    let words = [&["--ap", "--home-network", HOME][..], &QUICK].concat();
    bench.emulate(2, 1, &words).remove(0)
}

/// Returns the words that set up the module at an address with the key in a file.
fn manual<'w>(key: &'w str, module: &'w str) -> [&'w str; 9] {
    [
        "setup",
        "--wifi",
        "manual",
        "--ssid",
        "Home",
        "--key-file",
        key,
        "--module",
        module,
    ]
}

#[test]
fn a_right_key_is_proven() {
    let Some(mut bench) = WindowsBench::new() else {
        return;
    };
    let (address, mac) = fresh(&mut bench);
    let key = bench.write("home key.txt", "correct horse\r\n");
    let words = manual(&key, &address);
    let run = bench
        .json(&[&words[..], &["--name", "lamp"]].concat())
        .ends_with(0);
    let json = run.json();
    assert_eq!(
        (&json["plug"], &json["confirmed"]),
        (&mac.into(), &true.into())
    );
    assert!(
        !run.stdout.contains("correct horse") && !run.stderr.contains("correct horse"),
        "{run:?}"
    );
    let switched = bench.json(&["on", "lamp"]).ends_with(0).json();
    assert_eq!(switched[0]["confirmed"], true);
}

#[test]
fn a_wrong_key_is_refused_and_taken_back() {
    let Some(mut bench) = WindowsBench::new() else {
        return;
    };
    let (address, mac) = fresh(&mut bench);
    let wrong = bench.write("wrong.txt", "wrong horse!\n");
    let words = manual(&wrong, &address);
    let (kind, message) = bench.json(&words).ends_with(5).failure();
    assert_eq!(kind, "refused", "{message}");
    let right = bench.write("right.txt", "correct horse\n");
    let words = manual(&right, &address);
    let json = bench.json(&words).ends_with(0).json();
    assert_eq!(
        json["plug"], mac,
        "the plug is as before, and can be set up"
    );
}

#[test]
fn a_key_that_no_module_takes_is_wrong_usage() {
    let Some(mut bench) = WindowsBench::new() else {
        return;
    };
    let (address, _) = fresh(&mut bench);
    let short = bench.write("short.txt", "short\n");
    let words = manual(&short, &address);
    assert_eq!(bench.json(&words).ends_with(2).failure().0, "usage");
    let key = bench.write("key.txt", "correct horse\n");
    let words = [
        "setup",
        "--wifi",
        "networkmanager",
        "--ssid",
        "Home",
        "--key-file",
        &key,
    ];
    let (kind, message) = bench.json(&words).ends_with(7).failure();
    assert_eq!(kind, "local");
    assert!(message.contains("Windows"), "{message}");
}

#[test]
fn the_user_is_told_how_windows_joins_a_network() {
    let Some(bench) = WindowsBench::new() else {
        return;
    };
    let key = bench.write("key.txt", "correct horse\n");
    let words = [
        "--timeout",
        "4s",
        "setup",
        "--ssid",
        "Home",
        "--key-file",
        &key,
    ];
    let run = bench.run(&words);
    assert_ne!(run.code, 0, "no module is at its usual address");
    assert!(run.stderr.contains("taskbar"), "{run:#?}");
}

/// Starts a setup whose proof takes as long as the association, ends it in the middle, and compares what the plug is then.
fn end_in_the_middle(
    end: impl FnOnce(&WindowsBench, StartedProgram) -> (Option<i32>, String),
    by: &str,
) {
    let Some(mut bench) = WindowsBench::new() else {
        return;
    };
    let record = bench.path("record.jsonl");
    let recorded = record.to_str().unwrap();
    let words = [
        "--ap",
        "--home-network",
        HOME,
        "--fault",
        "association=20s",
        "--record",
        recorded,
    ];
    let (address, mac) = bench.emulate(2, 1, &words).remove(0);
    let key = bench.write("key.txt", "correct horse\n");
    let words = manual(&key, &address);
    let setting_up = StartedProgram::start(&mut bench.windows(&words), 0);
    // The proof takes longer than all that is tried here.
    eventually("the key is written", || {
        std::fs::read_to_string(&record).is_ok_and(|lines| lines.contains("WSKEY="))
    });
    let (code, log) = end(&bench, setting_up);
    assert_eq!(code, Some(1), "{log}");
    assert!(log.contains(&format!("interrupted by {by}")), "{log}");
    let mode = bench.json(&["at", &address, "WMODE"]).ends_with(0).json();
    assert_eq!(mode[0]["reply"], "+ok=AP", "{mac}: {log}");
}

#[test]
fn ctrl_c_in_the_middle_leaves_the_plug_as_it_was() {
    end_in_the_middle(|_, setting_up| setting_up.end(Signal::SIGINT), "Ctrl-C");
}

#[test]
fn closing_the_window_in_the_middle_leaves_the_plug_as_it_was() {
    let close = |bench: &WindowsBench, setting_up: StartedProgram| {
        bench.close_windows();
        setting_up.wait()
    };
    end_in_the_middle(close, "the closing of the window");
}
