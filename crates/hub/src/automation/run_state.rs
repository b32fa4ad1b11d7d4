//! Run-time state of a schedule or a rule, as it is stored with its document.

use api::{Halted, LastRun, Schedule, ScheduleStatus, Stored};
use jiff::Timestamp;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::repository::Repository;
use crate::schedule::{Clock, FiredTimes};

/// Number of coming runs of a schedule that are told.
const MAX_UPCOMING: usize = 3;

/// Run-time state. The API and events show `last` and `halted`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, bound = "M: Serialize + DeserializeOwned + Default")]
pub(crate) struct RunState<M> {
    /// Revision of the document that this belongs to. An edit resets all but `last`.
    pub(crate) revision: u64,
    /// The last run.
    pub(crate) last: Option<LastRun>,
    /// The reason why it is stopped until it is edited.
    pub(crate) halted: Option<Halted>,
    /// State of schedules or rules alone.
    pub(crate) memory: M,
}

/// Stored state of a schedule.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct ScheduleState {
    /// Time at which this revision of the schedule began: nothing before it is caught up with.
    pub(crate) since: Option<Timestamp>,
    /// Time up to which everything has run or been skipped.
    pub(crate) dealt_with: Option<Timestamp>,
    /// Due time of a run that has begun and may not have ended.
    pub(crate) firing: Option<Timestamp>,
    /// Due times that do not fire again.
    pub(crate) fired: FiredTimes,
}

impl<M: Serialize + DeserializeOwned + Default> RunState<M> {
    /// Reads the state of this revision. Of an earlier revision only `last` is kept.
    pub(crate) fn read(state: &Value, revision: u64) -> Self {
        // A state that cannot be read, or null, is as good as none.
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

    /// Returns its stored form.
    pub(crate) fn write(&self) -> Value {
        serde_json::to_value(self).expect("a tree with text keys can be written as JSON")
    }

    /// Records a run. Returns false for a repeated failure with the same reason, which is not worth an event.
    pub(crate) fn acted(&mut self, last: LastRun) -> bool {
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

/// Returns the state of a schedule that is made or edited now. It is written together with the schedule, so that a run is made up
/// which is due while the hub is down, even if it was killed right after the edit.
pub(crate) fn begun(state: Value, revision: u64) -> Value {
    let mut record = RunState::<ScheduleState>::read(&state, revision);
    let now = plugs::now();
    record.memory.since = Some(now);
    record.memory.dealt_with = Some(now);
    record.write()
}

/// Returns the fields that the hub adds to a schedule: `next` is the time at which it will fire.
pub(crate) fn schedule_status(
    schedules: &Repository<Schedule>,
    clock: &Clock,
    stored: &Stored<Schedule>,
    now: Timestamp,
) -> ScheduleStatus {
    let state = schedules.state(&stored.id);
    let record = RunState::<ScheduleState>::read(&state, stored.revision);
    let fired = &record.memory.fired;
    let after = |after: &Timestamp| {
        // Without a place the sun never rises; the log says so.
        let next = fired.next(&stored.body, clock, *after, &stored.id);
        next.ok().flatten()
    };
    let first = after(&now).filter(|_| record.halted.is_none());
    let upcoming: Vec<_> = std::iter::successors(first, after)
        .take(MAX_UPCOMING)
        .collect();
    ScheduleStatus {
        next: upcoming.first().copied(),
        upcoming,
        last: record.last,
        halted: record.halted,
        missing: Vec::new(),
    }
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
        let same = RunState::<u8>::read(&state, 3);
        assert_eq!(same.write(), state);
        let edited = RunState::<u8>::read(&state, 4);
        assert_eq!(
            (edited.halted, edited.memory, edited.last),
            (None, 0, same.last)
        );
        for broken in [Value::Null, json!(7), json!({"revision": "x"})] {
            assert_eq!(RunState::<u8>::read(&broken, 1).last, None);
        }
    }

    #[test]
    fn the_same_failure_again_is_no_news() {
        let last = |error: Option<&str>| LastRun {
            at: Timestamp::UNIX_EPOCH,
            action: "off".into(),
            why: "x".into(),
            confirmed: error.is_none(),
            error: error.map(str::to_owned),
        };
        let mut record = RunState::<()>::default();
        assert!(record.acted(last(Some("no answer"))));
        assert!(!record.acted(last(Some("no answer"))));
        assert!(record.acted(last(Some("refused"))));
        assert!(record.acted(last(None)));
        assert!(record.acted(last(None)));
    }
}
