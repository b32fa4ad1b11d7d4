//! The lights that a bridge lists, and how a person says which of them.

use serde::Serialize;
use serde_json::{Map, Value};

use crate::guide::NewLight;

/// No name that a bridge keeps is longer.
const LONGEST_NAME: usize = 64;
/// Ids are numbers; some emulators make longer ones.
const LONGEST_ID: usize = 40;

/// The largest bridge takes some hundred and fifty.
pub(crate) const MOST: usize = 1000;

/// A light of a bridge.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Light {
    /// Its number at this bridge.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Its EUI-64 and endpoint, `00:17:88:01:00:bd:c7:b9-0b`; the oldest firmware does not tell it.
    pub unique_id: Option<String>,
    /// Its model, e.g. `LCT007`.
    pub model: Option<String>,
    /// Whether the bridge can reach it.
    pub reachable: Option<bool>,
}

impl Light {
    /// Returns what of the unique id belongs to the bulb, wherever it is: all but the endpoint, in lower case.
    pub fn eui64(&self) -> Option<String> {
        self.unique_id.as_deref().map(eui64)
    }

    /// Returns what tells this light from all others of its bridge, and from those that come later: its unique id, and where
    /// that is not told its number.
    pub fn mark(&self) -> &str {
        self.unique_id.as_deref().unwrap_or(&self.id)
    }

    /// Makes it from what a bridge says of it.
    fn read(id: &str, told: &Value) -> Option<Self> {
        // The id becomes a part of a path.
        let is_id = !id.is_empty()
            && id.len() <= LONGEST_ID
            && id
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
        let text = |key: &str| short(told.get(key)?.as_str()?);
        is_id.then(|| Self {
            id: id.to_owned(),
            name: text("name").unwrap_or_default(),
            unique_id: text("uniqueid"),
            model: text("modelid"),
            reachable: told
                .get("state")
                .and_then(|state| state.get("reachable")?.as_bool()),
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
        .take(LONGEST_NAME)
        .collect();
    (!short.is_empty()).then_some(short)
}

/// Reads the answer to `GET …/lights`, in the order of the numbers. What is no light is left out.
pub(crate) fn read_all(told: &Map<String, Value>) -> Vec<Light> {
    let mut lights: Vec<Light> = told
        .iter()
        .filter(|(_, light)| light.is_object())
        .filter_map(|(id, light)| Light::read(id, light))
        .take(MOST)
        .collect();
    lights.sort_by_cached_key(|light| {
        (
            light.id.parse::<u64>().unwrap_or(u64::MAX),
            light.id.clone(),
        )
    });
    lights
}

/// Why no light is meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NamingError {
    /// None is called so.
    Nobody,
    /// These ids are all called so.
    Several(Vec<String>),
}

/// Finds the light that a person means: by its number, else its unique id (with or without the endpoint, in any case), else
/// its name.
///
/// ```
/// # use hue::lights::{Light, NamingError, named};
/// # fn light(id: &str, name: &str) -> Light {
/// #     Light { id: id.into(), name: name.into(), unique_id: None, model: None, reachable: None }
/// # }
/// let lights = [light("1", "Desk"), light("2", "Shelf"), light("3", "Shelf")];
/// assert_eq!(named(&lights, "desk").unwrap().id, "1");
/// assert_eq!(named(&lights, "3").unwrap().name, "Shelf");
/// assert_eq!(named(&lights, "Shelf"), Err(NamingError::Several(vec!["2".into(), "3".into()])));
/// ```
///
/// # Errors
///
/// [`NamingError`]: nobody, or several, are called so. A name as it is written comes before one in another case.
pub fn named<'a>(lights: &'a [Light], text: &str) -> Result<&'a Light, NamingError> {
    let text = text.trim();
    if text.is_empty() {
        return Err(NamingError::Nobody);
    }
    if let Some(light) = lights.iter().find(|light| light.id == text) {
        return Ok(light);
    }
    let has_unique_id = |light: &Light| {
        light.unique_id.as_deref().is_some_and(|unique_id| {
            unique_id.eq_ignore_ascii_case(text) || eui64(unique_id) == text.to_ascii_lowercase()
        })
    };
    let lower = text.to_lowercase();
    let kinds: [&dyn Fn(&Light) -> bool; 3] =
        [&has_unique_id, &|light| light.name == text, &|light| {
            light.name.to_lowercase() == lower
        }];
    for is_meant in kinds {
        let mut meant = lights.iter().filter(|light| is_meant(light));
        match (meant.next(), meant.next()) {
            (None, _) => {}
            (Some(light), None) => return Ok(light),
            (Some(_), Some(_)) => {
                let meant = lights.iter().filter(|light| is_meant(light));
                return Err(NamingError::Several(
                    meant.map(|light| light.id.clone()).collect(),
                ));
            }
        }
    }
    Err(NamingError::Nobody)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn three() -> Vec<Light> {
        let told = json!({
            "10": {"name": "Desk", "uniqueid": "00:17:88:01:00:BD:C7:B9-0b", "modelid": "LCT007", "state": {"reachable": true}},
            "2": {"name": "desk", "uniqueid": "00:17:88:01:00:bd:c7:ba-0b", "state": {"reachable": false}},
            "3": {"name": "2"},
            "../config": {"name": "evil"},
            "4": "no light",
        });
        read_all(told.as_object().unwrap())
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
        assert_eq!((lights[1].mark(), lights[1].eui64()), ("3", None));
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
            assert_eq!(named(&lights, text).unwrap().id, id, "{text}");
        }
        assert_eq!(named(&lights, "Shelf"), Err(NamingError::Nobody));
        assert_eq!(named(&lights, ""), Err(NamingError::Nobody));
        let several = NamingError::Several(vec!["2".into(), "10".into()]);
        assert_eq!(named(&lights, "DESK"), Err(several));
    }

    #[test]
    fn what_a_bridge_says_is_cut_short() {
        let long = json!({"1": {"name": format!("a\n\u{1b}[31m{}", "x".repeat(1000))}});
        let lights = read_all(long.as_object().unwrap());
        assert_eq!(lights[0].name.chars().count(), LONGEST_NAME);
        assert!(lights[0].name.starts_with("a[31mxx"));
        let many: Map<String, Value> = (0..5000).map(|n| (n.to_string(), json!({}))).collect();
        assert_eq!(read_all(&many).len(), MOST);
    }

    proptest::proptest! {
        #[test]
        fn every_id_can_stand_in_a_path(ids: Vec<String>) {
            let told: Map<String, Value> = ids.into_iter().map(|id| (id, json!({}))).collect();
            for light in read_all(&told) {
                let is_plain = light.id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
                proptest::prop_assert!(is_plain && !light.id.is_empty());
            }
        }
    }
}
