//! `inspect-app`.

use std::fs::File;

use nix::sys::stat::Mode;
use nix::unistd::mkfifo;

use crate::home::Home;
use crate::{needs, sample_app};

#[test]
fn the_document_is_that_of_the_contract() {
    let Some(()) = needs::met(sample_app::tools()) else {
        return;
    };
    let home = Home::new();
    let apk = sample_app::build(&home.path("app"));
    let file = apk.to_str().unwrap();
    let document = home.json(&["inspect-app", file]).ends_with(0).json();
    let fields: Vec<&String> = document.as_object().unwrap().keys().collect();
    assert_eq!(
        fields,
        ["file", "findings", "format", "package", "problems"]
    );
    assert_eq!(document["file"], file);
    assert_eq!(
        (document["format"].as_str(), document["package"].as_str()),
        (Some("apk"), Some("com.example.plug"))
    );
    assert_eq!(document["problems"], serde_json::json!([]));
    let findings = document["findings"].as_array().unwrap();
    let first = serde_json::json!({"kind": "at_command", "value": "AT+YZOUT", "where": ["classes.dex: com.example.plug.Control"]});
    assert!(findings.contains(&first), "{findings:?}");
    let kinds: std::collections::BTreeSet<&str> = findings
        .iter()
        .map(|finding| finding["kind"].as_str().unwrap())
        .collect();
    assert!(
        kinds.iter().eq([
            "address",
            "at_command",
            "discovery_word",
            "host",
            "key",
            "port",
            "url"
        ]
        .iter()),
        "{kinds:?}"
    );
    let shown = home.run(&["inspect-app", file]).ends_with(0).stdout;
    for part in [
        "package com.example.plug",
        "\nAT commands\n  AT+",
        "  AT+YZOUT  classes.dex: com.example.plug.Control\n",
        "\nkeys\n",
    ] {
        assert!(shown.contains(part), "{shown}");
    }
}

#[test]
fn each_code() {
    let home = Home::new();
    let text = home.write("notes.txt", "no app");
    let run = home
        .json(&["inspect-app", text.to_str().unwrap()])
        .ends_with(6);
    assert_eq!(run.error_kind(), "bad_answer");
    let text = home.write("begun.dex", "dex\n035\0");
    home.run(&["inspect-app", text.to_str().unwrap()])
        .ends_with(6);
    for (name, reason) in [
        ("missing.apk", "cannot be read"),
        ("folder", "is not a regular file"),
        ("pipe", "is not a regular file"),
    ] {
        let path = home.path(name);
        match name {
            "folder" => std::fs::create_dir(&path).unwrap(),
            // Nobody writes to it: to open it would wait for ever.
            "pipe" => mkfifo(&path, Mode::S_IRWXU).unwrap(),
            _ => {}
        }
        let run = home
            .run(&["inspect-app", path.to_str().unwrap()])
            .ends_with(2);
        assert!(run.stderr.contains(reason), "{run:?}");
    }
    home.run(&["inspect-app"]).ends_with(2);
}

#[test]
fn nothing_is_written_anywhere() {
    let Some(()) = needs::met(sample_app::tools()) else {
        return;
    };
    let home = Home::new();
    let apk = sample_app::build(&home.path("app"));
    let before = std::fs::read_dir(home.path("app")).unwrap().count();
    let mut command = home.command();
    command
        .current_dir(home.path("app"))
        .args(["inspect-app"])
        .arg(&apk)
        .stdout(File::create("/dev/null").unwrap());
    assert!(command.status().unwrap().success());
    assert_eq!(std::fs::read_dir(home.path("app")).unwrap().count(), before);
    assert!(!home.state().exists());
}
