//! `/lights`: listing, searching, naming, lighting, deleting.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::super::lights as shown;
use super::super::reply::{BridgeAnswer, ReplyItem};
use super::super::resources;
use super::BridgeCall;

const RESOURCE: &str = "/lights";
const DELETE_SINCE: u32 = 7;
const MAX_SERIALS: usize = 10;
const SERIAL_LENGTH: usize = 6;

impl BridgeCall<'_> {
    pub(super) fn shown_lights(&self) -> BridgeAnswer {
        BridgeAnswer::json(200, &shown::lights(self.bridge, self.radio, self.index))
    }

    pub(super) fn search(&mut self) -> BridgeAnswer {
        let item = match self.serials() {
            Err(error) => error,
            Ok(_) if self.bridge.is_full() => ReplyItem::by_number(203, "POST", RESOURCE),
            Ok(serials) => {
                self.bridge.begin_search(self.now, serials);
                ReplyItem::set(RESOURCE.to_owned(), json!("Searching for new devices"))
            }
        };
        self.items(vec![item])
    }

    /// The serials that a search calls by name.
    fn serials(&self) -> Result<Vec<String>, ReplyItem> {
        if self.body.iter().all(u8::is_ascii_whitespace) {
            return Ok(Vec::new());
        }
        let Ok(Value::Object(parameters)) = serde_json::from_slice(self.body) else {
            return Err(ReplyItem::invalid_json(RESOURCE));
        };
        if let Some(unknown) = parameters.keys().find(|name| *name != "deviceid") {
            return Err(ReplyItem::no_parameter(RESOURCE, unknown));
        }
        match parameters.get("deviceid") {
            Some(value) => read_serials(value),
            None => Ok(Vec::new()),
        }
    }

    pub(super) fn new_lights(&self) -> BridgeAnswer {
        let lastscan = match (&self.bridge.search, self.bridge.search_ended) {
            (Some(_), _) => "active".to_owned(),
            (None, Some(ended)) => self.clock.text(ended),
            (None, None) => "none".to_owned(),
        };
        let entry = |id: &u32| {
            let light = self.bridge.lights.get(id)?;
            Some((id.to_string(), json!({"name": light.name})))
        };
        let mut new: Map<String, Value> = self.bridge.new.iter().filter_map(entry).collect();
        new.insert("lastscan".to_owned(), json!(lastscan));
        BridgeAnswer::json(200, &new)
    }

    /// The number that a path names, if there is such a light.
    fn number(&self, id: &str) -> Option<u32> {
        id.parse()
            .ok()
            .filter(|id| self.bridge.lights.contains_key(id))
    }

    pub(super) fn light(&mut self, id: &str, resource: &str) -> BridgeAnswer {
        let Some(number) = self.number(id) else {
            return self.items(vec![ReplyItem::no_resource(resource)]);
        };
        match self.method {
            "GET" => self.shown_light(number),
            "PUT" => self.change(resource, |call, name, value| {
                call.name_light(number, resource, name, value)
            }),
            "DELETE" if self.bridge.config.api.has(DELETE_SINCE) => self.delete(number, resource),
            method => self.items(vec![ReplyItem::no_method(method, resource)]),
        }
    }

    fn shown_light(&self, number: u32) -> BridgeAnswer {
        match self.bridge.lights.get(&number) {
            Some(light) => BridgeAnswer::json(
                200,
                &shown::light(self.bridge, self.radio, self.index, light),
            ),
            None => BridgeAnswer::not_found(),
        }
    }

    fn name_light(&mut self, number: u32, resource: &str, name: &str, value: &Value) -> ReplyItem {
        if name != "name" {
            return ReplyItem::no_parameter(resource, name);
        }
        let fits = |text: &&str| (1..=32).contains(&text.chars().count());
        match (
            value.as_str().filter(fits),
            self.bridge.lights.get_mut(&number),
        ) {
            (Some(text), Some(light)) => {
                light.name = text.to_owned();
                ReplyItem::set(format!("{resource}/name"), value.clone())
            }
            _ => ReplyItem::invalid_value(resource, name, value),
        }
    }

    fn delete(&mut self, number: u32, resource: &str) -> BridgeAnswer {
        self.remove(number);
        let dot = if self.bridge.quirks.dotted { "." } else { "" };
        self.items(vec![ReplyItem::Success(json!(format!(
            "{resource} deleted{dot}"
        )))])
    }

    /// Removes a light from the list, and resets the bulb if it is reachable.
    pub(in super::super) fn remove(&mut self, number: u32) {
        let gone = resources::of_light(self.bridge, self.radio, self.index, number);
        let is_reset = !self.bridge.quirks.delete_orphans;
        if let Some(light) = self.bridge.lights.remove(&number) {
            self.bridge.new.retain(|id| *id != number);
            self.bridge
                .events
                .push("delete", &gone, &self.clock.text(self.now));
            self.radio
                .forget(self.now, light.bulb, self.index, is_reset);
        }
    }

    pub(super) fn light_state(&mut self, id: &str, resource: &str) -> BridgeAnswer {
        let Some(number) = self.number(id) else {
            return self.items(vec![ReplyItem::no_resource(resource)]);
        };
        let bulb = self
            .bridge
            .lights
            .get(&number)
            .map_or(0, |light| light.bulb);
        if self.method != "PUT" {
            return self.items(vec![ReplyItem::no_method(self.method, resource)]);
        }
        self.switch_first(bulb);
        self.change(resource, |call, name, value| {
            call.set_state(bulb, resource, name, value)
        })
    }

    /// A lamp that is switched on by a call takes the rest of the call already.
    fn switch_first(&mut self, bulb: usize) {
        let parameters: Option<Map<String, Value>> = serde_json::from_slice(self.body).ok();
        let on = parameters.and_then(|parameters| parameters.get("on")?.as_bool());
        if let (Some(on), Some(bulb)) = (on, self.radio.bulbs.get_mut(bulb)) {
            bulb.is_on = on;
        }
    }

    fn set_state(&mut self, index: usize, resource: &str, name: &str, value: &Value) -> ReplyItem {
        let Some(bulb) = self.radio.bulbs.get_mut(index) else {
            return ReplyItem::no_resource(resource);
        };
        match is_state(name, value) {
            None => return ReplyItem::no_parameter(resource, name),
            Some(false) => return ReplyItem::invalid_value(resource, name, value),
            Some(true) => {}
        }
        if name != "on" && !bulb.is_on {
            let path = format!("{resource}/{name}");
            let description =
                format!("parameter, {path}, is not modifiable. Device is set to off.");
            return ReplyItem::error(201, path, description);
        }
        if name != "on" && name != "transitiontime" {
            bulb.look.insert(name.to_owned(), value.clone());
        }
        if name == "alert" && value != "none" {
            self.radio.blink(index, self.index);
        }
        ReplyItem::set(format!("{resource}/{name}"), value.clone())
    }
}

