//! stdout, stderr and pipes.

use std::process::Stdio;

use crate::home::{Home, finish};

#[test]
fn a_closed_pipe_is_not_an_error() {
    let home = Home::new();
    let mut child = home
        .command()
        .arg("man")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let run = finish(child.wait_with_output());
    assert_eq!((run.code, run.stderr.as_str()), (0, ""), "{run:?}");
    for words in [
        ["help"].as_slice(),
        &["completions", "bash"],
        &["--json", "nonsense"],
    ] {
        let mut child = home
            .command()
            .args(words)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        drop(child.stdout.take());
        let run = finish(child.wait_with_output());
        assert_eq!(
            (run.code == 0, run.stderr.as_str()),
            (words != ["--json", "nonsense"], ""),
            "{run:?}"
        );
    }
}

#[test]
fn a_full_disk_is_told() {
    let home = Home::new();
    let full = std::fs::OpenOptions::new()
        .write(true)
        .open("/dev/full")
        .unwrap();
    let child = home
        .command()
        .arg("man")
        .stdout(full)
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let run = finish(child.wait_with_output());
    assert_eq!(run.code, 1, "{run:?}");
    assert!(run.stderr.contains("No space left"), "{run:?}");
}

#[test]
fn quiet_keeps_the_errors() {
    let home = Home::new();
    assert!(
        home.run(&["-q", "man", "nonsense"])
            .ends_with(2)
            .stderr
            .starts_with("error: ")
    );
}

#[test]
fn what_the_parser_refuses_is_json_too() {
    let home = Home::new();
    for words in [
        ["nonsense"].as_slice(),
        &[],
        &["on"],
        &["--nonsense", "on", "x"],
        &["man", "--timeout", "5"],
        &["man", "--timeout", "-1s"],
        &["man", "--timeout", "abc"],
        &["man", "--timeout", "0s"],
        &["man", "--timeout"],
        &["man", "--color", "blue"],
        &["man", "--interface", ""],
        &["help", "nonsense"],
    ] {
        let run = home.json(words).ends_with(2);
        assert_eq!(
            (run.error_kind().as_str(), run.stderr.as_str()),
            ("usage", ""),
            "{words:?}"
        );
        let hint = run.json()["error"]["hint"].clone();
        assert!(hint.is_string(), "{words:?} {run:?}");
        let run = home.run(words).ends_with(2);
        assert_eq!(run.stdout, "", "{words:?}");
        assert!(!run.stderr.is_empty(), "{words:?}");
    }
}

#[test]
fn near_verbs_are_proposed() {
    let home = Home::new();
    let run = home.run(&["discovr"]).ends_with(2);
    assert!(run.stderr.contains("'discover'"), "{run:?}");
    let run = home.json(&["discovr"]).ends_with(2);
    assert!(
        run.json()["error"]["hint"]
            .as_str()
            .unwrap()
            .contains("'discover'"),
        "{run:?}"
    );
}

#[test]
fn version_and_pages_go_to_stdout() {
    let home = Home::new();
    let version = home.run(&["--version"]).ends_with(0).stdout;
    assert!(
        version.starts_with(concat!("mains ", env!("CARGO_PKG_VERSION")))
            && version.lines().count() == 1,
        "{version}"
    );
    assert!(
        home.run(&["man"])
            .ends_with(0)
            .stdout
            .contains(".TH mains 1")
    );
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        assert!(
            home.run(&["completions", shell])
                .ends_with(0)
                .stdout
                .contains("discover"),
            "{shell}"
        );
    }
    home.run(&["completions", "csh"]).ends_with(2);
}
