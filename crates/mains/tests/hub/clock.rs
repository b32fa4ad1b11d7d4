//! A clock that is set while the hub runs, by libfaketime: the program asks the system for the time as always, and gets another.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::{Value, json};

use crate::home::{Home, finish};
use crate::house::{Hub, adopt, eventually};
use crate::needs;

/// Places of the library in Debian and its kin.
const LIBRARIES: &str = "/usr/lib";
const LIBRARY: &str = "faketime/libfaketimeMT.so.1";

pub fn library() -> Result<PathBuf, String> {
    let folders = std::fs::read_dir(LIBRARIES).map_err(|error| error.to_string())?;
    let places = folders
        .filter_map(Result::ok)
        .map(|entry| entry.path().join(LIBRARY));
    let found = places.filter(|path| path.exists()).max();
    found.ok_or_else(|| "libfaketime is missing (Debian package faketime)".to_owned())
}

/// A hub whose clock the test sets.
struct SetClock {
    home: Home,
    _hub: Hub,
    offset: PathBuf,
}

impl SetClock {
    /// Starts a hub, with the emulated plug 127.0.0.2 (`lamp`), at this time of day in UTC.
    fn start(library: &Path, at: Timestamp) -> Self {
        let mut home = Home::with_network();
        home.emulate(&["--relay", "off", "--load", "100W"], 1);
        let offset = home.path("offset");
        set(&offset, at.duration_since(Timestamp::now()));
        let mut command = home.command();
        command
            .arg("serve")
            .env("LD_PRELOAD", library)
            .env("FAKETIME_TIMESTAMP_FILE", &offset)
            .env("FAKETIME_NO_CACHE", "1")
            .env("FAKETIME_DONT_FAKE_MONOTONIC", "1")
            .env("MAINS_HUB_METERING", "1s")
            .env("MAINS_HUB_SCAN", "1s")
            .env("MAINS_PLACE_TIMEZONE", "UTC");
        let hub = Hub::run(command);
        adopt(&home, &["127.0.0.2"]);
        home.json(&["name", "127.0.0.2", "lamp"]).ends_with(0);
        Self {
            home,
            _hub: hub,
            offset,
        }
    }

    fn set(&self, at: Timestamp) {
        set(&self.offset, at.duration_since(Timestamp::now()));
    }

    fn relay(&self) -> Value {
        let json = self.home.json(&["status", "lamp"]).ends_with(0).json();
        json[0]["relay"].clone()
    }

    fn next(&self) -> Value {
        let json = self.home.json(&["schedule", "list"]).ends_with(0).json();
        json[0]["next"].clone()
    }
}

/// Replaces the file at once, so that no half of it is read.
fn set(file: &Path, offset: SignedDuration) {
    let new = file.with_extension("new");
    std::fs::write(&new, format!("{:+}", offset.as_secs())).unwrap();
    std::fs::rename(new, file).unwrap();
}

/// Makes a program take the time of day from a file.
fn fake(command: &mut Command, library: &Path, offset: &Path) {
    command
        .env("LD_PRELOAD", library)
        .env("FAKETIME_TIMESTAMP_FILE", offset)
        .env("FAKETIME_DONT_FAKE_MONOTONIC", "1");
}

/// Returns a file that sets the clock to 9999-12-31T12:00:00Z.
fn at_the_end_of_the_calendar(home: &Home) -> PathBuf {
    let offset = home.path("offset");
    let late = 253_402_257_600 - Timestamp::now().as_second();
    std::fs::write(&offset, format!("+{late}")).unwrap();
    offset
}

