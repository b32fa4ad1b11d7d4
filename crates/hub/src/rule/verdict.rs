//! The observations and decisions that all kinds of rules share.

use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use plugs::RelayState;
use serde::{Deserialize, Serialize};

/// Observations of a rule's plugs at one moment.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Observation {
    /// The position of the rule's plug's relay; `None` when it is not known.
    pub relay: Option<RelayState>,
    /// `true` if a person moved that relay last.
    pub by_person: bool,
    /// `true` if the rule's plug replies.
    pub available: bool,
    /// Power of the rule's plug, if it was read at this very moment.
    pub power: Option<Power>,
    /// Power of the leader's load, if it was read at this very moment.
    pub leader: Option<Power>,
}

/// A power that has just been read.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Power {
    /// The power in watts.
    pub watts: f64,
    /// Maximum time until the next reading that still continues this one. After a longer gap, the power in between is unknown.
    pub patience: Duration,
}

/// The decision of a rule.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Decision {
    /// The order to move the relay. Its outcome must be reported with `RuleState::done`; until then there is no other order.
    pub switch: Option<Order>,
    /// Time of the next evaluation, even if nothing happens.
    pub wake_at: Option<Timestamp>,
}

/// An order to move the relay.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Order {
    /// The new position.
    pub to: RelayState,
    /// The reason.
    pub why: String,
}

/// The present decision of one kind of rule; it holds until it is fulfilled or withdrawn.
#[derive(Debug, Default)]
pub(super) struct Verdict {
    pub(super) wish: Option<Order>,
    pub(super) wake_at: Option<Timestamp>,
}

impl Verdict {
    pub(super) const NOTHING: Self = Self {
        wish: None,
        wake_at: None,
    };

    pub(super) fn wish(to: RelayState, why: String) -> Self {
        Self {
            wish: Some(Order { to, why }),
            wake_at: None,
        }
    }

    pub(super) fn wake_at(at: Option<Timestamp>) -> Self {
        Self {
            wish: None,
            wake_at: at,
        }
    }
}

/// The input of one kind of rule.
#[derive(Debug)]
pub(super) struct Sight<'a> {
    pub(super) now: Timestamp,
    pub(super) timezone: &'a TimeZone,
    /// The position of the relay, and the time since when; `None` when unknown.
    pub(super) relay: Option<Relay>,
    /// `true` if the relay has just moved.
    pub(super) has_moved: bool,
    /// `true` if the rule itself has just ordered the relay to its present position.
    pub(super) was_ordered: bool,
    pub(super) by_person: bool,
    pub(super) available: bool,
    pub(super) power: Option<Power>,
    pub(super) leader: Option<Power>,
}

impl Sight<'_> {
    pub(super) fn stands(&self) -> Option<RelayState> {
        self.relay.map(|relay| relay.state)
    }

    pub(super) fn has_turned(&self, to: RelayState) -> bool {
        self.has_moved && self.stands() == Some(to)
    }
}

/// The last known position of a relay, and the time at which it was first seen there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Relay {
    pub(super) state: RelayState,
    pub(super) since: Timestamp,
}

/// Returns `at` plus a duration.
pub(super) fn later(at: Timestamp, by: Duration) -> Timestamp {
    at.saturating_add(by).unwrap_or(Timestamp::MAX)
}

/// Returns the time since a moment; zero when it lies ahead.
pub(super) fn passed(since: Timestamp, now: Timestamp) -> Duration {
    Duration::try_from(now.duration_since(since)).unwrap_or_default()
}

/// Returns the earlier of two moments, ignoring absent ones.
pub(super) fn sooner(a: Option<Timestamp>, b: Option<Timestamp>) -> Option<Timestamp> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    }
}

/// Writes a power for a sentence: `2150 W` from 100 W on, `3.4 W` below.
pub(super) fn watts(watts: f64) -> String {
    if watts.abs() >= 100.0 {
        format!("{watts:.0} W")
    } else {
        format!("{} W", (watts * 10.0).round() / 10.0)
    }
}
