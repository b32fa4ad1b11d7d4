//! `mains serve`: how it starts, what it refuses, how it ends.

use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use nix::sys::signal::Signal;

use crate::home::{Home, finish};
use crate::house::{Hub, adopt, eventually};

#[test]
fn it_prints_a_login_url_and_ends_with_a_signal() {
    for signal in [Signal::SIGTERM, Signal::SIGINT] {
        let home = Home::with_network();
        let hub = Hub::start(&home, &[]);
        assert_eq!(hub.url, "http://127.0.0.1:8480");
        assert!(
            hub.login_url.len() > hub.url.len() + 40,
            "{}",
            hub.login_url
        );
        let (status, took, log) = hub.end(signal);
        assert_eq!(status.code(), Some(0), "{log}");
        assert!(took < Duration::from_secs(5), "{took:?}");
        assert!(log.contains("serving at http://127.0.0.1:8480"), "{log}");
        for line in log.lines() {
            assert!(line.starts_with("20"), "not a log line: {line}");
        }
        assert!(!log.contains("token="), "{log}");
    }
}

#[test]
fn with_json_it_prints_one_document() {
    let home = Home::with_network();
    let mut child = home
        .command()
        .args([
            "--json",
            "--timeout",
            "1s",
            "serve",
            "--listen",
            "127.0.0.1:0",
        ])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let stdout = std::io::read_to_string(child.stdout.take().unwrap()).unwrap();
    // --timeout bounds it, as it bounds everything that would run for ever.
    assert_eq!(child.wait().unwrap().code(), Some(0));
    let json: serde_json::Value = serde_json::from_str(&stdout).unwrap();
    let url = json["url"].as_str().unwrap();
    assert!(
        json["login_url"].as_str().unwrap().starts_with(url),
        "{json}"
    );
}

#[test]
fn it_ends_in_time_with_a_listener_at_its_events() {
    let home = Home::with_network();
    let hub = Hub::start(&home, &[]);
    let mut events = home
        .command()
        .args(["--json", "events"])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    std::thread::sleep(Duration::from_millis(500));
    let (status, took, log) = hub.end(Signal::SIGTERM);
    let _ = events.kill();
    let _ = events.wait();
    assert_eq!(status.code(), Some(0), "{log}");
    assert!(took < Duration::from_secs(5), "{took:?}");
}

#[test]
fn a_second_hub_has_no_place() {
    let home = Home::with_network();
    let _hub = Hub::start(&home, &[]);
    let run = home
        .json(&["serve", "--listen", "127.0.0.1:0"])
        .ends_with(7);
    assert_eq!(run.error_kind(), "local");
    assert!(run.stdout.contains("http://127.0.0.1:8480"), "{run:?}");
    let elsewhere = finish(
        home.command()
            .env("MAINS_STATE", home.path("other"))
            .args(["--json", "serve"])
            .output(),
    )
    .ends_with(7);
    assert_eq!(elsewhere.error_kind(), "local");
    assert!(elsewhere.stdout.contains("127.0.0.1:8480"), "{elsewhere:?}");
}

#[test]
fn a_killed_hub_leaves_the_place_to_the_next() {
    let home = Home::with_network();
    let hub = Hub::start(&home, &[]);
    let (status, _, _) = hub.end(Signal::SIGKILL);
    assert_eq!(status.code(), None);
    // Nobody takes what it left for a hub.
    let run = home.json(&["hub", "plugs"]).ends_with(8);
    assert_eq!(run.error_kind(), "unavailable");
    let hub = Hub::start(&home, &[]);
    home.json(&["hub", "plugs"]).ends_with(0);
    assert_eq!(hub.end(Signal::SIGTERM).0.code(), Some(0));
}

