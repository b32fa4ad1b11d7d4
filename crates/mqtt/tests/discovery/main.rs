//! Every message of Home Assistant discovery, in both forms, against the rules of Home Assistant.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    unreachable_pub,
    reason = "helpers of tests, which may fail like tests"
)]

mod checker;
mod documentation;
mod home_assistant;

mod homes;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use mqtt::discovery::DiscoveryForm::{Device, Entity, Off};
use mqtt::discovery::{DiscoveryForm, messages, migrated};
use mqtt::home::Home;
use serde_json::Value;

fn made(form: DiscoveryForm, home: &Home) -> BTreeMap<String, String> {
    messages(&homes::settings(form), home)
}

fn topics(messages: &BTreeMap<String, String>) -> BTreeSet<String> {
    messages.keys().cloned().collect()
}

/// Messages as a person reads them.
fn shown(messages: &BTreeMap<String, String>) -> String {
    messages
        .iter()
        .fold(String::new(), |mut text, (topic, payload)| {
            let payload: Value = serde_json::from_str(payload).unwrap();
            writeln!(text, "{topic}\n{payload:#}\n").unwrap();
            text
        })
}

#[test]
fn both_forms_announce_the_same_entities_by_the_rules() {
    for home in [homes::empty(), homes::small(), homes::odd()] {
        let entities = checker::check("homeassistant", &made(Entity, &home));
        let of_devices = checker::check("homeassistant", &made(Device, &home));
        assert_eq!(entities, of_devices);
        assert_eq!(made(Off, &home), BTreeMap::new());
    }
}

#[test]
fn the_hub_its_groups_and_prices_are_those_of_their_site() {
    for form in [Entity, Device] {
        let of_site = |site: &str| {
            let mut home = homes::small();
            home.plugs.clear();
            home.hub.site = site.parse().unwrap();
            home.hub.id = site.to_owned();
            made(form, &home)
        };
        let (berlin, hamburg) = (of_site("berlin"), of_site("hamburg"));
        checker::check("homeassistant", &berlin);
        assert_eq!(berlin.len(), 3);
        assert!(topics(&berlin).is_disjoint(&topics(&hamburg)));
        let ids = |messages: &BTreeMap<String, String>| {
            let words = messages.values().flat_map(|payload| payload.split('"'));
            let ids = words.filter(|word| word.starts_with("mains_"));
            ids.map(str::to_owned).collect::<BTreeSet<_>>()
        };
        assert!(ids(&berlin).len() >= 3 && ids(&berlin).is_disjoint(&ids(&hamburg)));
        assert!(shown(&berlin).contains("\"Mains berlin\""));
    }
}

#[test]
fn messages_of_entities() {
    insta::assert_snapshot!(shown(&made(Entity, &homes::small())));
}

#[test]
fn messages_of_devices() {
    insta::assert_snapshot!(shown(&made(Device, &homes::small())));
}

#[test]
fn names_that_are_odd() {
    let mut table = String::new();
    for (topic, payload) in made(Entity, &homes::odd()) {
        let message: Value = serde_json::from_str(&payload).unwrap();
        let (device, name) = (&message["device"]["name"], &message["name"]);
        let (area, id) = (
            &message["device"]["suggested_area"],
            &message["default_entity_id"],
        );
        let is_telling = ["_switch/", "_power/", "_off_after/", "_price/"]
            .iter()
            .any(|key| topic.contains(key));
        if is_telling {
            writeln!(table, "{topic}\n    {device} {name} {id} {area}").unwrap();
        }
    }
    insta::assert_snapshot!(table);
}

