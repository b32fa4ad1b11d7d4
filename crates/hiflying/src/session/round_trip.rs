//! Measured round trips, and the intervals that follow from them.

use std::time::{Duration, Instant};

use super::config::{
    DEFAULT_PROMPT_LIMIT, DEFAULT_ROUND_TRIP, MAX_SETTLE_DELAY, MIN_PROMPT_LIMIT, MIN_SETTLE_DELAY,
};

/// A smoothed round-trip time.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct RoundTrip {
    smoothed: Option<Duration>,
    /// Maximum time of a reply that came too late to tell which sending it belongs to.
    late: Duration,
}

impl RoundTrip {
    /// Takes a measurement, from a request that was sent once only.
    pub(super) fn measure(&mut self, sample: Duration) {
        self.late = Duration::ZERO;
        self.smoothed = Some(match self.smoothed {
            // A module that is quick with one verb can be slow with the next; believe a jump at
            // once.
            Some(smoothed) if sample <= smoothed * 4 => (smoothed * 7 + sample) / 8,
            _ => sample,
        });
    }

    /// Notes a reply that came long after the last of several sendings: the next command waits
    /// longer.
    pub(super) fn note_late(&mut self, since_first: Duration) {
        self.late = since_first;
    }

    /// Returns the delay before a command is repeated: four round trips, within bounds. While none has been
    /// measured, the lower bound.
    pub(super) fn resend_delay(self, min: Duration, max: Duration) -> Duration {
        let delay = self
            .smoothed
            .map_or(min, |smoothed| smoothed * 4)
            .max(self.late);
        delay.clamp(min, max.max(min))
    }

    /// Returns the delay in which an extra reply may arrive.
    pub(super) fn settle(self) -> Duration {
        self.smoothed
            .unwrap_or(DEFAULT_ROUND_TRIP)
            .clamp(MIN_SETTLE_DELAY, MAX_SETTLE_DELAY)
    }

    /// Tells whether a reply this long after the last of several sendings likely belongs to that one.
    pub(super) fn is_prompt(self, elapsed: Duration) -> bool {
        let limit = self
            .smoothed
            .map_or(DEFAULT_PROMPT_LIMIT, |smoothed| smoothed * 4);
        elapsed <= limit.max(MIN_PROMPT_LIMIT)
    }
}

/// Returns a later time, or `now` where the clock cannot count that far.
pub(crate) fn after(now: Instant, delay: Duration) -> Instant {
    now.checked_add(delay).unwrap_or(now)
}
