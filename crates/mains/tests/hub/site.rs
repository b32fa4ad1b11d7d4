//! A site of two hubs, their database and their plugs, each in a network namespace of its own.
//!
//! ```text
//!  hub a ns        lan0 10.77.0.11 ── br0 ── lan0 10.77.0.101 …     plugs ns
//!                  lan1 10.79.0.11 ── br1 10.79.0.1                 the test: database, browsers, the switches
//!  hub b ns        lan0 10.77.0.12 ── br0
//!                  lan1 10.79.0.12 ── br1
//! ```

use std::fs::File;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

use crate::needs::{self, succeed};
use crate::server::PostgresServer;

/// Address of the test and the database.
const HERE: &str = "10.79.0.1";
/// The password of both hubs.
pub const PASSWORD: &str = "a password of the test";
/// Bound on a request.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(12);
/// Bound on everything that is waited for.
const WITHIN: Duration = Duration::from_secs(40);

/// The site.
pub struct Site {
    name: String,
    pub server: PostgresServer,
    database: String,
    folder: tempfile::TempDir,
    hubs: Vec<Option<Child>>,
    emulators: Vec<Child>,
    /// Path of the link that each hub has printed at its last start.
    pub links: [String; 2],
    /// Environment of each hub, beside the common one.
    pub environment: [Vec<(String, String)>; 2],
}

impl Site {
    /// Builds it, with so many plugs; no hub runs yet. None, and the test is skipped, where that is not possible.
    pub fn build(plugs: u8) -> Option<Self> {
        let tools = [("ip", "iproute2"), ("nft", "nftables")];
        needs::met(needs::namespaces(&tools))?;
        if !needs::own_network() {
            needs::skip("network namespaces are not allowed");
            return None;
        }
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("mains-site{}-{number}", std::process::id());
        for bridge in ["br0", "br1"] {
            ip(&format!("link add {bridge} type bridge"));
            ip(&format!("link set {bridge} up"));
        }
        ip(&format!("addr add {HERE}/24 dev br1"));
        let server = needs::met(PostgresServer::start_on(HERE))?;
        let database = server.database();
        let mut site = Self {
            name,
            server,
            database,
            folder: tempfile::tempdir().unwrap(),
            hubs: vec![None, None],
            emulators: Vec::new(),
            links: Default::default(),
            environment: Default::default(),
        };
        for (part, address) in [("a", 11), ("b", 12), ("plugs", 1)] {
            site.plug_in(part, address);
        }
        for plug in 0..plugs {
            site.emulate(plug);
        }
        site.set_password();
        Some(site)
    }

    fn plug_in(&self, part: &str, address: u8) {
        let namespace = self.namespace(part);
        succeed(Command::new("ip").args(["netns", "add", &namespace]));
        let inside = |words: &str| {
            let words = format!("-netns {namespace} {words}");
            succeed(Command::new("ip").args(words.split(' ')));
        };
        inside("link set lo up");
        for (lan, net) in [(0, "10.77.0"), (1, "10.79.0")] {
            ip(&format!(
                "link add {part}{lan} type veth peer name lan{lan} netns {namespace}"
            ));
            ip(&format!("link set {part}{lan} master br{lan} up"));
            inside(&format!("addr add {net}.{address}/24 brd + dev lan{lan}"));
            inside(&format!("link set lan{lan} up"));
        }
    }

    fn namespace(&self, part: &str) -> String {
        format!("{}-{part}", self.name)
    }

    /// A program in a part of the site.
    pub fn command(&self, part: &str, program: &str) -> Command {
        let mut command = Command::new("ip");
        command
            .args(["netns", "exec", &self.namespace(part), program])
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", self.folder.path())
            .env("TZ", "UTC")
            .stdin(Stdio::null());
        command
    }

    fn emulate(&mut self, plug: u8) {
        let address = format!("10.77.0.{}", 101 + plug);
        let namespace = self.namespace("plugs");
        let words = format!("-netns {namespace} addr add {address}/24 brd + dev lan0");
        succeed(Command::new("ip").args(words.split(' ')));
        let mut command = self.command("plugs", env!("CARGO_BIN_EXE_mains"));
        command
            .env("MAINS_STATE", self.folder.path().join("plugs"))
            .args(["emulate", "plug", "--load", "2000W", "--listen", &address])
            .arg("--record")
            .arg(self.record(plug))
            .stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut ready = [0; 6];
        child
            .stdout
            .as_mut()
            .unwrap()
            .read_exact(&mut ready)
            .unwrap();
        assert_eq!(&ready, b"ready ");
        self.emulators.push(child);
    }

    fn record(&self, plug: u8) -> PathBuf {
        self.folder.path().join(format!("plug{plug}.jsonl"))
    }

