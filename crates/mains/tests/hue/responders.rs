//! Bridges that are announced by responders which we did not write: avahi-daemon for mDNS, and the SSDP responder of
//! async-upnp-client, which Home Assistant uses.
//!
//! ```text
//!  the test's network                 the house's network
//!  lan0 10.94.0.250/24 ────────────── lan0 10.94.0.1/24: a twin that announces nothing, and the responder
//! ```

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::json;

use crate::fixture::{HueFixture, ready};
use crate::home::finish;
use crate::needs::{self, succeed};

const BRIDGE: &str = "10.94.0.1";
const MAC: &str = "00:17:88:01:02:03";
const ID: &str = "001788fffe010203";

/// Another network namespace with its own mounts, joined to the test's by a cable.
struct BridgeNetwork {
    fixture: HueFixture,
    /// Holds the namespace; what runs in it ends before.
    holder: Child,
    running: Vec<Child>,
}

impl BridgeNetwork {
    fn new() -> Option<Self> {
        needs::met(needs::namespaces(&[
            ("ip", "iproute2"),
            ("nsenter", "util-linux"),
        ]))?;
        let fixture = HueFixture::empty();
        let holder = Command::new("unshare")
            .args(["-n", "-m", "sleep", "300"])
            .spawn()
            .unwrap();
        let street = Self {
            fixture,
            holder,
            running: Vec::new(),
        };
        street.wait_for_namespaces();
        let number = street.holder.id().to_string();
        for words in [
            format!("link add lan0 type veth peer name lan0 netns {number}"),
            "addr add 10.94.0.250/24 dev lan0".to_owned(),
            "link set lan0 up".to_owned(),
        ] {
            succeed(Command::new("ip").args(words.split(' ')));
        }
        for words in [
            "ip link set lo up",
            "ip addr add 10.94.0.1/24 dev lan0",
            "ip link set lan0 up",
            "ip route add default dev lan0",
            "mount --make-rprivate /",
        ] {
            let words: Vec<&str> = words.split(' ').collect();
            succeed(street.inside(words[0]).args(&words[1..]));
        }
        Some(street)
    }

