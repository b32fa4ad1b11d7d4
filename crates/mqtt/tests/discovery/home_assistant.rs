//! The messages in a real Home Assistant: entities appear, their states follow, commands arrive, and a change of the form, a
//! rename, a removal and a restart keep ids and log no warning.
//!
//! It runs where `MAINS_TEST_HOME_ASSISTANT` names a folder with an installed Home Assistant, and `mosquitto` is there:
//!
//! ```console
//! $ python3 -m venv home-assistant      # with the Python that the release wants
//! $ home-assistant/bin/pip install homeassistant home-assistant-frontend paho-mqtt sqlalchemy fnv-hash-fast \
//!       psutil-home-assistant file-read-backwards
//! $ MAINS_TEST_HOME_ASSISTANT=$PWD/home-assistant cargo test -p mqtt --test discovery
//! ```

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use std::{env, fs, thread};

use mqtt::discovery::DiscoveryForm::{Device, Entity};
use mqtt::discovery::{MIGRATE, migrated};
use serde_json::{Value, json};

use crate::{homes, made, topics};

/// Seconds that a step of Home Assistant may take on a busy machine.
const STEP_TIMEOUT: &str = "60";

/// Maximum number of times that the entities are looked at for one step.
const MAX_POLLS: u32 = 100;

/// Unique ids with entity ids and states.
type Entities = BTreeMap<String, (String, String)>;

/// Returns the differences in the states of these entities.
fn other_states(entities: &Entities, expected: &[(&str, &str)]) -> Vec<String> {
    let expected = expected.iter();
    let other = expected.filter_map(|(id, state)| {
        let shown = entities
            .get(&format!("mains_{id}"))
            .map(|entity| entity.1.as_str());
        (shown != Some(*state)).then(|| format!("{id} is {shown:?}, not {state}"))
    });
    other.collect()
}

/// A broker, and Home Assistant at it.
struct Trial {
    port: u16,
    folder: tempfile::TempDir,
    installation: PathBuf,
    broker: Child,
    home_assistant: Child,
    requests: Cell<u32>,
    lines_read: Cell<usize>,
}

