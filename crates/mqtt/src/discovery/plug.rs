//! The device of a plug, with its entities.

use api::SwitchTarget;
use hiflying::Mac;
use plugs::{FamilyId, Minutes};

use super::DiscoverySettings;
use super::message::{
    Announcement, Device, Entity, EntityCategory, Platform, StateClass, topics_of_availability,
};
use super::naming::{default_entity_id, entity_name, given};
use crate::home::{HomeHub, HomePlug};
use crate::topic::Topics;

/// A sensor that takes its value from a JSON document on a topic.
struct Sensor {
    key: &'static str,
    name: &'static str,
    template: &'static str,
    device_class: Option<&'static str>,
    state_class: Option<StateClass>,
    unit: Option<&'static str>,
    precision: Option<u8>,
}

/// Sensors of the meter topic. The lifetime total is in kWh, which is shown without being converted.
const METER_SENSORS: [Sensor; 5] = [
    Sensor {
        key: "power",
        name: "Power",
        template: "{{ value_json.power_w }}",
        device_class: Some("power"),
        state_class: Some(StateClass::Measurement),
        unit: Some("W"),
        precision: Some(1),
    },
    Sensor {
        key: "energy",
        name: "Energy",
        template: "{{ none if value_json.energy_total_wh is none else value_json.energy_total_wh / 1000 }}",
        device_class: Some("energy"),
        state_class: Some(StateClass::TotalIncreasing),
        unit: Some("kWh"),
        precision: Some(2),
    },
    Sensor {
        key: "voltage",
        name: "Voltage",
        template: "{{ value_json.voltage_v }}",
        device_class: Some("voltage"),
        state_class: Some(StateClass::Measurement),
        unit: Some("V"),
        precision: Some(1),
    },
    Sensor {
        key: "current",
        name: "Current",
        template: "{{ value_json.current_a }}",
        device_class: Some("current"),
        state_class: Some(StateClass::Measurement),
        unit: Some("A"),
        precision: Some(2),
    },
    Sensor {
        key: "frequency",
        name: "Frequency",
        template: "{{ value_json.frequency_hz }}",
        device_class: Some("frequency"),
        state_class: Some(StateClass::Measurement),
        unit: Some("Hz"),
        precision: Some(2),
    },
];

/// Sensors of the info topic. Home Assistant shows the text `unknown` as no value.
const INFO_SENSORS: [Sensor; 4] = [
    Sensor {
        key: "address",
        name: "IP address",
        template: "{{ value_json.address }}",
        device_class: None,
        state_class: None,
        unit: None,
        precision: None,
    },
    Sensor {
        key: "firmware",
        name: "Firmware",
        template: "{{ value_json.firmware or 'unknown' }}",
        device_class: None,
        state_class: None,
        unit: None,
        precision: None,
    },
    Sensor {
        key: "last_seen",
        name: "Last seen",
        template: "{{ value_json.seen }}",
        device_class: Some("timestamp"),
        state_class: None,
        unit: None,
        precision: None,
    },
    Sensor {
        key: "relay_operations",
        name: "Relay operations",
        template: "{{ value_json.relay_operations }}",
        device_class: None,
        state_class: Some(StateClass::TotalIncreasing),
        unit: None,
        precision: Some(0),
    },
];

/// Makes the entities of one plug.
struct PlugEntities<'a> {
    id: &'a str,
    name: &'a str,
}

