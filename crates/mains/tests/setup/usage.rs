//! Wrong usage is code 2, names the thing, and comes before anything is sent.

use std::process::{Child, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::bench::{HOME, KEY, SetupBench};

#[test]
fn without_a_terminal_what_is_missing_is_named() {
    let bench = SetupBench::new(60);
    let key = bench.file("key", KEY);
    let module = bench.address(2);
    let (message, hint) = bench
        .setup(&["--key-file", &key, "--module", &module])
        .failed(2, "usage");
    assert!(message.contains("name of your Wi-Fi network"), "{message}");
    assert!(hint.contains("--ssid"), "{hint}");
    let (message, hint) = bench
        .setup(&["--ssid", HOME, "--module", &module])
        .failed(2, "usage");
    assert!(message.contains("key"), "{message}");
    assert!(hint.contains("--key-file"), "{hint}");
    // Agreeing in advance answers no question that is not yes or no.
    let output = bench
        .mains(&[
            "--json", "--yes", "setup", "--ssid", HOME, "--module", &module,
        ])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2));
}

#[test]
fn bad_keys_are_refused_wherever_they_come_from() {
    let bench = SetupBench::new(61);
    let module = bench.address(2);
    let long = "k".repeat(64);
    let longer = "k".repeat(4096);
    for (bytes, part) in [
        (&b""[..], "empty"),
        (b"\n", "empty"),
        (b"1234567", "8 to 63"),
        (b"12345678\nmore", "second line"),
        (b"1234\x005678", "control"),
        (b"\xff\xfe\xfd\xfc12345678", "not text"),
        (long.as_bytes(), "8 to 63"),
        (longer.as_bytes(), "too long"),
    ] {
        let file = bench.file("key", bytes);
        let (message, _) = bench.setup_on(HOME, &file, &module, &[]).failed(2, "usage");
        assert!(message.contains(part), "{message}");
        let (message, _) = bench
            .setup_with_input(&["--ssid", HOME, "--key-stdin", "--module", &module], bytes)
            .failed(2, "usage");
        assert!(message.contains(part), "{message}");
    }
}

#[test]
fn key_files_that_are_none_are_refused() {
    let bench = SetupBench::new(62);
    let module = bench.address(2);
    for file in ["/nonexistent/key", "/"] {
        let (message, _) = bench.setup_on(HOME, file, &module, &[]).failed(2, "usage");
        assert!(message.contains(file), "{message}");
    }
}

#[test]
fn keys_must_fit_the_kind_of_network() {
    let bench = SetupBench::new(63);
    let module = bench.address(2);
    for (security, key, part) in [
        ("open", "12345678", "no key"),
        ("wep", "123456", "WEP"),
        ("wep", "123456789x", "WEP"),
        ("wpa", "1234567", "8 to 63"),
        ("wpa2", "1234567", "8 to 63"),
    ] {
        let file = bench.file("key", key);
        let (message, _) = bench
            .setup_on(HOME, &file, &module, &["--security", security])
            .failed(2, "usage");
        assert!(message.contains(part), "{security} {key}: {message}");
    }
}

#[test]
fn names_that_no_network_has_are_refused() {
    let bench = SetupBench::new(64);
    let module = bench.address(2);
    let file = bench.file("key", KEY);
    let long = "n".repeat(33);
    for (ssid, part) in [
        ("", "empty"),
        (long.as_str(), "33 bytes"),
        (
            "\u{2615}\u{2615}\u{2615}\u{2615}\u{2615}\u{2615}\u{2615}\u{2615}\u{2615}\u{2615}\u{2615}",
            "33 bytes",
        ),
        ("two\nlines", "line end"),
    ] {
        let (message, _) = bench.setup_on(ssid, &file, &module, &[]).failed(2, "usage");
        assert!(message.contains(part), "{message}");
    }
}

