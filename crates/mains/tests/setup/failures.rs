//! Modules that refuse, mangle, fall silent or vanish; and nothing half-done left behind.

use std::io::{BufRead as _, BufReader, Read as _};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::bench::{HOME, KEY, SetupBench, SetupRun};

#[test]
fn a_module_that_mangles_the_name_is_refused_and_put_back() {
    let mut bench = SetupBench::new(40);
    let (address, mac) = bench.fresh(2, "Home, sweet home:correct horse", &["cut-ssid"]);
    let key = bench.file("key", KEY);
    let run = bench.setup_on("Home, sweet home", &key, &address, &[]);
    let (message, _) = run.failed(5, "refused");
    assert!(message.contains("reads back differently"), "{message}");
    assert_eq!(run.step("roll-back"), Some(true), "{run:#?}");
    assert!(bench.answers(&mac), "it is where it was");
}

#[test]
fn a_module_that_refuses_a_comma_is_refused() {
    let mut bench = SetupBench::new(41);
    let (address, mac) = bench.fresh(2, "Home:one, two, three", &["strict-commas"]);
    let key = bench.file("key", "one, two, three");
    let run = bench.setup_on("Home", &key, &address, &[]);
    run.failed(5, "refused");
    assert!(bench.answers(&mac));
}

#[test]
fn nobody_there_is_no_answer() {
    let bench = SetupBench::new(42);
    let key = bench.file("key", KEY);
    let address = bench.address(2);
    let started = Instant::now();
    let run = bench.setup_on(HOME, &key, &address, &[]);
    let (message, hint) = run.failed(4, "no_answer");
    assert!(message.contains(&address), "{message}");
    assert!(!hint.is_empty());
    assert!(started.elapsed() < Duration::from_secs(30));
}

#[test]
fn the_timeout_bounds_the_whole_command() {
    let bench = SetupBench::new(43);
    let key = bench.file("key", KEY);
    let address = bench.address(2);
    let started = Instant::now();
    let output = bench
        .mains(&[
            "--json",
            "--timeout",
            "700ms",
            "setup",
            "--ssid",
            HOME,
            "--key-file",
            &key,
            "--module",
            &address,
        ])
        .output()
        .unwrap();
    SetupRun::of(&output).failed(4, "no_answer");
    assert!(started.elapsed() < Duration::from_secs(9));
}

#[test]
fn a_module_that_vanishes_in_the_middle_is_no_answer() {
    let mut bench = SetupBench::new(44);
    let (address, _) = bench.fresh(2, &format!("{HOME}:{KEY}"), &["restart=1h"]);
    let key = bench.file("key", KEY);
    let child = bench
        .mains(&[
            "--json",
            "--timeout",
            "15s",
            "setup",
            "--ssid",
            HOME,
            "--key-file",
            &key,
            "--module",
            &address,
        ])
        .spawn()
        .unwrap();
    std::thread::sleep(Duration::from_millis(1500));
    bench.end_twins();
    let run = SetupRun::of(&child.wait_with_output().unwrap());
    run.failed(4, "no_answer");
}

#[test]
fn a_network_that_gives_no_address_is_told() {
    let mut bench = SetupBench::new(45);
    let (address, _) = bench.fresh(2, &format!("{HOME}:{KEY}"), &["no-lease"]);
    let key = bench.file("key", KEY);
    let run = bench.setup_on(HOME, &key, &address, &[]);
    let (message, _) = run.failed(5, "refused");
    assert!(message.contains("no address"), "{message}");
    assert!(bench.answers(&address));
}

#[test]
fn a_router_that_answers_no_ping_does_not_matter() {
    let mut bench = SetupBench::new(46);
    let (address, mac) = bench.fresh(2, &format!("{HOME}:{KEY}"), &["no-router"]);
    let key = bench.file("key", KEY);
    let run = bench.setup_on(HOME, &key, &address, &[]);
    run.confirmed(&mac);
    assert_eq!(run.step("ping"), Some(false), "{run:#?}");
}

#[test]
fn loss_does_not_matter() {
    let mut bench = SetupBench::new(47);
    let (address, mac) = bench.fresh(2, &format!("{HOME}:{KEY}"), &["lost=30%"]);
    let key = bench.file("key", KEY);
    bench.setup_on(HOME, &key, &address, &[]).confirmed(&mac);
}

#[test]
fn ctrl_c_in_the_middle_writes_back_what_was_there_before() {
    let mut bench = SetupBench::new(48);
    let (address, mac) = bench.fresh(2, &format!("{HOME}:{KEY}"), &["fail-join"]);
    let key = bench.file("key", KEY);
    let words = [
        "setup",
        "--ssid",
        HOME,
        "--key-file",
        &key,
        "--module",
        &address,
    ];
    let mut child = bench
        .mains(&[&["--json"], &words[..]].concat())
        .spawn()
        .unwrap();
    let mut stderr = BufReader::new(child.stderr.take().unwrap());
    let mut line = String::new();
    while !line.contains("back after its restart") {
        line.clear();
        assert_ne!(
            stderr.read_line(&mut line).unwrap(),
            0,
            "it ended too early"
        );
    }
    let pid = Pid::from_raw(i32::try_from(child.id()).unwrap());
    kill(pid, Signal::SIGINT).unwrap();
    let mut rest = String::new();
    stderr.read_to_string(&mut rest).unwrap();
    let run = SetupRun::of(&child.wait_with_output().unwrap());
    let (message, hint) = run.failed(1, "failed");
    assert!(message.contains("interrupted"), "{message}");
    assert!(hint.contains("as it was before"), "{hint}: {rest}");
    assert_eq!(run.step("roll-back"), Some(true), "{run:#?}");
    assert_eq!(run.json["plug"], mac);
    let mode = || {
        let output = bench
            .mains(&["--json", "at", &address, "AT+WMODE"])
            .output()
            .unwrap();
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    let deadline = Instant::now() + Duration::from_secs(10);
    while !mode().contains("+ok=AP\"") {
        assert!(Instant::now() < deadline, "{}", mode());
    }
}