    fn wait_for_namespaces(&self) {
        let holder = self.holder.id().to_string();
        let is_shared = |kind: &str| {
            let of = |process: &str| std::fs::read_link(format!("/proc/{process}/ns/{kind}"));
            of(&holder).unwrap() == of("thread-self").unwrap()
        };
        let begin = Instant::now();
        while is_shared("net") || is_shared("mnt") {
            assert!(begin.elapsed() < Duration::from_secs(30), "unshare");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// A program in the house.
    fn inside(&self, program: &str) -> Command {
        let mut command = Command::new("nsenter");
        command.args([
            "-t",
            &self.holder.id().to_string(),
            "-n",
            "-m",
            "--",
            program,
        ]);
        command
    }

    /// A bridge that announces nothing itself.
    fn bridge(&mut self, model: &str) {
        let mut command = self.inside(env!("CARGO_BIN_EXE_mains"));
        command
            .env("MAINS_STATE", self.fixture.path("twin"))
            .args([
                "-q", "emulate", "bridge", "--listen", BRIDGE, "--mac", MAC, "--model", model,
            ])
            .args(["--no-announce", "--press-after", "0s"]);
        self.running.push(ready(command, 1));
    }

    /// Starts a responder, and waits for a line with this in it.
    fn responder(&mut self, mut command: Command, line: &str) {
        let mut child = command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let (sender, lines) = std::sync::mpsc::channel();
        let outputs: [Box<dyn std::io::Read + Send>; 2] = [
            Box::new(child.stdout.take().unwrap()),
            Box::new(child.stderr.take().unwrap()),
        ];
        for output in outputs {
            let sender = sender.clone();
            std::thread::spawn(move || {
                for line in BufReader::new(output).lines().map_while(Result::ok) {
                    let _ = sender.send(line);
                }
            });
        }
        self.running.push(child);
        let mut said = Vec::new();
        while !said.last().is_some_and(|last: &String| last.contains(line)) {
            match lines.recv_timeout(Duration::from_secs(20)) {
                Ok(line) => said.push(line),
                Err(_) => panic!("not ready: {said:?}"),
            }
        }
    }

    fn json(&self, words: &[&str]) -> crate::home::FinishedRun {
        finish(
            self.fixture
                .command()
                .env("MAINS_INTERFACE", "lan0")
                .arg("--json")
                .args(words)
                .output(),
        )
    }
}

impl Drop for BridgeNetwork {
    fn drop(&mut self) {
        for child in self.running.iter_mut().chain([&mut self.holder]) {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

fn found(model: &str, run: &crate::home::FinishedRun) {
    let found = run.json();
    assert_eq!(
        found,
        json!([{"id": ID, "address": BRIDGE, "model": model, "name": found[0]["name"], "software": found[0]["software"],
            "api": found[0]["api"]}]),
        "{run:?}"
    );
}

const SERVICE: &str = r#"<?xml version="1.0" standalone='no'?>
<!DOCTYPE service-group SYSTEM "avahi-service.dtd">
<service-group>
  <name>Hue Bridge - 010203</name>
  <service>
    <type>_hue._tcp</type>
    <port>443</port>
    <txt-record>bridgeid=001788fffe010203</txt-record>
    <txt-record>modelid=BSB002</txt-record>
  </service>
</service-group>
"#;

const AVAHI: &str = "[server]\nhost-name=001788010203\nuse-ipv4=yes\nuse-ipv6=no\nenable-dbus=no\n\
    [wide-area]\nenable-wide-area=no\n[publish]\npublish-workstation=no\npublish-hinfo=no\n";

#[test]
fn avahi_tells_where_a_square_bridge_is() {
    let avahi = needs::tool("avahi-daemon", "--version", "avahi-daemon");
    if needs::met(avahi).is_none() {
        return;
    }
    let Some(mut street) = BridgeNetwork::new() else {
        return;
    };
    street.bridge("bsb002");
    street.fixture.write("services/hue.service", SERVICE);
    let services = street.fixture.path("services");
    let configuration = street.fixture.write("avahi.conf", AVAHI);
    succeed(
        street
            .inside("mkdir")
            .args(["-p", "/run/avahi-daemon", "/etc/avahi/services"]),
    );
    succeed(
        street
            .inside("mount")
            .args(["-t", "tmpfs", "none", "/run/avahi-daemon"]),
    );
    succeed(
        street
            .inside("mount")
            .arg("--bind")
            .arg(&services)
            .arg("/etc/avahi/services"),
    );
    let mut avahi = street.inside("avahi-daemon");
    avahi
        .args([
            "--no-drop-root",
            "--no-chroot",
            "--no-proc-title",
            "--no-rlimits",
            "-f",
        ])
        .arg(&configuration);
    street.responder(avahi, "successfully established");
    found("BSB002", &street.json(&["hue", "discover"]).ends_with(0));
    // By its id alone.
    let paired = street
        .json(&["hue", "pair", ID, "--trust-certificate"])
        .ends_with(0);
    assert_eq!(paired.json(), json!({"bridge": ID, "paired": true}));
    street.json(&["hue", "lights", ID]).ends_with(0);
    street
        .json(&["hue", "lights", "001788fffe999999"])
        .ends_with(3);
}

/// The responder of the library, with what a round bridge says of itself in its header.
const RESPONDER: &str = r#"
import asyncio, sys
import xml.etree.ElementTree as ET
from async_upnp_client import server
from async_upnp_client.const import DeviceInfo

address, mac = sys.argv[1:]
server.HEADER_SERVER = "Linux/3.14.0 UPnP/1.0 IpBridge/1.16.0"

class Bridge(server.UpnpServerDevice):
    DEVICE_DEFINITION = DeviceInfo(
        device_type="urn:schemas-upnp-org:device:Basic:1", friendly_name="Philips hue",
        manufacturer="Royal Philips Electronics", manufacturer_url=None, model_description=None,
        model_name="Philips hue bridge 2012", model_number="929000226503", model_url=None,
        serial_number=mac, udn="uuid:2f402f80-da50-11e1-9b23-" + mac, upc=None,
        presentation_url=None, url="/description.xml", icons=[], xml=ET.Element("device"))
    EMBEDDED_DEVICES = []
    SERVICES = []

async def main():
    device = Bridge(None, f"http://{address}:80")
    await server.SsdpSearchResponder(device, source=(address, 0)).async_start()
    print("ready", flush=True)
    await asyncio.Event().wait()

asyncio.run(main())
"#;

#[test]
fn an_ssdp_responder_tells_where_a_round_bridge_is() {
    let Some(python) = needs::met(needs::python("async_upnp_client")) else {
        return;
    };
    let Some(mut street) = BridgeNetwork::new() else {
        return;
    };
    street.bridge("bsb001");
    let script = street.fixture.write("responder.py", RESPONDER);
    let mut responder = street.inside(python.to_str().unwrap());
    responder.arg(&script).args([BRIDGE, "001788010203"]);
    street.responder(responder, "ready");
    found("BSB001", &street.json(&["hue", "discover"]).ends_with(0));
    street.json(&["hue", "pair", ID]).ends_with(0);
    street.json(&["hue", "lights", ID]).ends_with(0);
}
