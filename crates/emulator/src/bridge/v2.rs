//! The interface below `/clip/v2`, as far as lights need it: the square bridge has it since API 1.48, the Pro always, and only over
//! HTTPS. It has no touchlink.

use serde_json::{Map, Value, json};

use super::config::{BridgeConfig, InterfaceVersion, TwinModel};
use super::reply::BridgeAnswer;
use super::resources::{self, ResourceKind, of_light};
use super::v1::{BridgeCall, serial};

/// The minor version with which the square bridge got this interface.
const SINCE: u32 = 48;
const MAX_CODES: usize = 10;

/// Tells whether a bridge has this interface.
pub(super) fn is_offered(config: &BridgeConfig) -> bool {
    match config.model {
        TwinModel::Round => false,
        TwinModel::Square => config.api.has(SINCE),
        TwinModel::Pro => config.api != InterfaceVersion::Untold,
    }
}

/// HTTP status and description of a refusal.
struct ClipRefusal(u16, String);

fn refuse(status: u16, words: impl Into<String>) -> Result<Value, ClipRefusal> {
    Err(ClipRefusal(status, words.into()))
}

impl ClipRefusal {
    fn answer(&self) -> BridgeAnswer {
        BridgeAnswer::json(
            self.0,
            &json!({"errors": [{"description": self.1}], "data": []}),
        )
    }
}

impl BridgeCall<'_> {
    /// Answers a path below `/clip/v2`, for an application that gives its key in the header.
    pub(super) fn answer_v2(&mut self, key: Option<&str>, path: &str) -> BridgeAnswer {
        if !key.is_some_and(|key| self.bridge.knows(self.now, key)) {
            return ClipRefusal(403, "unauthorized user".to_owned()).answer();
        }
        if path == "/eventstream/clip/v2" {
            return BridgeAnswer::stream();
        }
        let segments: Vec<&str> = path
            .split('/')
            .filter(|segment| !segment.is_empty())
            .collect();
        let done = match segments.as_slice() {
            ["clip", "v2", "resource"] if self.method == "GET" => Ok(Value::Array(self.all(None))),
            ["clip", "v2", "resource", kind] if self.method == "GET" => self.of_kind(kind),
            ["clip", "v2", "resource", kind, id] => self.one(kind, id),
            ["clip", "v2", "resource", ..] => refuse(405, "method not allowed"),
            _ => refuse(404, "Not Found"),
        };
        match done {
            Ok(data) => BridgeAnswer::json(200, &json!({"errors": [], "data": data})),
            Err(refusal) => refusal.answer(),
        }
    }

    /// Everything that there is, or what there is of a kind.
    fn all(&self, kind: Option<ResourceKind>) -> Vec<Value> {
        let own = resources::of_bridge(self.bridge);
        let lights = self
            .bridge
            .lights
            .keys()
            .flat_map(|id| of_light(self.bridge, self.radio, self.index, *id));
        let is_meant = |value: &Value| kind.is_none_or(|kind| value["type"] == kind.into_str());
        own.into_iter().chain(lights).filter(is_meant).collect()
    }

    fn of_kind(&self, kind: &str) -> Result<Value, ClipRefusal> {
        match kind.parse().ok() {
            Some(kind) => Ok(Value::Array(self.all(Some(kind)))),
            None => Ok(json!([])),
        }
    }

    fn one(&mut self, name: &str, id: &str) -> Result<Value, ClipRefusal> {
        let found = name.parse().ok().and_then(|kind| {
            let all = self.all(Some(kind));
            Some((kind, all.into_iter().find(|value| value["id"] == id)?))
        });
        let Some((kind, resource)) = found else {
            return refuse(404, "Not Found");
        };
        let v1 = resource.get("id_v1").and_then(Value::as_str);
        let light = v1.and_then(|text| text.strip_prefix("/lights/")?.parse().ok());
        match (self.method, kind, light) {
            ("GET", _, _) => return Ok(json!([resource])),
            ("PUT", ResourceKind::Discovery, _) => self.discover()?,
            ("PUT", ResourceKind::Device | ResourceKind::Light, Some(light)) => {
                self.change_light(light)?;
            }
            ("DELETE", ResourceKind::Device, Some(light)) => self.remove(light),
            _ => return refuse(405, "method not allowed"),
        }
        Ok(json!([{"rid": id, "rtype": name}]))
    }

    fn object(&self) -> Result<Map<String, Value>, ClipRefusal> {
        match serde_json::from_slice(self.body) {
            Ok(Value::Object(object)) if !object.is_empty() => Ok(object),
            _ => Err(ClipRefusal(400, "unable to parse JSON body".to_owned())),
        }
    }

    /// Begins a search.
    fn discover(&mut self) -> Result<(), ClipRefusal> {
        let body = self.object()?;
        if body.contains_key("add_install_codes") {
            return Ok(());
        }
        let action = body.get("action").and_then(Value::as_object);
        let Some(action) = action else {
            return Err(ClipRefusal(400, "missing parameter, action".to_owned()));
        };
        match action.get("action_type").and_then(Value::as_str) {
            Some(kind) if resources::SEARCHES.contains(&kind) => {}
            _ => {
                return Err(ClipRefusal(
                    400,
                    "invalid value for parameter, action_type".to_owned(),
                ));
            }
        }
        let codes = codes(action.get("search_codes"))?;
        if self.bridge.is_full() {
            return Err(ClipRefusal(507, "device list full".to_owned()));
        }
        self.bridge.begin_search(self.now, codes);
        Ok(())
    }

    fn change_light(&mut self, light: u32) -> Result<(), ClipRefusal> {
        let Some(bulb) = self.bridge.lights.get(&light).map(|light| light.bulb) else {
            return Err(ClipRefusal(404, "Not Found".to_owned()));
        };
        for (name, value) in self.object()? {
            let inner = |key: &str| value.get(key);
            match name.as_str() {
                "identify" | "alert" => self.radio.blink(bulb, self.index),
                "on" => match (
                    inner("on").and_then(Value::as_bool),
                    self.radio.bulbs.get_mut(bulb),
                ) {
                    (Some(on), Some(bulb)) => bulb.is_on = on,
                    _ => {
                        return Err(ClipRefusal(
                            400,
                            "invalid value for parameter, on".to_owned(),
                        ));
                    }
                },
                "metadata" => self.rename_light(light, inner("name").and_then(Value::as_str))?,
                "dimming" | "color" | "color_temperature" | "dynamics" => {}
                name => return Err(ClipRefusal(400, format!("unknown parameter, {name}"))),
            }
        }
        Ok(())
    }

    fn rename_light(&mut self, light: u32, name: Option<&str>) -> Result<(), ClipRefusal> {
        let name = name.filter(|name| (1..=32).contains(&name.chars().count()));
        match (name, self.bridge.lights.get_mut(&light)) {
            (Some(name), Some(light)) => {
                light.name = name.to_owned();
                Ok(())
            }
            _ => Err(ClipRefusal(
                400,
                "invalid value for parameter, name".to_owned(),
            )),
        }
    }
}

/// The serials that a search calls by name.
fn codes(value: Option<&Value>) -> Result<Vec<String>, ClipRefusal> {
    let invalid = || ClipRefusal(400, "invalid value for parameter, search_codes".to_owned());
    match value {
        None | Some(Value::Null) => Ok(Vec::new()),
        Some(Value::Array(codes)) if (1..=MAX_CODES).contains(&codes.len()) => codes
            .iter()
            .map(|code| serial(code).ok_or_else(invalid))
            .collect(),
        Some(_) => Err(invalid()),
    }
}
