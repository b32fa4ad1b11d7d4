//! An adopted plug: what is kept of it, and what the API shows.

use std::fmt;
use std::str::FromStr;

use plugs::{Plug, Reading};
use serde::{Deserialize, Serialize};

use crate::duration::Period;
use crate::json::json_is_text;

/// How often a plug is metered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Metering {
    /// Once in this time.
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

    /// Reads `"5s"` or `"off"`; from one second to a day, because a plug takes half a second for an answer.
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

json_is_text!(Metering);

/// What a plug's relay is to be when the plug comes back after an outage.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PowerOn {
    /// On.
    On,
    /// Off.
    Off,
    /// What it was before.
    Last,
}

/// What people decide of a plug. `None` is the default of each.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PlugSettings {
    /// Unique among plugs and groups.
    pub name: Option<String>,
    /// The room.
    pub room: Option<String>,
    /// Metering interval; `None` is the hub's default.
    pub metering: Option<Metering>,
    /// Position of its relay after an outage; `None` leaves it to the plug.
    pub power_on: Option<PowerOn>,
}

/// An adopted plug as the API shows it: the *plug* of the command line, and what only a hub knows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PlugView {
    /// What the command line shows, too.
    #[serde(flatten)]
    pub plug: Plug,
    /// Whether it answers.
    pub available: bool,
    /// The last reading.
    pub reading: Option<Reading>,
    /// All that it ever used, in watt-hours; never goes back. `None` before the first reading.
    pub energy_total_wh: Option<u64>,
    /// Where it is.
    pub room: Option<String>,
    /// How often it is metered.
    pub metering: Metering,
    /// What its relay is to be after an outage.
    pub power_on: Option<PowerOn>,
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
