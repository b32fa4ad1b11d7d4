//! An adopted plug: its stored settings, and its form in the API.

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use plugs::{Plug, Reading};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::duration::Period;
use crate::json::json_is_text;
use crate::name::Name;

/// Metering of a plug.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Metering {
    /// At this interval.
    Every(Period),
    /// Not at all.
    Off,
}

impl fmt::Display for Metering {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Every(period) => period.fmt(f),
            Self::Off => f.write_str("off"),
        }
    }
}

impl FromStr for Metering {
    type Err = String;

    /// Reads `"5s"` or `"off"`; from one second to a day, because a plug takes half a second to reply.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == "off" {
            return Ok(Self::Off);
        }
        let period: Period = text.parse()?;
        if !(Period::seconds(1)..=Period::seconds(24 * 3600)).contains(&period) {
            return Err("metering goes from once a second (`1s`) to once a day (`1d`)".to_owned());
        }
        Ok(Self::Every(period))
    }
}

json_is_text!(
    Metering,
    "Metering interval of a plug, from once a second to once a day, or `off`.",
    "^(off|1d|([1-9]h|1[0-9]h|2[0-4]h)?([1-9][0-9]{0,2}m)?([1-9][0-9]{0,3}s)?([1-9][0-9]{0,2}ms)?([1-9][0-9]{0,2}(µs|us))?([1-9][0-9]{0,2}ns)?)$",
    ["5s", "1m30s", "off"],
    2..=30
);

/// Position of the relay when the plug is back after an outage.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum PowerOn {
    /// On.
    On,
    /// Off.
    Off,
    /// The position before the outage.
    Last,
}

/// Settings of a plug. Omitted fields of a change keep their value; null resets them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct PlugSettings {
    /// Unique among plugs and groups.
    #[schema(value_type = Option<Name>)]
    pub name: Option<String>,
    /// The room.
    #[schema(value_type = Option<Name>)]
    pub room: Option<String>,
    /// Metering interval; null is the hub's default.
    pub metering: Option<Metering>,
    /// Position of its relay after an outage; null leaves it to the plug.
    pub power_on: Option<PowerOn>,
    /// `true` for a plug that is often unplugged: that it does not reply is no alert.
    #[schema(value_type = Option<bool>)]
    pub often_unplugged: bool,
}

/// An adopted plug: the *plug* of the command line, and the fields that only a hub has.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(as = Plug)]
pub struct PlugView {
    /// The plug as the command line shows it.
    #[serde(flatten)]
    pub plug: Plug,
    /// `true` while it replies.
    pub available: bool,
    /// The last reading.
    #[schema(required)]
    pub reading: Option<Reading>,
    /// Lifetime energy in watt-hours, which never decreases; null before the first reading.
    #[schema(required, minimum = 0)]
    pub energy_total_wh: Option<u64>,
    /// The room.
    #[schema(required)]
    pub room: Option<String>,
    /// Metering interval.
    pub metering: Metering,
    /// Position of its relay after an outage; null leaves it to the plug.
    #[schema(required)]
    pub power_on: Option<PowerOn>,
    /// Time since which the relay is in its position; null when it moved while no hub was running, or never.
    #[serde(default)]
    #[schema(required)]
    pub relay_since: Option<Timestamp>,
    /// Power in watts that it draws although its relay is off, as with welded contacts; else null.
    #[serde(default)]
    #[schema(required)]
    pub still_drawing_w: Option<f64>,
    /// `true` for a plug that is often unplugged: that it does not reply is no alert. A hub of an earlier version has none.
    #[serde(default)]
    #[schema(required)]
    pub often_unplugged: bool,
}

/// A device that a search found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FoundPlug {
    /// The plug as the command line shows it.
    #[serde(flatten)]
    pub plug: Plug,
    /// `true` when the hub has adopted it.
    pub adopted: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metering_as_people_write_it() {
        for text in ["off", "1s", "5s", "15m", "1d"] {
            assert_eq!(text.parse::<Metering>().unwrap().to_string(), text);
        }
        for text in ["", "Off", "500ms", "0s", "2d", "5", "-5s"] {
            assert!(text.parse::<Metering>().is_err(), "{text}");
        }
    }
}
