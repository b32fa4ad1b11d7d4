//! The devices of the hub and of its groups, with their entities.

use api::{Id, SwitchTarget};

use super::DiscoverySettings;
use super::message::{
    Announcement, AvailabilityTopic, Device, Entity, EntityCategory, Platform, StateClass,
    topics_of_availability,
};
use super::naming::{default_entity_id, given, slug};
use crate::home::{HomeGroup, HomeHub, HomeTariff};

/// Returns the name of the hub's device.
fn name(hub: &HomeHub) -> String {
    match hub.site.is_empty() {
        true => "Mains".to_owned(),
        false => format!("Mains {}", hub.site),
    }
}

/// Returns the identifier of the hub's device.
pub(super) fn identifier(hub: &HomeHub) -> String {
    format!("mains_{}", hub.id)
}

fn device(hub: &HomeHub) -> Device {
    Device {
        identifiers: [identifier(hub)],
        name: name(hub),
        manufacturer: Some("Mains"),
        model: "Hub".to_owned(),
        sw_version: Some(hub.version.clone()),
        configuration_url: format!("{}/", hub.url),
        ..Device::default()
    }
}

/// Returns the device of the hub. Its connection shows when the hub is gone, so it has no availability.
pub(super) fn announcement(settings: &DiscoverySettings, hub: &HomeHub) -> Announcement {
    let (platform, key) = (Platform::BinarySensor, "connection");
    Announcement {
        id: hub.id.clone(),
        device: device(hub),
        availability: Vec::new(),
        entities: vec![Entity {
            platform,
            key,
            unique_id: format!("mains_{}_{key}", hub.id),
            default_entity_id: default_entity_id(platform, &name(hub), &hub.id, Some(key)),
            name: Some("Connection".to_owned()),
            state_topic: Some(settings.topics.bridge_state()),
            payload_on: Some("online"),
            payload_off: Some("offline"),
            device_class: Some("connectivity"),
            entity_category: Some(EntityCategory::Diagnostic),
            ..Entity::default()
        }],
    }
}

/// Returns the price of a tariff on the device of the hub.
///
/// It is announced on its own also in the form of devices: Home Assistant keeps an entity that is missing in a later message of
/// its device, and removes it with an empty message.
pub(super) fn tariff(
    settings: &DiscoverySettings,
    hub: &HomeHub,
    id: &Id,
    tariff: &HomeTariff,
) -> Announcement {
    let platform = Platform::Sensor;
    let price = format!("Price {}", given(Some(&tariff.name)).unwrap_or(id.as_str()));
    let announced = format!("{}_{id}", hub.id);
    let words = format!("{} {price}", name(hub));
    Announcement {
        device: device(hub),
        availability: vec![AvailabilityTopic {
            topic: settings.topics.bridge_state(),
        }],
        entities: vec![Entity {
            platform,
            key: "price",
            unique_id: format!("mains_{announced}_price"),
            default_entity_id: default_entity_id(platform, &words, &announced, None),
            name: Some(price),
            state_topic: Some(settings.topics.price(id)),
            state_class: Some(StateClass::Measurement),
            unit_of_measurement: Some(format!("{}/kWh", tariff.currency)),
            suggested_display_precision: Some(4),
            icon: Some("mdi:cash"),
            ..Entity::default()
        }],
        id: announced,
    }
}

/// Returns the device of a group.
pub(super) fn group(
    settings: &DiscoverySettings,
    hub: &HomeHub,
    id: &Id,
    group: &HomeGroup,
) -> Announcement {
    let (platform, key) = (Platform::Switch, "switch");
    let target = SwitchTarget::Group(id.clone());
    let topics = &settings.topics;
    let name = given(Some(&group.name)).unwrap_or(id.as_str());
    // A copy of a database has the same groups.
    let announced = match hub.site.is_empty() {
        true => id.to_string(),
        false => format!("{}_{id}", hub.id),
    };
    Announcement {
        device: Device {
            identifiers: [format!("mains_{announced}")],
            name: name.to_owned(),
            model: "Group of plugs".to_owned(),
            via_device: Some(identifier(hub)),
            configuration_url: format!("{}/groups", hub.url),
            ..Device::default()
        },
        availability: topics_of_availability(topics, &target),
        entities: vec![Entity {
            platform,
            key,
            unique_id: format!("mains_{announced}_{key}"),
            default_entity_id: default_entity_id(platform, name, &slug(id.as_str()), None),
            name: None,
            state_topic: Some(topics.relay(&target)),
            command_topic: Some(topics.relay_set(&target)),
            payload_on: Some("ON"),
            payload_off: Some("OFF"),
            device_class: Some("outlet"),
            ..Entity::default()
        }],
        id: announced,
    }
}
