//! The lights that a bridge lists, and how people name them.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// Maximum length of a name, in characters; bridges allow 32.
const MAX_NAME: usize = 64;
/// Maximum length of an id. Ids are numbers; some emulators use longer texts.
const MAX_ID: usize = 40;
/// Maximum number of lights read from a bridge; the largest supports about 150.
pub(crate) const MAX_LIGHTS: usize = 1000;

/// A light that a bridge did not have before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct NewLight {
    /// Its number on the bridge.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Its unique id; the oldest firmware does not report it.
    #[cfg_attr(feature = "schema", schema(required))]
    pub unique_id: Option<String>,
}

impl fmt::Display for NewLight {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\u{2018}{}\u{2019} (number {}", self.name, self.id)?;
        match &self.unique_id {
            Some(unique_id) => write!(f, ", {unique_id})"),
            None => f.write_str(")"),
        }
    }
}

/// A light of a bridge.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Light {
    /// Its number on this bridge.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Its EUI-64 and endpoint, `00:17:88:01:00:bd:c7:b9-0b`; the oldest firmware does not report it.
    #[cfg_attr(feature = "schema", schema(required))]
    pub unique_id: Option<String>,
    /// Its model, e.g. `LCT007`.
    #[cfg_attr(feature = "schema", schema(required))]
    pub model: Option<String>,
    /// Reachability, if reported.
    #[cfg_attr(feature = "schema", schema(required))]
    pub reachable: Option<bool>,
}

impl Light {
    /// Returns the part of the unique id that stays with the bulb: all but the endpoint, in lower case.
    pub fn eui64(&self) -> Option<String> {
        self.unique_id.as_deref().map(eui64)
    }

    /// Returns what distinguishes this light from all others of its bridge, past and future: its unique id, or its number where
    /// the bridge reports none.
    pub fn key(&self) -> &str {
        self.unique_id.as_deref().unwrap_or(&self.id)
    }

    /// Parses an element of the bridge's list. A light without a name has an empty one.
    fn parse(id: &str, json: &Value) -> Option<Self> {
        // The id becomes a part of a path.
        let is_id = !id.is_empty()
            && id.len() <= MAX_ID
            && id
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
        let text = |key: &str| short(json.get(key)?.as_str()?);
        is_id.then(|| Self {
            id: id.to_owned(),
            name: text("name").unwrap_or_default(),
            unique_id: text("uniqueid"),
            model: text("modelid"),
            reachable: json.pointer("/state/reachable").and_then(Value::as_bool),
        })
    }
}

impl From<Light> for NewLight {
    fn from(light: Light) -> Self {
        Self {
            id: light.id,
            name: light.name,
            unique_id: light.unique_id,
        }
    }
}

/// Returns the part of a unique id before the endpoint, in lower case.
pub(crate) fn eui64(unique_id: &str) -> String {
    let end = unique_id.find('-').unwrap_or(unique_id.len());
    unique_id
        .get(..end)
        .unwrap_or(unique_id)
        .to_ascii_lowercase()
}

fn short(text: &str) -> Option<String> {
    let short: String = text
        .chars()
        .filter(|c| !c.is_control())
        .take(MAX_NAME)
        .collect();
    (!short.is_empty()).then_some(short)
}

/// Parses the reply to `GET …/lights`.
#[cfg(fuzzing)]
pub fn parse_list(json: &Map<String, Value>) -> Vec<Light> {
    parse_all(json)
}

/// Parses the reply to `GET …/lights` and sorts the lights by number. Elements that are not lights are skipped.
pub(crate) fn parse_all(json: &Map<String, Value>) -> Vec<Light> {
    let mut lights: Vec<Light> = json
        .iter()
        .filter(|(_, light)| light.is_object())
        .filter_map(|(id, light)| Light::parse(id, light))
        .take(MAX_LIGHTS)
        .collect();
    lights.sort_by_cached_key(|light| {
        (
            light.id.parse::<u64>().unwrap_or(u64::MAX),
            light.id.clone(),
        )
    });
    lights
}

/// Error of [`find`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LightNameError {
    /// No light has this name.
    NotFound,
    /// The lights with these ids all have this name.
    Ambiguous(Vec<String>),
}

