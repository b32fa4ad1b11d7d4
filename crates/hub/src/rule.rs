//! What a rule makes of what it sees. Pure: time is a parameter, and nothing here switches.
//!
//! Each kind of rule says, for what it has seen so far, whether it wishes the relay to move ([`Wish`]), and when it wants to look
//! again. Around it, [`RuleState`] does what all kinds share: it follows the relay, turns a wish into one order at a time, and
//! tries again, ever more patiently, when an order fails. What is not known never moves a relay: not an unknown relay, not a plug
//! that does not answer, not a reading without power, and not a silence between two readings.

mod attempt;
mod auto_off;
mod follow;
mod hold;
mod keep_on;
mod over_power;
mod power_on;
mod standby_kill;
#[cfg(test)]
mod tests;

use std::time::Duration;

use api::RuleKind;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use plugs::RelayState;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use attempt::Attempt;

/// What a rule sees of its plugs at one moment.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Observation {
    /// How the relay of the rule's plug stands; `None` when it is not known.
    pub relay: Option<RelayState>,
    /// Whether it was a person who moved that relay last.
    pub by_person: bool,
    /// Whether the rule's plug answers.
    pub available: bool,
    /// What the rule's plug draws, if that was read at this very moment.
    pub power: Option<Power>,
    /// What the leader's load draws, if that was read at this very moment.
    pub leader: Option<Power>,
}

/// A power that has just been read.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Power {
    /// Watts.
    pub watts: f64,
    /// Another reading this much later still continues this one. After a longer silence, nobody knows what was in between.
    pub patience: Duration,
}

/// What a rule wants.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Decision {
    /// The relay is to be moved. The outcome has to be told with [`RuleState::done`]; until then there is no other order.
    pub switch: Option<Order>,
    /// Look again at this moment, even if nothing happens.
    pub wake_at: Option<Timestamp>,
}

/// The relay is to be moved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Order {
    /// To this position.
    pub to: RelayState,
    /// For this reason.
    pub why: String,
}

/// What one kind of rule wants for the moment; it holds until it is fulfilled or withdrawn.
#[derive(Debug, Default)]
struct Verdict {
    wish: Option<Order>,
    wake_at: Option<Timestamp>,
}

impl Verdict {
    const NOTHING: Self = Self {
        wish: None,
        wake_at: None,
    };

    fn wish(to: RelayState, why: String) -> Self {
        Self {
            wish: Some(Order { to, why }),
            wake_at: None,
        }
    }

    fn wake_at(at: Option<Timestamp>) -> Self {
        Self {
            wish: None,
            wake_at: at,
        }
    }
}

/// What one kind of rule looks at.
#[derive(Debug)]
struct Sight<'a> {
    now: Timestamp,
    timezone: &'a TimeZone,
    /// How the relay stands, and since when; not known when `None`.
    relay: Option<Relay>,
    /// The relay has just moved.
    has_moved: bool,
    /// The rule itself has just ordered the relay to where it stands.
    was_ordered: bool,
    by_person: bool,
    available: bool,
    power: Option<Power>,
    leader: Option<Power>,
}

impl Sight<'_> {
    fn stands(&self) -> Option<RelayState> {
        self.relay.map(|relay| relay.state)
    }

    fn has_turned(&self, to: RelayState) -> bool {
        self.has_moved && self.stands() == Some(to)
    }
}

/// How a relay stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Relay {
    state: RelayState,
    since: Timestamp,
}

/// What a rule remembers.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct RuleState {
    relay: Option<Relay>,
    memory: KindMemory,
    #[serde(skip)]
    attempt: Attempt,
}

/// What only this kind remembers.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum KindMemory {
    StandbyKill(standby_kill::StandbyKillMemory),
    AutoOff,
    OverPower(over_power::OverPowerMemory),
    Follow(follow::FollowMemory),
    KeepOn,
    PowerOn(power_on::PowerOnMemory),
}

impl RuleState {
    /// Begins a rule that has not seen anything yet.
    pub fn new(kind: &RuleKind) -> Self {
        let memory = match kind {
            RuleKind::StandbyKill { .. } => {
                KindMemory::StandbyKill(standby_kill::StandbyKillMemory::default())
            }
            RuleKind::AutoOff { .. } => KindMemory::AutoOff,
            RuleKind::OverPower { .. } => {
                KindMemory::OverPower(over_power::OverPowerMemory::default())
            }
            RuleKind::Follow { .. } => KindMemory::Follow(follow::FollowMemory::default()),
            RuleKind::KeepOn { .. } => KindMemory::KeepOn,
            RuleKind::PowerOn { .. } => KindMemory::PowerOn(power_on::PowerOnMemory::default()),
        };
        Self {
            relay: None,
            memory,
            attempt: Attempt::default(),
        }
    }

    /// Goes on where a rule of this kind was before a restart; begins anew if that cannot be understood.
    pub fn restore(kind: &RuleKind, remembered: &Value) -> Self {
        let new = Self::new(kind);
        match Self::deserialize(remembered) {
            Ok(old) if old.is_like(&new) => old,
            _ => new,
        }
    }