/// The twins record what they hear with its time, and a bridge shows its clock.
#[test]
fn a_clock_at_the_end_of_the_calendar_does_not_stop_the_emulator() {
    let Some(library) = needs::met(library()) else {
        return;
    };
    let home = Home::with_network();
    let offset = at_the_end_of_the_calendar(&home);
    for (kind, address) in [("plug", "127.0.0.2"), ("bridge", "127.0.0.3")] {
        let record = home.path(kind);
        let mut command = home.command();
        command
            .args(["emulate", kind, "--listen", address, "--record"])
            .arg(&record)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        fake(&mut command, &library, &offset);
        let mut twin = command.spawn().unwrap();
        let mut ready = String::new();
        let stdout = twin.stdout.take().unwrap();
        BufReader::new(stdout).read_line(&mut ready).unwrap();
        // This computer has not paired with the bridge, but asks who it is.
        let (words, code): (&[&str], _) = match kind {
            "plug" => (&["status", address], 0),
            _ => (&["hue", "lights", address], 2),
        };
        let run = home.run(words);
        kill(
            Pid::from_raw(twin.id().try_into().unwrap()),
            Signal::SIGTERM,
        )
        .unwrap();
        let output = twin.wait_with_output().unwrap();
        let log = String::from_utf8_lossy(&output.stderr);
        assert!(ready.starts_with("ready"), "{kind}: {ready}{log}");
        assert!(!log.contains("panicked"), "{kind}: {log}");
        run.ends_with(code);
        let record = std::fs::read_to_string(record).unwrap();
        assert!(record.contains("\"9999-12-3"), "{kind}: {record}");
    }
}

/// The calendar of the program ends a day before; the hub starts, switches and ends all the same.
#[test]
fn a_clock_at_the_end_of_the_calendar_does_not_stop_the_hub() {
    let Some(library) = needs::met(library()) else {
        return;
    };
    let mut home = Home::with_network();
    home.emulate(&["--relay", "off"], 1);
    let offset = at_the_end_of_the_calendar(&home);
    let faked = |words: &[&str]| {
        let mut command = home.command();
        command.args(words);
        fake(&mut command, &library, &offset);
        command
    };
    let hub = Hub::run(faked(&["serve"]));
    for words in [
        &["hub", "adopt", "127.0.0.2"][..],
        &["on", "127.0.0.2"],
        &["delay", "127.0.0.2", "off", "30m"],
        &["hub", "status"],
        &["energy"],
        &["hub", "login-url"],
    ] {
        let run = finish(faked(words).arg("--json").output());
        run.ends_with(0);
    }
    let (status, _, log) = hub.end(Signal::SIGTERM);
    assert_eq!(status.code(), Some(0), "{log}");
    assert!(!log.contains("panicked"), "{log}");
}

fn wait(seconds: u64) {
    std::thread::sleep(Duration::from_secs(seconds));
}

#[test]
fn a_clock_that_was_ahead_for_seconds_takes_no_run_away() {
    let Some(library) = needs::met(library()) else {
        return;
    };
    let begin: Timestamp = "2026-11-22T11:59:00Z".parse().unwrap();
    let clock = SetClock::start(&library, begin);
    let words = [
        "schedule",
        "add",
        "noon",
        "--targets",
        "lamp",
        "--action",
        "on",
        "--at",
        "12:00",
    ];
    clock.home.json(&words).ends_with(0);
    assert_eq!(clock.next(), "2026-11-22T12:00:00Z");
    // In the time of another zone, long enough to be noticed.
    clock.set(begin + SignedDuration::from_hours(2));
    wait(7);
    assert_eq!(clock.next(), "2026-11-23T12:00:00Z");
    clock.set(begin + SignedDuration::from_secs(45));
    wait(6);
    assert_eq!(clock.next(), "2026-11-22T12:00:00Z");
    assert_eq!(clock.relay(), "off");
    eventually("the run at noon", || clock.relay() == "on");
}

#[test]
fn a_rule_waits_by_the_monotonic_clock() {
    let Some(library) = needs::met(library()) else {
        return;
    };
    let now = Timestamp::now();
    for set in [
        SignedDuration::from_hours(-1),
        SignedDuration::from_hours(800 * 24),
    ] {
        let clock = SetClock::start(&library, now);
        let words = [
            "rule", "add", "timer", "--plug", "lamp", "--kind", "auto-off", "--after", "15s",
        ];
        clock.home.json(&words).ends_with(0);
        clock.home.json(&["on", "lamp"]).ends_with(0);
        let begun = Instant::now();
        wait(5);
        clock.set(Timestamp::now() + set);
        while clock.relay() == "on" {
            assert!(begun.elapsed() < Duration::from_secs(40), "{set:#}: never");
            std::thread::sleep(Duration::from_millis(100));
        }
        let after = begun.elapsed();
        assert!(after > Duration::from_secs(13), "{set:#}: {after:?}");
    }
}

