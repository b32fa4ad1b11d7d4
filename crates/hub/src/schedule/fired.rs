//! The times at which a schedule has fired, so that none fires twice, however the clock is set.

use api::{Id, RequestError, Schedule};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::due::{Clock, last_due, next_due};

/// Maximum number of spans. A new one begins only when the clock was set or a time was missed.
const MAX_SPANS: usize = 32;

/// The due times at which a schedule has fired.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct FiredTimes(Vec<FiredSpan>);

/// Due times that followed each other and fired, both ends included.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct FiredSpan {
    from: Timestamp,
    until: Timestamp,
}

impl FiredTimes {
    /// Records that a schedule fires for a due time.
    pub(crate) fn add(&mut self, schedule: &Schedule, clock: &Clock, id: &Id, due: Timestamp) {
        let follows = |span: &FiredSpan| next_due(schedule, clock, span.until, id) == Ok(Some(due));
        if let Some(span) = self.0.iter_mut().find(|span| follows(span)) {
            span.until = due;
            return;
        }
        if self.0.len() >= MAX_SPANS {
            self.0.remove(0);
        }
        self.0.push(FiredSpan {
            from: due,
            until: due,
        });
    }

    /// Takes back a due time, whose run may be incomplete.
    pub(crate) fn take_back(&mut self, due: Timestamp) {
        for span in self.0.iter_mut().filter(|span| span.until == due) {
            span.until = just_before(due);
        }
        self.0.retain(|span| span.from <= span.until);
    }

    /// Returns what still counts after an edit, which may have added times between those that fired: the last of each span.
    pub(crate) fn after_edit(&self) -> Self {
        let last = |span: &FiredSpan| FiredSpan {
            from: span.until,
            ..*span
        };
        Self(self.0.iter().map(last).collect())
    }

    /// Returns the next time after a moment at which a schedule fires and has not fired yet.
    pub(crate) fn next(
        &self,
        schedule: &Schedule,
        clock: &Clock,
        after: Timestamp,
        id: &Id,
    ) -> Result<Option<Timestamp>, RequestError> {
        let mut next = next_due(schedule, clock, after, id)?;
        while let Some(span) = next.and_then(|due| self.span(due)) {
            next = next_due(schedule, clock, span.until, id)?;
        }
        Ok(next)
    }

    /// Returns the last time after `after` and until `until` at which a schedule should have fired and has not.
    pub(crate) fn last_missed(
        &self,
        schedule: &Schedule,
        clock: &Clock,
        after: Timestamp,
        until: Timestamp,
        id: &Id,
    ) -> Result<Option<Timestamp>, RequestError> {
        let mut last = last_due(schedule, clock, after, until, id)?;
        while let Some(span) = last.and_then(|due| self.span(due)) {
            let until = just_before(span.from);
            if until <= after {
                return Ok(None);
            }
            last = last_due(schedule, clock, after, until, id)?;
        }
        Ok(last)
    }

    fn span(&self, due: Timestamp) -> Option<&FiredSpan> {
        let mut spans = self.0.iter();
        spans.find(|span| span.from <= due && due <= span.until)
    }
}

/// Returns the moment before another.
pub(crate) fn just_before(at: Timestamp) -> Timestamp {
    at.checked_sub(SignedDuration::from_nanos(1)).unwrap_or(at)
}
