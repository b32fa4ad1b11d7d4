//! A network of namespaces: `client` and `plugs` joined by a bridge in a third namespace, twice
//! (10.77.0.0/24 and 10.78.0.0/24), so that a client with two interfaces can be tried as well.
//!
//! ```text
//!  client ns                    switch ns                 plugs ns
//!  lan0 10.77.0.250/24 ───────── br0 ──────────── lan0 10.77.0.1 … 10.77.0.200
//!  lan1 10.78.0.250/24 ───────── br1 ──────────── lan1 10.78.0.1 … 10.78.0.4
//! ```

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use crate::needs::{self, succeed};

/// Time limit for a batch of twins to come up.
const READY_TIMEOUT: Duration = Duration::from_secs(30);

/// One lab of three namespaces; dropping it ends what runs inside and takes it down.
pub struct NetworkLab {
    name: String,
    running: Vec<Child>,
    state: tempfile::TempDir,
}

impl NetworkLab {
    /// Sets up the lab; none, and the test is skipped, where it cannot be had.
    pub fn new() -> Option<NetworkLab> {
        needs::met(needs::namespaces(&[
            ("ip", "iproute2"),
            ("nft", "nftables"),
        ]))?;
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!(
            "mains{}-{}",
            std::process::id(),
            COUNT.fetch_add(1, Ordering::Relaxed)
        );
        let lab = NetworkLab {
            name,
            running: Vec::new(),
            state: tempfile::tempdir().unwrap(),
        };
        lab.build();
        Some(lab)
    }

    fn build(&self) {
        for part in ["client", "switch", "plugs"] {
            succeed(Command::new("ip").args(["netns", "add", &self.namespace(part)]));
            self.ip(part, "link set lo up");
        }
        for (lan, net) in [(0, "10.77.0"), (1, "10.78.0")] {
            self.ip("switch", &format!("link add br{lan} type bridge"));
            self.ip("switch", &format!("link set br{lan} up"));
            for part in ["client", "plugs"] {
                self.plug_in(part, lan);
            }
            self.ip(
                "client",
                &format!("addr add {net}.250/24 brd + dev lan{lan}"),
            );
        }
        self.ip("client", "route add default dev lan0");
        self.addresses(0, "10.77.0", 200);
        self.addresses(1, "10.78.0", 4);
    }

    /// A virtual cable from the switch to `part`.
    fn plug_in(&self, part: &str, lan: u8) {
        let port = format!("{part}{lan}");
        let peer = self.namespace(part);
        self.ip(
            "switch",
            &format!("link add {port} type veth peer name lan{lan} netns {peer}"),
        );
        self.ip("switch", &format!("link set {port} master br{lan} up"));
        self.ip(part, &format!("link set lan{lan} up"));
    }

    fn addresses(&self, lan: u8, net: &str, count: u8) {
        let batch: String = (1..=count)
            .map(|host| format!("addr add {net}.{host}/24 brd + dev lan{lan}\n"))
            .collect();
        let mut ip = Command::new("ip")
            .args(["-netns", &self.namespace("plugs"), "-batch", "-"])
            .stdin(Stdio::piped())
            .spawn()
            .unwrap();
        ip.stdin
            .take()
            .unwrap()
            .write_all(batch.as_bytes())
            .unwrap();
        assert!(ip.wait().unwrap().success(), "ip -batch");
    }

    fn namespace(&self, part: &str) -> String {
        format!("{}-{part}", self.name)
    }

    /// Runs `ip` in a part of the lab.
    pub fn ip(&self, part: &str, words: &str) {
        let namespace = self.namespace(part);
        succeed(
            Command::new("ip")
                .args(["-netns", &namespace])
                .args(words.split(' ')),
        );
    }

    /// Drops `percent` of the datagrams to the ports of plugs on arrival, on both sides.
    pub fn lose(&self, percent: u8) {
        for part in ["client", "plugs"] {
            let rules = format!(
                "add table ip loss\n\
                 add chain ip loss input {{ type filter hook input priority 0; }}\n\
                 add rule ip loss input udp dport {{ 48899, 49999, 10000 }} numgen random mod 100 < {percent} counter drop\n"
            );
            let mut nft = self
                .command_in(part, "nft")
                .args(["-f", "-"])
                .stdin(Stdio::piped())
                .spawn()
                .unwrap();
            nft.stdin
                .take()
                .unwrap()
                .write_all(rules.as_bytes())
                .unwrap();
            assert!(nft.wait().unwrap().success(), "nft");
        }
    }

