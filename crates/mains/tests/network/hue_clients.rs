//! Published Hue clients that we did not write, against the emulated bridge: they must believe it.
//!
//! They talk to loopback addresses; only node-hue-api, which knows no other ports than 80 and 443, needs a namespace for them.
//! `scripts/test` installs them into the folder that `MAINS_TEST_CLIENTS` names: those of PyPI as a virtual environment, those of
//! npm below `node`.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};

use crate::needs;

const QHUE: &str = r#"
import json, sys, time
from qhue import Bridge, QhueException
address = sys.argv[1]
key = Bridge(address, "")(devicetype="qhue#test", http_method="post")[0]["success"]["username"]
bridge = Bridge(address, key)
seen = {"before": sorted(bridge.lights()), "touchlink": bridge.config(touchlink=True)}
time.sleep(1.3)
seen["search"] = bridge.lights(http_method="post")
seen["during"] = bridge.lights.new()["lastscan"]
while bridge.lights.new()["lastscan"] == "active":
    time.sleep(0.2)
new = bridge.lights.new()
seen["new"] = sorted(number for number in new if number != "lastscan")
seen["unique"] = bridge.lights[2]()["uniqueid"]
seen["blink"] = bridge.lights[2].state(alert="select")
seen["delete"] = bridge.lights[1](http_method="delete")
try:
    bridge.config(touchLink=True)
except QhueException as error:
    seen["error"] = str(error)
print(json.dumps(seen))
"#;

const PHUE: &str = r#"
import json, os, sys, tempfile, time
from phue import Bridge
bridge = Bridge(sys.argv[1], config_file_path=os.path.join(tempfile.mkdtemp(), "phue"))
bridge.connect()
def ask(method, path, body=None):
    return bridge.request(method, "/api/%s%s" % (bridge.username, path), body)
seen = {"before": [light.name for light in bridge.lights]}
seen["touchlink"] = ask("PUT", "/config", {"touchlink": True})
time.sleep(1.3)
seen["search"] = ask("POST", "/lights", {})
while ask("GET", "/lights/new")["lastscan"] == "active":
    time.sleep(0.2)
seen["new"] = sorted(number for number in ask("GET", "/lights/new") if number != "lastscan")
bridge.set_light(2, "name", "Desk")
seen["name"] = bridge.get_light(2, "name")
print(json.dumps(seen))
"#;

const AIOHUE: &str = r#"
import asyncio, json, sys
from aiohue import create_app_key
from aiohue.v2 import HueBridgeV2
async def main():
    address, code = sys.argv[1], sys.argv[2]
    key = await create_app_key(address, "aiohue#test")
    async with HueBridgeV2(address, key) as bridge:
        seen = {"id": bridge.bridge_id, "before": len(bridge.lights.items)}
        added = asyncio.Event()
        bridge.lights.subscribe(lambda kind, light: added.set())
        discovery = bridge.config.zigbee_device_discovery
        await asyncio.sleep(0.5)
        await discovery.search(discovery.items[0].id, search_codes=[code])
        await asyncio.wait_for(added.wait(), 15)
        seen["after"] = sorted(light.id_v1 for light in bridge.lights.items)
        seen["devices"] = sorted(device.metadata.name for device in bridge.devices if device.lights)
        print(json.dumps(seen))
asyncio.run(main())
"#;

const HUEJAY: &str = r#"
const huejay = require('huejay');
const wait = time => new Promise(done => setTimeout(done, time));
(async () => {
  const [host, port] = process.argv[1].split(':');
  const strange = new huejay.Client({host, port: Number(port)});
  const wanted = new strange.users.User();
  wanted.deviceType = 'huejay#test';
  const username = (await strange.users.create(wanted)).username;
  const client = new huejay.Client({host, port: Number(port), username});
  const bridge = await client.bridge.get();
  const seen = {id: bridge.id, model: bridge.modelId, known: await client.bridge.isAuthenticated()};
  seen.before = (await client.lights.getAll()).length;
  await client.bridge.touchlink();
  await wait(1300);
  await client.lights.scan();
  await wait(5500);
  seen.new = (await client.lights.getNew()).map(light => light.name);
  await client.lights.delete('1');
  seen.after = (await client.lights.getAll()).map(light => String(light.id));
  console.log(JSON.stringify(seen));
})().catch(error => { console.error(error); process.exit(1); });
"#;

