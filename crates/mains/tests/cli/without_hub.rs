//! The verbs that only a hub can do, where there is none: what is wrong on the command line is said first, then that
//! there is no hub.

use crate::home::Home;

#[test]
fn what_needs_a_hub_says_so() {
    let home = Home::new();
    for words in [
        ["history", "lamp"].as_slice(),
        &["energy", "--by", "month", "lamp"],
        &["schedule", "list"],
        &[
            "schedule",
            "add",
            "x",
            "--targets",
            "lamp",
            "--action",
            "on",
            "--at",
            "07:00",
        ],
        &["rule", "show", "x"],
        &[
            "rule", "add", "x", "--kind", "auto-off", "--plug", "lamp", "--after", "5m",
        ],
        &["group", "on", "x"],
        &["tariff", "remove", "x"],
        &["events"],
    ] {
        let run = home.json(words).ends_with(8);
        assert_eq!(run.error_kind(), "unavailable", "{words:?}");
        let hint = run.json()["error"]["hint"].clone();
        assert!(
            hint.as_str().unwrap().contains("mains serve"),
            "{words:?}: {hint}"
        );
        let run = home.run(words).ends_with(8);
        assert_eq!(run.stdout, "", "{words:?}");
    }
}

#[test]
fn what_cannot_be_is_refused_before_any_hub_is_asked() {
    let home = Home::new();
    for words in [
        ["history"].as_slice(),
        &["history", "lamp", "--from", "soon"],
        &["history", "lamp", "--step", "0s"],
        &["history", "lamp", "--csv"],
        &["energy", "--by", "decade"],
        &["schedule"],
        &["schedule", "add", "x", "--at", "25:00"],
        &["schedule", "add", "x", "--at", "07:00", "--sun", "sunset"],
        &["schedule", "add", "x", "--days", "someday"],
        &["schedule", "edit", "x", "--action", "blink"],
        &["rule", "add", "x", "--kind", "explode"],
        &["rule", "add", "x"],
        &["rule", "edit", "x", "--below", "-5"],
        &["group", "edit", "x", "--plugs", "a", "--add", "b"],
        &["tariff", "add", "x", "--price", "-0.1"],
        &["tariff", "add", "x", "--valid-from", "2026-02-30"],
        &["events", "--kind", "gossip"],
    ] {
        assert_eq!(
            home.json(words).ends_with(2).error_kind(),
            "usage",
            "{words:?}"
        );
    }
}