    /// Returns the switches that a plug was told, with the address that told it.
    pub fn switches(&self, plug: u8) -> Vec<(String, String)> {
        let text = std::fs::read_to_string(self.record(plug)).unwrap_or_default();
        let lines = text
            .lines()
            .filter_map(|line| serde_json::from_str::<Value>(line).ok());
        let switch = |line: Value| {
            let command = line["text"].as_str()?.strip_prefix("AT+YZSWITCH=1,")?;
            let state = command.split(',').next()?.to_owned();
            let peer = line["peer"].as_str()?.split(':').next()?.to_owned();
            (line["direction"] == "to_plug").then_some((state, peer))
        };
        lines.filter_map(switch).collect()
    }

    /// Returns the state directory of a hub.
    pub fn state(&self, hub: usize) -> PathBuf {
        self.folder.path().join(format!("hub{hub}"))
    }

    fn mains(&self, hub: usize) -> Command {
        let mut command = self.command(part(hub), env!("CARGO_BIN_EXE_mains"));
        let (port, database) = (self.server.port, &self.database);
        let url = format!("postgres://mains@{HERE}:{port}/{database}");
        command
            .env("MAINS_STATE", self.state(hub))
            .env("MAINS_HUB_DATABASE", url)
            .env("MAINS_HUB_LISTEN", "0.0.0.0:8480")
            .env("MAINS_HUB_METERING", "2s")
            .env("MAINS_INTERFACE", "lan0")
            .envs(self.environment[hub].iter().cloned());
        command
    }

    fn set_password(&self) {
        let file = self.folder.path().join("password");
        std::fs::write(&file, PASSWORD).unwrap();
        let mut command = self.mains(0);
        succeed(command.args(["hub", "password", "--file"]).arg(file));
    }

    /// Starts a hub, and waits until it is ready.
    pub fn start(&mut self, hub: usize) {
        let log = File::options()
            .create(true)
            .append(true)
            .open(self.folder.path().join(format!("hub{hub}.log")));
        let mut command = self.mains(hub);
        command
            .arg("serve")
            .stdout(Stdio::piped())
            .stderr(log.unwrap());
        let mut child = command.spawn().unwrap();
        let mut link = String::new();
        let _ = BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut link);
        let path = link
            .trim()
            .find("/login?token=")
            .map(|at| link.trim()[at..].to_owned());
        self.links[hub] = path.unwrap_or_else(|| panic!("not ready: {}", self.log(hub)));
        self.hubs[hub] = Some(child);
    }

    /// Executes SQL in the database of the site.
    pub fn execute(&self, sql: &str) -> String {
        self.server.execute(&self.database, sql)
    }

    /// Returns what a hub has logged.
    pub fn log(&self, hub: usize) -> String {
        let path = self.folder.path().join(format!("hub{hub}.log"));
        std::fs::read_to_string(path).unwrap_or_default()
    }

    /// Sends a signal to a hub.
    pub fn signal(&mut self, hub: usize, signal: Signal) {
        let child = self.hubs[hub].as_ref().unwrap();
        kill(Pid::from_raw(i32::try_from(child.id()).unwrap()), signal).unwrap();
        if matches!(signal, Signal::SIGKILL | Signal::SIGTERM) {
            self.hubs[hub].take().unwrap().wait().unwrap();
        }
    }

    /// Sends a signal to the twin of a plug.
    pub fn signal_plug(&self, plug: usize, signal: Signal) {
        let id = self.emulators[plug].id();
        kill(Pid::from_raw(i32::try_from(id).unwrap()), signal).unwrap();
    }

    /// Cuts a hub off from the database (`db`), the other hub (`hub`) or the plugs (`plugs`).
    pub fn cut(&self, hub: usize, from: &str) {
        let other = address(1 - hub);
        let rules = match from {
            "db" => {
                let port = self.server.port;
                format!(
                    "ip daddr {HERE} tcp dport {port} drop; add rule ip cut in ip saddr {HERE} tcp sport {port} drop"
                )
            }
            "hub" => format!("ip daddr {other} drop; add rule ip cut in ip saddr {other} drop"),
            _ => return ip(&format!("link set {}0 down", part(hub))),
        };
        let script = format!(
            "add table ip cut; add chain ip cut out {{ type filter hook output priority 0; }}; \
             add chain ip cut in {{ type filter hook input priority 0; }}; add rule ip cut out {rules}"
        );
        succeed(self.command(part(hub), "nft").arg(script));
    }

    /// Mends all that was cut.
    pub fn mend(&self, hub: usize) {
        ip(&format!("link set {}0 up", part(hub)));
        succeed(self.command(part(hub), "nft").arg("flush ruleset"));
    }

    /// Returns the admin token of a hub.
    pub fn token(&self, hub: usize) -> String {
        let token = std::fs::read_to_string(self.state(hub).join("admin-token"));
        token.unwrap().trim().to_owned()
    }

    /// Sends a request to a hub, with its own admin token. Returns status and JSON; `None` without a reply in time.
    pub fn ask(
        &self,
        hub: usize,
        method: &str,
        path: &str,
        body: Option<&Value>,
    ) -> Option<(u16, Value)> {
        let credentials = format!("Authorization: Bearer {}", self.token(hub));
        let (status, _, text) = request(hub, method, path, &credentials, body)?;
        Some((status, serde_json::from_str(&text).unwrap_or(Value::Null)))
    }

    /// Returns the JSON of a path that a hub must have.
    pub fn get(&self, hub: usize, path: &str) -> Value {
        let reply = self.ask(hub, "GET", path, None);
        let (status, json) = reply.unwrap_or_else(|| panic!("no reply: {}", self.log(hub)));
        assert_eq!(status, 200, "{path}: {json}");
        json
    }

    /// Returns the role of a hub; `None` if it does not reply.
    pub fn role(&self, hub: usize) -> Option<String> {
        let (_, json) = self.ask(hub, "GET", "/api/v1/hub", None)?;
        Some(json["role"].as_str()?.to_owned())
    }

    /// Waits until a hub is the active one. Returns the time that took.
    #[track_caller]
    pub fn until_active(&self, hub: usize) -> Duration {
        let begin = Instant::now();
        while self.role(hub).as_deref() != Some("active") {
            let logs = || format!("{}\n---\n{}", self.log(0), self.log(1));
            assert!(
                begin.elapsed() < WITHIN,
                "hub {hub} is not active: {}",
                logs()
            );
            std::thread::sleep(Duration::from_millis(50));
        }
        begin.elapsed()
    }

    /// Switches a plug through a hub until that is confirmed.
    #[track_caller]
    pub fn switch(&self, hub: usize, mac: &str, state: &str) {
        let begin = Instant::now();
        let (path, body) = (
            format!("/api/v1/plugs/{mac}/relay"),
            serde_json::json!({"state": state}),
        );
        loop {
            let reply = self.ask(hub, "PUT", &path, Some(&body));
            if reply
                .as_ref()
                .is_some_and(|(_, json)| json["confirmed"] == true)
            {
                return;
            }
            assert!(begin.elapsed() < WITHIN, "{reply:?}: {}", self.log(hub));
            std::thread::sleep(Duration::from_millis(100));
        }
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        let hubs = self.hubs.iter_mut().flatten();
        for child in hubs.chain(&mut self.emulators) {
            let _ = child.kill();
            let _ = child.wait();
        }
        for part in ["a", "b", "plugs"] {
            let namespace = self.namespace(part);
            let _ = Command::new("ip")
                .args(["netns", "del", &namespace])
                .status();
        }
    }
}

