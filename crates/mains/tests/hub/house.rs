//! A hub of a test: `mains serve` as its owner starts it.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

use crate::home::{FinishedRun, Home};

/// Everything that is waited for comes within this, also on a busy computer.
pub const WITHIN: Duration = Duration::from_secs(30);

/// A hub that runs.
pub struct Hub {
    child: Child,
    pub url: String,
    pub login_url: String,
}

impl Hub {
    /// Starts `mains serve` at home, and waits until it is ready.
    pub fn start(home: &Home, words: &[&str]) -> Self {
        let mut command = home.command();
        command.arg("serve").args(words);
        Self::run(command)
    }

    /// Starts a command that is a hub, and waits until it is ready.
    pub fn run(mut command: Command) -> Self {
        let mut child = command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let stdout = child.stdout.take().unwrap();
        let (sender, ready) = mpsc::channel();
        std::thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                let _ = sender.send(line);
            }
        });
        let Ok(login_url) = ready.recv_timeout(WITHIN) else {
            let _ = child.kill();
            panic!("not ready: {}", log(&mut child));
        };
        let url = login_url.split("/login?token=").next().unwrap().to_owned();
        Self {
            child,
            url,
            login_url,
        }
    }

    /// Stops the process, which keeps its connections.
    pub fn freeze(&self) {
        let pid = Pid::from_raw(i32::try_from(self.child.id()).unwrap());
        kill(pid, Signal::SIGSTOP).unwrap();
    }

    /// Lets it go on.
    #[allow(dead_code, reason = "other tests share this file")]
    pub fn thaw(&self) {
        let pid = Pid::from_raw(i32::try_from(self.child.id()).unwrap());
        kill(pid, Signal::SIGCONT).unwrap();
    }

    /// The id of its process.
    #[allow(dead_code, reason = "other tests share this file")]
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Sends a signal, and waits for the end; returns how it ended, how long that took, and the log.
    pub fn end(mut self, signal: Signal) -> (ExitStatus, Duration, String) {
        let pid = Pid::from_raw(i32::try_from(self.child.id()).unwrap());
        let begin = Instant::now();
        kill(pid, signal).unwrap();
        let status = self.child.wait().unwrap();
        (status, begin.elapsed(), log(&mut self.child))
    }
}

impl Drop for Hub {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn log(child: &mut Child) -> String {
    let mut log = String::new();
    if let Some(mut stderr) = child.stderr.take() {
        let _ = stderr.read_to_string(&mut log);
    }
    log
}

/// The hub's plugs, as its API has them.
pub fn plugs(home: &Home) -> Vec<Value> {
    let json = home.json(&["hub", "plugs"]).ends_with(0).json();
    json.as_array().unwrap().clone()
}

/// Adopts the plugs at these addresses.
pub fn adopt(home: &Home, addresses: &[&str]) -> FinishedRun {
    let words: Vec<&str> = ["hub", "adopt"].iter().chain(addresses).copied().collect();
    home.json(&words).ends_with(0)
}

/// Waits for something that takes a moment.
#[track_caller]
pub fn eventually(what: &str, is_so: impl Fn() -> bool) {
    let begin = Instant::now();
    while !is_so() {
        assert!(begin.elapsed() < WITHIN, "{what}: not within {WITHIN:?}");
        std::thread::sleep(Duration::from_millis(50));
    }
}
