//! One rule as it runs: what it sees, and what is remembered of it.

use std::collections::HashMap;
use std::time::Duration;

use api::{PlugId, Rule, Stored};
use hiflying::Mac;
use jiff::Timestamp;
use plugs::RelayState;
use serde_json::Value;

use crate::automation::record::{Halted, Last, Record, rounded};
use crate::rule::{Observation, Power, RuleState};

/// One rule.
#[derive(Debug)]
pub(super) struct Running {
    pub(super) stored: Stored<Rule>,
    pub(super) state: RuleState,
    pub(super) record: Record<Value>,
    pub(super) wake_at: Option<Timestamp>,
}

/// How a plug stands, as far as the news has told.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Stand {
    pub(super) relay: Option<RelayState>,
    /// Whether it was a person who moved it last.
    pub(super) by_person: bool,
    pub(super) available: bool,
    pub(super) patience: Duration,
}

/// What a plug draws at this very moment.
#[derive(Debug, Clone, Copy)]
pub(super) struct Draws {
    pub(super) plug: Mac,
    pub(super) power: Power,
}

impl Running {
    pub(super) fn observe(
        &self,
        stands: &HashMap<Mac, Stand>,
        draws: Option<Draws>,
    ) -> Observation {
        let plug = self.stored.body.plug.0;
        let stand = stands.get(&plug);
        let drawn_by = |whose: Option<PlugId>| {
            draws
                .filter(|draws| whose.is_some_and(|whose| whose.0 == draws.plug))
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
        let error = self
            .record
            .last
            .as_ref()
            .and_then(|last| last.error.as_deref());
        let why = format!(
            "{}, and this would have been one more",
            error.unwrap_or_default()
        );
        self.record.halted = Some(Halted {
            at: rounded(now),
            why,
        });
    }

    pub(super) fn log(&self) {
        let (id, name) = (&self.stored.id, &self.stored.body.name);
        if let Some(halted) = &self.record.halted {
            tracing::error!(%id, "the rule \u{2018}{name}\u{2019} is stopped: {}", halted.why);
            return;
        }
        let Some(Last {
            action, why, error, ..
        }) = &self.record.last
        else {
            return;
        };
        match error {
            None => tracing::info!(%id, action, "the rule \u{2018}{name}\u{2019} acted: {why}"),
            Some(error) => {
                tracing::warn!(%id, action, "the rule \u{2018}{name}\u{2019} failed: {error}");
            }
        }
    }
}
