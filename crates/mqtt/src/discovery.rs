//! Home Assistant discovery: the retained messages that announce each plug, group and the hub.
//!
//! Pure functions: nothing here connects to a broker.
//!
//! `<id>` is that of a plug or group, as in its other topics, or the hub's. The ids of devices and entities do not depend on the
//! form, on names or on the base topic, so that Home Assistant keeps history and settings of its entities.
//!
//! | form | topic | payload |
//! | --- | --- | --- |
//! | entity | `homeassistant/<platform>/<id>_<key>/config` | one entity, e.g. `homeassistant/sensor/accf23123456_power/config` |
//! | device | `homeassistant/device/<id>/config` | a device with all its entities |

mod hub;
mod message;
mod naming;
mod plug;

use std::collections::{BTreeMap, BTreeSet};

use crate::home::Home;
use crate::topic::{TopicPrefix, Topics};
use message::{Announcement, Origin};

/// The form of discovery messages.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, strum::Display, strum::EnumString)]
#[strum(serialize_all = "lowercase", parse_err_ty = String, parse_err_fn = no_form)]
pub enum DiscoveryForm {
    /// One message for each entity.
    #[default]
    Entity,
    /// One message for each device.
    Device,
    /// No messages.
    Off,
}

fn no_form(_: &str) -> String {
    "discovery is `entity`, `device` or `off`".to_owned()
}

/// Settings of discovery.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DiscoverySettings {
    /// The form of the messages.
    pub form: DiscoveryForm,
    /// First levels of their topics, `homeassistant` unless configured.
    pub prefix: TopicPrefix,
    /// The topics of states and commands that they name.
    pub topics: Topics,
}

impl DiscoverySettings {
    /// Returns the topic on which Home Assistant reports that it has started.
    pub fn birth_topic(&self) -> String {
        format!("{}/status", self.prefix)
    }
}

/// Returns the retained messages of discovery: topic and payload. The same home makes the same messages.
pub fn messages(settings: &DiscoverySettings, home: &Home) -> BTreeMap<String, String> {
    let hub = &home.hub;
    let origin = Origin {
        name: "Mains",
        sw_version: &hub.version,
        url: &hub.url,
    };
    let mut messages = BTreeMap::new();
    for announcement in announcements(settings, home) {
        let below = |(topic, payload)| (format!("{}/{topic}", settings.prefix), payload);
        match settings.form {
            DiscoveryForm::Entity => {
                messages.extend(announcement.entity_messages(&origin).map(below));
            }
            DiscoveryForm::Device => messages.extend([below(announcement.device_message(&origin))]),
            DiscoveryForm::Off => {}
        }
    }
    messages
}

fn announcements(settings: &DiscoverySettings, home: &Home) -> impl Iterator<Item = Announcement> {
    let hub = &home.hub;
    let groups = home.groups.iter();
    let tariffs = home.tariffs.iter();
    let plugs = home.plugs.iter();
    std::iter::once(hub::announcement(settings, hub))
        .chain(tariffs.map(|(id, tariff)| hub::tariff(settings, hub, id, tariff)))
        .chain(groups.map(|(id, group)| hub::group(settings, hub, id, group)))
        .chain(plugs.map(|(mac, plug)| plug::announcement(settings, hub, *mac, plug)))
}

/// Returns the discovery topics among `filled`, which hold a message at the broker, whose entities `messages` announces in the
/// other form.
///
/// Home Assistant keeps the entities, and warns of nothing, if it gets [`MIGRATE`] on these topics, then `messages`, then empty
/// payloads on these topics. Emptying the topic of a device makes it log that there are no components to clean up.
pub fn migrated(
    settings: &DiscoverySettings,
    filled: &BTreeSet<String>,
    messages: &BTreeMap<String, String>,
) -> Vec<String> {
    let prefix = &settings.prefix;
    let announced: Vec<(&str, &str)> = messages
        .keys()
        .filter_map(|topic| split_topic(prefix, topic))
        .collect();
    let is_migrated = |old: &&String| {
        let Some((kind, id)) = split_topic(prefix, old) else {
            return false;
        };
        let is_of_device = kind == DEVICE;
        announced.iter().any(|(new_kind, new_id)| {
            let (device, entity) = if is_of_device {
                (id, *new_id)
            } else {
                (*new_id, id)
            };
            let is_other_form = is_of_device != (*new_kind == DEVICE);
            let key = entity.strip_prefix(device);
            is_other_form && key.is_some_and(|key| key.starts_with('_'))
        })
    };
    filled.iter().filter(is_migrated).cloned().collect()
}

/// Splits a discovery topic into platform, or [`DEVICE`], and id.
fn split_topic<'a>(prefix: &TopicPrefix, topic: &'a str) -> Option<(&'a str, &'a str)> {
    let rest = topic.strip_prefix(prefix.as_str())?.strip_prefix('/')?;
    rest.strip_suffix("/config")?.split_once('/')
}

/// The level of topics of whole devices in place of a platform.
const DEVICE: &str = "device";

/// The payload that prepares Home Assistant for the other form.
pub const MIGRATE: &str = r#"{"migrate_discovery": true}"#;