    /// Pulls the cable of a part out of the switch on the first network, or puts it back.
    pub fn cable(&self, part: &str, is_in: bool) {
        let state = if is_in { "up" } else { "down" };
        self.ip("switch", &format!("link set {part}0 {state}"));
    }

    /// Returns the number of datagrams that the client's side has lost so far: proof that the loss was real.
    pub fn lost(&self) -> u64 {
        ["client", "plugs"]
            .iter()
            .map(|part| self.drops(part))
            .sum()
    }

    fn drops(&self, part: &str) -> u64 {
        let listing = self
            .command_in(part, "nft")
            .args(["list", "table", "ip", "loss"])
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&listing.stdout).into_owned();
        let after = text.split("counter packets ").nth(1).expect("a counter");
        after.split(' ').next().unwrap().parse().unwrap()
    }

    /// Returns the number of datagrams to port 48899 that the client has sent so far.
    pub fn sent(&self) -> u64 {
        let table = self
            .command_in("client", "cat")
            .arg("/proc/net/snmp")
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&table.stdout).into_owned();
        let udp = text
            .lines()
            .filter(|line| line.starts_with("Udp:"))
            .nth(1)
            .expect("UDP counters");
        udp.split(' ').nth(4).unwrap().parse().unwrap()
    }

    /// Forgets what earlier runs wrote into the state directory.
    pub fn forget(&self) {
        for entry in std::fs::read_dir(self.state.path()).unwrap().flatten() {
            let _ = std::fs::remove_file(entry.path());
        }
    }

    fn command_in(&self, part: &str, program: &str) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.namespace(part), program]);
        command
    }

    /// A program in the client's namespace, with a hermetic environment for `mains`.
    pub fn client(&self, program: &str) -> Command {
        let mut command = self.command_in("client", program);
        command
            .env("MAINS_STATE", self.state.path())
            .env("HOME", self.state.path());
        for name in [
            "MAINS_JSON",
            "MAINS_CONFIG",
            "MAINS_INTERFACE",
            "MAINS_TIMEOUT",
            "XDG_CONFIG_HOME",
        ] {
            command.env_remove(name);
        }
        command
    }

    /// Runs `mains --json …` in the client's namespace and returns its exit code and document.
    pub fn mains(&self, words: &[&str]) -> (i32, serde_json::Value) {
        let output = self.json(words).output().unwrap();
        (output.status.code().unwrap_or(-1), document(&output))
    }

    /// `mains --json …` in the client's namespace.
    pub fn json(&self, words: &[&str]) -> Command {
        let mut command = self.client(env!("CARGO_BIN_EXE_mains"));
        command.arg("--json").args(words);
        command
    }

    /// Starts `mains emulate plug …` beside the client and waits until `count` twins are ready.
    pub fn emulate(&mut self, words: &[&str], count: usize) {
        self.emulate_as("plug", words, count);
    }

    /// As [`NetworkLab::emulate`], for another kind of device.
    pub fn emulate_as(&mut self, kind: &str, words: &[&str], count: usize) {
        let mut child = self
            .command_in("plugs", env!("CARGO_BIN_EXE_mains"))
            .args(["emulate", kind])
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
        let deadline = Instant::now() + READY_TIMEOUT;
        for _ in 0..count {
            let left = deadline.saturating_duration_since(Instant::now());
            let line = ready
                .recv_timeout(left)
                .expect("a twin did not become ready");
            assert!(line.starts_with("ready 10.7"), "{line}");
        }
    }

    /// Ends all twins, as if their sockets had been pulled.
    pub fn end_emulators(&mut self) {
        for mut child in self.running.drain(..) {
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    /// A file in the lab's own folder, e.g. with a key.
    pub fn file(&self, name: &str, text: &str) -> String {
        let path = self.state.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    }
}

impl Drop for NetworkLab {
    fn drop(&mut self) {
        self.end_emulators();
        for part in ["client", "plugs", "switch"] {
            let _ = Command::new("ip")
                .args(["netns", "del", &self.namespace(part)])
                .status();
        }
    }
}

/// The one JSON document of a run; what went to stderr is shown when there is none.
pub fn document(output: &Output) -> serde_json::Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| {
        panic!(
            "{error}: stdout {:?}, stderr {:?}",
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        )
    })
}
