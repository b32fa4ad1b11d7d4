//! A part of the loopback network for one test: a client, twins, and a state directory of its own.

use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use serde_json::Value;

const READY_TIMEOUT: Duration = Duration::from_secs(20);

/// The home network of most tests.
pub const HOME: &str = "Home";
/// Its key.
pub const KEY: &str = "correct horse";

/// The network of one test: addresses 127.53.N.x.
pub struct SetupBench {
    number: u8,
    folder: tempfile::TempDir,
    twins: Vec<Child>,
}

impl SetupBench {
    /// Makes the network of a test. Tests run at the same time, so each has another number.
    pub fn new(number: u8) -> Self {
        Self {
            number,
            folder: tempfile::tempdir().unwrap(),
            twins: Vec::new(),
        }
    }

    /// Starts twins; returns the address and MAC of each.
    pub fn emulate(&mut self, host: u8, words: &[&str]) -> Vec<(String, String)> {
        self.emulate_device("plug", host, words)
    }

    /// The same for another device than `plug`.
    pub fn emulate_device(
        &mut self,
        device: &str,
        host: u8,
        words: &[&str],
    ) -> Vec<(String, String)> {
        let count = words
            .iter()
            .position(|word| *word == "--count")
            .map_or(1, |at| words[at + 1].parse().unwrap());
        let mut child = self
            .program()
            .args(["emulate", device, "--listen", &self.address(host)])
            .args(words)
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()
            .unwrap();
        let stdout = child.stdout.take().unwrap();
        self.twins.push(child);
        let (sender, lines) = mpsc::channel();
        std::thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                let _ = sender.send(line);
            }
        });
        (0..count)
            .map(|_| {
                let line = lines
                    .recv_timeout(READY_TIMEOUT)
                    .expect("a twin did not become ready");
                let fields: Vec<&str> = line.split(' ').collect();
                assert_eq!(fields[0], "ready", "{line}");
                (fields[1].to_owned(), fields[2].to_owned())
            })
            .collect()
    }

    /// Starts one fresh plug that can join the home network.
    pub fn fresh(&mut self, host: u8, home: &str, faults: &[&str]) -> (String, String) {
        let mut words = vec!["--ap", "--home-network", home];
        for fault in faults {
            words.extend(["--fault", fault]);
        }
        self.emulate(host, &words).remove(0)
    }

    /// Returns an address of this network.
    pub fn address(&self, host: u8) -> String {
        format!("127.53.{}.{host}", self.number)
    }

    fn program(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_mains"));
        command
            .env_clear()
            .env("MAINS_STATE", self.state())
            .env("HOME", self.folder.path())
            // No bus: a NetworkManager of this machine must not be found.
            .env("DBUS_SYSTEM_BUS_ADDRESS", "unix:path=/nonexistent")
            .stdin(Stdio::null());
        command
    }

    /// Returns a command that runs `mains` on this network.
    pub fn mains(&self, words: &[&str]) -> Command {
        let mut command = self.program();
        command
            .args(["--interface", &self.address(1)])
            .args(words)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    /// Runs `mains --json setup`; returns code, document and what went to stderr.
    pub fn setup(&self, words: &[&str]) -> SetupRun {
        let output = self
            .mains(&[&["--json", "setup"], words].concat())
            .output()
            .unwrap();
        SetupRun::of(&output)
    }

    /// As [`SetupBench::setup`], onto a network whose key is in a file, with the module at an address.
    pub fn setup_on(&self, ssid: &str, key_file: &str, module: &str, more: &[&str]) -> SetupRun {
        let words = ["--ssid", ssid, "--key-file", key_file, "--module", module];
        self.setup(&[&words[..], more].concat())
    }

    /// Starts several runs at once, each from an address of its own, and waits for all of them.
    pub fn setups(&self, runs: &[Vec<String>]) -> Vec<SetupRun> {
        let children: Vec<Child> = (200..)
            .zip(runs)
            .map(|(host, words)| {
                let mut command = self.program();
                command
                    .args(["--json", "--interface", &self.address(host), "setup"])
                    .args(words)
                    .stdout(Stdio::piped())
                    .stderr(Stdio::piped());
                command.spawn().unwrap()
            })
            .collect();
        children
            .into_iter()
            .map(|child| SetupRun::of(&child.wait_with_output().unwrap()))
            .collect()
    }

    /// As [`SetupBench::setup`], with something on standard input.
    pub fn setup_with_input(&self, words: &[&str], input: &[u8]) -> SetupRun {
        let mut child = self
            .mains(&[&["--json", "setup"], words].concat())
            .stdin(Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(input).unwrap();
        SetupRun::of(&child.wait_with_output().unwrap())
    }

    /// Tells whether the plug replies to a scan.
    pub fn answers(&self, address: &str) -> bool {
        let output = self.mains(&["--json", "status", address]).output().unwrap();
        output.status.success()
    }

    /// Returns the state directory.
    pub fn state(&self) -> PathBuf {
        self.folder.path().join("state")
    }

    /// Writes a file that only its owner can read.
    pub fn file(&self, name: &str, bytes: impl AsRef<[u8]>) -> String {
        let path = self.folder.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        self.mode(&path, 0o600);
        path.to_str().unwrap().to_owned()
    }

    /// Sets the permissions of a file.
    pub fn mode(&self, path: &Path, mode: u32) {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    }

    /// Ends all twins at once, as if the power had gone.
    pub fn end_twins(&mut self) {
        for mut twin in self.twins.drain(..) {
            let _ = twin.kill();
            let _ = twin.wait();
        }
    }
}

impl Drop for SetupBench {
    fn drop(&mut self) {
        self.end_twins();
    }
}

/// The result of a run.
#[derive(Debug)]
pub struct SetupRun {
    /// Exit code.
    pub code: i32,
    /// JSON document.
    pub json: Value,
    /// Output for people.
    pub stderr: String,
}

impl SetupRun {
    pub fn of(output: &Output) -> Self {
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        let json = serde_json::from_slice(&output.stdout).unwrap_or_else(|error| {
            panic!(
                "{error}: stdout {:?}, stderr {stderr}",
                String::from_utf8_lossy(&output.stdout)
            )
        });
        Self {
            code: output.status.code().unwrap_or(-1),
            json,
            stderr,
        }
    }

    /// Asserts that the plug was confirmed.
    pub fn confirmed(&self, mac: &str) {
        assert_eq!(self.code, 0, "{self:#?}");
        assert_eq!(self.json["plug"], mac, "{self:#?}");
        assert_eq!(self.json["confirmed"], true, "{self:#?}");
    }

    /// Asserts a failure and returns its message and hint.
    pub fn failed(&self, code: i32, kind: &str) -> (String, String) {
        assert_eq!(self.code, code, "{self:#?}");
        let error = &self.json["error"];
        assert_eq!(error["kind"], kind, "{self:#?}");
        let text = |name: &str| error[name].as_str().unwrap_or_default().to_owned();
        (text("message"), text("hint"))
    }

    /// Returns whether a step succeeded, if it was taken.
    pub fn step(&self, name: &str) -> Option<bool> {
        let steps = self.json["steps"].as_array()?;
        let step = steps.iter().rfind(|step| step["step"] == name)?;
        step["ok"].as_bool()
    }
}
