//! Causes of a relay's move and of other changes.

use std::fmt;

use crate::id::Id;

/// On whose behalf something changes.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Cause {
    /// A person at the plug's own button, or a program that is not the hub.
    Person,
    /// A person on the pages.
    Page,
    /// A program with this token: the command line, or a client of the API.
    Token(String),
    /// A schedule fired.
    Schedule {
        /// Its id.
        id: Id,
        /// Its name.
        name: String,
    },
    /// A rule acted.
    Rule {
        /// Its id.
        id: Id,
        /// Its name.
        name: String,
        /// The reason, in one clause.
        why: String,
    },
    /// The plug's power-on policy after an outage, or the outage itself.
    PowerOn,
    /// A program that commands over MQTT.
    Mqtt,
}

impl Cause {
    /// Returns `true` if a person or a client of the API decided, and not the hub by itself.
    pub fn is_person(&self) -> bool {
        matches!(self, Self::Person | Self::Page | Self::Token(_))
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Person => f.write_str("the button on the plug, or another program"),
            Self::Page => f.write_str("a person on the pages"),
            Self::Token(name) => write!(f, "the API token \u{2018}{name}\u{2019}"),
            Self::Schedule { name, .. } => write!(f, "the schedule \u{2018}{name}\u{2019}"),
            Self::Rule { name, why, .. } => write!(f, "the rule \u{2018}{name}\u{2019}: {why}"),
            Self::PowerOn => f.write_str("a power outage"),
            Self::Mqtt => f.write_str("MQTT"),
        }
    }
}
