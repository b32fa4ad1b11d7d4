//! A real broker and its clients: mosquitto.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Arc, Mutex};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::home::Home;
use crate::house::{Hub, eventually};
use crate::needs;

/// Port of the broker; each test has a network of its own.
pub const PORT: u16 = 1883;

/// Requires mosquitto and its clients.
pub fn mosquitto() -> Result<(), String> {
    needs::tool("mosquitto_sub", "--help", "mosquitto-clients")?;
    needs::tool(program(), "-h", "mosquitto")
}

fn program() -> &'static str {
    // Not on the path of every user.
    let place = "/usr/sbin/mosquitto";
    if Path::new(place).exists() {
        place
    } else {
        "mosquitto"
    }
}

/// A broker that runs.
pub struct Broker {
    child: Child,
    config: std::path::PathBuf,
    port: u16,
}

impl Broker {
    /// Starts a broker that lets everybody in.
    pub fn open(home: &Home) -> Self {
        Self::start(home, PORT, "allow_anonymous true\n")
    }

    /// Starts a broker with these settings.
    pub fn start(home: &Home, port: u16, settings: &str) -> Self {
        let text = format!("user root\npersistence false\nlistener {port} 127.0.0.1\n{settings}");
        let config = home.write(&format!("mosquitto-{port}.conf"), &text);
        let child = spawn(&config, port);
        Self {
            child,
            config,
            port,
        }
    }

    /// Kills it without notice.
    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Starts it again, with nothing of what it knew.
    pub fn restart(&mut self) {
        self.child = spawn(&self.config, self.port);
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn spawn(config: &Path, port: u16) -> Child {
    let child = Command::new(program())
        .arg("-c")
        .arg(config)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    eventually("the broker listens", || {
        TcpStream::connect(("127.0.0.1", port)).is_ok()
    });
    child
}

/// A message that a client received.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Received {
    pub is_retained: bool,
    pub topic: String,
    pub payload: String,
}

/// A client that listens to everything.
pub struct Listener {
    child: Child,
    received: Arc<Mutex<Vec<Received>>>,
}

impl Listener {
    pub fn start() -> Self {
        Self::with(&[])
    }

    pub fn with(options: &[&str]) -> Self {
        let mut child = Command::new("mosquitto_sub")
            .args(["-h", "127.0.0.1", "-q", "1", "-F", "%r %t %p", "-t", "#"])
            .args(options)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let received = Arc::new(Mutex::new(Vec::new()));
        let (lines, kept) = (child.stdout.take().unwrap(), Arc::clone(&received));
        std::thread::spawn(move || {
            for line in BufReader::new(lines).split(b'\n').map_while(Result::ok) {
                let line = String::from_utf8_lossy(&line).into_owned();
                let mut parts = line.splitn(3, ' ');
                let (Some(retained), Some(topic)) = (parts.next(), parts.next()) else {
                    continue;
                };
                kept.lock().unwrap().push(Received {
                    is_retained: retained == "1",
                    topic: topic.to_owned(),
                    payload: parts.next().unwrap_or_default().to_owned(),
                });
            }
        });
        Self { child, received }
    }

    /// Everything so far.
    pub fn all(&self) -> Vec<Received> {
        self.received.lock().unwrap().clone()
    }

    /// The last payload on each topic; a topic that was emptied is missing.
    pub fn now(&self) -> BTreeMap<String, String> {
        let last = self.all().into_iter().map(|it| (it.topic, it.payload));
        let mut now: BTreeMap<String, String> = last.collect();
        now.retain(|_, payload| !payload.is_empty());
        now
    }

    /// Waits until the last payload on a topic is this one.
    #[track_caller]
    pub fn sees(&self, topic: &str, payload: &str) {
        eventually(&format!("{topic} is {payload}"), || {
            self.now().get(topic).is_some_and(|it| it == payload)
        });
    }