/// Every kind of rule that waits, metering and availability, while the clock is set back by hours and forward by years.
#[test]
fn a_clock_that_is_set_disturbs_nothing_that_waits() {
    let Some(library) = needs::met(library()) else {
        return;
    };
    for set in [
        SignedDuration::from_hours(-3),
        SignedDuration::from_hours(800 * 24),
    ] {
        let mut clock = SetClock::start(&library, Timestamp::now());
        let twins = ["--listen", "127.0.0.3", "--count", "5", "--load", "100W"];
        clock.home.emulate(&twins, 5);
        let names = ["standby", "over", "kept", "follower", "leader"];
        for (number, name) in (3..).zip(names) {
            let address = format!("127.0.0.{number}");
            adopt(&clock.home, &[&address]);
            clock.home.json(&["name", &address, name]).ends_with(0);
            let action = if ["kept", "follower"].contains(&name) {
                "off"
            } else {
                "on"
            };
            clock.home.json(&[action, name]).ends_with(0);
        }
        for words in [
            &["--plug", "lamp", "--kind", "auto-off", "--after", "15s"][..],
            &[
                "--plug",
                "standby",
                "--kind",
                "standby-kill",
                "--below",
                "150",
                "--for",
                "15s",
            ],
            &[
                "--plug",
                "over",
                "--kind",
                "over-power",
                "--above",
                "50",
                "--for",
                "15s",
            ],
            &["--plug", "kept", "--kind", "keep-on", "--after", "15s"],
            &[
                "--plug", "follower", "--kind", "follow", "--leader", "leader", "--above", "50",
                "--delay", "15s",
            ],
        ] {
            let rule: Vec<&str> = ["rule", "add", words[3]]
                .into_iter()
                .chain(words.iter().copied())
                .collect();
            clock.home.json(&rule).ends_with(0);
        }
        clock.home.json(&["on", "lamp"]).ends_with(0);
        let begun = Instant::now();
        wait(5);
        clock.set(Timestamp::now() + set);
        let relays = || {
            let all = clock.home.json(&["status"]).ends_with(0).json();
            let relay = |plug: &Value| {
                (
                    plug["name"].as_str().unwrap().to_owned(),
                    plug["relay"].clone(),
                )
            };
            all.as_array()
                .unwrap()
                .iter()
                .map(relay)
                .collect::<BTreeMap<_, _>>()
        };
        let early = relays();
        assert_eq!(
            (&early["lamp"], &early["kept"]),
            (&json!("on"), &json!("off")),
            "{set:#}"
        );
        let wanted = [
            ("lamp", "off"),
            ("standby", "off"),
            ("over", "off"),
            ("kept", "on"),
            ("follower", "on"),
        ];
        let has_all = |relays: &BTreeMap<String, Value>| {
            wanted.iter().all(|(name, relay)| relays[*name] == *relay)
        };
        while !has_all(&relays()) {
            assert!(
                begun.elapsed() < Duration::from_secs(60),
                "{set:#}: {:?}",
                relays()
            );
            wait(1);
        }
        // Metering has gone on, by the clock as it is now.
        let readings = || {
            let mut leader = clock.home.json(&["meter", "leader"]).ends_with(0).json();
            leader[0]["at"]
                .take()
                .as_str()
                .unwrap()
                .parse::<Timestamp>()
                .unwrap()
        };
        let hub = readings().duration_since(Timestamp::now() + set).abs();
        assert!(hub < SignedDuration::from_mins(1), "{set:#}: {hub:#}");
        // A plug that goes away and comes back was not away for hours or years.
        clock.home.end_emulators();
        let gone = || {
            let all = clock.home.json(&["hub", "plugs"]).ends_with(0).json();
            all.as_array()
                .unwrap()
                .iter()
                .all(|plug| plug["available"] == false)
        };
        eventually("all are gone", gone);
        clock.home.emulate(&["--relay", "off", "--load", "100W"], 1);
        let past = || {
            let past = clock.home.run(&["events", "--since", "30d", "--no-follow"]);
            past.ends_with(0).stdout
        };
        eventually("one is back", || past().contains("is back"));
        let past = past();
        let back = past.lines().find(|line| line.contains("is back")).unwrap();
        assert!(
            back.contains("seconds") || back.contains("minute"),
            "{set:#}: {back}"
        );
    }
}
