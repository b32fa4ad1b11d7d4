//! The pages about MQTT and Home Assistant say what the code does.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use api::SwitchTarget;
use hiflying::Mac;
use mqtt::discovery::DiscoveryForm::{Device, Entity};
use mqtt::topic::Topics;
use plugs::Reading;
use serde_json::Value;

use crate::{homes, made};

fn page(name: &str) -> String {
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs");
    fs::read_to_string(docs.join(name)).unwrap()
}

/// Returns the cells of all rows of all tables, without their heads.
fn rows(page: &str) -> Vec<Vec<&str>> {
    let lines = page.lines().filter_map(|line| line.strip_prefix("| "));
    let rows = lines.map(|line| {
        line.trim_end_matches(" |")
            .split(" | ")
            .map(str::trim)
            .collect()
    });
    let is_body =
        |row: &Vec<&str>| !row[0].starts_with("---") && !["topic", "entity"].contains(&row[0]);
    rows.filter(is_body).collect()
}

/// Returns the texts of code blocks in this language.
fn blocks<'a>(page: &'a str, language: &str) -> Vec<&'a str> {
    let fence = format!("```{language}\n");
    page.split(&fence)
        .skip(1)
        .map(|rest| rest.split("```").next().unwrap())
        .collect()
}

const PLUG: &str = "accf23123456";

/// The topics of a plug, and those that are commands.
fn topics_of_code() -> [BTreeSet<String>; 2] {
    let topics = Topics::default();
    let plug: Mac = PLUG.parse().unwrap();
    let target = SwitchTarget::Plug(plug);
    let tariff = "t-00c0ffee".parse().unwrap();
    let commands = [
        topics.relay_set(&target),
        topics.delay_set(plug),
        topics.identify_set(plug),
    ];
    let states = [
        topics.bridge_state(),
        topics.availability(&target),
        topics.relay(&target),
        topics.meter(plug),
        topics.info(plug),
        topics.price(&tariff).replace("t-00c0ffee", "<tariff>"),
    ];
    [
        commands.iter().chain(&states).cloned().collect(),
        commands.into(),
    ]
}

#[test]
fn the_reference_names_every_topic() {
    let page = page("mqtt.md");
    let (discovery, plain): (BTreeSet<String>, _) = rows(&page)
        .into_iter()
        .map(|row| row[0].trim_matches('`').replace("<id>", PLUG))
        .partition(|topic| topic.starts_with("homeassistant/"));
    assert_eq!(plain, topics_of_code()[0]);
    let entity = format!("homeassistant/<platform>/{PLUG}_<key>/config");
    assert_eq!(
        discovery,
        [
            entity.clone(),
            format!("homeassistant/device/{PLUG}/config")
        ]
        .into()
    );
    let is_named = |topic: &&String| {
        let shape = entity
            .replace("<platform>", "sensor")
            .replace("<key>", "power");
        **topic == shape || discovery.contains(*topic)
    };
    for form in [Entity, Device] {
        assert_eq!(
            made(form, &homes::small()).keys().filter(is_named).count(),
            1
        );
    }
    for row in rows(&page) {
        let is_command = row[0].ends_with("/set`");
        assert_eq!(row[2], if is_command { "no" } else { "yes" }, "{row:?}");
    }
}

#[test]
fn examples_publish_commands() {
    let commands = &topics_of_code()[1];
    let [mqtt, home_assistant] = ["mqtt.md", "home-assistant.md"].map(page);
    let mut published: Vec<&str> = blocks(&mqtt, "console")
        .iter()
        .flat_map(|block| block.lines())
        .filter_map(|line| line.strip_prefix("$ mosquitto_pub -t "))
        .map(|rest| rest.split(' ').next().unwrap())
        .collect();
    let json = blocks(&mqtt, "json");
    let [reading, flow] = json[..] else {
        panic!("{json:?}");
    };
    let flow: Vec<Value> = serde_json::from_str(flow).unwrap();
    let last = flow.iter().find(|node| node["type"] == "mqtt out").unwrap();
    assert_eq!(last["retain"], "false");
    published.push(last["topic"].as_str().unwrap());
    assert_eq!(published.len(), 3);
    for topic in published {
        assert!(commands.contains(topic), "{topic}");
    }
    let reading: Value = serde_json::from_str(reading).unwrap();
    assert!(reading["energy_total_wh"].is_u64());
    serde_json::from_value::<Reading>(reading).unwrap();
    assert!(blocks(&home_assistant, "console").is_empty());
}

#[test]
fn the_page_about_home_assistant_lists_every_entity() {
    let shown = |form| -> BTreeSet<String> {
        made(form, &homes::small())
            .iter()
            .filter(|(topic, _)| !topic.contains("/g-") && !topic.contains("accf23aabbcc"))
            .flat_map(|(topic, payload)| {
                let message: Value = serde_json::from_str(payload).unwrap();
                let platform = topic.split('/').nth(1).unwrap().to_owned();
                match message["components"].as_object() {
                    Some(components) => components
                        .values()
                        .map(|one| (one["platform"].as_str().unwrap().to_owned(), one.clone()))
                        .collect(),
                    None => vec![(platform, message)],
                }
            })
            .map(|(platform, entity)| row_of(&platform, &entity))
            .collect()
    };
    let page = page("home-assistant.md");
    let listed: BTreeSet<String> = rows(&page)
        .iter()
        .map(|row| format!("{} | {}", row[0], row[1]))
        .collect();
    assert_eq!(listed, shown(Entity));
    assert_eq!(listed, shown(Device));
}

/// Returns the first two cells of an entity's row.
fn row_of(platform: &str, entity: &Value) -> String {
    let name = entity["name"].as_str().unwrap_or("the plug's own name");
    let name = name.replace("Price Home", "Price *name*");
    let unit = entity["unit_of_measurement"]
        .as_str()
        .map(|unit| match unit {
            "EUR/kWh" => ", currency per kWh".to_owned(),
            unit => format!(", {unit}"),
        });
    let is_diagnostic = entity["entity_category"] == "diagnostic";
    let diagnostic = if is_diagnostic { ", diagnostic" } else { "" };
    format!(
        "{name} | `{platform}`{}{diagnostic}",
        unit.unwrap_or_default()
    )
}
