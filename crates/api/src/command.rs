//! What a plug can be told, what comes of it, and what people can change of it.

use std::str::FromStr;
use std::time::Duration;

use jiff::Timestamp;
use plugs::{Minutes, Plug, RelayState};
use serde::{Deserialize, Deserializer, Serialize};

use crate::plug::{Metering, PowerOn};

/// What a relay is to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RelayCommand {
    /// Be on.
    On,
    /// Be off.
    Off,
    /// Be what it is not.
    Toggle,
}

impl From<RelayState> for RelayCommand {
    fn from(state: RelayState) -> Self {
        match state {
            RelayState::On => Self::On,
            RelayState::Off => Self::Off,
        }
    }
}

impl RelayCommand {
    /// Returns the position that is wanted when the relay stands like this.
    pub const fn from_here(self, relay: RelayState) -> RelayState {
        match self {
            Self::On => RelayState::On,
            Self::Off => RelayState::Off,
            Self::Toggle => relay.toggled(),
        }
    }

    /// Returns the word that JSON carries.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::On => "on",
            Self::Off => "off",
            Self::Toggle => "toggle",
        }
    }
}

impl FromStr for RelayCommand {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        [Self::On, Self::Off, Self::Toggle]
            .into_iter()
            .find(|wanted| text.eq_ignore_ascii_case(wanted.as_str()))
            .ok_or_else(|| "a relay can be told 'on', 'off' or 'toggle'".to_owned())
    }
}

/// What came of switching.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Switched {
    /// The relay as it was last read; `None` when the plug did not tell since.
    pub relay: Option<RelayState>,
    /// Whether that is what was wanted. If not, the plug accepted the order and did not do it, or has not told.
    pub confirmed: bool,
    /// From the call to the confirmation.
    pub elapsed: Duration,
}

/// A plug's own timer that was set. That the plug accepted it is all that can be known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Delayed {
    /// What the relay will be.
    pub relay: RelayState,
    /// After so many minutes.
    pub minutes: Minutes,
    /// And so about then.
    pub due: Timestamp,
}

/// A device that a search found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FoundPlug {
    /// What the command line shows, too.
    #[serde(flatten)]
    pub plug: Plug,
    /// Whether the hub keeps it.
    pub adopted: bool,
}

/// What people change of a plug. Outer `None` leaves a field as it is; inner `None` (JSON `null`) clears it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlugChange {
    /// The name that its owner gave; no two plugs have the same.
    #[serde(default, deserialize_with = "given")]
    pub name: Option<Option<String>>,
    /// Where it is.
    #[serde(default, deserialize_with = "given")]
    pub room: Option<Option<String>>,
    /// How often it is metered; cleared is the hub's default.
    #[serde(default, deserialize_with = "given")]
    pub metering: Option<Option<Metering>>,
    /// What its relay is to be after an outage; cleared leaves it to the plug.
    #[serde(default, deserialize_with = "given")]
    pub power_on: Option<Option<PowerOn>>,
}

/// A field that is there, with `null` or with a value.
fn given<'de, D, T>(deserializer: D) -> Result<Option<Option<T>>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    Option::deserialize(deserializer).map(Some)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_tells_absent_from_null() {
        let change: PlugChange = serde_json::from_str(r#"{"name":null,"room":"cellar"}"#).unwrap();
        let expected = PlugChange {
            name: Some(None),
            room: Some(Some("cellar".into())),
            ..PlugChange::default()
        };
        assert_eq!(change, expected);
        for bad in [
            r#"{"colour":1}"#,
            r#"{"metering":"0s"}"#,
            r#"{"power_on":"ON"}"#,
        ] {
            assert!(serde_json::from_str::<PlugChange>(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn wanted_words() {
        assert_eq!("TOGGLE".parse(), Ok(RelayCommand::Toggle));
        assert!("1".parse::<RelayCommand>().is_err());
        assert_eq!(
            serde_json::to_string(&RelayCommand::Toggle).unwrap(),
            r#""toggle""#
        );
        assert_eq!(
            RelayCommand::Toggle.from_here(RelayState::On),
            RelayState::Off
        );
        assert_eq!(RelayCommand::On.from_here(RelayState::On), RelayState::On);
    }
}
