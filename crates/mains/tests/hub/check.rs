//! `mains hub check`: every problem, each with its place, and nothing where nothing is wrong.

use serde_json::Value;

use crate::home::{FinishedRun, Home, finish};

fn check(home: &Home, text: &str) -> FinishedRun {
    let file = home.write("etc/mains.toml", text);
    home.run(&["hub", "check", file.to_str().unwrap()])
}

#[test]
fn nothing_is_wrong_with_nothing_and_with_what_is_right() {
    let home = Home::new();
    let run = home.run(&["hub", "check"]).ends_with(0);
    assert_eq!(run.stdout, "");
    assert!(run.stderr.contains("defaults"), "{run:?}");
    let run = check(
        &home,
        "[hub]\nlisten = \"127.0.0.1:8480\"\nadopt = true\nmetering = \"5s\"\ninterfaces = [\"lo\"]\n\
         [place]\nlatitude = 52.52\nlongitude = 13.40\ntimezone = \"Europe/Berlin\"\n",
    )
    .ends_with(0);
    assert!(run.stderr.contains("no problem"), "{run:?}");
    let file = home.path("etc/mains.toml");
    let run = home
        .json(&["hub", "check", file.to_str().unwrap()])
        .ends_with(0);
    assert_eq!(run.json(), Value::Array(Vec::new()));
}

#[test]
fn every_problem_is_named_with_file_and_line() {
    let home = Home::new();
    let run = check(
        &home,
        "colour = \"red\"\n\
         [hub]\n\
         listen = \"127.0.0.1\"\n\
         metering = \"0s\"\n\
         scan = 5\n\
         hosts = \"nas\"\n\
         adopt = \"maybe\"\n\
         database = \"postgres://nas\"\n\
         [place]\n\
         latitude = 91\n\
         longitude = -181.0\n\
         timezone = \"Mars/Olympus\"\n\
         [radio]\n",
    )
    .ends_with(2);
    let lines: Vec<&str> = run.stdout.lines().collect();
    assert_eq!(lines.len(), 11, "{run:?}");
    for (line, word) in [
        (1, "colour"),
        (3, "port"),
        (4, "hub.metering"),
        (5, "hub.scan"),
        (6, "hub.hosts"),
        (7, "hub.adopt"),
        (8, "hub.database"),
        (10, "latitude"),
        (11, "longitude"),
        (12, "Mars/Olympus"),
        (13, "radio"),
    ] {
        let begin = format!("etc/mains.toml:{line}: ");
        assert!(
            lines
                .iter()
                .any(|text| text.contains(&begin) && text.contains(word)),
            "{begin}{word}: {run:?}"
        );
    }
    assert!(run.stderr.contains("11 problems"), "{run:?}");
}

#[test]
fn what_the_computer_does_not_have_is_found() {
    let home = Home::new();
    home.write("etc/empty.pem", "");
    let run = check(
        &home,
        "[hub]\nlisten = \"192.0.2.1:8480\"\ncertificate = \"missing.pem\"\nkey = \"empty.pem\"\n\
         interfaces = [\"no-such-0\"]\nhosts = [\"a b\"]\ndatabase = \"nowhere/mains.sqlite\"\n\
         token_file = \"no-token\"\nca_file = \"no-ca\"\n",
    )
    .ends_with(2);
    for (line, word) in [
        (2, "192.0.2.1"),
        (3, "missing.pem"),
        (5, "no-such-0"),
        (6, "a b"),
        (7, "nowhere"),
        (8, "no-token"),
        (9, "no-ca"),
    ] {
        let begin = format!("mains.toml:{line}: ");
        let told = run
            .stdout
            .lines()
            .find(|text| text.contains(&begin))
            .unwrap_or_else(|| panic!("{begin}{word}: {run:?}"));
        assert!(told.contains(word), "{told}");
    }
    assert_eq!(run.stdout.lines().count(), 7, "{run:?}");
}

#[test]
fn keys_that_need_one_another() {
    let home = Home::new();
    let run = check(
        &home,
        "[place]\nlatitude = 52.5\n[hub]\n\n\nkey = \"key.pem\"\n",
    )
    .ends_with(2);
    assert!(run.stdout.contains("mains.toml:2: "), "{run:?}");
    assert!(run.stdout.contains("`place.longitude`"), "{run:?}");
    assert!(run.stdout.contains("mains.toml:6: "), "{run:?}");
}

#[test]
fn a_file_that_is_no_toml_is_told_and_one_that_is_not_there() {
    let home = Home::new();
    let run = check(&home, "[hub\nlisten = \"x\n\n}{\n").ends_with(2);
    assert!(run.stdout.contains("mains.toml:1: "), "{run:?}");
    assert!(run.stdout.contains("mains.toml:2: "), "{run:?}");
    let missing = home.path("missing.toml");
    let run = home
        .run(&["hub", "check", missing.to_str().unwrap()])
        .ends_with(2);
    assert!(run.stdout.contains("missing.toml"), "{run:?}");
    let bytes = home.path("bytes.toml");
    std::fs::write(&bytes, [0xff, 0xfe, 0]).unwrap();
    home.run(&["hub", "check", bytes.to_str().unwrap()])
        .ends_with(2);
}

#[test]
fn the_environment_is_looked_at_and_a_broken_file_does_not_keep_it_from_looking() {
    let home = Home::new();
    home.write(".config/mains/mains.toml", "nonsense = 1\n");
    let run = finish(
        home.command()
            .env("MAINS_HUB_LISTEN", "nowhere")
            .env("MAINS_PLACE_LATITUDE", "52")
            .args(["--json", "hub", "check"])
            .output(),
    )
    .ends_with(2);
    let json = run.json();
    let problems = json.as_array().unwrap();
    let of = |name: &str, value: &str| {
        problems
            .iter()
            .find(|problem| problem[name] == value)
            .unwrap_or_else(|| panic!("{name} {value}: {json}"))
    };
    assert_eq!(of("key", "nonsense")["line"], 1);
    assert_eq!(of("variable", "MAINS_HUB_LISTEN")["line"], Value::Null);
    assert_eq!(
        of("variable", "MAINS_PLACE_LATITUDE")["key"],
        "place.latitude"
    );
    assert_eq!(problems.len(), 3);
    // Every other verb refuses to run with it.
    home.run(&["hub", "status"]).ends_with(2);
}