impl Trial {
    fn start(installation: PathBuf) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let [port, http] = [(); 2].map(|()| {
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            listener.local_addr().unwrap().port()
        });
        let configuration = folder.path().join("mosquitto.conf");
        fs::write(
            &configuration,
            format!("listener {port} 127.0.0.1\nallow_anonymous true\n"),
        )
        .unwrap();
        let broker = Command::new("mosquitto")
            .arg("-c")
            .arg(configuration)
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let is_up = || TcpStream::connect(("127.0.0.1", port)).is_ok();
        while !is_up() {
            thread::sleep(Duration::from_millis(20));
        }
        configure(folder.path(), port, http);
        let home_assistant = run(&installation, folder.path());
        let trial = Self {
            port,
            folder,
            installation,
            broker,
            home_assistant,
            requests: Cell::new(0),
            lines_read: Cell::new(0),
        };
        trial.receive("probe/reply/0");
        trial
    }

    /// Restarts Home Assistant, with what it kept.
    fn restart(&mut self) {
        self.publish("probe/reply/0", "");
        stop(&mut self.home_assistant);
        self.home_assistant = run(&self.installation, self.folder.path());
        self.receive("probe/reply/0");
    }

    fn tool(&self, name: &str) -> Command {
        let mut tool = Command::new(name);
        tool.args(["-h", "127.0.0.1", "-V", "5", "-q", "1", "-p"])
            .arg(self.port.to_string());
        tool
    }

    /// Publishes a retained message.
    fn publish(&self, topic: &str, payload: &str) {
        let mut tool = self.tool("mosquitto_pub");
        assert!(
            tool.args(["-r", "-t", topic, "-m", payload])
                .status()
                .unwrap()
                .success()
        );
    }

    fn publish_all(&self, messages: &BTreeMap<String, String>) {
        messages
            .iter()
            .for_each(|(topic, payload)| self.publish(topic, payload));
    }

    /// Returns the next message, or the one that is kept.
    fn receive(&self, topic: &str) -> String {
        let mut tool = self.tool("mosquitto_sub");
        let output = tool
            .args(["-C", "1", "-W", STEP_TIMEOUT, "-t", topic])
            .output()
            .unwrap();
        assert!(
            output.status.success(),
            "no message on {topic}; the log:\n{}",
            self.log()
        );
        String::from_utf8(output.stdout).unwrap()
    }

    fn request(&self, mut request: Value) -> Value {
        let number = self.requests.get() + 1;
        self.requests.set(number);
        request["number"] = json!(number);
        // Retained, because Home Assistant may subscribe to it later.
        self.publish("probe/request", &request.to_string());
        serde_json::from_str(&self.receive(&format!("probe/reply/{number}"))).unwrap()
    }

    /// Calls a service, and returns the command that arrives on a topic.
    fn call(&self, topic: &str, service: &str, data: &Value) -> String {
        let mut tool = self.tool("mosquitto_sub");
        let listener = tool
            .args(["-C", "1", "-W", STEP_TIMEOUT, "-t", topic])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        // Until it arrives: nothing tells when the listener has subscribed.
        for _ in 0..50 {
            self.request(json!({"service": service, "data": data}));
            if Path::new(&format!("/proc/{}/exe", listener.id()))
                .read_link()
                .is_err()
            {
                break;
            }
        }
        String::from_utf8(listener.wait_with_output().unwrap().stdout).unwrap()
    }

    /// Waits until the entities are as expected: Home Assistant subscribes to topics in batches.
    fn expect(&self, step: &str, differences: impl Fn(&Entities) -> Vec<String>) {
        let mut found = Vec::new();
        for _ in 0..MAX_POLLS {
            found = differences(&self.entities());
            if found.is_empty() {
                return;
            }
            thread::sleep(Duration::from_millis(200));
        }
        panic!("{step}: {}\n{}", found.join("\n"), self.log());
    }

    /// Returns the entities as they are.
    fn entities(&self) -> Entities {
        let report = self.request(json!({}));
        let entities = report["entities"].as_object().unwrap();
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        entities
            .iter()
            .map(|(unique_id, entity)| {
                (
                    unique_id.clone(),
                    (text(&entity["id"]), text(&entity["state"])),
                )
            })
            .collect()
    }

    fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap()
    }

    /// Returns the warnings and errors of MQTT since the last call.
    fn warnings(&self) -> Vec<String> {
        let log = self.log();
        let read = self.lines_read.replace(log.lines().count());
        log.lines()
            .skip(read)
            .filter(|line| line.contains(" WARNING ") || line.contains(" ERROR "))
            .filter(|line| line.to_lowercase().contains("mqtt") || line.contains("mains"))
            .map(str::to_owned)
            .collect()
    }

    fn publish_states(&self) {
        self.publish("mains/bridge/state", "online");
        for id in ["accf23123456", "accf23aabbcc", "g-3f9a02c1"] {
            self.publish(&format!("mains/{id}/availability"), "online");
            self.publish(&format!("mains/{id}/relay"), "ON");
        }
        let reading = json!({
            "plug": "AC:CF:23:12:34:56", "at": "2026-11-22T12:00:00.123Z", "voltage_v": 226.94, "current_a": 0.33,
            "frequency_hz": 50.07, "power_w": 74.3, "energy_wh": 3548, "energy_total_wh": 5548,
        });
        self.publish("mains/accf23123456/meter", &reading.to_string());
        let info = json!({
            "address": "192.168.1.107", "firmware": null, "seen": "2026-11-22T12:00:00Z", "relay_operations": 12,
        });
        self.publish("mains/accf23123456/info", &info.to_string());
        self.publish("mains/t-00c0ffee/price", "0.3012");
    }
}

impl Drop for Trial {
    fn drop(&mut self) {
        stop(&mut self.home_assistant);
        stop(&mut self.broker);
    }
}

fn stop(child: &mut Child) {
    let _ = Command::new("kill").arg(child.id().to_string()).status();
    let _ = child.wait();
}

fn run(installation: &Path, folder: &Path) -> Child {
    let log = fs::File::options()
        .create(true)
        .append(true)
        .open(folder.join("log"))
        .unwrap();
    Command::new(installation.join("bin/hass"))
        .args(["--skip-pip", "--config"])
        .arg(folder)
        .stdout(log.try_clone().unwrap())
        .stderr(log)
        .spawn()
        .unwrap()
}

/// Writes the configuration of a Home Assistant with nothing set but its MQTT integration.
fn configure(folder: &Path, port: u16, http: u16) {
    let configuration = format!(
        "http:\n  server_host: 127.0.0.1\n  server_port: {http}\nenergy:\nprobe:\nlogger:\n  default: warning\n"
    );
    fs::write(folder.join("configuration.yaml"), configuration).unwrap();
    let storage = folder.join(".storage");
    fs::create_dir(&storage).unwrap();
    let entry = json!({
        "entry_id": "01JMQTT00000000000000000ZZ", "domain": "mqtt", "title": "MQTT", "source": "user", "version": 1,
        "minor_version": 2, "data": {"broker": "127.0.0.1", "port": port, "protocol": "5"}, "options": {},
        "pref_disable_new_entities": false, "pref_disable_polling": false, "unique_id": null, "disabled_by": null,
        "discovery_keys": {}, "subentries": [], "created_at": "2026-01-01T00:00:00+00:00",
        "modified_at": "2026-01-01T00:00:00+00:00",
    });
    let entries = json!({
        "version": 1, "minor_version": 5, "key": "core.config_entries", "data": {"entries": [entry]},
    });
    fs::write(storage.join("core.config_entries"), entries.to_string()).unwrap();
    let probe = folder.join("custom_components/probe");
    fs::create_dir_all(&probe).unwrap();
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/discovery/probe");
    for file in ["manifest.json", "__init__.py"] {
        fs::copy(source.join(file), probe.join(file)).unwrap();
    }
}

