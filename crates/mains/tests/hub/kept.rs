//! A hub that keeps two plugs.

use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use serde_json::Value;

use crate::home::Home;
use crate::house::{self, WITHIN};

/// `mains serve`, and the emulated plugs 127.0.0.2 (`lamp`) and 127.0.0.3 (`heater`), which it keeps.
pub struct Kept {
    // Dropped first, so that it does not miss its plugs.
    hub: Option<house::Hub>,
    pub home: Home,
}

impl Kept {
    /// Starts all of it; ready when both plugs have been metered.
    pub fn start() -> Self {
        let mut home = Home::with_network();
        home.emulate(&["--count", "2", "--relay", "on", "--load", "2000W"], 2);
        let kept = Self {
            hub: Some(serve(&home)),
            home,
        };
        kept.until(&["hub", "plugs"], |plugs| {
            let plugs = plugs.as_array().unwrap();
            plugs.len() == 2 && plugs.iter().all(|plug| plug["reading"].is_object())
        });
        for (address, name) in [("127.0.0.2", "lamp"), ("127.0.0.3", "heater")] {
            kept.home.run(&["name", address, name]).ends_with(0);
        }
        kept
    }

    /// Runs a verb with `--json` until its answer is as wanted, and returns that.
    #[track_caller]
    pub fn until(&self, words: &[&str], mut wanted: impl FnMut(&Value) -> bool) -> Value {
        let begin = Instant::now();
        loop {
            let json = self.home.json(words).ends_with(0).json();
            if wanted(&json) {
                return json;
            }
            assert!(begin.elapsed() < WITHIN, "{words:?} still tells {json}");
            std::thread::sleep(Duration::from_millis(200));
        }
    }

    /// Kills it, and starts it anew.
    pub fn kill(&mut self) {
        if let Some(hub) = self.hub.take() {
            hub.end(Signal::SIGKILL);
        }
        self.hub = Some(serve(&self.home));
    }

    /// Ends it as a service manager would, and starts it anew.
    pub fn restart(&mut self) {
        if let Some(hub) = self.hub.take() {
            hub.end(Signal::SIGTERM);
        }
        self.hub = Some(serve(&self.home));
    }
}

fn serve(home: &Home) -> house::Hub {
    let mut command = home.command();
    command
        .arg("serve")
        .env("MAINS_HUB_ADOPT", "1")
        .env("MAINS_HUB_METERING", "1s")
        .env("MAINS_HUB_SCAN", "1s")
        .env("MAINS_PLACE_TIMEZONE", "Europe/Berlin");
    house::Hub::run(command)
}