const NODE_HUE_API: &str = r#"
const {v3} = require('node-hue-api');
const host = process.argv[1];
const wait = time => new Promise(done => setTimeout(done, time));
(async () => {
  const strange = await v3.api.createLocal(host).connect();
  const {username, clientkey} = await strange.users.createUser('node-hue-api', 'test');
  const bridge = await v3.api.createLocal(host).connect(username);
  const seen = {id: (await bridge.configuration.getConfiguration()).bridgeid, clientkey: clientkey.length};
  seen.touchlink = await bridge.configuration.updateConfiguration({touchlink: true});
  await wait(1300);
  seen.search = await bridge.lights.searchForNew();
  await wait(5500);
  seen.new = (await bridge.lights.getNew())['2'].name;
  seen.deleted = await bridge.lights.deleteLight(1);
  seen.after = (await bridge.lights.getAll()).map(light => light.id);
  console.log(JSON.stringify(seen));
})().catch(error => { console.error(error); process.exit(1); });
"#;

const TELNET: &str = r#"
import json, sys, warnings
warnings.simplefilter("ignore")
import telnetlib
host, port = sys.argv[1].split(":")
said = []
for order in [b"[Link,Touchlink]", b"[Link,Touchlink]\r\n"]:
    line = telnetlib.Telnet(host, int(port), 5)
    line.write(order)
    echo = line.read_until(b"]", 5)
    said.append([echo.decode().strip(), line.read_until(b"]", 12).decode().strip()])
    line.close()
print(json.dumps(said))
"#;

/// LabBridges that run until they are dropped, and the serials on the bulbs.
struct LabBridges {
    child: Child,
    serials: Vec<String>,
}

impl LabBridges {
    fn start(words: &[&str], bulbs: usize) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_mains"))
            .args(["emulate", "bridge", "--no-announce", "--press-after", "0s"])
            .args(words)
            .env("MAINS_CONFIG", "/dev/null")
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let said = BufReader::new(child.stderr.take().unwrap()).lines();
        let serial = |line: String| {
            let rest = line.split(", serial ").nth(1).expect(&line);
            rest.split(',').next().unwrap().to_owned()
        };
        let serials = said.take(bulbs).map(|line| serial(line.unwrap())).collect();
        let ready = BufReader::new(child.stdout.take().unwrap()).lines().next();
        assert!(ready.unwrap().unwrap().starts_with("ready "));
        Self { child, serials }
    }
}

