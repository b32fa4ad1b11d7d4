//! Causes of a relay's move.

use std::fmt;

use crate::id::Id;

/// On whose behalf a plug is switched.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Cause {
    /// A person, through the API, the command line, or the plug's own button.
    Person,
    /// A schedule fired.
    Schedule(Id),
    /// A rule acted.
    Rule(Id),
    /// The plug's power-on policy after an outage.
    PowerOn,
    /// A program that commands over MQTT.
    Mqtt,
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Person => f.write_str("a person"),
            Self::Schedule(id) => write!(f, "schedule {id}"),
            Self::Rule(id) => write!(f, "rule {id}"),
            Self::PowerOn => f.write_str("the power-on policy"),
            Self::Mqtt => f.write_str("MQTT"),
        }
    }
}
