//! `mains events`, and `mains watch` through a hub.

use std::io::{BufRead, BufReader};
use std::process::{Child, Stdio};
use std::sync::mpsc::{Receiver, channel};

use serde_json::Value;

use crate::house::WITHIN;
use crate::kept::Kept;

#[test]
fn events_go_on_across_a_restart_of_the_hub() {
    let mut hub = Kept::start();
    let events = Events::of(&hub, &["--kind", "reading,plug"]);
    let before = events.until(|event| event["event"] == "reading");
    assert!(
        before["id"].is_string() && before["data"]["energy_total_wh"].is_number(),
        "{before}"
    );
    hub.home.run(&["off", "lamp"]).ends_with(0);
    events.until(|event| event["event"] == "plug" && event["data"]["relay"] == "off");
    hub.restart();
    events.until(|event| event["event"] == "reset");
    events.until(|event| event["event"] == "reading");
}

#[test]
fn watch_shows_what_the_hub_meters() {
    let hub = Kept::start();
    let run = hub
        .home
        .json(&["--timeout", "5s", "watch", "heater"])
        .ends_with(0);
    let readings: Vec<Value> = run
        .stdout
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert!(readings.len() >= 2, "{run:?}");
    let mac = hub.home.json(&["status", "heater"]).json()[0]["mac"].clone();
    for reading in readings {
        assert_eq!(reading["plug"], mac, "{reading}");
        assert!(
            reading["energy_total_wh"].is_number() && reading["power_w"].is_number(),
            "{reading}"
        );
    }
    hub.home.json(&["watch", "attic"]).ends_with(3);
}

/// `mains --json events …`, and its lines.
pub struct Events {
    child: Child,
    lines: Receiver<Value>,
}

impl Events {
    pub fn of(hub: &Kept, words: &[&str]) -> Self {
        let mut child = hub
            .home
            .command()
            .args(["--json", "events"])
            .args(words)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let stdout = child.stdout.take().unwrap();
        let (sender, lines) = channel();
        std::thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                let _ = sender.send(serde_json::from_str(&line).unwrap());
            }
        });
        Self { child, lines }
    }

    /// Waits for an event that is as wanted.
    #[track_caller]
    pub fn until(&self, wanted: impl Fn(&Value) -> bool) -> Value {
        loop {
            let event = self.lines.recv_timeout(WITHIN).expect("no such event");
            if wanted(&event) {
                return event;
            }
        }
    }
}

impl Drop for Events {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
