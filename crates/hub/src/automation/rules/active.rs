//! A rule in operation: its observations and its state.

use std::collections::HashMap;
use std::time::Duration;

use api::{Halted, LastRun, LogKind, Rule, Stored, to_millisecond};
use hiflying::Mac;
use jiff::Timestamp;
use plugs::RelayState;
use serde_json::Value;

use crate::automation::run_state::RunState;
use crate::event::EventBus;
use crate::rule::{Observation, Power, RuleState};

/// A rule in operation.
#[derive(Debug)]
pub(super) struct ActiveRule {
    pub(super) stored: Stored<Rule>,
    pub(super) state: RuleState,
    pub(super) record: RunState<Value>,
    pub(super) wake_at: Option<Timestamp>,
}

/// State of a plug according to events.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct PlugStatus {
    pub(super) relay: Option<RelayState>,
    /// True if a person switched it last.
    pub(super) by_person: bool,
    pub(super) available: bool,
    pub(super) patience: Duration,
}

/// Power of a plug at this moment.
#[derive(Debug, Clone, Copy)]
pub(super) struct PowerReading {
    pub(super) plug: Mac,
    pub(super) power: Power,
}

impl ActiveRule {
    pub(super) fn observe(
        &self,
        stands: &HashMap<Mac, PlugStatus>,
        draws: Option<PowerReading>,
    ) -> Observation {
        let plug = self.stored.body.plug;
        let stand = stands.get(&plug);
        let drawn_by = |whose: Option<Mac>| {
            draws
                .filter(|draws| whose.is_some_and(|whose| whose == draws.plug))
                .map(|draws| draws.power)
        };
        Observation {
            relay: stand.and_then(|stand| stand.relay),
            by_person: stand.is_some_and(|stand| stand.by_person),
            available: stand.is_some_and(|stand| stand.available),
            power: drawn_by(Some(self.stored.body.plug)),
            leader: drawn_by(self.stored.body.kind.leader()),
        }
    }

    pub(super) fn halt(&mut self, now: Timestamp) {
        let last = self.record.last.as_ref();
        let error = last.and_then(|last| last.error.as_deref());
        let error = error.expect("a rule is stopped for an error of its last run");
        let why = format!("{error}, and this would have been one more");
        self.record.halted = Some(Halted {
            at: to_millisecond(now),
            why,
        });
    }

    pub(super) fn log(&self, bus: &EventBus) {
        let (id, name) = (&self.stored.id, &self.stored.body.name);
        if let Some(halted) = &self.record.halted {
            bus.log(halted.log_entry(LogKind::Rule, name));
            tracing::error!(%id, "the rule \u{2018}{name}\u{2019} is stopped: {}", halted.why);
            return;
        }
        let Some(last) = &self.record.last else {
            return;
        };
        bus.log(last.log_entry(LogKind::Rule, name));
        let LastRun {
            action, why, error, ..
        } = last;
        match error {
            None => tracing::info!(%id, action, "the rule \u{2018}{name}\u{2019} acted: {why}"),
            Some(error) => {
                tracing::warn!(%id, action, "the rule \u{2018}{name}\u{2019} failed: {error}");
            }
        }
    }
}
