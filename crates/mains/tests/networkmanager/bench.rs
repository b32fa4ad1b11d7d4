//! A private D-Bus with a mocked NetworkManager on it, and `mains` run beside it.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use zbus::{Connection, ObjectPath};

use crate::needs;

/// NetworkManager's device state "disconnected".
pub const IDLE: u32 = 30;
/// The network that the emulated plug opens, and its key.
pub const PLUG: (&str, &str) = ("Reco900000621", "12345678");
/// The connection that the computer has before.
pub const HOME: (&str, &str) = ("Home, sweet home", "correct horse");

const READY_WITHIN: Duration = Duration::from_secs(15);
/// Debian's Python, which has the D-Bus and mock packages; one first on the path may not.
const PYTHON: &str = "/usr/bin/python3";

/// Kind of the mocked NetworkManager.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Age {
    /// With `AddAndActivateConnection2`: a profile can be bound to the client's life.
    Modern,
    /// Before 1.16.
    Old,
    /// As `Modern`, on a computer where a user may add connections for this user only.
    Strict,
}

/// One bus with one NetworkManager; dropping it ends both.
pub struct NetworkManagerBench {
    running: Vec<Child>,
    address: String,
    folder: tempfile::TempDir,
    runtime: tokio::runtime::Runtime,
    control: Connection,
}

impl NetworkManagerBench {
    /// Starts the bus and our own mock with the device states.
    pub fn new(age: Age) -> Option<Self> {
        let template =
            Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/dbusmock/networkmanager_states.py");
        let parameters = match age {
            Age::Modern => r#"{"modern": true}"#,
            Age::Old => r#"{"modern": false}"#,
            Age::Strict => r#"{"modern": true, "own": true}"#,
        };
        Self::with(template.to_str().unwrap(), Some(parameters))
    }

    /// Starts the bus and the mock that python-dbusmock ships.
    pub fn stock() -> Option<Self> {
        Self::with("networkmanager", None)
    }

    /// Starts the bus alone.
    pub fn bare() -> Option<Self> {
        needs::met(possible())?;
        let folder = tempfile::tempdir().unwrap();
        let address = format!("unix:path={}", folder.path().join("bus").display());
        let daemon = start_bus(folder.path(), &address);
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        let control = runtime.block_on(connect(&address));
        Some(Self {
            running: vec![daemon],
            address,
            folder,
            runtime,
            control,
        })
    }