fn installation() -> Result<PathBuf, &'static str> {
    let folder = env::var_os("MAINS_TEST_HOME_ASSISTANT").map(PathBuf::from);
    let folder = folder.ok_or("MAINS_TEST_HOME_ASSISTANT names no installed Home Assistant")?;
    match Command::new("mosquitto_sub").arg("--help").output() {
        Ok(_) => Ok(folder),
        Err(_) => Err("'mosquitto_sub' is missing (Debian package mosquitto-clients)"),
    }
}

#[test]
fn home_assistant_takes_the_messages() {
    let installation = match installation() {
        Ok(installation) => installation,
        Err(reason) => return eprintln!("skipped: home_assistant_takes_the_messages: {reason}"),
    };
    let mut trial = Trial::start(installation);
    let home = homes::small();
    trial.publish_states();
    trial.publish_all(&made(Entity, &home));
    let announced = crate::checker::check("homeassistant", &made(Entity, &home));
    trial.expect("announced", |entities| {
        let shown = BTreeSet::from_iter(entities.keys().cloned());
        shown.symmetric_difference(&announced).cloned().collect()
    });
    states_are_shown(&trial);
    devices_are_shown(&trial);
    commands_arrive(&trial);
    unknown_values_and_outages_are_shown(&trial);
    trial.publish_states();
    states_are_shown(&trial);
    let no_warnings: [String; 0] = [];
    assert_eq!(trial.warnings(), no_warnings);

    let before = trial.entities();
    for (old, new) in [(Entity, Device), (Device, Entity), (Entity, Device)] {
        let filled = topics(&made(old, &home));
        let now = made(new, &home);
        let moved = migrated(&homes::settings(new), &filled, &now);
        moved.iter().for_each(|topic| trial.publish(topic, MIGRATE));
        trial.publish_all(&now);
        moved.iter().for_each(|topic| trial.publish(topic, ""));
        trial.expect(&format!("{old} to {new}"), |entities| {
            difference(&before, entities)
        });
        let mut warnings = trial.warnings();
        warnings.retain(|line| !line.contains("No device components to cleanup"));
        assert_eq!(warnings, no_warnings, "{old} to {new}");
    }
    trial.restart();
    let after: Vec<String> = trial.entities().into_values().map(|(id, _)| id).collect();
    assert_eq!(
        after,
        Vec::from_iter(before.into_values().map(|(id, _)| id))
    );
    names_and_removals_follow(&trial);
    assert_eq!(trial.warnings(), no_warnings);
}

/// Returns the entities that differ in their ids or states.
fn difference(before: &Entities, after: &Entities) -> Vec<String> {
    let ids: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    ids.into_iter()
        .filter(|id| before.get(*id) != after.get(*id))
        .map(|id| format!("{id}: {:?} was {:?}", after.get(id), before.get(id)))
        .collect()
}

fn states_are_shown(trial: &Trial) {
    trial.expect("states", |entities| {
        other_states(
            entities,
            &[
                ("0123456789ab_connection", "on"),
                ("0123456789ab_t-00c0ffee_price", "0.3012"),
                ("accf23123456_address", "192.168.1.107"),
                ("accf23123456_current", "0.33"),
                ("accf23123456_energy", "5.548"),
                ("accf23123456_firmware", "unknown"),
                ("accf23123456_frequency", "50.07"),
                ("accf23123456_last_seen", "2026-11-22T12:00:00+00:00"),
                ("accf23123456_power", "74.3"),
                ("accf23123456_relay_operations", "12"),
                ("accf23123456_switch", "on"),
                ("accf23123456_voltage", "226.94"),
                ("accf23aabbcc_switch", "on"),
                ("g-3f9a02c1_switch", "on"),
            ],
        )
    });
    let entities = trial.entities();
    for (unique_id, id) in [
        ("0123456789ab_connection", "binary_sensor.mains_connection"),
        ("0123456789ab_t-00c0ffee_price", "sensor.mains_price_home"),
        ("accf23123456_energy", "sensor.tea_kettle_energy"),
        ("accf23123456_switch", "switch.tea_kettle"),
        ("accf23aabbcc_switch", "switch.ac_cf_23_aa_bb_cc"),
        ("g-3f9a02c1_switch", "switch.lamps"),
    ] {
        assert_eq!(entities[&format!("mains_{unique_id}")].0, id);
    }
}

