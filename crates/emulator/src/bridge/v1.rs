//! The interface below `/api`.

mod config;
mod lights;
mod pairing;

pub(super) use lights::serial;

use std::time::Instant;

use serde_json::{Map, Value, json};

use super::clock::RoomClock;
use super::lights as shown;
use super::radio::Radio;
use super::reply::{BridgeAnswer, ReplyItem};
use super::twin::BridgeTwin;

/// One call, with all that it can touch.
pub(super) struct BridgeCall<'a> {
    pub(super) bridge: &'a mut BridgeTwin,
    pub(super) radio: &'a mut Radio,
    /// Which bridge of the room it is.
    pub(super) index: usize,
    pub(super) clock: RoomClock,
    pub(super) now: Instant,
    pub(super) method: &'a str,
    pub(super) body: &'a [u8],
}

impl BridgeCall<'_> {
    /// Answers a path of this interface; others are not there.
    pub(super) fn answer(&mut self, path: &str) -> BridgeAnswer {
        let mut segments = path.split('/').filter(|segment| !segment.is_empty());
        if segments.next() != Some("api") {
            return BridgeAnswer::not_found();
        }
        let segments: Vec<&str> = segments.collect();
        match (self.method, segments.as_slice()) {
            ("POST", []) => self.pair(),
            (method, []) => self.items(vec![ReplyItem::no_method(method, "/")]),
            ("GET", ["config"]) => self.public_config(),
            (_, [key, resource @ ..]) => self.keyed(key, resource),
        }
    }

    fn keyed(&mut self, key: &str, segments: &[&str]) -> BridgeAnswer {
        let resource = format!("/{}", segments.join("/"));
        if self.bridge.knows(self.now, key) {
            return self.authorized(segments, &resource);
        }
        match (self.method, segments) {
            ("GET", ["config"]) => self.public_config(),
            _ => self.items(vec![ReplyItem::unauthorized(&resource)]),
        }
    }

    fn authorized(&mut self, segments: &[&str], resource: &str) -> BridgeAnswer {
        match (self.method, segments) {
            ("GET", []) => self.everything(),
            ("GET", ["config"]) => self.full_config(),
            ("PUT", ["config"]) => self.change_config(),
            ("DELETE", ["config", "whitelist", key]) => self.forget_user(key, resource),
            ("GET", ["capabilities"]) if self.bridge.config.api.has(15) => self.capabilities(),
            ("GET", ["lights"]) => self.shown_lights(),
            ("POST", ["lights"]) => self.search(),
            ("GET", ["lights", "new"]) => self.new_lights(),
            (_, ["lights", id]) => self.light(id, resource),
            (_, ["lights", id, "state"]) => self.light_state(id, resource),
            // huejay will not say who the bridge is without these.
            ("GET", ["info", "timezones"]) => {
                BridgeAnswer::json(200, &["UTC", "Europe/Amsterdam", "Europe/Berlin"])
            }
            ("GET", [kind]) if OTHERS.contains(kind) => BridgeAnswer::json(200, &json!({})),
            (method, ["config" | "lights"]) => {
                self.items(vec![ReplyItem::no_method(method, resource)])
            }
            (method, [kind]) if OTHERS.contains(kind) => {
                self.items(vec![ReplyItem::no_method(method, resource)])
            }
            _ => self.items(vec![ReplyItem::no_resource(resource)]),
        }
    }

    /// Returns lights, configuration and the empty collections.
    fn everything(&self) -> BridgeAnswer {
        let mut all = Map::new();
        all.insert(
            "lights".to_owned(),
            shown::lights(self.bridge, self.radio, self.index),
        );
        all.insert("config".to_owned(), json!(self.described_config()));
        all.extend(OTHERS.map(|kind| (kind.to_owned(), json!({}))));
        BridgeAnswer::json(200, &all)
    }

    pub(super) fn items(&self, items: Vec<ReplyItem>) -> BridgeAnswer {
        BridgeAnswer::items(&items, self.bridge.quirks.text_numbers)
    }

    /// Reads the body of a change: an object with something in it.
    fn parameters(&self, resource: &str) -> Result<Map<String, Value>, ReplyItem> {
        match serde_json::from_slice(self.body) {
            Ok(Value::Object(parameters)) if parameters.is_empty() => {
                Err(ReplyItem::missing(resource))
            }
            Ok(Value::Object(parameters)) => Ok(parameters),
            _ => Err(ReplyItem::invalid_json(resource)),
        }
    }

    /// Changes one parameter after the other; each works or does not by itself.
    fn change(
        &mut self,
        resource: &str,
        mut set: impl FnMut(&mut Self, &str, &Value) -> ReplyItem,
    ) -> BridgeAnswer {
        let items = match self.parameters(resource) {
            Ok(parameters) => parameters
                .iter()
                .map(|(name, value)| set(self, name, value))
                .collect(),
            Err(error) => vec![error],
        };
        self.items(items)
    }
}

/// Collections of a bridge beside lights, all of them empty here.
const OTHERS: [&str; 6] = [
    "groups",
    "schedules",
    "scenes",
    "rules",
    "sensors",
    "resourcelinks",
];