#[test]
fn flags_that_contradict_each_other_are_refused() {
    let bench = SetupBench::new(65);
    let file = bench.file("key", KEY);
    let module = bench.address(2);
    let usual = ["--ssid", HOME, "--key-file", &file, "--module", &module];
    let with = |more: [&'static str; 2]| [&usual[..], &more].concat();
    for words in [
        with(["--to", "224.0.0.1"]),
        with(["--wait", "5"]),
        with(["--wait", "-5s"]),
        with(["--security", "wpa3"]),
        with(["--wifi", "windows"]),
        with(["--name", "192.168.1.1"]),
        with(["--name", ""]),
        [&usual[..4], &["--key-stdin"]].concat(),
        [&usual[..4], &["--module", "0.0.0.0"]].concat(),
        [&usual[..4], &["--module", "255.255.255.255"]].concat(),
        [&usual[..4], &["--module", "plug"]].concat(),
        [&usual[..4], &["--all", "--name", "kitchen"]].concat(),
        vec!["--ssid", HOME, "--key", "12345678", "--module", &module],
        vec!["--undo", "--ssid", HOME],
    ] {
        let run = bench.setup(&words);
        assert_eq!(run.code, 2, "{words:?}: {run:#?}");
        assert_eq!(run.json["error"]["kind"], "usage");
    }
}

#[test]
fn a_taken_name_is_refused_before_anything_is_changed() {
    let mut bench = SetupBench::new(66);
    let taken = bench.emulate(3, &[]).remove(0);
    let named = bench
        .mains(&["name", &taken.0, "kitchen"])
        .output()
        .unwrap();
    assert!(named.status.success(), "{named:?}");
    let (address, mac) = bench.fresh(2, &format!("{HOME}:{KEY}"), &[]);
    let file = bench.file("key", KEY);
    let (message, _) = bench
        .setup_on(HOME, &file, &address, &["--name", "kitchen"])
        .failed(2, "usage");
    assert!(message.contains("kitchen"), "{message}");
    assert!(bench.answers(&mac));
}

#[test]
fn a_key_file_that_everybody_can_read_is_warned_of() {
    let mut bench = SetupBench::new(67);
    let (address, mac) = bench.fresh(2, &format!("{HOME}:{KEY}"), &["no-apsta", "restart=100ms"]);
    let file = bench.file("key", KEY);
    bench.mode(std::path::Path::new(&file), 0o644);
    let run = bench.setup_on(HOME, &file, &address, &[]);
    run.confirmed(&mac);
    assert!(run.stderr.contains("chmod 600"), "{}", run.stderr);
}

#[test]
fn without_a_bus_networkmanager_cannot_be_had() {
    let bench = SetupBench::new(68);
    let file = bench.file("key", KEY);
    let words = [
        "--ssid",
        HOME,
        "--key-file",
        &file,
        "--wifi",
        "networkmanager",
    ];
    let (message, hint) = bench.setup(&words).failed(7, "local");
    assert!(
        message.contains("NetworkManager") && !message.contains("D-Bus"),
        "{message}"
    );
    assert!(hint.contains("--wifi manual"), "{hint}");
    // By hand, but on no network where a module could be.
    let words = ["--ssid", HOME, "--key-file", &file, "--wifi", "manual"];
    let (message, hint) = bench.setup(&words).failed(7, "local");
    assert!(message.contains("10.10.100.254"), "{message}");
    assert!(hint.contains("join"), "{hint}");
}

#[test]
fn undo_has_nothing_to_do() {
    let bench = SetupBench::new(69);
    let run = bench.setup(&["--undo"]);
    assert_eq!(run.code, 0, "{run:#?}");
    assert_eq!(run.json["undone"], false);
}

/// A run that waits for `--key-stdin` can be ended.
#[test]
fn a_key_that_does_not_come_can_be_given_up() {
    let bench = SetupBench::new(134);
    let mut child = bench
        .mains(&["--json", "setup", "--ssid", HOME, "--key-stdin"])
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    let open = child.stdin.take();
    let process = Pid::from_raw(child.id().try_into().unwrap());
    while !catches(process, Signal::SIGTERM) {
        sleep(Duration::from_millis(20));
    }
    kill(process, Signal::SIGTERM).unwrap();
    let (code, kind) = ended_within(child, Duration::from_secs(20));
    drop(open);
    assert_eq!((code, kind.as_str()), (Some(1), "failed"));
}

/// Tells whether a process has a handler for a signal.
fn catches(process: Pid, signal: Signal) -> bool {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:"));
    let caught = u64::from_str_radix(caught.unwrap().trim(), 16).unwrap();
    caught & (1 << (signal as i32 - 1)) != 0
}

/// Returns the exit code and error kind of a process, which is killed after `timeout`.
fn ended_within(mut child: Child, timeout: Duration) -> (Option<i32>, String) {
    let until = Instant::now() + timeout;
    while child.try_wait().unwrap().is_none() {
        if Instant::now() > until {
            child.kill().unwrap();
            break;
        }
        sleep(Duration::from_millis(20));
    }
    let output = child.wait_with_output().unwrap();
    let document: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
    let kind = document["error"]["kind"].as_str().unwrap_or_default();
    (output.status.code(), kind.to_owned())
}