/// Finds a light by its number, else its unique id (with or without the endpoint, in any case), else its name.
///
/// ```
/// # use hue::lights::{Light, LightNameError, find};
/// # fn light(id: &str, name: &str) -> Light {
/// #     Light { id: id.into(), name: name.into(), unique_id: None, model: None, reachable: None }
/// # }
/// let lights = [light("1", "Desk"), light("2", "Shelf"), light("3", "Shelf")];
/// assert_eq!(find(&lights, "desk").unwrap().id, "1");
/// assert_eq!(find(&lights, "3").unwrap().name, "Shelf");
/// assert_eq!(find(&lights, "Shelf"), Err(LightNameError::Ambiguous(vec!["2".into(), "3".into()])));
/// ```
///
/// # Errors
///
/// [`LightNameError`] if none or several lights match. A name in exactly this case takes precedence.
pub fn find<'a>(lights: &'a [Light], text: &str) -> Result<&'a Light, LightNameError> {
    let text = text.trim();
    if text.is_empty() {
        return Err(LightNameError::NotFound);
    }
    if let Some(light) = lights.iter().find(|light| light.id == text) {
        return Ok(light);
    }
    let has_unique_id = |light: &Light| {
        let unique_id = light.unique_id.as_deref();
        unique_id.is_some_and(|unique_id| is_unique_id(unique_id, text))
    };
    let lower = text.to_lowercase();
    let criteria: [&dyn Fn(&Light) -> bool; 3] =
        [&has_unique_id, &|light| light.name == text, &|light| {
            light.name.to_lowercase() == lower
        }];
    for matches in criteria {
        let found: Vec<&Light> = lights.iter().filter(|light| matches(light)).collect();
        match found.as_slice() {
            [] => {}
            [light] => return Ok(light),
            several => {
                let ids = several.iter().map(|light| light.id.clone());
                return Err(LightNameError::Ambiguous(ids.collect()));
            }
        }
    }
    Err(LightNameError::NotFound)
}

/// Tells whether a text is this unique id, with or without the endpoint, in any case.
pub(crate) fn is_unique_id(unique_id: &str, text: &str) -> bool {
    unique_id.eq_ignore_ascii_case(text) || eui64(unique_id) == text.to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn three() -> Vec<Light> {
        let json = json!({
            "10": {"name": "Desk", "uniqueid": "00:17:88:01:00:BD:C7:B9-0b", "modelid": "LCT007", "state": {"reachable": true}},
            "2": {"name": "desk", "uniqueid": "00:17:88:01:00:bd:c7:ba-0b", "state": {"reachable": false}},
            "3": {"name": "2"},
            "../config": {"name": "evil"},
            "4": "no light",
        });
        parse_all(json.as_object().unwrap())
    }

    #[test]
    fn lights_in_the_order_of_their_numbers() {
        let lights = three();
        let ids: Vec<&str> = lights.iter().map(|light| light.id.as_str()).collect();
        assert_eq!(ids, ["2", "3", "10"]);
        // The shape of the contract.
        assert_eq!(
            serde_json::to_value(&lights[2]).unwrap(),
            json!({"id": "10", "name": "Desk", "unique_id": "00:17:88:01:00:BD:C7:B9-0b", "model": "LCT007", "reachable": true})
        );
        // API 1.0 tells names only.
        assert_eq!(
            serde_json::to_value(&lights[1]).unwrap(),
            json!({"id": "3", "name": "2", "unique_id": null, "model": null, "reachable": null})
        );
        assert_eq!(lights[2].eui64().unwrap(), "00:17:88:01:00:bd:c7:b9");
        assert_eq!((lights[1].key(), lights[1].eui64()), ("3", None));
    }

    #[test]
    fn a_light_by_each_of_its_names() {
        let lights = three();
        for (text, id) in [
            ("10", "10"),
            ("2", "2"),
            ("Desk", "10"),
            ("desk", "2"),
            ("00:17:88:01:00:bd:c7:b9", "10"),
            ("00:17:88:01:00:BD:C7:BA-0B", "2"),
        ] {
            assert_eq!(find(&lights, text).unwrap().id, id, "{text}");
        }
        assert_eq!(find(&lights, "Shelf"), Err(LightNameError::NotFound));
        assert_eq!(find(&lights, ""), Err(LightNameError::NotFound));
        let several = LightNameError::Ambiguous(vec!["2".into(), "10".into()]);
        assert_eq!(find(&lights, "DESK"), Err(several));
    }

    #[test]
    fn what_a_bridge_says_is_cut_short() {
        let long = json!({"1": {"name": format!("a\n\u{1b}[31m{}", "x".repeat(1000))}});
        let lights = parse_all(long.as_object().unwrap());
        assert_eq!(lights[0].name.chars().count(), MAX_NAME);
        assert!(lights[0].name.starts_with("a[31mxx"));
        let many: Map<String, Value> = (0..5000).map(|n| (n.to_string(), json!({}))).collect();
        assert_eq!(parse_all(&many).len(), MAX_LIGHTS);
    }

    proptest::proptest! {
        #[test]
        fn every_id_can_stand_in_a_path(ids: Vec<String>) {
            let json: Map<String, Value> = ids.into_iter().map(|id| (id, json!({}))).collect();
            for light in parse_all(&json) {
                let is_plain = light.id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
                proptest::prop_assert!(is_plain && !light.id.is_empty());
            }
        }
    }
}