fn read_serials(value: &Value) -> Result<Vec<String>, ReplyItem> {
    let invalid = |value: &Value| ReplyItem::invalid_value(RESOURCE, "deviceid", value);
    let items = value
        .as_array()
        .filter(|items| !items.is_empty())
        .ok_or_else(|| invalid(value))?;
    if items.len() > MAX_SERIALS {
        return Err(ReplyItem::error(
            11,
            "/lights/deviceid",
            "too many items in list",
        ));
    }
    let serials: Result<BTreeSet<String>, ReplyItem> = items
        .iter()
        .map(|item| serial(item).ok_or_else(|| invalid(item)))
        .collect();
    Ok(serials?.into_iter().collect())
}

pub(in super::super) fn serial(value: &Value) -> Option<String> {
    let text = value.as_str()?;
    let is_serial =
        text.len() == SERIAL_LENGTH && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_serial.then(|| text.to_ascii_uppercase())
}

/// Tells whether a value fits a parameter of a lamp's state; `None` when there is no such parameter.
fn is_state(name: &str, value: &Value) -> Option<bool> {
    let up_to = |most: u64| value.as_u64().is_some_and(|number| number <= most);
    let one_of = |words: &[&str]| value.as_str().is_some_and(|text| words.contains(&text));
    let fits = match name {
        "on" => value.is_boolean(),
        "bri" | "sat" => up_to(254),
        "hue" | "transitiontime" => up_to(65_535),
        "ct" => (153..=500).contains(&value.as_u64().unwrap_or_default()),
        "xy" => value
            .as_array()
            .is_some_and(|xy| xy.len() == 2 && xy.iter().all(Value::is_number)),
        "alert" => one_of(&["none", "select", "lselect"]),
        "effect" => one_of(&["none", "colorloop"]),
        _ => return None,
    };
    Some(fits)
}