#[test]
fn what_is_secret_is_its_owners_alone() {
    let home = Home::with_network();
    let _hub = Hub::start(&home, &[]);
    let mode = |name: &str| {
        let metadata = std::fs::metadata(home.state().join(name)).unwrap();
        metadata.permissions().mode() & 0o777
    };
    assert_eq!(mode(""), 0o700);
    for name in ["admin-token", "mains.sqlite", "hub.json", "hub.lock"] {
        assert_eq!(mode(name), 0o600, "{name}");
    }
    let token = std::fs::read_to_string(home.state().join("admin-token")).unwrap();
    let told = std::fs::read_to_string(home.state().join("hub.json")).unwrap();
    assert!(!told.contains(token.trim()), "{told}");
}

#[test]
fn a_wrong_configuration_is_told_before_anything_is_done() {
    let home = Home::with_network();
    for (text, code, word) in [
        ("[hub]\nlisten = \"here\"\n", 2, "mains.toml:2: "),
        ("[place]\nlatitude = 52.5\n", 2, "mains.toml:2: "),
        ("[hub]\ninterfaces = [\"no-such-0\"]\n", 2, "no-such-0"),
        ("[hub]\nlisten = \"192.0.2.1:8480\"\n", 7, "192.0.2.1"),
        ("[hub]\nlisten = \"0.0.0.0:8480\"\n", 2, "password"),
        (
            "[hub]\ndatabase = \"no/such/folder/x.sqlite\"\n",
            8,
            "no/such/folder",
        ),
    ] {
        let file = home.write("mains.toml", text);
        let run = finish(
            home.command()
                .env_remove("MAINS_INTERFACE")
                .args([
                    "--config",
                    file.to_str().unwrap(),
                    "--timeout",
                    "5s",
                    "serve",
                ])
                .output(),
        );
        assert_eq!(run.code, code, "{text}: {run:?}");
        assert!(run.stderr.contains(word), "{text}: {run:?}");
        assert_eq!(run.stdout, "", "{text}");
    }
}

#[test]
fn a_database_of_a_newer_version_is_left_alone() {
    let home = Home::with_network();
    Hub::start(&home, &[]).end(Signal::SIGTERM);
    let database = home.state().join("mains.sqlite");
    let newer = Command::new("python3")
        .arg("-c")
        .arg(
            "import sqlite3,sys; c=sqlite3.connect(sys.argv[1]); \
             c.execute(\"insert into _sqlx_migrations (version, description, success, checksum, execution_time) \
             values (99999999999999, 'later', 1, x'00', 0)\"); c.commit(); c.close()",
        )
        .arg(&database)
        .status();
    assert!(newer.is_ok_and(|status| status.success()));
    let before = std::fs::read(&database).unwrap();
    let run = home.json(&["--timeout", "5s", "serve"]).ends_with(8);
    assert_eq!(run.error_kind(), "unavailable");
    assert!(run.stdout.contains("newer version"), "{run:?}");
    assert_eq!(std::fs::read(&database).unwrap(), before);
}

/// The hub writes its own notes of a schedule a moment after the schedule.
#[test]
fn a_schedule_that_was_made_right_before_a_kill_is_made_up() {
    let mut home = Home::with_network();
    home.emulate(&["--relay", "off"], 1);
    let hub = Hub::start(&home, &[]);
    adopt(&home, &["127.0.0.2"]);
    home.run(&["name", "127.0.0.2", "lamp"]).ends_with(0);
    // Never on a second that is about to begin.
    let due = Timestamp::now() + SignedDuration::from_millis(2_500);
    let once = due.strftime("%Y-%m-%dT%H:%M:%S").to_string();
    let add = [
        "schedule",
        "add",
        "soon",
        "--targets",
        "lamp",
        "--action",
        "on",
        "--once",
        &once,
        "--catch-up",
        "5m",
    ];
    home.run(&add).ends_with(0);
    hub.end(Signal::SIGKILL);
    while Timestamp::now() <= due {
        std::thread::sleep(Duration::from_millis(100));
    }
    let _hub = Hub::start(&home, &[]);
    eventually("the lamp is on", || {
        home.json(&["status", "lamp"]).ends_with(0).json()[0]["relay"] == "on"
    });
}
