//! A key goes to the module and nowhere else.

use std::process::Stdio;

use crate::bench::{HOME, SetupBench};

const MARK: &str = "x7Qz-never-shown";

fn assert_absent(what: &str, bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    assert!(!text.contains(MARK), "the key is in {what}: {text}");
    let hex: String = MARK.bytes().map(|byte| format!("{byte:02x}")).collect();
    assert!(!text.contains(&hex), "the key is in {what} as hex: {text}");
    let list = MARK
        .bytes()
        .map(|byte| byte.to_string())
        .collect::<Vec<_>>();
    assert!(
        !text.contains(&list.join(", ")),
        "the key is in {what} as bytes"
    );
}

fn assert_clean(bench: &SetupBench, words: &[&str], expected: i32) {
    let mut words = words.to_vec();
    words.insert(0, "-vvv");
    let child = bench
        .mains(&words)
        .env("RUST_LOG", "trace")
        .env("RUST_BACKTRACE", "1")
        .stdin(Stdio::null())
        .spawn()
        .unwrap();
    let cmdline = std::fs::read(format!("/proc/{}/cmdline", child.id())).unwrap_or_default();
    let environ = std::fs::read(format!("/proc/{}/environ", child.id())).unwrap_or_default();
    assert_absent("/proc/<pid>/cmdline", &cmdline);
    assert_absent("/proc/<pid>/environ", &environ);
    let output = child.wait_with_output().unwrap();
    assert_eq!(
        output.status.code(),
        Some(expected),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let logged = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(
        logged.contains("Identified"),
        "the log tells what was done: {logged}"
    );
    assert_absent("stdout", &output.stdout);
    assert_absent("stderr", &output.stderr);
    for entry in std::fs::read_dir(bench.state())
        .into_iter()
        .flatten()
        .flatten()
    {
        let path = entry.path();
        if path.is_file() {
            assert_absent(&path.display().to_string(), &std::fs::read(&path).unwrap());
        }
    }
}

#[test]
fn a_key_is_never_shown_on_success() {
    let mut bench = SetupBench::new(100);
    let (address, _) = bench.fresh(2, &format!("{HOME}:{MARK}"), &[]);
    let key = bench.file("key", MARK);
    let words = [
        "setup",
        "--ssid",
        HOME,
        "--key-file",
        &key,
        "--module",
        &address,
    ];
    assert_clean(&bench, &words, 0);
}

#[test]
fn a_key_is_never_shown_on_failure() {
    let mut bench = SetupBench::new(101);
    for (host, fault) in [(2, "strict-commas"), (3, "fail-join"), (4, "cut-ssid")] {
        let (address, _) = bench.fresh(host, "Home, sweet home:another key", &[fault]);
        let key = bench.file("key", MARK);
        let words = [
            "--json",
            "setup",
            "--ssid",
            "Home, sweet home",
            "--key-file",
            &key,
            "--module",
            &address,
        ];
        assert_clean(&bench, &words, 5);
    }
}
