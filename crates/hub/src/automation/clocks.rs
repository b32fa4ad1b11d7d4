//! The clocks, and the distinction between a machine that slept and a clock that was set.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::time::Instant;

/// Minimum difference that counts as a clock that was set: time servers slew it, and loops are late now and then.
const MIN_CLOCK_CHANGE: SignedDuration = SignedDuration::from_secs(2);

/// Bounds each sleep, so that a clock that was set, or a suspended machine, is noticed soon.
const MAX_SLEEP: Duration = Duration::from_secs(5);

/// Returns the time until which a loop with work at `due` sleeps.
pub(super) fn wake_at(due: Option<Timestamp>, now: Timestamp) -> Instant {
    let left = due.map_or(MAX_SLEEP, |due| {
        // A due time in the past is negative.
        Duration::try_from(due.duration_since(now)).unwrap_or(Duration::ZERO)
    });
    // A millisecond late rather than a moment early.
    Instant::now() + left.min(MAX_SLEEP) + Duration::from_millis(1)
}

/// Times of both clocks at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ClockReading {
    /// Time of day, which people and time servers set.
    pub(crate) wall: Timestamp,
    /// Monotonic time that continues while the machine sleeps.
    pub(crate) steady: Duration,
}

impl ClockReading {
    /// Reads the clocks of the machine.
    pub(crate) fn now() -> Self {
        Self {
            wall: plugs::now(),
            steady: plugs::steady_time(),
        }
    }
}

/// A time of day that advances with the monotonic clock, and detects that the clock was set.
#[derive(Debug)]
pub(super) struct ClockWatch(ClockReading);

impl ClockWatch {
    pub(super) fn new(time: ClockReading) -> Self {
        Self(time)
    }

    /// Returns the time of day, less what the clock was set since the last change that [`look`](Self::look) returned.
    pub(super) fn steady(&self, time: ClockReading) -> Timestamp {
        let passed = time.steady.saturating_sub(self.0.steady);
        self.0.wall.saturating_add(passed).unwrap_or(Timestamp::MAX)
    }

    /// Returns by how much the clock was set since the last change.
    pub(super) fn look(&mut self, time: ClockReading) -> Option<SignedDuration> {
        let set = time.wall.duration_since(self.steady(time));
        if set.abs() < MIN_CLOCK_CHANGE {
            return None;
        }
        self.0 = time;
        Some(set)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sleep_is_not_a_clock_that_was_set() {
        let at = |wall: i64, steady| ClockReading {
            wall: Timestamp::from_second(wall).unwrap(),
            steady: Duration::from_secs(steady),
        };
        let mut watch = ClockWatch::new(at(1_000, 50));
        assert_eq!(watch.look(at(1_010, 60)), None);
        // Eight hours of sleep.
        assert_eq!(watch.look(at(29_810, 28_860)), None);
        assert_eq!(
            watch.look(at(33_420, 28_870)),
            Some(SignedDuration::from_hours(1))
        );
        assert_eq!(watch.look(at(33_421, 28_871)), None);
        assert_eq!(watch.steady(at(99_999, 28_871)), at(33_421, 0).wall);
        assert_eq!(
            watch.look(at(29_822, 28_872)),
            Some(-SignedDuration::from_hours(1))
        );
        // Small changes do not count until they add up.
        assert_eq!(watch.look(at(29_833, 28_882)), None);
        assert_eq!(watch.steady(at(29_833, 28_882)), at(29_832, 0).wall);
        assert_eq!(
            watch.look(at(29_835, 28_883)),
            Some(SignedDuration::from_secs(2))
        );
    }

    #[test]
    fn the_steady_clock_goes() {
        let before = ClockReading::now();
        std::thread::sleep(Duration::from_millis(2));
        assert!(ClockReading::now().steady > before.steady);
    }
}
