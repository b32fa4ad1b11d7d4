//! Bridges for tests: `mains emulate bridge` in the test's own network, and a home to run `mains` in.

use std::io::{BufRead, BufReader};
use std::ops::Deref;
use std::process::{Child, Command, Stdio};

use serde_json::Value;

use crate::home::Home;

/// The first bridge; the others are on the addresses behind it.
pub const FIRST: &str = "127.94.0.1";
pub const SECOND: &str = "127.94.0.2";
/// An address where nobody is.
pub const NOBODY: &str = "127.94.0.99";
/// Faults that make the twins quick.
const QUICK: [&str; 4] = [
    "--fault",
    "search-time=1s",
    "--fault",
    "touchlink-time=200ms",
];

/// A home and the bridges in it; dropping it ends them.
pub struct HueFixture {
    home: Home,
    bridges: Vec<Child>,
}

impl Deref for HueFixture {
    type Target = Home;

    fn deref(&self) -> &Home {
        &self.home
    }
}

impl HueFixture {
    /// Without bridges.
    pub fn empty() -> Self {
        Self {
            home: Home::with_network(),
            bridges: Vec::new(),
        }
    }

    /// With bridges of which nobody presses the button.
    pub fn unpressed(words: &[&str]) -> Self {
        let mut fixture = Self::empty();
        fixture.start(&[&["--listen", FIRST], words].concat());
        fixture
    }

    /// With bridges of which the button stays pressed.
    pub fn with(words: &[&str]) -> Self {
        Self::unpressed(&[&["--press-after", "0s"], words].concat())
    }

    /// With bridges that this home is paired with.
    pub fn paired(words: &[&str]) -> Self {
        let fixture = Self::with(words);
        for address in [FIRST, SECOND].iter().take(count_of(words)) {
            fixture.pair(address);
        }
        fixture
    }

    /// Starts `mains emulate bridge …`, and waits until each bridge is ready.
    pub fn start(&mut self, words: &[&str]) {
        let mut command = self.home.command();
        command
            .args(["-q", "emulate", "bridge"])
            .args(QUICK)
            .args(words);
        self.bridges.push(ready(command, count_of(words)));
    }

    /// Ends the bridges without notice, as a power cut does.
    pub fn cut_power(&mut self) {
        for mut child in self.bridges.drain(..) {
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    pub fn pair(&self, bridge: &str) -> String {
        let paired = self
            .json(&["hue", "pair", bridge, "--trust-certificate"])
            .ends_with(0)
            .json();
        assert_eq!(paired["paired"], true);
        paired["bridge"].as_str().unwrap().to_owned()
    }

    pub fn lights(&self, bridge: &str) -> Vec<Value> {
        let lights = self.json(&["hue", "lights", bridge]).ends_with(0).json();
        lights.as_array().unwrap().clone()
    }

    /// The names of the lights of a bridge.
    pub fn names(&self, bridge: &str) -> Vec<String> {
        let lights = self.lights(bridge);
        let name = |light: &Value| light["name"].as_str().unwrap().to_owned();
        lights.iter().map(name).collect()
    }

    /// The application key that is kept.
    pub fn kept_key(&self) -> String {
        let kept = std::fs::read_to_string(self.state().join("hue.json")).unwrap();
        key_in(&serde_json::from_str(&kept).unwrap()).expect("a key is kept")
    }
}

impl Drop for HueFixture {
    fn drop(&mut self) {
        self.cut_power();
    }
}

fn count_of(words: &[&str]) -> usize {
    let count = words.iter().skip_while(|word| **word != "--count").nth(1);
    count.map_or(1, |count| count.parse().unwrap())
}

/// Starts a twin, and waits until it has said so for each of its bridges.
pub fn ready(mut command: Command, count: usize) -> Child {
    let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    for _ in 0..count {
        let line = lines.next().expect("a bridge is ready").unwrap();
        assert!(line.starts_with("ready "), "{line}");
    }
    // Kept open, or the twin would find its reader gone.
    std::thread::spawn(move || lines.map_while(Result::ok).for_each(drop));
    child
}

/// The first value of a member `key`, wherever it is.
fn key_in(json: &Value) -> Option<String> {
    match json {
        Value::Object(members) => members
            .get("key")
            .and_then(|key| key.as_str().map(str::to_owned))
            .or_else(|| members.values().find_map(key_in)),
        Value::Array(items) => items.iter().find_map(key_in),
        _ => None,
    }
}
