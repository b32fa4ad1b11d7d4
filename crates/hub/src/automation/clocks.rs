//! The clocks, and telling a machine that slept from a clock that was set.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::time::Instant;

/// A clock that differs by less was not set; it is drawn along, and loops are late now and then.
const NOTICED: SignedDuration = SignedDuration::from_secs(2);

/// No sleep is longer, so that a clock that was set, or a night of the machine, is noticed soon.
const LONGEST_SLEEP: Duration = Duration::from_secs(5);

/// Returns until when a loop may sleep that has something to do when it is `due`.
pub(super) fn wake_at(due: Option<Timestamp>, now: Timestamp) -> Instant {
    let left = due.map_or(LONGEST_SLEEP, |due| {
        Duration::try_from(due.duration_since(now)).unwrap_or_default()
    });
    // A millisecond late rather than a moment early.
    Instant::now() + left.min(LONGEST_SLEEP) + Duration::from_millis(1)
}

/// What the clocks say at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Time {
    /// The time of day, which people and time servers set.
    pub(crate) wall: Timestamp,
    /// A time that nobody sets, and that goes on while the machine sleeps.
    pub(crate) steady: Duration,
}

impl Time {
    /// Reads the clocks of the machine.
    pub(crate) fn now() -> Self {
        Self {
            wall: Timestamp::now(),
            steady: steady(),
        }
    }
}

#[cfg(target_os = "linux")]
fn steady() -> Duration {
    // It cannot fail on any kernel of this century; if it did, no clock would ever seem to be set.
    nix::time::clock_gettime(nix::time::ClockId::CLOCK_BOOTTIME)
        .map_or(Duration::ZERO, Duration::from)
}

#[cfg(not(target_os = "linux"))]
fn steady() -> Duration {
    nix::time::clock_gettime(nix::time::ClockId::CLOCK_MONOTONIC)
        .map_or(Duration::ZERO, Duration::from)
}

/// Notices when the clock was set.
#[derive(Debug)]
pub(super) struct ClockWatch(Time);

impl ClockWatch {
    pub(super) fn new(time: Time) -> Self {
        Self(time)
    }

    /// Returns by how much the clock was set since the last look.
    pub(super) fn look(&mut self, time: Time) -> Option<SignedDuration> {
        let before = std::mem::replace(&mut self.0, time);
        let steady = time.steady.saturating_sub(before.steady);
        let steady = SignedDuration::try_from(steady).ok()?;
        let set = time.wall.duration_since(before.wall).checked_sub(steady)?;
        (set.abs() >= NOTICED).then_some(set)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sleep_is_not_a_clock_that_was_set() {
        let at = |wall: i64, steady| Time {
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
        assert_eq!(
            watch.look(at(29_822, 28_872)),
            Some(-SignedDuration::from_hours(1))
        );
        // Drawn along.
        assert_eq!(watch.look(at(29_833, 28_882)), None);
    }

    #[test]
    fn the_steady_clock_goes() {
        let before = Time::now();
        std::thread::sleep(Duration::from_millis(2));
        assert!(Time::now().steady > before.steady);
    }
}
