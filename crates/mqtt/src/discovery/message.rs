//! Discovery messages in the fields of Home Assistant.
//!
//! Only fields that its releases since 2023.8 know: older ones refuse a device with a field that they do not know, and the main
//! switch without a name of its own.

use std::collections::BTreeMap;

use api::SwitchTarget;
use serde::Serialize;

use crate::topic::Topics;

/// A device with entities that are announced, updated and removed together.
#[derive(Debug, Clone)]
pub(super) struct Announcement {
    /// First part of the ids of its entities, of `[a-zA-Z0-9_-]`.
    pub(super) id: String,
    pub(super) device: Device,
    /// Topics that must all be `online`.
    pub(super) availability: Vec<AvailabilityTopic>,
    pub(super) entities: Vec<Entity>,
}

/// A device.
#[derive(Debug, Clone, Default, Serialize)]
pub(super) struct Device {
    pub(super) identifiers: [String; 1],
    pub(super) name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) manufacturer: Option<&'static str>,
    pub(super) model: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) sw_version: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) suggested_area: Option<String>,
    /// Identifier of the device through which it is reached.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) via_device: Option<String>,
    pub(super) configuration_url: String,
}

/// The program that sends the messages.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Origin<'a> {
    pub(super) name: &'static str,
    pub(super) sw_version: &'a str,
    pub(super) url: &'a str,
}

/// A topic that is `online` or `offline`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct AvailabilityTopic {
    pub(super) topic: String,
}

/// Returns the topics that must be `online` while a plug or group can be switched.
pub(super) fn topics_of_availability(
    topics: &Topics,
    target: &SwitchTarget,
) -> Vec<AvailabilityTopic> {
    [topics.bridge_state(), topics.availability(target)]
        .map(|topic| AvailabilityTopic { topic })
        .into()
}

/// The kind of an entity.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, strum::IntoStaticStr)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case", const_into_str)]
pub(super) enum Platform {
    BinarySensor,
    Button,
    Number,
    #[default]
    Sensor,
    Switch,
}

/// The place of an entity on the page of its device.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum EntityCategory {
    Config,
    Diagnostic,
}

/// The meaning of a sensor's values over time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum StateClass {
    Measurement,
    TotalIncreasing,
}

/// An entity.
#[derive(Debug, Clone, Default, Serialize)]
pub(super) struct Entity {
    #[serde(skip)]
    pub(super) platform: Platform,
    /// Last part of its id; unique within its device.
    #[serde(skip)]
    pub(super) key: &'static str,
    pub(super) unique_id: String,
    pub(super) default_entity_id: String,
    /// Its name after that of the device; null is the device's name alone.
    pub(super) name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) state_topic: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) value_template: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) command_topic: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) command_template: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) payload_on: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) payload_off: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) payload_press: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) device_class: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) state_class: Option<StateClass>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) unit_of_measurement: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) suggested_display_precision: Option<u8>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) min: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) max: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) mode: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) icon: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) entity_category: Option<EntityCategory>,
}

/// Fields that entities of one announcement have in common.
#[derive(Debug, Serialize)]
struct SharedFields<'a> {
    device: &'a Device,
    origin: &'a Origin<'a>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    availability: &'a [AvailabilityTopic],
    #[serde(skip_serializing_if = "Option::is_none")]
    availability_mode: Option<&'static str>,
}

/// The message of one entity.
#[derive(Debug, Serialize)]
struct EntityMessage<'a> {
    #[serde(flatten)]
    entity: &'a Entity,
    #[serde(flatten)]
    shared: SharedFields<'a>,
}

/// The message of a device with all its entities.
#[derive(Debug, Serialize)]
struct DeviceMessage<'a> {
    #[serde(flatten)]
    shared: SharedFields<'a>,
    components: BTreeMap<&'a str, Component<'a>>,
}

/// An entity within the message of its device.
#[derive(Debug, Serialize)]
struct Component<'a> {
    platform: Platform,
    #[serde(flatten)]
    entity: &'a Entity,
}

impl Announcement {
    fn shared<'a>(&'a self, origin: &'a Origin<'a>) -> SharedFields<'a> {
        SharedFields {
            device: &self.device,
            origin,
            availability: &self.availability,
            availability_mode: (!self.availability.is_empty()).then_some("all"),
        }
    }

    /// Returns one message for each entity: the last levels of its topic, and its payload.
    pub(super) fn entity_messages(
        &self,
        origin: &Origin<'_>,
    ) -> impl Iterator<Item = (String, String)> {
        self.entities.iter().map(move |entity| {
            let (platform, id, key) = (entity.platform.into_str(), &self.id, entity.key);
            let message = EntityMessage {
                entity,
                shared: self.shared(origin),
            };
            (format!("{platform}/{id}_{key}/config"), json(&message))
        })
    }

    /// Returns the message of the device: the last levels of its topic, and its payload.
    pub(super) fn device_message(&self, origin: &Origin<'_>) -> (String, String) {
        let components = self.entities.iter().map(|entity| {
            let platform = entity.platform;
            (entity.key, Component { platform, entity })
        });
        let message = DeviceMessage {
            shared: self.shared(origin),
            components: components.collect(),
        };
        (format!("device/{}/config", self.id), json(&message))
    }
}

fn json(message: &impl Serialize) -> String {
    serde_json::to_string(message).expect("messages are trees with text keys")
}
