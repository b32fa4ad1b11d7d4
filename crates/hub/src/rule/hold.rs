//! The time for which readings have agreed without a gap.

use std::time::Duration;

use jiff::Timestamp;

use super::verdict::{Power, later, passed};

/// A run of readings that agree.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Hold(Option<Run>);

#[derive(Debug, Clone, Copy, PartialEq)]
struct Run {
    since: Timestamp,
    /// Latest time of a reading that continues the run.
    until: Timestamp,
}

impl Hold {
    /// Adds a reading that agrees; returns the time for which readings have agreed.
    pub(super) fn go_on(&mut self, now: Timestamp, reading: Power) -> Duration {
        let since = match self.0 {
            Some(run) if now <= run.until => run.since,
            _ => now,
        };
        let until = later(now, reading.patience);
        self.0 = Some(Run { since, until });
        passed(since, now)
    }

    /// Ends the run on a reading that does not agree.
    pub(super) fn end(&mut self) {
        self.0 = None;
    }

    pub(super) fn shift(&mut self, shift: impl Fn(&mut Timestamp)) {
        if let Some(run) = &mut self.0 {
            shift(&mut run.since);
            shift(&mut run.until);
        }
    }
}