fn part(hub: usize) -> &'static str {
    ["a", "b"][hub]
}

/// Address of a hub.
pub fn address(hub: usize) -> String {
    format!("10.79.0.{}", 11 + hub)
}

fn ip(words: &str) {
    succeed(Command::new("ip").args(words.split(' ')));
}

/// Sends a request to a hub. Returns status, head and body.
pub fn request(
    hub: usize,
    method: &str,
    path: &str,
    header: &str,
    body: Option<&Value>,
) -> Option<(u16, String, String)> {
    let to: SocketAddr = format!("{}:8480", address(hub)).parse().unwrap();
    let mut stream = TcpStream::connect_timeout(&to, Duration::from_secs(2)).ok()?;
    stream.set_read_timeout(Some(REQUEST_TIMEOUT)).unwrap();
    let body = body.map(Value::to_string).unwrap_or_default();
    let length = body.len();
    write!(
        stream,
        "{method} {path} HTTP/1.1\r\nHost: {to}\r\nConnection: close\r\n{header}\r\n\
         Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
    )
    .ok()?;
    let mut reply = Vec::new();
    stream.read_to_end(&mut reply).ok()?;
    let reply = String::from_utf8_lossy(&reply);
    let (head, body) = reply.split_once("\r\n\r\n")?;
    let status = head.split(' ').nth(1)?.parse().ok()?;
    let is_chunked = head
        .to_ascii_lowercase()
        .contains("transfer-encoding: chunked");
    let body = if is_chunked {
        whole(body)
    } else {
        body.to_owned()
    };
    Some((status, head.to_owned(), body))
}

/// Joins chunks.
fn whole(mut chunks: &str) -> String {
    let mut joined = String::new();
    while let Some((length, rest)) = chunks.split_once("\r\n") {
        let length = usize::from_str_radix(length.trim(), 16).unwrap_or(0);
        let Some(chunk) = rest.get(..length).filter(|chunk| !chunk.is_empty()) else {
            break;
        };
        joined.push_str(chunk);
        chunks = rest.get(length + 2..).unwrap_or("");
    }
    joined
}
