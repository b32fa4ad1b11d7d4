//! Home Assistant discovery: the retained messages that announce each plug, group and the hub.
//!
//! Pure functions: nothing here connects to a broker.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::str::FromStr;

use crate::home::Home;
use crate::topic::{TopicPrefix, Topics};

/// The form of discovery messages.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum DiscoveryForm {
    /// One message for each entity.
    #[default]
    Entity,
    /// One message for each device.
    Device,
    /// No messages.
    Off,
}

impl fmt::Display for DiscoveryForm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Entity => "entity",
            Self::Device => "device",
            Self::Off => "off",
        })
    }
}

impl FromStr for DiscoveryForm {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "entity" => Ok(Self::Entity),
            "device" => Ok(Self::Device),
            "off" => Ok(Self::Off),
            _ => Err("discovery is `entity`, `device` or `off`"),
        }
    }
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

/// Returns the retained messages of discovery: topic and payload.
pub fn messages(settings: &DiscoverySettings, home: &Home) -> BTreeMap<String, String> {
    let _ = (settings, home);
    BTreeMap::new()
}

/// Returns the discovery topics among `filled`, which hold a message at the broker, whose entities `messages` announces in the
/// other form. Home Assistant keeps the entities if it gets [`MIGRATE`] on these topics, then `messages`, then empty payloads on
/// these topics.
pub fn migrated(
    settings: &DiscoverySettings,
    filled: &BTreeSet<String>,
    messages: &BTreeMap<String, String>,
) -> Vec<String> {
    let _ = (settings, filled, messages);
    Vec::new()
}

/// The payload that prepares Home Assistant for the other form.
pub const MIGRATE: &str = r#"{"migrate_discovery": true}"#;