    /// Returns what has to outlive a restart.
    pub fn remember(&self) -> Value {
        // A tree with text keys, which always can be written.
        serde_json::to_value(self).unwrap_or_default()
    }

    /// Tells whether the rule has cut its plug off and only a person may switch it on.
    pub fn keeps_off(&self) -> bool {
        matches!(&self.memory, KindMemory::OverPower(memory) if memory.is_cut())
    }

    /// Looks, and decides. `kind` is always the one that the state was made for.
    pub fn step(
        &mut self,
        kind: &RuleKind,
        now: Timestamp,
        timezone: &TimeZone,
        seen: &Observation,
    ) -> Decision {
        let has_moved = self.follow_relay(now, seen.relay);
        let sight = Sight {
            now,
            timezone,
            relay: seen.relay.and(self.relay),
            has_moved,
            was_ordered: seen
                .relay
                .is_some_and(|relay| self.attempt.is_ordered(relay, now)),
            by_person: seen.by_person,
            available: seen.available,
            power: seen.power,
            leader: seen.leader,
        };
        let verdict = self.memory.look(kind, &sight);
        self.attempt.decide(now, seen, verdict)
    }

    /// Tells what came of the last order: whether it was carried out, as far as the plug says.
    pub fn done(&mut self, now: Timestamp, is_done: bool) {
        let stands = self.relay.map(|relay| relay.state);
        self.attempt.done(now, is_done, stands);
    }

    /// Moves all remembered moments, because the clock was set.
    pub fn shift(&mut self, by: SignedDuration) {
        let shift = |at: &mut Timestamp| {
            *at = at.saturating_add(by).unwrap_or(*at);
        };
        if let Some(relay) = &mut self.relay {
            shift(&mut relay.since);
        }
        self.attempt.shift(shift);
        self.memory.shift(shift);
    }

    fn is_like(&self, other: &Self) -> bool {
        std::mem::discriminant(&self.memory) == std::mem::discriminant(&other.memory)
    }

    /// Returns whether the relay has moved. That it became known is no move, unless it was known to stand otherwise.
    fn follow_relay(&mut self, now: Timestamp, seen: Option<RelayState>) -> bool {
        let Some(state) = seen else {
            return false;
        };
        let before = self.relay.map(|relay| relay.state);
        if before != Some(state) {
            self.relay = Some(Relay { state, since: now });
        }
        before.is_some_and(|before| before != state)
    }
}

impl KindMemory {
    fn look(&mut self, kind: &RuleKind, sight: &Sight<'_>) -> Verdict {
        match (self, kind) {
            (
                Self::StandbyKill(memory),
                RuleKind::StandbyKill {
                    below_w,
                    period,
                    restore_at,
                    test_pulse,
                },
            ) => {
                let numbers = standby_kill::Numbers {
                    below_w: *below_w,
                    period: *period,
                    restore_at: *restore_at,
                    test_pulse: *test_pulse,
                };
                memory.look(&numbers, sight)
            }
            (Self::AutoOff, RuleKind::AutoOff { after }) => auto_off::look(*after, sight),
            (Self::OverPower(memory), RuleKind::OverPower { above_w, period }) => {
                memory.look(*above_w, *period, sight)
            }
            (
                Self::Follow(memory),
                RuleKind::Follow {
                    above_w,
                    hysteresis_w,
                    delay,
                    leader: _,
                },
            ) => memory.look(*above_w, hysteresis_w.unwrap_or(0.0), *delay, sight),
            (Self::KeepOn, RuleKind::KeepOn { after }) => keep_on::look(*after, sight),
            (Self::PowerOn(memory), RuleKind::PowerOn { state }) => memory.look(*state, sight),
            // Not to be had: a state is made for its kind.
            _ => Verdict::NOTHING,
        }
    }

    fn shift(&mut self, shift: impl Fn(&mut Timestamp)) {
        match self {
            Self::StandbyKill(memory) => memory.shift(shift),
            Self::OverPower(memory) => memory.shift(shift),
            Self::Follow(memory) => memory.shift(shift),
            Self::AutoOff | Self::KeepOn | Self::PowerOn(_) => {}
        }
    }
}

/// Returns `at` and so much more.
fn later(at: Timestamp, by: Duration) -> Timestamp {
    at.saturating_add(by).unwrap_or(Timestamp::MAX)
}

/// Returns how long ago a moment was; none when it lies ahead.
fn passed(since: Timestamp, now: Timestamp) -> Duration {
    Duration::try_from(now.duration_since(since)).unwrap_or_default()
}

/// Returns the earlier of two moments, as far as there are any.
fn sooner(a: Option<Timestamp>, b: Option<Timestamp>) -> Option<Timestamp> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    }
}

/// Writes a power for a sentence: `2150 W` needs no decimals, `3.4 W` does.
fn watts(watts: f64) -> String {
    if watts.abs() >= 100.0 {
        format!("{watts:.0} W")
    } else {
        format!("{} W", (watts * 10.0).round() / 10.0)
    }
}
