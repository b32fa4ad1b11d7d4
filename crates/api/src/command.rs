//! Results of commands and searches, and the settings of a plug that people can change.

use jiff::Timestamp;
use plugs::{Minutes, Plug, RelayState};
use serde::{Deserialize, Deserializer, Serialize};

use crate::plug::{Metering, PowerOn};

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
}