impl PlugEntities<'_> {
    /// Returns an entity with its ids; without a `name` it is named as the plug.
    fn entity(&self, platform: Platform, key: &'static str, name: Option<&str>) -> Entity {
        Entity {
            platform,
            key,
            unique_id: format!("mains_{}_{key}", self.id),
            default_entity_id: default_entity_id(platform, self.name, self.id, name.and(Some(key))),
            name: name.map(|name| entity_name(self.name, name)),
            ..Entity::default()
        }
    }

    fn sensor(&self, sensor: &Sensor, topic: &str, category: Option<EntityCategory>) -> Entity {
        Entity {
            state_topic: Some(topic.to_owned()),
            value_template: Some(sensor.template),
            device_class: sensor.device_class,
            state_class: sensor.state_class,
            unit_of_measurement: sensor.unit.map(str::to_owned),
            suggested_display_precision: sensor.precision,
            entity_category: category,
            ..self.entity(Platform::Sensor, sensor.key, Some(sensor.name))
        }
    }

    /// Returns the number of minutes after which the plug's own timer moves its relay. It has no state: a plug does not report
    /// its timer.
    fn timer(&self, key: &'static str, name: &str, topic: &str, template: &'static str) -> Entity {
        Entity {
            command_topic: Some(topic.to_owned()),
            command_template: Some(template),
            min: Some(Minutes::MIN.count()),
            max: Some(Minutes::MAX.count()),
            mode: Some("box"),
            unit_of_measurement: Some("min".to_owned()),
            icon: Some("mdi:timer-outline"),
            ..self.entity(Platform::Number, key, Some(name))
        }
    }
}

/// Returns the device of a plug.
pub(super) fn announcement(
    settings: &DiscoverySettings,
    hub: &HomeHub,
    mac: Mac,
    plug: &HomePlug,
) -> Announcement {
    let topics = &settings.topics;
    let (id, address) = (format!("{mac:x}"), mac.to_string());
    let make = PlugEntities {
        id: &id,
        name: given(plug.name.as_deref()).unwrap_or(&address),
    };
    let url = &hub.url;
    Announcement {
        device: Device {
            identifiers: [format!("mains_{id}")],
            name: make.name.to_owned(),
            manufacturer: manufacturer(plug.family),
            model: plug.model.clone().unwrap_or_else(|| "Plug".to_owned()),
            sw_version: plug.firmware.clone(),
            suggested_area: given(plug.room.as_deref()).map(str::to_owned),
            via_device: Some(super::hub::identifier(hub)),
            configuration_url: format!("{url}/plugs/{id}"),
        },
        availability: topics_of_availability(topics, &SwitchTarget::Plug(mac)),
        entities: entities(topics, mac, plug, &make),
        id,
    }
}

fn entities(topics: &Topics, mac: Mac, plug: &HomePlug, make: &PlugEntities<'_>) -> Vec<Entity> {
    let target = SwitchTarget::Plug(mac);
    let mut entities = vec![
        Entity {
            state_topic: Some(topics.relay(&target)),
            command_topic: Some(topics.relay_set(&target)),
            payload_on: Some("ON"),
            payload_off: Some("OFF"),
            device_class: Some("outlet"),
            ..make.entity(Platform::Switch, "switch", None)
        },
        Entity {
            command_topic: Some(topics.identify_set(mac)),
            payload_press: Some("PRESS"),
            device_class: Some("identify"),
            entity_category: Some(EntityCategory::Config),
            ..make.entity(Platform::Button, "identify", Some("Identify"))
        },
    ];
    if plug.has_meter {
        let topic = topics.meter(mac);
        let sensors = METER_SENSORS.iter();
        entities.extend(sensors.map(|sensor| make.sensor(sensor, &topic, None)));
    }
    if plug.has_timer {
        let topic = topics.delay_set(mac);
        let off = r#"{"state":"OFF","minutes":{{ value | int }}}"#;
        let on = r#"{"state":"ON","minutes":{{ value | int }}}"#;
        entities.push(make.timer("off_after", "Off after", &topic, off));
        entities.push(make.timer("on_after", "On after", &topic, on));
    }
    let topic = topics.info(mac);
    let category = Some(EntityCategory::Diagnostic);
    let sensors = INFO_SENSORS.iter();
    entities.extend(sensors.map(|sensor| make.sensor(sensor, &topic, category)));
    entities
}

/// Returns the maker of a family, if it has one.
fn manufacturer(family: FamilyId) -> Option<&'static str> {
    match family {
        FamilyId::RECO => Some("Reco4life"),
        FamilyId::ORVIBO => Some("Orvibo"),
        _ => None,
    }
}
