//! The decisions of rules, as a function of their observations. Pure: time is a parameter, and nothing here switches.
//!
//! Each kind of rule decides from its observations so far whether the relay should move ([`Order`]), and when it must be evaluated
//! again. [`RuleState`] does what all kinds share: it follows the relay, turns a wish into one order at a time, and retries a
//! failed order with increasing delays. Unknown values never move a relay: neither an unknown relay, nor a plug that does not
//! reply, nor a reading without power, nor a gap between two readings.

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
mod verdict;

use api::RuleKind;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use plugs::RelayState;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use attempt::Attempt;
use verdict::{Relay, Sight, Verdict};

pub use verdict::{Decision, Observation, Order, Power};

/// The state of a rule.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct RuleState {
    relay: Option<Relay>,
    memory: KindMemory,
    #[serde(skip)]
    attempt: Attempt,
}

/// The state that is specific to one kind of rule.
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
    /// Makes the state of a rule without observations.
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

    /// Restores the state of a rule of this kind after a restart; begins anew if it cannot be read.
    pub fn restore(kind: &RuleKind, remembered: &Value) -> Self {
        let new = Self::new(kind);
        match Self::deserialize(remembered) {
            Ok(old) if old.is_like(&new) => old,
            _ => new,
        }
    }

    /// Returns the state that must survive a restart.
    pub fn remember(&self) -> Value {
        // A tree with text keys, which always can be written.
        serde_json::to_value(self).unwrap_or_default()
    }

    /// Returns `true` if the rule has cut its plug off and only a person may switch it on.
    pub fn keeps_off(&self) -> bool {
        matches!(&self.memory, KindMemory::OverPower(memory) if memory.is_cut())
    }

    /// Evaluates an observation and decides. `kind` must always be the one that the state was made for.
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

    /// Records the outcome of the last order: whether it was carried out, according to the plug.
    pub fn done(&mut self, now: Timestamp, is_done: bool) {
        let stands = self.relay.map(|relay| relay.state);
        self.attempt.done(now, is_done, stands);
    }

    /// Shifts all stored times after the clock was set.
    pub fn shift(&mut self, by: SignedDuration) {
        self.adjust(|at| *at = at.saturating_add(by).unwrap_or(*at));
    }

    /// Moves stored times that lie ahead to `now`: they were written while the clock was ahead, or it is behind now.
    pub fn clamp(&mut self, now: Timestamp) {
        self.adjust(|at| *at = (*at).min(now));
    }

    fn adjust(&mut self, adjust: impl Fn(&mut Timestamp)) {
        if let Some(relay) = &mut self.relay {
            adjust(&mut relay.since);
        }
        self.attempt.shift(&adjust);
        self.memory.shift(adjust);
    }

    fn is_like(&self, other: &Self) -> bool {
        std::mem::discriminant(&self.memory) == std::mem::discriminant(&other.memory)
    }

    /// Returns whether the relay has moved. A position that becomes known is not a move, unless a different one was known before.
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
