//! A clock that is set while the hub runs, by libfaketime: the program asks the system for the time as always, and gets another.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};
use nix::sys::signal::Signal;
use serde_json::Value;

use crate::home::{Home, finish};
use crate::house::{Hub, adopt, eventually};
use crate::needs;

/// Places of the library in Debian and its kin.
const LIBRARIES: &str = "/usr/lib";
const LIBRARY: &str = "faketime/libfaketimeMT.so.1";

fn library() -> Result<PathBuf, String> {
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

/// The calendar of the program ends a day before; the hub starts, switches and ends all the same.
#[test]
fn a_clock_at_the_end_of_the_calendar_does_not_stop_the_hub() {
    let Some(library) = needs::met(library()) else {
        return;
    };
    let mut home = Home::with_network();
    home.emulate(&["--relay", "off"], 1);
    let offset = home.path("offset");
    // 9999-12-31T12:00:00Z.
    let late = 253_402_257_600 - Timestamp::now().as_second();
    std::fs::write(&offset, format!("+{late}")).unwrap();
    let faked = |words: &[&str]| {
        let mut command = home.command();
        command
            .args(words)
            .env("LD_PRELOAD", &library)
            .env("FAKETIME_TIMESTAMP_FILE", &offset)
            .env("FAKETIME_DONT_FAKE_MONOTONIC", "1");
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
