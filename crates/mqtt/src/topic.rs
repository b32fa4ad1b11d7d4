//! The names of topics: state topics that the hub publishes, and command topics that it subscribes to.
//!
//! | topic | payload | retained |
//! | --- | --- | --- |
//! | `mains/bridge/state` | `online`, `offline` (last will) | yes |
//! | `mains/<id>/availability` | `online`, `offline` | yes |
//! | `mains/<id>/relay` | `ON`, `OFF` | yes |
//! | `mains/<id>/relay/set` | `ON`, `OFF`, `TOGGLE` | no |
//! | `mains/<id>/delay/set` | `{"state":"OFF","minutes":30}` | no |
//! | `mains/<id>/identify/set` | `PRESS` | no |
//! | `mains/<id>/meter` | the reading, with `energy_total_wh` | yes |
//! | `mains/<id>/info` | `{"address","firmware","seen","relay_operations"}` | yes |
//! | `mains/<tariff>/price` | the price per kWh now, in the tariff's currency; `None` while unknown | yes |
//!
//! `<id>` is a plug's 12 lower-case hex digits, or the id of a group, e.g. `g-3f9a02c1`. A group has `availability`, `relay` and
//! `relay/set`; its relay is `ON` while one of its plugs is on. `<tariff>` is the id of a tariff.

use std::fmt;
use std::str::FromStr;

use api::{Id, SiteName, SwitchTarget};
use hiflying::Mac;

/// Maximum length of a base topic in bytes; a topic has at most 65,535.
const MAX_BASE_LENGTH: usize = 256;

/// The first levels of a topic, e.g. `mains` or `mains/attic`: without wildcards, and with no empty level.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TopicPrefix(String);

/// The text cannot be the first levels of a topic.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TopicPrefixError {
    /// There is no text.
    #[error("it is empty")]
    Empty,
    /// It is longer than 256 bytes.
    #[error("it is longer than {MAX_BASE_LENGTH} bytes")]
    TooLong,
    /// It holds a wildcard, which no topic to publish may hold.
    #[error("`+` and `#` are wildcards; write it like `mains` or `home/mains`")]
    Wildcard,
    /// It begins or ends with a slash, or has two in a row.
    #[error(
        "a level is empty; write it like `mains` or `home/mains`, without a slash at either end"
    )]
    EmptyLevel,
    /// It begins with `$`, which brokers keep for themselves.
    #[error("topics that begin with `$` belong to the broker")]
    Reserved,
    /// It holds a control character or another one that MQTT forbids.
    #[error("it holds a control character")]
    Control,
}

impl TopicPrefix {
    /// Returns the first levels of the topics of a site.
    #[must_use]
    pub fn of_site(self, site: &SiteName) -> Self {
        match site.is_empty() {
            true => self,
            false => Self(format!("{self}/{site}")),
        }
    }

    /// Returns its text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Default for TopicPrefix {
    /// Returns `mains`.
    fn default() -> Self {
        Self("mains".to_owned())
    }
}

impl fmt::Display for TopicPrefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for TopicPrefix {
    type Err = TopicPrefixError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.is_empty() {
            return Err(TopicPrefixError::Empty);
        }
        if text.len() > MAX_BASE_LENGTH {
            return Err(TopicPrefixError::TooLong);
        }
        if text.contains(['+', '#']) {
            return Err(TopicPrefixError::Wildcard);
        }
        if text.split('/').any(str::is_empty) {
            return Err(TopicPrefixError::EmptyLevel);
        }
        if text.starts_with('$') {
            return Err(TopicPrefixError::Reserved);
        }
        if text.chars().any(char::is_control) {
            return Err(TopicPrefixError::Control);
        }
        Ok(Self(text.to_owned()))
    }
}

/// The topics below a base topic.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Topics {
    base: TopicPrefix,
}

impl Topics {
    /// Returns the topics below `base`.
    pub fn new(base: TopicPrefix) -> Self {
        Self { base }
    }

    /// Returns the base topic.
    pub fn base(&self) -> &TopicPrefix {
        &self.base
    }

    /// Returns the topic of the hub's own availability.
    pub fn bridge_state(&self) -> String {
        format!("{}/bridge/state", self.base)
    }

    /// Returns the topic of the availability of a plug or group.
    pub fn availability(&self, target: &SwitchTarget) -> String {
        self.below(target, "availability")
    }

    /// Returns the topic of the position of the relay of a plug or group.
    pub fn relay(&self, target: &SwitchTarget) -> String {
        self.below(target, "relay")
    }

    /// Returns the topic that switches a plug or group.
    pub fn relay_set(&self, target: &SwitchTarget) -> String {
        self.below(target, "relay/set")
    }

    /// Returns the topic that sets a plug's own timer.
    pub fn delay_set(&self, plug: Mac) -> String {
        self.below(&SwitchTarget::Plug(plug), "delay/set")
    }

    /// Returns the topic that makes a plug identify itself.
    pub fn identify_set(&self, plug: Mac) -> String {
        self.below(&SwitchTarget::Plug(plug), "identify/set")
    }

    /// Returns the topic of a plug's readings.
    pub fn meter(&self, plug: Mac) -> String {
        self.below(&SwitchTarget::Plug(plug), "meter")
    }

