//! A hermetic place to run `mains` in: its own home, state and environment, and where possible its own network.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;

use crate::needs;

/// Directories of a test's `mains`.
pub struct Home {
    folder: TempDir,
    running: Vec<Child>,
    /// Held where tests must share the loopback network.
    _turn: Option<File>,
}

/// Result of a run of `mains`.
#[derive(Debug)]
pub struct FinishedRun {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl FinishedRun {
    /// The one JSON document on stdout.
    #[track_caller]
    pub fn json(&self) -> Value {
        assert!(
            self.stdout.ends_with('\n') && self.stdout.lines().count() == 1,
            "not one line: {self:#?}"
        );
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {self:#?}"))
    }

    /// The kind of a failure that is the whole document.
    #[track_caller]
    pub fn error_kind(&self) -> String {
        let json = self.json();
        let error = &json["error"];
        assert!(
            error["message"].is_string() && error.get("hint").is_some(),
            "{json}"
        );
        error["kind"].as_str().unwrap().to_owned()
    }

    #[track_caller]
    pub fn ends_with(self, code: i32) -> Self {
        assert_eq!(self.code, code, "{self:#?}");
        self
    }
}

impl Home {
    /// For what needs no network.
    pub fn new() -> Self {
        Self::holding(None)
    }

    /// For what talks to plugs on loopback addresses. UDP port 48899 of 127.0.0.1 can be had once in a network, and a
    /// broadcast is heard by all in it, so each test has a network namespace of its own. Where that is not allowed,
    /// tests take turns.
    pub fn with_network() -> Self {
        Self::holding(needs::network_or_turn())
    }

    fn holding(turn: Option<File>) -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
            running: Vec::new(),
            _turn: turn,
        }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
        path
    }

    pub fn state(&self) -> PathBuf {
        self.path("state")
    }

    /// `mains` with nothing of the outside but PATH.
    pub fn command(&self) -> Command {
        let mut command = Command::new(Path::new(env!("CARGO_BIN_EXE_mains")));
        command
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", self.folder.path())
            .env("MAINS_STATE", self.state())
            .env("MAINS_INTERFACE", "127.0.0.1")
            .env("TZ", "UTC")
            .stdin(Stdio::null());
        command
    }

    pub fn run(&self, words: &[&str]) -> FinishedRun {
        finish(self.command().args(words).output())
    }

    /// With `--json`.
    pub fn json(&self, words: &[&str]) -> FinishedRun {
        finish(self.command().arg("--json").args(words).output())
    }

    /// Starts `mains emulate plug …`, waits until `count` twins are ready and returns their lines.
    pub fn emulate(&mut self, words: &[&str], count: usize) -> Vec<String> {
        self.emulate_device("plug", words, count)
    }

    /// The same for another device than `plug`.
    pub fn emulate_device(&mut self, device: &str, words: &[&str], count: usize) -> Vec<String> {
        self.start(&[&["emulate", device], words].concat(), count)
    }

    /// Starts a verb that prints ready lines, waits for `count` of them and returns them.
    pub fn start(&mut self, words: &[&str], count: usize) -> Vec<String> {
        let mut child = self
            .command()
            .args(words)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let stdout = child.stdout.take().unwrap();
        self.running.push(child);
        let (sender, ready) = mpsc::channel();
        std::thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                let _ = sender.send(line);
            }
        });
        let within = Duration::from_secs(20);
        (0..count)
            .map(|_| ready.recv_timeout(within).expect("it did not become ready"))
            .collect()
    }

    /// Hands over the emulator that was started last.
    pub fn take_running(&mut self) -> Child {
        self.running.pop().unwrap()
    }

    /// Ends the emulators that were started, without notice.
    pub fn end_emulators(&mut self) {
        for mut child in self.running.drain(..) {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        self.end_emulators();
    }
}

pub fn finish(output: std::io::Result<Output>) -> FinishedRun {
    let output = output.unwrap();
    FinishedRun {
        code: output.status.code().unwrap_or(-1),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}