#[test]
fn a_plug_announces_what_it_can() {
    let keys = |mac: &str| -> Vec<String> {
        let messages = made(Device, &homes::small());
        let message: Value =
            serde_json::from_str(&messages[&format!("homeassistant/device/{mac}/config")]).unwrap();
        message["components"]
            .as_object()
            .unwrap()
            .keys()
            .cloned()
            .collect()
    };
    let all = [
        "address",
        "current",
        "energy",
        "firmware",
        "frequency",
        "identify",
        "last_seen",
        "off_after",
        "on_after",
        "power",
        "relay_operations",
        "switch",
        "voltage",
    ];
    assert_eq!(keys("accf23123456"), all);
    let bare = [
        "address",
        "firmware",
        "identify",
        "last_seen",
        "relay_operations",
        "switch",
    ];
    assert_eq!(keys("accf23aabbcc"), bare);
}

#[test]
fn ids_do_not_depend_on_names_rooms_or_versions() {
    let before = homes::small();
    let mut after = before.clone();
    for plug in after.plugs.values_mut() {
        plug.name = Some("another".to_owned());
        plug.room = Some("elsewhere".to_owned());
        plug.firmware = Some("5".to_owned());
    }
    after.hub.url = "https://mains.example/prefix".to_owned();
    after.hub.version = "9.9.9".to_owned();
    for form in [Entity, Device] {
        let [before, after] = [&before, &after].map(|home| made(form, home));
        assert_eq!(topics(&before), topics(&after));
        assert_ne!(before, after);
        let ids = |messages| checker::check("homeassistant", messages);
        assert_eq!(ids(&before), ids(&after));
    }
}

#[test]
fn a_change_of_the_form_migrates_every_topic() {
    let home = homes::small();
    for (old, new) in [(Entity, Device), (Device, Entity)] {
        let filled = topics(&made(old, &home));
        let now = made(new, &home);
        let moved = migrated(&homes::settings(new), &filled, &now);
        assert_eq!(BTreeSet::from_iter(moved), filled);
    }
}

#[test]
fn only_topics_of_the_other_form_migrate() {
    let home = homes::small();
    for form in [Entity, Device, Off] {
        let now = made(form, &home);
        let none: [String; 0] = [];
        assert_eq!(migrated(&homes::settings(form), &topics(&now), &now), none);
    }
    let mut without = home.clone();
    without.plugs.pop_last();
    let filled = topics(&made(Entity, &home));
    let moved = migrated(&homes::settings(Device), &filled, &made(Device, &without));
    assert_eq!(
        moved.len(),
        filled.len() - 6,
        "the removed plug does not migrate"
    );
    let foreign = BTreeSet::from_iter(
        [
            "",
            "homeassistant",
            "zigbee/device/accf23123456/config",
            "homeassistant/x/y/z/config",
        ]
        .map(str::to_owned),
    );
    assert!(migrated(&homes::settings(Device), &foreign, &made(Device, &home)).is_empty());
    assert!(migrated(&homes::settings(Off), &filled, &BTreeMap::new()).is_empty());
}

#[test]
fn the_checker_finds_broken_rules() {
    let good = made(Entity, &homes::small());
    let topic = "homeassistant/sensor/accf23123456_power/config";
    for (field, value) in [
        ("object_id", Value::from("x")),
        ("expire_after", Value::from(60)),
        ("state_class", Value::from("total")),
        ("unit_of_measurement", Value::from("kWh")),
        ("name", Value::from("Tea kettle power")),
        ("default_entity_id", Value::from("tea_kettle")),
        ("unique_id", Value::from("a b")),
        ("unique_id", Value::from("mains_accf23123456_voltage")),
        ("entity_category", Value::from("config")),
        ("availability_mode", Value::from("any")),
        ("availability", Value::Null),
        ("state_topic", Value::from("mains/+/meter")),
    ] {
        let mut messages = good.clone();
        let mut message: Value = serde_json::from_str(&good[topic]).unwrap();
        message[field] = value.clone();
        messages.insert(topic.to_owned(), message.to_string());
        let result = std::panic::catch_unwind(|| checker::check("homeassistant", &messages));
        assert!(result.is_err(), "{field} {value}");
    }
}