fn devices_are_shown(trial: &Trial) {
    let devices = trial.request(json!({}))["devices"].clone();
    let url = "http://192.168.1.5:8480";
    let expected = json!({
        "Mains": {"area": null, "url": format!("{url}/"), "via": false},
        "Lamps": {"area": null, "url": format!("{url}/groups"), "via": true},
        "Tea kettle": {"area": "kitchen", "url": format!("{url}/plugs/accf23123456"), "via": true},
        "AC:CF:23:AA:BB:CC": {"area": null, "url": format!("{url}/plugs/accf23aabbcc"), "via": true},
    });
    assert_eq!(devices, expected);
    let preferences = json!({"energy": {"energy_sources": [], "device_consumption": [
        {"stat_consumption": "sensor.tea_kettle_energy", "stat_rate": "sensor.tea_kettle_power"},
    ]}});
    let issues = trial.request(preferences)["device_consumption"][0].clone();
    // The first statistics come within five minutes.
    let kinds = issues
        .as_array()
        .unwrap()
        .iter()
        .map(|issue| issue["type"].as_str().unwrap());
    assert!(
        kinds.clone().all(|kind| kind == "statistics_not_defined"),
        "{issues}"
    );
}

fn commands_arrive(trial: &Trial) {
    let plug = "mains/accf23123456";
    for (topic, service, data, expected) in [
        (
            "relay/set",
            "switch.turn_off",
            json!({"entity_id": "switch.tea_kettle"}),
            "OFF",
        ),
        (
            "relay/set",
            "switch.turn_on",
            json!({"entity_id": "switch.tea_kettle"}),
            "ON",
        ),
        (
            "delay/set",
            "number.set_value",
            json!({"entity_id": "number.tea_kettle_off_after", "value": 30}),
            r#"{"state":"OFF","minutes":30}"#,
        ),
        (
            "delay/set",
            "number.set_value",
            json!({"entity_id": "number.tea_kettle_on_after", "value": 2000}),
            r#"{"state":"ON","minutes":2000}"#,
        ),
        (
            "identify/set",
            "button.press",
            json!({"entity_id": "button.tea_kettle_identify"}),
            "PRESS",
        ),
    ] {
        let arrived = trial.call(&format!("{plug}/{topic}"), service, &data);
        assert_eq!(arrived.trim_end(), expected, "{service}");
    }
}

fn unknown_values_and_outages_are_shown(trial: &Trial) {
    let nothing = json!({
        "plug": "AC:CF:23:12:34:56", "at": "2026-11-22T12:00:00.123Z", "voltage_v": null, "current_a": null,
        "frequency_hz": null, "power_w": null, "energy_wh": null, "energy_total_wh": null,
    });
    trial.publish("mains/accf23123456/meter", &nothing.to_string());
    trial.publish("mains/t-00c0ffee/price", "None");
    trial.publish("mains/accf23aabbcc/availability", "offline");
    trial.expect("unknown values", |entities| {
        other_states(
            entities,
            &[
                ("accf23123456_power", "unknown"),
                ("accf23123456_energy", "unknown"),
                ("accf23123456_voltage", "unknown"),
                ("accf23123456_current", "unknown"),
                ("accf23123456_frequency", "unknown"),
                ("0123456789ab_t-00c0ffee_price", "unknown"),
                ("accf23aabbcc_switch", "unavailable"),
                ("accf23123456_switch", "on"),
            ],
        )
    });
    trial.publish("mains/bridge/state", "offline");
    trial.expect("outage", |entities| {
        let ids: Vec<&str> = entities
            .keys()
            .map(|id| id.trim_start_matches("mains_"))
            .collect();
        let shown = |id: &str| {
            if id.ends_with("_connection") {
                "off"
            } else {
                "unavailable"
            }
        };
        let expected: Vec<(&str, &str)> = ids.iter().map(|id| (*id, shown(id))).collect();
        other_states(entities, &expected)
    });
}

fn names_and_removals_follow(trial: &Trial) {
    let mut home = homes::small();
    let before = made(Device, &home);
    home.plugs.pop_first();
    home.tariffs.clear();
    home.groups.clear();
    for plug in home.plugs.values_mut() {
        plug.name = Some("Teapot".to_owned());
    }
    let after = made(Device, &home);
    trial.publish_all(&after);
    for topic in topics(&before).difference(&topics(&after)) {
        trial.publish(topic, "");
    }
    let announced = crate::checker::check("homeassistant", &after);
    trial.expect("renamed and removed", |entities| {
        let shown = BTreeSet::from_iter(entities.keys().cloned());
        shown.symmetric_difference(&announced).cloned().collect()
    });
    let report = trial.request(json!({}));
    let names: Vec<&String> = report["devices"].as_object().unwrap().keys().collect();
    assert_eq!(names, ["Mains", "Teapot"]);
}