    /// Number of messages on a topic.
    pub fn count(&self, topic: &str) -> usize {
        self.all().iter().filter(|it| it.topic == topic).count()
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The messages that the broker keeps, as a client sees them that comes now.
pub fn retained() -> BTreeMap<String, String> {
    let output = Command::new("mosquitto_sub")
        .args([
            "-h",
            "127.0.0.1",
            "-F",
            "%t %p",
            "-t",
            "#",
            "-W",
            "1",
            "--retained-only",
        ])
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    let pair = |line: &str| {
        let (topic, payload) = line.split_once(' ')?;
        Some((topic.to_owned(), payload.to_owned()))
    };
    text.lines().filter_map(pair).collect()
}

/// Publishes a message, with further options of `mosquitto_pub`.
pub fn publish_with(topic: &str, options: &[&str]) -> Output {
    Command::new("mosquitto_pub")
        .args(["-h", "127.0.0.1", "-q", "1", "-t", topic])
        .args(options)
        .output()
        .unwrap()
}

/// Publishes a message.
#[track_caller]
pub fn publish(topic: &str, payload: &str) {
    let output = publish_with(topic, &["-m", payload]);
    assert!(output.status.success(), "{output:?}");
}

/// A home with two emulated plugs, of which every exchange is recorded, and a configuration for a hub.
pub fn home_with_plugs(mqtt: &str) -> Home {
    let mut home = Home::with_network();
    configure(&home, mqtt);
    let record = home.path("record.jsonl");
    let words = [
        "--listen",
        "127.77.0.1",
        "--count",
        "2",
        "--load",
        "40",
        "--record",
    ];
    let words: Vec<&str> = words.into_iter().chain(record.to_str()).collect();
    home.emulate(&words, 2);
    home
}

/// Writes the configuration: quick readings, and these lines in `[mqtt]`.
pub fn configure(home: &Home, mqtt: &str) {
    let text = format!("[hub]\nadopt = true\nmetering = \"1s\"\nscan = \"1s\"\n[mqtt]\n{mqtt}\n");
    home.write(".config/mains/mains.toml", &text);
}

/// The lines for a broker without anything.
pub const PLAIN: &str = "url = \"mqtt://127.0.0.1\"";

/// The id of each plug of the home in topics.
pub fn ids(home: &Home) -> Vec<String> {
    eventually("both plugs are adopted", || {
        crate::house::plugs(home).len() == 2
    });
    let mac = |plug: &serde_json::Value| plug["mac"].as_str().unwrap().to_owned();
    let plain = |mac: String| mac.replace(':', "").to_ascii_lowercase();
    crate::house::plugs(home)
        .iter()
        .map(mac)
        .map(plain)
        .collect()
}

/// Number of commands that moved the relay of a plug, as the emulator recorded them.
pub fn switches(home: &Home) -> usize {
    let text = std::fs::read_to_string(home.path("record.jsonl")).unwrap_or_default();
    text.lines()
        .filter(|line| line.contains("AT+YZSWITCH"))
        .count()
}

/// The state of MQTT in the status of the hub.
pub fn status(home: &Home) -> serde_json::Value {
    home.json(&["hub", "status"]).ends_with(0).json()["mqtt"].clone()
}

/// Waits until the hub is connected.
#[track_caller]
pub fn connected(home: &Home) {
    eventually("connected", || status(home)["state"] == "connected");
}

/// Starts a broker, a listener and a hub that is connected and has adopted both plugs, whose ids come last. `None`, and the test is
/// skipped, where there is no mosquitto.
#[track_caller]
pub fn running() -> Option<(Home, Broker, Listener, Hub, Vec<String>)> {
    needs::met(mosquitto())?;
    let home = home_with_plugs(PLAIN);
    let broker = Broker::open(&home);
    let listener = Listener::start();
    let hub = Hub::start(&home, &[]);
    connected(&home);
    let ids = ids(&home);
    Some((home, broker, listener, hub, ids))
}

/// Sends a signal to a process.
pub fn signal(pid: u32, signal: Signal) {
    kill(Pid::from_raw(i32::try_from(pid).unwrap()), signal).unwrap();
}
