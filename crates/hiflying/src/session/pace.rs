//! How fast the module answers, and how soon to ask again.

use std::time::{Duration, Instant};

/// A smoothed round-trip time.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct RoundTrip {
    smoothed: Option<Duration>,
    /// How long a reply took at most, when it came too late to tell which sending it answered.
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

    /// After how long to ask again, within bounds. Four round trips; as long as none is known, the
    /// lower bound.
    pub(super) fn pace(self, least: Duration, most: Duration) -> Duration {
        let pace = self
            .smoothed
            .map_or(least, |smoothed| smoothed * 4)
            .max(self.late);
        pace.clamp(least, most.max(least))
    }

    /// How long to let an extra reply arrive that may be on its way.
    pub(super) fn settle(self) -> Duration {
        let smoothed = self.smoothed.unwrap_or(Duration::from_millis(10));
        smoothed.clamp(Duration::from_millis(2), Duration::from_millis(50))
    }

    /// Whether a reply this long after the last of several sendings is likely an answer to that
    /// one.
    pub(super) fn is_prompt(self, elapsed: Duration) -> bool {
        let usual = self
            .smoothed
            .map_or(Duration::from_millis(150), |smoothed| smoothed * 4);
        elapsed <= usual.max(Duration::from_millis(20))
    }
}

/// A later time; the same where the clock cannot count so far.
pub(crate) fn after(now: Instant, wait: Duration) -> Instant {
    now.checked_add(wait).unwrap_or(now)
}
