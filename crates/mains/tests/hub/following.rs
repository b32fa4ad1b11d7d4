//! `discover --watch` and `watch`: what they show through a hub, without one, and when the hub is gone.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Lines};
use std::process::{Child, ChildStdout, Stdio};

use serde_json::Value;

use crate::home::Home;
use crate::house::{Hub, adopt};

/// A verb that goes on until it is ended, and its lines of JSON.
struct Following {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Following {
    fn start(home: &Home, words: &[&str]) -> Self {
        let mut command = home.command();
        command.args(["--json", "--timeout", "90s"]).args(words);
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Self { child, lines }
    }

    fn next(&mut self) -> Value {
        let line = self.lines.next().expect("it ended").unwrap();
        serde_json::from_str(&line).unwrap()
    }

    /// Reads lines until one is as wanted.
    fn until(&mut self, wanted: impl Fn(&Value) -> bool) -> Value {
        loop {
            let line = self.next();
            if wanted(&line) {
                return line;
            }
        }
    }
}

impl Drop for Following {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn fields(line: &Value) -> BTreeSet<String> {
    line.as_object().unwrap().keys().cloned().collect()
}

/// Follows a plug that is unplugged, and plugged in again.
fn goes_and_returns(home: &mut Home, following: &mut Following) -> BTreeSet<String> {
    let first = following.until(|line| line["available"] == true);
    assert_eq!(first["address"], "127.0.0.2");
    home.end_emulators();
    let gone = following.until(|line| line["available"] == false);
    assert_eq!(gone["mac"], first["mac"]);
    home.emulate(&["--listen", "127.0.0.2"], 1);
    let back = following.until(|line| line["available"] == true);
    assert_eq!(back["mac"], first["mac"]);
    assert_eq!(fields(&first), fields(&gone));
    fields(&first)
}

#[test]
fn discover_reports_a_plug_that_went_and_its_return_alike_with_and_without_a_hub() {
    let mut home = Home::with_network();
    home.emulate(&["--listen", "127.0.0.2"], 1);
    let mut following = Following::start(&home, &["discover", "--watch"]);
    let without = goes_and_returns(&mut home, &mut following);
    drop(following);
    let _hub = Hub::start(&home, &[]);
    adopt(&home, &["127.0.0.2"]);
    let mut following = Following::start(&home, &["discover", "--watch"]);
    assert_eq!(goes_and_returns(&mut home, &mut following), without);
}

#[test]
fn readings_have_the_same_fields_and_a_hub_adds_its_total() {
    let mut home = Home::with_network();
    home.emulate(&["--listen", "127.0.0.2", "--load", "60"], 1);
    let without = fields(&Following::start(&home, &["watch"]).next());
    let _hub = Hub::start(&home, &[]);
    adopt(&home, &["127.0.0.2"]);
    let mut through = fields(&Following::start(&home, &["watch"]).next());
    assert!(through.remove("energy_total_wh"), "{through:?}");
    assert_eq!(through, without);
}

#[test]
fn the_plugs_of_a_group_are_watched() {
    let mut home = Home::with_network();
    home.emulate(
        &["--listen", "127.0.0.2", "--count", "3", "--load", "60"],
        3,
    );
    let _hub = Hub::start(&home, &[]);
    adopt(&home, &["127.0.0.2", "127.0.0.3", "127.0.0.4"]);
    home.json(&["group", "add", "both", "127.0.0.2", "127.0.0.3"])
        .ends_with(0);
    let mut following = Following::start(&home, &["watch", "both"]);
    let seen: BTreeSet<String> = (0..6)
        .map(|_| following.next()["plug"].to_string())
        .collect();
    assert_eq!(seen.len(), 2, "{seen:?}");
}