impl Drop for LabBridges {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Runs a script of a client; nothing when it is not installed.
fn python(package: &str, script: &str, words: &[&str]) -> Option<Value> {
    let python = needs::met(needs::python(package))?;
    let mut command = Command::new(python);
    command.args(["-W", "ignore", "-c", script]).args(words);
    Some(seen(&mut command))
}

/// Runs a script of a client of npm; nothing when it is not installed.
fn node(package: &str, script: &str, words: &[&str]) -> Option<Value> {
    let package = needs::met(needs::client(&format!("node/node_modules/{package}")))?;
    let mut command = Command::new("node");
    // It looks for packages from here upwards.
    command
        .current_dir(package)
        .args(["-e", script])
        .args(words);
    Some(seen(&mut command))
}

/// The one JSON document that a script prints.
fn seen(command: &mut Command) -> Value {
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {said}"))
}

const TOUCHLINK: &str = "/config/touchlink";
const SEARCHING: &str = "Searching for new devices";

#[test]
fn qhue_pairs_takes_over_searches_and_deletes() {
    for (host, model, ports) in [(1, "bsb001", "8093"), (2, "bsb002", "8093")] {
        let listen = format!("127.93.3.{host}");
        let words = [
            "--listen",
            &listen,
            "--model",
            model,
            "--http-port",
            ports,
            "--https-port",
            "8094",
            "--touchlink-port",
            "8095",
            "--bulb",
            "far:1",
            "--bulb",
            "near:foreign",
        ];
        let _bridges = LabBridges::start(&words, 2);
        let Some(seen) = python("qhue", QHUE, &[&format!("{listen}:{ports}")]) else {
            return;
        };
        assert_eq!(seen["before"], json!(["1"]), "{seen}");
        assert_eq!(seen["touchlink"], json!([{"success": {TOUCHLINK: true}}]));
        assert_eq!(seen["search"], json!([{"success": {"/lights": SEARCHING}}]));
        assert_eq!(
            (&seen["during"], &seen["new"]),
            (&json!("active"), &json!(["2"]))
        );
        assert!(seen["unique"].as_str().unwrap().ends_with("-0b"), "{seen}");
        assert_eq!(
            seen["blink"],
            json!([{"success": {"/lights/2/state/alert": "select"}}])
        );
        assert_eq!(seen["delete"], json!([{"success": "/lights/1 deleted"}]));
        assert!(
            seen["error"]
                .as_str()
                .unwrap()
                .contains("6 -> parameter, touchLink, not available"),
            "{seen}"
        );
    }
}

/// A bridge at an address, with a bulb that it has and one that it can take over.
fn with_a_bulb_of_its_own(listen: &str) -> [&str; 10] {
    [
        "--listen",
        listen,
        "--http-port",
        "8093",
        "--https-port",
        "8094",
        "--bulb",
        "far:1",
        "--bulb",
        "near:foreign",
    ]
}

#[test]
fn phue_pairs_takes_over_searches_and_names() {
    let words = with_a_bulb_of_its_own("127.93.3.3");
    let _bridges = LabBridges::start(&words, 2);
    let Some(seen) = python("phue", PHUE, &["127.93.3.3:8093"]) else {
        return;
    };
    let expected = json!({"before": ["Hue color lamp 1"], "touchlink": [{"success": {TOUCHLINK: true}}],
        "search": [{"success": {"/lights": SEARCHING}}], "new": ["2"], "name": "Desk"});
    assert_eq!(seen, expected);
}

#[test]
fn aiohue_pairs_searches_by_serial_and_hears_of_the_new_light() {
    for (host, model) in [(4, "bsb002"), (5, "bsb003")] {
        let listen = format!("127.93.3.{host}");
        let words = [
            "--listen",
            &listen,
            "--model",
            model,
            "--http-port",
            "8093",
            "--https-port",
            "8094",
            "--bulb",
            "far:1",
            "--bulb",
            "far:foreign",
        ];
        let bridges = LabBridges::start(&words, 2);
        let address = format!("{listen}:8094");
        let Some(seen) = python("aiohue", AIOHUE, &[&address, &bridges.serials[1]]) else {
            return;
        };
        let prefix = if model == "bsb003" {
            "c42996"
        } else {
            "001788"
        };
        let expected = json!({"id": format!("{prefix}fffe5d030{host}"), "before": 1, "after": ["/lights/1", "/lights/2"],
            "devices": ["Hue color lamp 1", "Hue color lamp 2"]});
        assert_eq!(seen, expected);
    }
}

#[test]
fn huejay_pairs_takes_over_searches_and_deletes() {
    let words = with_a_bulb_of_its_own("127.93.3.6");
    let _bridges = LabBridges::start(&words, 2);
    let Some(seen) = node("huejay", HUEJAY, &["127.93.3.6:8093"]) else {
        return;
    };
    let expected = json!({"id": "001788FFFE5D0306", "model": "BSB002", "known": true, "before": 1, "new": ["Hue color lamp 2"],
        "after": ["2"]});
    assert_eq!(seen, expected);
}

/// It speaks HTTPS with the square bridge, after a look whether the certificate bears the bridge's id.
#[test]
fn node_hue_api_pairs_takes_over_searches_and_deletes_by_https() {
    if !needs::own_network() {
        needs::skip("ports 80 and 443 of a network of its own need root");
        return;
    }
    let listen = "127.93.3.8";
    let bulbs = ["--bulb", "far:1", "--bulb", "near:foreign"];
    let _bridges = LabBridges::start(&[&["--listen", listen], bulbs.as_slice()].concat(), 2);
    let Some(seen) = node("node-hue-api", NODE_HUE_API, &[listen]) else {
        return;
    };
    let expected = json!({"id": "001788FFFE5D0308", "clientkey": 32, "touchlink": true, "search": true,
        "new": "Hue color lamp 2", "deleted": [{"success": "/lights/1 deleted"}], "after": [2]});
    assert_eq!(seen, expected);
}

#[test]
fn telnetlib_takes_over_by_port_30000() {
    let words = [
        "--listen",
        "127.93.3.7",
        "--model",
        "bsb001",
        "--http-port",
        "8093",
        "--touchlink-port",
        "8095",
        "--bulb",
        "near:foreign",
    ];
    let _bridges = LabBridges::start(&words, 1);
    let Some(seen) = python("telnetlib", TELNET, &["127.93.3.7:8095"]) else {
        return;
    };
    let success = "[Link,Touchlink,success,NwkAddr=0x0002,pan=0x1234]";
    assert_eq!(
        seen,
        json!([
            ["[Link,Touchlink]", success],
            ["[Link,Touchlink]", "[Link,Touchlink,failed]"]
        ])
    );
}
