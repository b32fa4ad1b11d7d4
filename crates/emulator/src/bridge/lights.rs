//! Lights as they appear in a bridge's list.

use serde_json::{Value, json};

use super::config::InterfaceVersion;
use super::radio::{EmulatedBulb, MODEL, Radio};
use super::twin::{BridgeTwin, ListedLight};

/// One light, as `GET /lights/1` shows it.
pub(super) fn light(
    bridge: &BridgeTwin,
    radio: &Radio,
    index: usize,
    light: &ListedLight,
) -> Value {
    match radio.bulbs.get(light.bulb) {
        Some(bulb) => full(
            bulb,
            &light.name,
            bulb.is_reachable(index),
            bridge.config.api,
        ),
        None => Value::Null,
    }
}

/// Returns all lights, as `GET /lights` shows them; the oldest firmware shows names only.
pub(super) fn lights(bridge: &BridgeTwin, radio: &Radio, index: usize) -> Value {
    let names_only = !bridge.config.api.has(1);
    let entry = |(id, entry): (&u32, &ListedLight)| {
        let shown = if names_only {
            json!({"name": entry.name})
        } else {
            light(bridge, radio, index, entry)
        };
        (id.to_string(), shown)
    };
    Value::Object(bridge.lights.iter().map(entry).collect())
}

fn full(bulb: &EmulatedBulb, name: &str, is_reachable: bool, api: InterfaceVersion) -> Value {
    let mut state = bulb.look.clone();
    state.insert("on".to_owned(), json!(bulb.is_on));
    state.insert("reachable".to_owned(), json!(is_reachable));
    let mut light = json!({
        "state": state,
        "type": "Extended color light",
        "name": name,
        "modelid": MODEL,
        "swversion": "5.105.0.21169",
    });
    if let Value::Object(light) = &mut light
        && api.has(4)
    {
        light.insert("manufacturername".to_owned(), json!("Philips"));
        light.insert("uniqueid".to_owned(), json!(bulb.unique_id()));
    }
    light
}