    fn with(template: &str, parameters: Option<&str>) -> Option<Self> {
        let mut bench = Self::bare()?;
        let log = std::fs::File::create(bench.folder.path().join("mock.log")).unwrap();
        let mut mock = Command::new(PYTHON);
        mock.args(["-m", "dbusmock", "--system", "--template", template])
            .env("DBUS_SYSTEM_BUS_ADDRESS", &bench.address)
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log);
        if let Some(parameters) = parameters {
            mock.args(["--parameters", parameters]);
        }
        bench.running.push(mock.spawn().unwrap());
        bench.wait_for_service();
        Some(bench)
    }

    fn wait_for_service(&self) {
        let deadline = Instant::now() + READY_WITHIN;
        loop {
            let probe: zbus::Result<String> = self.call(
                "/org/freedesktop/NetworkManager",
                "org.freedesktop.DBus.Introspectable",
                "Introspect",
                &(),
            );
            if probe.is_ok_and(|text| text.contains("GetDevices")) {
                return;
            }
            assert!(
                Instant::now() < deadline,
                "the mock did not start: {}",
                std::fs::read_to_string(self.folder.path().join("mock.log")).unwrap_or_default()
            );
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn call<B, R>(&self, path: &str, interface: &str, method: &str, body: &B) -> zbus::Result<R>
    where
        B: serde::Serialize + zbus::DynamicType,
        R: serde::de::DeserializeOwned + zbus::Type,
    {
        self.runtime.block_on(async {
            let reply = self
                .control
                .call_method(
                    Some("org.freedesktop.NetworkManager"),
                    path,
                    Some(interface),
                    method,
                    body,
                )
                .await?;
            reply.body().deserialize::<R>()
        })
    }

    fn mock<B, R>(&self, method: &str, body: &B) -> zbus::Result<R>
    where
        B: serde::Serialize + zbus::DynamicType,
        R: serde::de::DeserializeOwned + zbus::Type,
    {
        self.call(
            "/org/freedesktop",
            "org.freedesktop.DBus.Mock",
            method,
            body,
        )
    }

    /// Adds a Wi-Fi adapter.
    pub fn add_wifi(&self, interface: &str, state: u32) -> String {
        let path: zbus::OwnedObjectPath = self.mock("AddWifi", &(interface, state)).unwrap();
        path.to_string()
    }

    /// Puts a network in reach; an empty key is an open one.
    pub fn add_network(&self, device: &str, ssid: &str, key: &str) {
        self.add_point(device, ssid, 70, key);
    }

    /// As [`NetworkManagerBench::add_network`], with this strength.
    pub fn add_point(&self, device: &str, ssid: &str, strength: u8, key: &str) {
        let device = ObjectPath::try_from(device).unwrap();
        let _: zbus::OwnedObjectPath = self
            .mock("AddNetwork", &(device, ssid, strength, key))
            .unwrap();
    }

    /// Takes a network out of reach.
    pub fn remove_network(&self, device: &str, ssid: &str) {
        let device = ObjectPath::try_from(device).unwrap();
        self.mock::<_, ()>("RemoveNetwork", &(device, ssid))
            .unwrap();
    }

    /// Adds a connection of the computer's owner and puts the adapter on it; returns its UUID.
    pub fn use_connection(
        &self,
        device: &str,
        name: &str,
        network: (&str, &str),
        volatile: bool,
    ) -> String {
        let (ssid, key) = network;
        let uuid: String = self.mock("AddSaved", &(name, ssid, key, volatile)).unwrap();
        let path = ObjectPath::try_from(device).unwrap();
        self.mock::<_, ()>("Use", &(path, &uuid)).unwrap();
        self.wait_until("the connection of before is up", |now| {
            now["devices"][0]["state"] == 100
        });
        uuid
    }

    /// As [`NetworkManagerBench::add_wifi`], on the mock that python-dbusmock ships.
    pub fn stock_wifi(&self, interface: &str, state: u32) -> String {
        let state = i32::try_from(state).unwrap();
        self.mock("AddWiFiDevice", &("adapter", interface, state))
            .unwrap()
    }

    /// As [`NetworkManagerBench::add_network`], on the mock that python-dbusmock ships.
    pub fn stock_network(&self, device: &str, ssid: &str) {
        let (infrastructure, frequency, rate) = (2_u32, 2412_u32, 54_000_u32);
        let (strength, by_key) = (70_u8, 0x100_u32);
        let address = "AC:CF:23:00:00:01";
        let _: String = self
            .mock(
                "AddAccessPoint",
                &(
                    device,
                    "plug",
                    ssid,
                    address,
                    infrastructure,
                    frequency,
                    rate,
                    strength,
                    by_key,
                ),
            )
            .unwrap();
    }

    /// Simulates a power cut and a start: everything in memory only is gone.
    pub fn reboot(&self, device: &str) {
        let device = ObjectPath::try_from(device).unwrap();
        self.mock::<_, ()>("Reboot", &(device,)).unwrap();
    }

    /// Plans the outcomes of the next joins.
    pub fn plan(&self, outcomes: &[&str]) {
        self.mock::<_, ()>("Plan", &(outcomes,)).unwrap();
    }

    /// From now on nobody gives the keys of the owner's connections.
    pub fn lose_agent(&self) {
        self.mock::<_, ()>("LoseAgent", &()).unwrap();
    }

    /// From now on a disconnected adapter connects by itself at the last moment before it is asked to.
    pub fn hurry(&self) {
        self.mock::<_, ()>("Hurry", &()).unwrap();
    }

    /// Returns past events and the present state.
    pub fn report(&self) -> Value {
        let text: String = self.mock("Report", &()).unwrap();
        serde_json::from_str(&text).unwrap()
    }

    /// Waits for something to become true; other things go on meanwhile.
    pub fn wait_until(&self, what: &str, mut is_so: impl FnMut(&Value) -> bool) -> Value {
        let deadline = Instant::now() + READY_WITHIN;
        loop {
            let report = self.report();
            if is_so(&report) {
                return report;
            }
            assert!(Instant::now() < deadline, "not so: {what}: {report:#}");
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Returns `mains` with this bench's bus and state, and no other environment.
    pub fn mains(&self, words: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_mains"));
        command
            .env_clear()
            .env("DBUS_SYSTEM_BUS_ADDRESS", &self.address)
            .env("MAINS_STATE", self.state())
            .env("HOME", self.folder.path())
            .args(words)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    /// Returns the state directory.
    pub fn state(&self) -> PathBuf {
        self.folder.path().join("state")
    }

    /// Returns the note of what to restore, if there is one.
    pub fn note(&self) -> Option<String> {
        std::fs::read_to_string(self.state().join("wifi-restore.json")).ok()
    }

    /// Writes a private file, e.g. with a key.
    pub fn file(&self, name: &str, text: &str) -> String {
        use std::os::unix::fs::PermissionsExt as _;
        let path = self.folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        path.to_str().unwrap().to_owned()
    }

    /// Kills NetworkManager.
    pub fn end_service(&mut self) {
        let mut mock = self.running.pop().unwrap();
        mock.kill().unwrap();
        mock.wait().unwrap();
    }
}

impl Drop for NetworkManagerBench {
    fn drop(&mut self) {
        for child in self.running.iter_mut().rev() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

fn start_bus(folder: &Path, address: &str) -> Child {
    let config = folder.join("bus.conf");
    std::fs::write(
        &config,
        format!(
            "<!DOCTYPE busconfig PUBLIC \"-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN\" \
             \"http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd\">\n\
             <busconfig><type>system</type><listen>{address}</listen><auth>EXTERNAL</auth>\
             <policy context=\"default\"><allow send_destination=\"*\" eavesdrop=\"true\"/>\
             <allow eavesdrop=\"true\"/><allow own=\"*\"/></policy></busconfig>\n"
        ),
    )
    .unwrap();
    let mut daemon = Command::new("dbus-daemon")
        .arg(format!("--config-file={}", config.display()))
        .args(["--nofork", "--print-address=1"])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(daemon.stdout.take().unwrap())
        .read_line(&mut line)
        .unwrap();
    assert!(line.starts_with("unix:"), "dbus-daemon said {line:?}");
    daemon
}

async fn connect(address: &str) -> Connection {
    zbus::connection::Builder::address(address)
        .build()
        .await
        .unwrap()
}

fn possible() -> Result<(), String> {
    needs::tool("dbus-daemon", "--version", "dbus-daemon")?;
    let mock = Command::new(PYTHON)
        .args(["-c", "import dbusmock"])
        .output();
    if mock.is_ok_and(|output| output.status.success()) {
        return Ok(());
    }
    Err("dbusmock is missing (Debian package python3-dbusmock)".to_owned())
}
