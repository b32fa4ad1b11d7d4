//! The emulated plug whose access point the mocked NetworkManager pretends to join.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::bench::{HOME, IDLE, NetworkManagerBench, PLUG};

/// A plug on loopback, and the client's address beside it: 127.54.N.2 and 127.54.N.1.
pub struct EmulatedPlug {
    child: Child,
    number: u8,
    /// Its address.
    pub address: String,
    /// Its MAC.
    pub mac: String,
}

impl EmulatedPlug {
    /// Starts a fresh plug that can join the home network; each test has another number.
    pub fn fresh(number: u8, faults: &[&str]) -> Self {
        let address = format!("127.54.{number}.2");
        let network = format!("{}:{}", HOME.0, HOME.1);
        let mut command = Command::new(env!("CARGO_BIN_EXE_mains"));
        command
            .env_clear()
            .args(["emulate", "plug", "--ap", "--listen", &address])
            .args(["--home-network", &network]);
        for fault in ["restart=300ms", "association=100ms"].iter().chain(faults) {
            command.args(["--fault", fault]);
        }
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap())
            .read_line(&mut line)
            .unwrap();
        let mac = line.trim().rsplit(' ').next().unwrap().to_owned();
        assert!(line.starts_with("ready "), "{line:?}");
        Self {
            child,
            number,
            address,
            mac,
        }
    }

    /// Returns `mains setup` for this plug, with every option given.
    pub fn setup(&self, bench: &NetworkManagerBench, more: &[&str]) -> Command {
        self.setup_with_key(bench, PLUG.1, more)
    }

    /// Runs [`EmulatedPlug::setup`]; returns its exit code, its document and stderr.
    pub fn run(&self, bench: &NetworkManagerBench, more: &[&str]) -> (i32, Value, String) {
        result(&self.setup(bench, more).output().unwrap())
    }

    /// As [`EmulatedPlug::run`], for the named network with this key.
    pub fn run_with_key(
        &self,
        bench: &NetworkManagerBench,
        plug_key: &str,
    ) -> (i32, Value, String) {
        let mut command = self.setup_with_key(bench, plug_key, &["--plug-ssid", PLUG.0]);
        result(&command.output().unwrap())
    }

    fn setup_with_key(
        &self,
        bench: &NetworkManagerBench,
        plug_key: &str,
        more: &[&str],
    ) -> Command {
        let client = format!("127.54.{}.1", self.number);
        let home = bench.file("home.key", HOME.1);
        let plug = bench.file("plug.key", plug_key);
        let mut words = vec!["--json", "--interface", &client, "setup", "--ssid", HOME.0];
        words.extend(["--key-file", &home, "--plug-key-file", &plug]);
        words.extend(["--wifi", "networkmanager", "--module", &self.address]);
        words.extend(more);
        bench.mains(&words)
    }
}

impl Drop for EmulatedPlug {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A computer with one adapter, which sees the plug's network and its home.
pub struct Computer {
    /// The adapter's path.
    pub adapter: String,
    /// The UUID of the connection that it has before.
    pub home: Option<String>,
}

impl Computer {
    /// Makes one that is on its home network.
    pub fn at_home(bench: &NetworkManagerBench) -> Self {
        let mut computer = Self::idle(bench);
        computer.home = Some(bench.use_connection(&computer.adapter, "my home", HOME, false));
        computer
    }

    /// Makes one whose adapter is disconnected.
    pub fn idle(bench: &NetworkManagerBench) -> Self {
        let adapter = bench.add_wifi("wlan7", IDLE);
        bench.add_network(&adapter, PLUG.0, PLUG.1);
        bench.add_network(&adapter, HOME.0, HOME.1);
        Self {
            adapter,
            home: None,
        }
    }

    /// Asserts that connection and profiles are as before, and that there is no note.
    pub fn is_as_before(&self, bench: &NetworkManagerBench) {
        let report = bench.report();
        let device = &report["devices"][0];
        match &self.home {
            Some(uuid) => {
                assert_eq!(device["active"], uuid.as_str(), "{report:#}");
                assert_eq!(device["state"], 100, "{report:#}");
            }
            None => {
                assert_eq!(device["active"], Value::Null, "{report:#}");
                assert_eq!(device["state"], 30, "{report:#}");
            }
        }
        assert_eq!(device["autoconnect"], true, "{report:#}");
        let profiles: Vec<&Value> = report["profiles"].as_array().unwrap().iter().collect();
        let own: Vec<Value> = self.home.iter().map(|uuid| uuid.as_str().into()).collect();
        assert_eq!(profiles, own.iter().collect::<Vec<_>>(), "{report:#}");
        assert_eq!(bench.note(), None);
    }
}

/// Waits until a child has ended, for a bounded time.
pub fn ended(mut child: Child, within: Duration) -> std::process::Output {
    let deadline = Instant::now() + within;
    while child.try_wait().unwrap().is_none() {
        if Instant::now() > deadline {
            let _ = child.kill();
            let output = child.wait_with_output().unwrap();
            panic!(
                "did not end within {within:?}: {}",
                String::from_utf8_lossy(&output.stderr)
            );
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    child.wait_with_output().unwrap()
}

/// Exit code, document and stderr of a finished run.
pub fn result(output: &std::process::Output) -> (i32, Value, String) {
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    let json = serde_json::from_slice(&output.stdout).unwrap_or_else(|error| {
        panic!(
            "{error}: stdout {:?}, stderr {stderr}",
            String::from_utf8_lossy(&output.stdout)
        )
    });
    (output.status.code().unwrap_or(-1), json, stderr)
}
