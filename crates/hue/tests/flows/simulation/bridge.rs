//! One bridge.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};

use super::{SimulatedLight, WINDOW};

#[derive(Debug, Clone)]
pub(crate) struct SimulatedBridge {
    pub(crate) config: Value,
    pub(crate) lights: BTreeMap<u32, SimulatedLight>,
    pub(crate) room: u32,
    pub(crate) has_capabilities: bool,
    pub(crate) can_delete: bool,
    pub(crate) tells_unique_ids: bool,
    /// The error for `touchlink` in the configuration.
    pub(crate) touchlink_error: Option<u32>,
    /// The behaviour of port 30000; `None` is a closed port.
    pub(crate) port_30000: Option<TouchlinkPort>,
    /// The button is pressed from then on.
    pub(crate) pressed_at: Option<Duration>,
    pub(super) opened_at: Option<Duration>,
    pub(super) open_until: Duration,
    pub(super) serials: Vec<String>,
    pub(super) found: Vec<u32>,
    next: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TouchlinkPort {
    Honest,
    Failing,
    Silent,
    /// Says that it has captured a bulb, and has not.
    Boasting,
}

impl SimulatedBridge {
    pub(super) fn square(number: usize) -> Self {
        Self {
            config: json!({"name": "Hue Bridge", "swversion": "1943185030", "apiversion": "1.43.0",
                "mac": format!("00:17:88:01:02:{number:02x}"), "bridgeid": format!("001788FFFE0102{number:02X}"),
                "modelid": "BSB002"}),
            lights: BTreeMap::new(),
            room: 50,
            has_capabilities: true,
            can_delete: true,
            tells_unique_ids: true,
            touchlink_error: None,
            port_30000: None,
            pressed_at: None,
            opened_at: None,
            open_until: Duration::ZERO,
            serials: Vec::new(),
            found: Vec::new(),
            next: 1 + u32::try_from(number).unwrap() * 6,
        }
    }

    /// Makes it a round bridge with this version of the interface, or of 2012 with none.
    pub(crate) fn make_round(&mut self, api: Option<&str>) {
        self.config = match api {
            Some(api) => json!({"name": "Philips hue", "swversion": "01032318", "apiversion": api,
                "bridgeid": self.config["bridgeid"], "modelid": "BSB001"}),
            None => json!({"name": "Philips hue", "swversion": "01003542"}),
        };
        self.port_30000 = Some(TouchlinkPort::Honest);
    }

    pub(super) fn list(&mut self, bulb: usize, name: &str) -> u32 {
        if let Some((id, _)) = self.lights.iter().find(|(_, light)| light.bulb == bulb) {
            return *id;
        }
        let id = self.next;
        self.next += 1;
        let name = match name {
            "" => format!("Hue Lamp {id}"),
            name => name.to_owned(),
        };
        self.lights.insert(id, SimulatedLight { bulb, name });
        id
    }

    pub(super) fn open(&mut self, now: Duration, serials: Vec<String>) {
        self.opened_at = Some(now);
        self.open_until = now + WINDOW;
        self.serials = serials;
        self.found.clear();
    }

    /// Never lets a search end.
    pub(crate) fn search_for_ever(&mut self) {
        self.opened_at = Some(Duration::ZERO);
        self.open_until = Duration::MAX;
    }

    pub(super) fn new_lights(&self, now: Duration) -> String {
        let last = match self.opened_at {
            None => "none".to_owned(),
            Some(_) if now < self.open_until => "active".to_owned(),
            Some(_) => {
                let end = self.open_until.as_secs();
                format!(
                    "2026-11-22T{:02}:{:02}:{:02}",
                    end / 3600,
                    end / 60 % 60,
                    end % 60
                )
            }
        };
        let mut told = json!({ "lastscan": last });
        for id in &self.found {
            if let Some(light) = self.lights.get(id) {
                told[id.to_string()] = json!({"name": light.name});
            }
        }
        told.to_string()
    }
}
