//! What the hub remembers of a schedule or a rule, in its document's state.

use jiff::Timestamp;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What is remembered. `last` and `halted` are what the API and events show.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, bound = "M: Serialize + DeserializeOwned + Default")]
pub(super) struct Record<M> {
    /// The document's revision that this belongs to. An edit begins it anew, except for `last`.
    pub(super) revision: u64,
    /// The last act.
    pub(super) last: Option<Last>,
    /// Why it does not act any more until it is edited.
    pub(super) halted: Option<Halted>,
    /// What only schedules, or only rules, remember.
    pub(super) memory: M,
}

/// What was done last, and why.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Last {
    pub(super) at: Timestamp,
    /// `on`, `off` or `toggle`.
    pub(super) action: String,
    /// One clause that names the reason.
    pub(super) why: String,
    /// Whether the relays were seen where they should be.
    pub(super) confirmed: bool,
    /// What went wrong.
    pub(super) error: Option<String>,
}

/// Why something does not act any more.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Halted {
    pub(super) at: Timestamp,
    pub(super) why: String,
}

impl<M: Serialize + DeserializeOwned + Default> Record<M> {
    /// Reads what is remembered of this revision. Of an earlier one only `last` is left.
    pub(super) fn read(state: &Value, revision: u64) -> Self {
        let record = Self::deserialize(state).unwrap_or_default();
        if record.revision == revision {
            return record;
        }
        Self {
            revision,
            last: record.last,
            halted: None,
            memory: M::default(),
        }
    }

    /// Writes it for the document's state.
    pub(super) fn write(&self) -> Value {
        // A tree with text keys, which always can be written.
        serde_json::to_value(self).unwrap_or_default()
    }

    /// Notes an act. Returns whether it is news: trying again what failed for the same reason is none.
    pub(super) fn acted(&mut self, last: Last) -> bool {
        let is_repeated = self.last.as_ref().is_some_and(|before| {
            last.error.is_some()
                && (&before.error, &before.action, &before.why)
                    == (&last.error, &last.action, &last.why)
        });
        if !is_repeated {
            self.last = Some(last);
        }
        !is_repeated
    }
}

/// Returns the moment to the millisecond; nobody wants to read nine digits.
pub(super) fn rounded(at: Timestamp) -> Timestamp {
    Timestamp::from_millisecond(at.as_millisecond()).unwrap_or(at)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn an_edit_begins_anew_except_for_the_last_act() {
        let state = json!({
            "revision": 3,
            "last": {"at": "2026-03-02T05:00:00Z", "action": "on", "why": "x", "confirmed": true, "error": null},
            "halted": {"at": "2026-03-02T05:00:00Z", "why": "y"},
            "memory": 7,
        });
        let same = Record::<u8>::read(&state, 3);
        assert_eq!(same.write(), state);
        let edited = Record::<u8>::read(&state, 4);
        assert_eq!(
            (edited.halted, edited.memory, edited.last),
            (None, 0, same.last)
        );
        for broken in [Value::Null, json!(7), json!({"revision": "x"})] {
            assert_eq!(Record::<u8>::read(&broken, 1).last, None);
        }
    }

    #[test]
    fn the_same_failure_again_is_no_news() {
        let last = |error: Option<&str>| Last {
            at: Timestamp::UNIX_EPOCH,
            action: "off".into(),
            why: "x".into(),
            confirmed: error.is_none(),
            error: error.map(str::to_owned),
        };
        let mut record = Record::<()>::default();
        assert!(record.acted(last(Some("no answer"))));
        assert!(!record.acted(last(Some("no answer"))));
        assert!(record.acted(last(Some("refused"))));
        assert!(record.acted(last(None)));
        assert!(record.acted(last(None)));
    }
}
