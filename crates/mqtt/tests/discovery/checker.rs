//! The rules of Home Assistant for discovery messages, written from its sources (2023.1 to 2026.11) and not from the generator:
//! it reads topics and JSON.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

/// Fields of a device that every release since 2023.1 knows; it refuses a message with another one.
const DEVICE_FIELDS: [&str; 10] = [
    "identifiers",
    "connections",
    "manufacturer",
    "model",
    "name",
    "hw_version",
    "sw_version",
    "suggested_area",
    "via_device",
    "configuration_url",
];

/// Device class, its state classes and units.
const CLASSES: [(&str, &[&str], &[&str]); 6] = [
    ("energy", &["total", "total_increasing"], &["Wh", "kWh"]),
    ("power", &["measurement"], &["W", "kW"]),
    ("voltage", &["measurement"], &["V"]),
    ("current", &["measurement"], &["A"]),
    ("frequency", &["measurement"], &["Hz"]),
    ("timestamp", &[], &[]),
];

/// Checks messages and returns the unique ids of all entities.
///
/// # Panics
///
/// With all broken rules.
#[track_caller]
pub(crate) fn check(prefix: &str, messages: &BTreeMap<String, String>) -> BTreeSet<String> {
    let mut found = Findings::default();
    for (topic, payload) in messages {
        found.topic = topic.clone();
        found.message(prefix, topic, payload);
    }
    let devices = found.devices.clone();
    for via in std::mem::take(&mut found.via) {
        found.require(
            devices.contains(&via),
            &format!("via_device {via} is announced"),
        );
    }
    assert!(found.broken.is_empty(), "{}", found.broken.join("\n"));
    found.unique_ids
}

#[derive(Default)]
struct Findings {
    topic: String,
    broken: Vec<String>,
    unique_ids: BTreeSet<String>,
    devices: BTreeSet<String>,
    via: BTreeSet<String>,
}

impl Findings {
    fn require(&mut self, holds: bool, rule: &str) {
        if !holds {
            self.broken.push(format!("{}: {rule}", self.topic));
        }
    }

    fn message(&mut self, prefix: &str, topic: &str, payload: &str) {
        let Ok(message) = serde_json::from_str::<Map<String, Value>>(payload) else {
            return self.require(false, "is a JSON object");
        };
        let below = topic
            .strip_prefix(&format!("{prefix}/"))
            .unwrap_or_default();
        let levels: Vec<&str> = below.split('/').collect();
        let [platform, id, "config"] = levels[..] else {
            return self.require(false, "has the form <prefix>/<platform>/<id>/config");
        };
        self.require(is_id(id), "its id is of [a-zA-Z0-9_-]");
        let device = &message["device"];
        self.device(device);
        self.origin(&message["origin"]);
        if platform == "device" {
            self.require(!message.contains_key("unique_id"), "has no id of its own");
            for (key, component) in message["components"].as_object().unwrap() {
                self.topic = format!("{topic} {key}");
                self.require(is_id(key), "a component's key is of [a-zA-Z0-9_-]");
                let mut entity = component.as_object().unwrap().clone();
                for shared in ["availability", "availability_mode"] {
                    if let Some(value) = message.get(shared) {
                        entity.insert(shared.to_owned(), value.clone());
                    }
                }
                let platform = component["platform"].as_str().unwrap();
                self.entity(platform, &entity, device);
            }
        } else {
            self.require(
                !message.contains_key("platform"),
                "its topic names the platform",
            );
            self.entity(platform, &message, device);
        }
    }

    fn device(&mut self, device: &Value) {
        for field in device.as_object().unwrap().keys() {
            let is_known = DEVICE_FIELDS.contains(&field.as_str());
            self.require(is_known, &format!("device.{field} is known since 2023"));
        }
        let identifiers = device["identifiers"].as_array().unwrap();
        self.require(!identifiers.is_empty(), "the device has an identifier");
        for identifier in identifiers {
            self.devices.insert(identifier.as_str().unwrap().to_owned());
        }
        let name = device["name"].as_str().unwrap_or_default();
        self.require(!name.trim().is_empty(), "the device has a name");
        let url = device["configuration_url"].as_str().unwrap_or_default();
        self.require(is_url(url), "configuration_url is a URL");
        if let Some(area) = device.get("suggested_area") {
            self.require(area != "", "a suggested area has a name");
        }
        if let Some(via) = device.get("via_device") {
            self.via.insert(via.as_str().unwrap().to_owned());
        }
    }

    fn origin(&mut self, origin: &Value) {
        self.require(origin["name"] == "Mains", "origin has a name");
        self.require(
            is_url(origin["url"].as_str().unwrap_or_default()),
            "origin has a URL",
        );
        self.require(origin["sw_version"].is_string(), "origin has a version");
    }