    /// Returns the topic of a plug's diagnostics.
    pub fn info(&self, plug: Mac) -> String {
        self.below(&SwitchTarget::Plug(plug), "info")
    }

    /// Returns the topic of a tariff's price.
    pub fn price(&self, tariff: &Id) -> String {
        format!("{}/{tariff}/price", self.base)
    }

    /// Returns the filters of all command topics.
    pub fn command_filters(&self) -> [String; 3] {
        CommandKind::ALL.map(|kind| format!("{}/+/{}", self.base, kind.leaf()))
    }

    /// Returns the target and the kind of the command of a topic.
    ///
    /// # Errors
    ///
    /// The reason why it is no command topic, in one clause.
    pub fn command(&self, topic: &str) -> Result<(SwitchTarget, CommandKind), String> {
        let below = topic
            .strip_prefix(self.base.as_str())
            .and_then(|rest| rest.strip_prefix('/'));
        let (target, leaf) = below
            .and_then(|rest| rest.split_once('/'))
            .ok_or("it is no command topic")?;
        let kind = CommandKind::ALL
            .into_iter()
            .find(|kind| kind.leaf() == leaf)
            .ok_or("it is no command topic")?;
        Ok((target.parse()?, kind))
    }

    fn below(&self, target: &SwitchTarget, leaf: &str) -> String {
        match target {
            SwitchTarget::Plug(plug) => format!("{}/{plug:x}/{leaf}", self.base),
            SwitchTarget::Group(id) => format!("{}/{id}/{leaf}", self.base),
        }
    }
}

/// The kind of a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CommandKind {
    /// Switches.
    Relay,
    /// Sets the plug's own timer.
    Delay,
    /// Identifies the plug.
    Identify,
}

impl CommandKind {
    const ALL: [Self; 3] = [Self::Relay, Self::Delay, Self::Identify];

    /// Returns the last levels of its topic.
    const fn leaf(self) -> &'static str {
        match self {
            Self::Relay => "relay/set",
            Self::Delay => "delay/set",
            Self::Identify => "identify/set",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn topics_as_the_contract_names_them() {
        let topics = Topics::default();
        let plug: Mac = "accf23123456".parse().unwrap();
        let target = SwitchTarget::Plug(plug);
        let group = "g-3f9a02c1".parse().unwrap();
        assert_eq!(topics.bridge_state(), "mains/bridge/state");
        assert_eq!(
            topics.availability(&target),
            "mains/accf23123456/availability"
        );
        assert_eq!(topics.relay(&target), "mains/accf23123456/relay");
        assert_eq!(topics.relay_set(&target), "mains/accf23123456/relay/set");
        assert_eq!(topics.delay_set(plug), "mains/accf23123456/delay/set");
        assert_eq!(topics.meter(plug), "mains/accf23123456/meter");
        assert_eq!(
            topics.relay_set(&SwitchTarget::Group(group)),
            "mains/g-3f9a02c1/relay/set"
        );
    }

    #[test]
    fn command_topics_are_read_as_they_are_written() {
        let topics = Topics::new("home/mains".parse().unwrap());
        let plug: Mac = "accf23123456".parse().unwrap();
        let group = SwitchTarget::Group("g-3f9a02c1".parse().unwrap());
        let plug_target = SwitchTarget::Plug(plug);
        for (topic, target, kind) in [
            (
                topics.relay_set(&plug_target),
                &plug_target,
                CommandKind::Relay,
            ),
            (topics.relay_set(&group), &group, CommandKind::Relay),
            (topics.delay_set(plug), &plug_target, CommandKind::Delay),
            (
                topics.identify_set(plug),
                &plug_target,
                CommandKind::Identify,
            ),
        ] {
            assert_eq!(topics.command(&topic), Ok((target.clone(), kind)));
        }
        for other in [
            "home/mains",
            "home/mains/accf23123456",
            "home/mains/accf23123456/relay",
            "home/mains/kitchen/relay/set",
            "home/mains//relay/set",
            "mains/accf23123456/relay/set",
            "home/mainsaccf23123456/relay/set",
        ] {
            assert!(topics.command(other).is_err(), "{other}");
        }
        assert_eq!(topics.command_filters()[0], "home/mains/+/relay/set");
    }

    #[test]
    fn a_base_topic_that_cannot_be_published_to_is_refused() {
        for good in ["mains", "home/mains", "Küche/a b", "mains/$x"] {
            assert_eq!(good.parse::<TopicPrefix>().unwrap().as_str(), good);
        }
        use TopicPrefixError::{Control, Empty, EmptyLevel, Reserved, TooLong, Wildcard};
        for (bad, error) in [
            ("", Empty),
            ("/mains", EmptyLevel),
            ("mains/", EmptyLevel),
            ("a//b", EmptyLevel),
            ("mains/#", Wildcard),
            ("+", Wildcard),
            ("mains+", Wildcard),
            ("$SYS/mains", Reserved),
            ("a\nb", Control),
            ("a\0b", Control),
        ] {
            assert_eq!(bad.parse::<TopicPrefix>(), Err(error), "{bad:?}");
        }
        assert_eq!("x".repeat(257).parse::<TopicPrefix>(), Err(TooLong));
    }
}
