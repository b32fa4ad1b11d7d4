//! One source of settings as optional values.

use std::time::Duration;

use api::duration;
use serde::{Deserialize, Deserializer, de};

use super::hub::{HubLayer, PlaceLayer, address_or_table};
use super::mqtt::MqttLayer;
use super::web::WebLayer;
use crate::ui::Colour;

/// Values of one source; what it leaves out is decided by the sources below it.
#[derive(Debug, Default, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Layer {
    /// `json = true`: stdout carries JSON.
    pub json: Option<bool>,
    /// `timeout = "5s"`: time limit of the whole command.
    #[serde(default, deserialize_with = "duration_text")]
    pub timeout: Option<Duration>,
    /// `interfaces = ["eth0", "192.168.1.5"]`: local interfaces to scan from.
    pub interfaces: Option<Vec<String>>,
    /// `yes = true`: agree to what would be asked.
    pub yes: Option<bool>,
    /// `quiet = true`: no status lines.
    pub quiet: Option<bool>,
    /// `color = "auto"`, `"always"` or `"never"`.
    pub color: Option<Colour>,
    /// `hub = "http://192.168.1.5:8480"`, or the table `[hub]`.
    #[serde(default, deserialize_with = "address_or_table")]
    pub hub: HubLayer,
    /// The table `[place]`.
    #[serde(default)]
    pub place: PlaceLayer,
    /// The table `[web]`.
    #[serde(default)]
    pub web: WebLayer,
    /// The table `[mqtt]`.
    #[serde(default)]
    pub mqtt: MqttLayer,
}

impl Layer {
    /// Puts this layer on top of another.
    pub(super) fn over(self, below: Self) -> Self {
        Self {
            json: self.json.or(below.json),
            timeout: self.timeout.or(below.timeout),
            interfaces: self.interfaces.or(below.interfaces),
            yes: self.yes.or(below.yes),
            quiet: self.quiet.or(below.quiet),
            color: self.color.or(below.color),
            hub: self.hub.over(below.hub),
            place: self.place.over(below.place),
            web: self.web.over(below.web),
            mqtt: self.mqtt.over(below.mqtt),
        }
    }
}

fn duration_text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Duration>, D::Error> {
    let text = String::deserialize(deserializer)?;
    duration::parse(&text).map(Some).map_err(de::Error::custom)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_higher_layer_wins_where_it_has_a_value() {
        let high = Layer {
            json: Some(false),
            ..Layer::default()
        };
        let low = Layer {
            json: Some(true),
            quiet: Some(true),
            ..Layer::default()
        };
        let both = high.over(low);
        assert_eq!((both.json, both.quiet), (Some(false), Some(true)));
    }
}
