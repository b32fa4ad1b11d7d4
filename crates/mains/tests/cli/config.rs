//! Settings: where they come from, which wins, and how a wrong one is told.

use crate::home::{FinishedRun, Home, finish};

/// A verb that needs nothing and fails: its failure is text or JSON, as the settings want it.
const FAILS: [&str; 2] = ["man", "no-such-verb"];

fn run(home: &Home, environment: &[(&str, &str)], words: &[&str]) -> FinishedRun {
    finish(
        home.command()
            .envs(environment.iter().copied())
            .args(words)
            .output(),
    )
}

fn is_json(run: &FinishedRun) -> bool {
    assert_eq!(run.code, 2, "{run:?}");
    match run.stdout.is_empty() {
        true => assert!(run.stderr.starts_with("error: "), "{run:?}"),
        false => assert_eq!(run.error_kind(), "usage"),
    }
    !run.stdout.is_empty()
}

#[test]
fn defaults_below_file_below_environment_below_flags() {
    let home = Home::new();
    let file = home.write("own.toml", "json = true\n");
    let file = file.to_str().unwrap();
    assert!(!is_json(&home.run(&FAILS)));
    assert!(is_json(&run(&home, &[("MAINS_CONFIG", file)], &FAILS)));
    assert!(!is_json(&run(
        &home,
        &[("MAINS_CONFIG", file), ("MAINS_JSON", "0")],
        &FAILS
    )));
    assert!(is_json(&run(
        &home,
        &[("MAINS_JSON", "0")],
        &["--json", "man", "no-such-verb"]
    )));
    assert!(is_json(&run(
        &home,
        &[("MAINS_JSON", "0"), ("MAINS_CONFIG", file)],
        &["man", "no-such-verb", "--json"]
    )));
}

#[test]
fn the_file_is_looked_for_at_home() {
    let home = Home::new();
    home.write(".config/mains/mains.toml", "json = true\n");
    assert!(is_json(&home.run(&FAILS)));
    home.write("xdg/mains/mains.toml", "json = false\n");
    let xdg = home.path("xdg");
    assert!(!is_json(&run(
        &home,
        &[("XDG_CONFIG_HOME", xdg.to_str().unwrap())],
        &FAILS
    )));
}

#[test]
fn a_wrong_file_is_told_with_file_and_line() {
    let home = Home::new();
    for (text, line, word) in [
        ("json = true\ninterface = [\"lo\"]\n", 2, "interface"),
        ("\ntimeout = \"5\"\n", 2, "unit"),
        ("color = 1\n", 1, "color"),
        ("json = \n", 1, ""),
        ("[mqtt]\nurl = \"http://127.0.0.1\"\n", 2, "mqtt://"),
    ] {
        let file = home.write("wrong.toml", text);
        let run = home
            .run(&["--config", file.to_str().unwrap(), "man"])
            .ends_with(2);
        assert!(
            run.stderr.contains(&format!("wrong.toml:{line}: ")),
            "{run:?}"
        );
        assert!(run.stderr.contains(word), "{run:?}");
        assert_eq!(run.stdout, "");
    }
    let file = home.write("wrong.toml", "nonsense = 1\n");
    let run = home
        .json(&["--config", file.to_str().unwrap(), "man"])
        .ends_with(2);
    assert_eq!(run.error_kind(), "usage");
}

#[test]
fn a_file_that_is_named_must_be_there() {
    let home = Home::new();
    let missing = home.path("missing.toml");
    let run = home
        .run(&["man", "--config", missing.to_str().unwrap()])
        .ends_with(2);
    assert!(run.stderr.contains("missing.toml"), "{run:?}");
    let folder = home.path("").to_str().unwrap().to_owned();
    home.run(&["man", "--config", &folder]).ends_with(2);
}

#[test]
fn wrong_environment_is_told_by_name() {
    let home = Home::new();
    for (name, value) in [
        ("MAINS_TIMEOUT", "5"),
        ("MAINS_TIMEOUT", "-1s"),
        ("MAINS_TIMEOUT", "abc"),
        ("MAINS_TIMEOUT", "0s"),
        ("MAINS_JSON", "maybe"),
        ("MAINS_INTERFACE", "lo,,eth0"),
    ] {
        let run = run(&home, &[(name, value)], &["man"]).ends_with(2);
        assert!(
            run.stderr.contains(name) && run.stderr.contains(value),
            "{run:?}"
        );
    }
    for name in [
        "MAINS_TIMEOUT",
        "MAINS_JSON",
        "MAINS_INTERFACE",
        "MAINS_CONFIG",
        "NO_COLOR",
    ] {
        run(&home, &[(name, "")], &["man"]).ends_with(0);
    }
}

#[test]
fn colour_is_as_asked() {
    let home = Home::new();
    let coloured = |run: &FinishedRun| run.stderr.contains('\u{1b}');
    assert!(!coloured(&home.run(&FAILS)));
    assert!(coloured(&home.run(&[
        "--color",
        "always",
        "man",
        "no-such-verb"
    ])));
    assert!(coloured(&home.run(&["--color=always", "no-such-verb"])));
    assert!(coloured(&run(
        &home,
        &[("NO_COLOR", "1")],
        &["--color", "always", "man", "no-such-verb"]
    )));
    let file = home.write("own.toml", "color = \"always\"\n");
    let file = file.to_str().unwrap();
    assert!(coloured(&run(&home, &[("MAINS_CONFIG", file)], &FAILS)));
    assert!(!coloured(&run(
        &home,
        &[("MAINS_CONFIG", file)],
        &["--color", "never", "man", "no-such-verb"]
    )));
    assert!(
        home.run(&["--color", "always", "help"])
            .stdout
            .contains('\u{1b}')
    );
    assert!(!home.run(&["help"]).stdout.contains('\u{1b}'));
}
