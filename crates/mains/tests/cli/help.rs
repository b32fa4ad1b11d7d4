//! Help of every verb as a snapshot, and what the parser refuses.

use insta::{assert_snapshot, with_settings};

use crate::home::Home;

#[test]
fn help_of_every_verb() {
    let home = Home::new();
    let overview = home.run(&["help"]).ends_with(0);
    with_settings!({ snapshot_path => "snapshots/help", prepend_module_to_snapshot => false }, {
        assert_snapshot!("mains", overview.stdout);
        for verb in verbs(&overview.stdout) {
            let help = home.run(&["help", &verb]).ends_with(0);
            assert_eq!(help.stderr, "");
            fits_80_columns(&help.stdout);
            assert_eq!(help.stdout, home.run(&[&verb, "--help"]).ends_with(0).stdout);
            assert_snapshot!(verb.as_str(), help.stdout);
        }
        for words in [
            ["schedule", "add"], ["schedule", "edit"], ["rule", "add"], ["rule", "edit"], ["group", "add"],
            ["group", "edit"], ["tariff", "add"], ["tariff", "edit"], ["tariff", "prices"],
        ] {
            let help = home.run(&["help", words[0], words[1]]).ends_with(0).stdout;
            assert!(help.contains("Examples:\n  ") && help.contains("Exit codes: 0 "), "{help}");
            fits_80_columns(&help);
            assert_snapshot!(words.join("-"), help);
        }
        for verb in verbs(&home.run(&["help", "hub"]).ends_with(0).stdout) {
            let help = home.run(&["help", "hub", &verb]).ends_with(0).stdout;
            assert!(help.contains("Example") && help.contains("Exit codes: 0 "), "{help}");
            fits_80_columns(&help);
            assert_snapshot!(format!("hub-{verb}"), help);
        }
        for verb in verbs(&home.run(&["help", "hue"]).ends_with(0).stdout) {
            let help = home.run(&["help", "hue", &verb]).ends_with(0).stdout;
            assert!(help.contains("Example") && help.contains("Exit codes: 0 "), "{help}");
            fits_80_columns(&help);
            assert_snapshot!(format!("hue-{verb}"), help);
        }
        assert_snapshot!("mqtt-check", home.run(&["help", "mqtt", "check"]).ends_with(0).stdout);
        assert_snapshot!("emulate-plug", home.run(&["help", "emulate", "plug"]).ends_with(0).stdout);
        assert_snapshot!("emulate-bridge", home.run(&["help", "emulate", "bridge"]).ends_with(0).stdout);
    });
}

/// Checks that each line fits: a terminal of 80 columns breaks a longer one within a word where it has no blank.
#[track_caller]
fn fits_80_columns(help: &str) {
    for line in help.lines() {
        let indent = line.len() - line.trim_start().len();
        let widest = line
            .split_whitespace()
            .map(|word| word.chars().count())
            .max();
        assert!(indent + widest.unwrap_or(0) <= 80, "{line}");
    }
}

#[test]
fn help_of_every_verb_has_exit_codes_and_an_example() {
    let home = Home::new();
    let overview = home.run(&["help"]).stdout;
    assert!(verbs(&overview).len() >= 24, "{overview}");
    for verb in verbs(&overview) {
        let help = home.run(&["help", &verb]).stdout;
        assert!(
            help.contains(&format!("  mains {verb}")) || help.contains(" mains "),
            "{verb}: {help}"
        );
        assert!(help.contains("Example"), "{verb} has no example");
        assert!(help.contains("xit code"), "{verb} has no exit codes");
    }
}

fn verbs(overview: &str) -> Vec<String> {
    let list = overview
        .split("Verbs:\n")
        .nth(1)
        .unwrap()
        .split("\n\n")
        .next()
        .unwrap();
    list.lines()
        .filter_map(|line| line.split_whitespace().next())
        .filter(|verb| *verb != "help")
        .map(str::to_owned)
        .collect()
}
