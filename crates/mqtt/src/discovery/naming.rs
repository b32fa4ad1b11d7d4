//! Names of devices and entities, and the ids that Home Assistant makes of them.

use super::message::Platform;

/// Returns a name that a person gave, unless it has nothing to show.
pub(super) fn given(name: Option<&str>) -> Option<&str> {
    name.map(str::trim).filter(|name| !name.is_empty())
}

/// Returns the name of an entity, which follows the name of its device.
///
/// Home Assistant logs a name that begins with the device's name, e.g. `Power` on a plug with the name `Power` or `p`. No name
/// of an entity begins with `Mains`.
pub(super) fn entity_name(device: &str, name: &str) -> String {
    let begins = name.to_lowercase().starts_with(&device.to_lowercase());
    match begins {
        true => format!("Mains {}", lower_first(name)),
        false => name.to_owned(),
    }
}

/// Lowers the first letter, except of an abbreviation.
fn lower_first(name: &str) -> String {
    let mut letters = name.chars();
    match (letters.next(), letters.next()) {
        (Some(first), Some(second)) if second.is_lowercase() => {
            first.to_lowercase().chain(name.chars().skip(1)).collect()
        }
        _ => name.to_owned(),
    }
}

/// Returns the entity id to begin with. Home Assistant writes it in Latin letters, and appends a number when it is taken.
///
/// `device` is used when the name has neither letter nor digit.
pub(super) fn default_entity_id(
    platform: Platform,
    name: &str,
    device: &str,
    key: Option<&str>,
) -> String {
    let words = slug(name);
    let words = if words.is_empty() {
        slug(device)
    } else {
        words
    };
    let platform = platform.into_str();
    match key {
        Some(key) => format!("{platform}.{words}_{key}"),
        None => format!("{platform}.{words}"),
    }
}

/// Joins the words of a name, in lower case, by `_`.
pub(super) fn slug(name: &str) -> String {
    name.to_lowercase()
        .split(|c: char| !c.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .collect::<Vec<_>>()
        .join("_")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entity_is_not_named_as_its_device() {
        for (device, shown) in [
            ("kitchen", "IP address"),
            ("IP", "Mains IP address"),
            ("i", "Mains IP address"),
            ("ip address", "Mains IP address"),
            ("ip addresses", "IP address"),
        ] {
            assert_eq!(entity_name(device, "IP address"), shown);
        }
        assert_eq!(entity_name("Power", "Power"), "Mains power");
    }

    #[test]
    fn entity_ids_are_made_of_words() {
        for (name, id) in [
            ("Tea kettle", "switch.tea_kettle"),
            ("a/b+c#", "switch.a_b_c"),
            ("Küche", "switch.küche"),
            ("🍳", "switch.accf23123456"),
            (".. ", "switch.accf23123456"),
        ] {
            let made = default_entity_id(Platform::Switch, name, "accf23123456", None);
            assert_eq!(made, id);
        }
        let made = default_entity_id(Platform::Sensor, "kitchen", "x", Some("power"));
        assert_eq!(made, "sensor.kitchen_power");
    }
}