    fn entity(&mut self, platform: &str, entity: &Map<String, Value>, device: &Value) {
        for gone in ["object_id", "expire_after", "via_hub"] {
            self.require(!entity.contains_key(gone), &format!("has no {gone}"));
        }
        let unique_id = entity["unique_id"].as_str().unwrap();
        self.require(is_id(unique_id), "unique_id is of [a-zA-Z0-9_-]");
        let is_new = self.unique_ids.insert(unique_id.to_owned());
        self.require(is_new, "unique_id is unique");
        self.names(platform, entity, device["name"].as_str().unwrap());
        self.availability(platform, entity);
        self.topics(platform, entity);
        match platform {
            "sensor" => self.sensor(entity),
            "number" => {
                self.require(entity["min"] == 1, "a timer is at least a minute");
                self.require(entity["max"] == 2000, "a timer is at most 2000 minutes");
            }
            "switch" => {
                self.require(entity["payload_on"] == "ON", "ON switches on");
                self.require(entity["payload_off"] == "OFF", "OFF switches off");
            }
            "button" | "binary_sensor" => {}
            _ => self.require(false, "the platform is one of those that Mains needs"),
        }
        if platform == "binary_sensor" {
            let is_config = entity.get("entity_category").is_some_and(|c| c == "config");
            self.require(!is_config, "a sensor is no setting");
        }
    }

    fn names(&mut self, platform: &str, entity: &Map<String, Value>, device: &str) {
        let name = &entity["name"];
        match name.as_str() {
            None => {
                self.require(name.is_null(), "a name is a text or null");
                self.require(platform == "switch", "only the main switch has no name");
            }
            Some(name) => {
                let begins = name.to_lowercase().starts_with(&device.to_lowercase());
                self.require(!begins, "its name does not begin with the device's");
                self.require(name.trim() == name && !name.is_empty(), "its name shows");
            }
        }
        let id = entity["default_entity_id"].as_str().unwrap();
        let (domain, rest) = id.split_once('.').unwrap_or_default();
        self.require(
            domain == platform,
            "default_entity_id begins with the platform",
        );
        let is_slug = rest.chars().all(|c| c == '_' || c.is_alphanumeric());
        self.require(!rest.is_empty() && is_slug, "default_entity_id is a word");
    }

    fn availability(&mut self, platform: &str, entity: &Map<String, Value>) {
        let Some(list) = entity.get("availability").and_then(Value::as_array) else {
            return self.require(
                platform == "binary_sensor",
                "has its availability as a list",
            );
        };
        self.require(entity["availability_mode"] == "all", "all of it must hold");
        let topics: Vec<&str> = list
            .iter()
            .filter_map(|one| one["topic"].as_str())
            .collect();
        let is_bridge_first = topics.first().is_some_and(|t| t.ends_with("/bridge/state"));
        self.require(is_bridge_first, "the bridge is in it");
        let own = entity
            .get("state_topic")
            .or(entity.get("command_topic"))
            .unwrap();
        if !own.as_str().unwrap().ends_with("/price") {
            let base = topics[0].strip_suffix("/bridge/state").unwrap();
            let target = own.as_str().unwrap().strip_prefix(base).unwrap();
            let target = target.trim_start_matches('/').split('/').next().unwrap();
            let expected = format!("{base}/{target}/availability");
            self.require(topics[1..] == [expected.as_str()], "the plug is in it");
        }
    }

    fn topics(&mut self, platform: &str, entity: &Map<String, Value>) {
        let (state, command) = match platform {
            "switch" => (true, true),
            "button" | "number" => (false, true),
            _ => (true, false),
        };
        let [has_state, has_command] = ["state_topic", "command_topic"].map(|field| {
            let topic = entity.get(field).map(|topic| topic.as_str().unwrap());
            let is_valid = topic.is_none_or(|topic| !topic.contains(['+', '#', '\0']));
            self.require(is_valid, &format!("{field} has no wildcard"));
            topic.is_some()
        });
        self.require(has_state == state, "has a state topic if it has a state");
        self.require(
            has_command == command,
            "has a command topic if it is commanded",
        );
    }

    fn sensor(&mut self, entity: &Map<String, Value>) {
        let text = |field: &str| entity.get(field).and_then(Value::as_str);
        let (class, state) = (text("device_class"), text("state_class"));
        let unit = text("unit_of_measurement");
        if let Some(class) = class {
            let Some((_, states, units)) = CLASSES.iter().find(|row| row.0 == class) else {
                return self.require(false, &format!("the device class {class} is known"));
            };
            let allows = |list: &[&str], value: Option<&str>| match value {
                Some(value) => list.contains(&value),
                None => list.is_empty(),
            };
            self.require(
                allows(states, state),
                "the state class fits the device class",
            );
            self.require(allows(units, unit), "the unit fits the device class");
        }
        if unit.is_some() {
            let precision = entity.get("suggested_display_precision");
            self.require(precision.is_some(), "has a precision");
        }
        let category = text("entity_category");
        self.require(category != Some("config"), "a sensor is no setting");
    }
}

fn is_id(text: &str) -> bool {
    !text.is_empty()
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'))
}

/// Returns whether the text is `http(s)://host[:port][/path]` without spaces.
fn is_url(text: &str) -> bool {
    let Some((scheme, rest)) = text.split_once("://") else {
        return false;
    };
    let host = rest.split('/').next().unwrap_or_default();
    matches!(scheme, "http" | "https")
        && !host.is_empty()
        && !text.contains(|c: char| c.is_whitespace() || c.is_control())
}
