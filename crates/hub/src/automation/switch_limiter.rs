//! The limit on automatic switches of each relay, which is a mechanical part.
//!
//! Two contradicting rules, or a rule and a schedule, would wear out a relay. So its automatic switches within the last minute,
//! hour and day are counted, and the schedule or rule that exceeds a limit is stopped. Switches by people are not counted. Time is a parameter.

use std::collections::{HashMap, VecDeque};
use std::time::{Duration, Instant};

use hiflying::Mac;

/// Automatic switches of one relay within [`LIMIT_WINDOW`].
pub(super) const MAX_AUTOMATIC_SWITCHES: usize = 6;
/// Time over which switches are counted first.
pub(super) const LIMIT_WINDOW: Duration = Duration::from_secs(60);

/// The limits, each with its time and its name. Two rules can fight below the limit of a minute for ever; a relay lasts for some
/// hundred thousand switches.
const LIMITS: [SwitchLimit; 3] = [
    SwitchLimit {
        max: MAX_AUTOMATIC_SWITCHES,
        window: LIMIT_WINDOW,
        name: "a minute",
    },
    SwitchLimit {
        max: 60,
        window: Duration::from_secs(60 * 60),
        name: "an hour",
    },
    SwitchLimit {
        max: 600,
        window: MAX_WINDOW,
        name: "a day",
    },
];
const MAX_WINDOW: Duration = Duration::from_secs(24 * 60 * 60);

/// A limit on the number of automatic switches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct SwitchLimit {
    max: usize,
    window: Duration,
    name: &'static str,
}

/// A limit on automatic switches is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the relay has been switched automatically {} times within {}", .0.max, .0.name)]
pub(super) struct TooOften(SwitchLimit);

/// Counts the automatic switches of each relay.
#[derive(Debug, Default)]
pub(super) struct SwitchLimiter {
    changes: HashMap<Mac, VecDeque<Instant>>,
}

impl SwitchLimiter {
    /// Counts an automatic switch that is about to be made.
    ///
    /// # Errors
    ///
    /// [`TooOften`], without counting it, when it would exceed a limit.
    pub(super) fn take(&mut self, plug: Mac, now: Instant) -> Result<(), TooOften> {
        let changes = self.changes.entry(plug).or_default();
        let is_within = |change: &Instant, window| now.saturating_duration_since(*change) < window;
        while changes
            .front()
            .is_some_and(|change| !is_within(change, MAX_WINDOW))
        {
            changes.pop_front();
        }
        for limit in LIMITS {
            // They are in order of time, so the one that would be too many is in the window or none is.
            let first = changes.len().checked_sub(limit.max);
            let first = first.and_then(|place| changes.get(place));
            if first.is_some_and(|change| is_within(change, limit.window)) {
                return Err(TooOften(limit));
            }
        }
        changes.push_back(now);
        Ok(())
    }

    /// Counts a repetition of the latest command, whose outcome is unknown. It counts once, and from now on, since it may be this time
    /// that the relay moves.
    pub(super) fn repeat(&mut self, plug: Mac, now: Instant) {
        let changes = self.changes.entry(plug).or_default();
        changes.pop_back();
        changes.push_back(now);
    }

    /// Removes plugs that were not switched within the longest window.
    pub(super) fn tidy(&mut self, now: Instant) {
        self.changes.retain(|_, changes| {
            changes
                .back()
                .is_some_and(|change| now.saturating_duration_since(*change) < MAX_WINDOW)
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const PLUG: Mac = Mac::new([1; 6]);

    #[test]
    fn the_seventh_in_a_minute_is_too_many() {
        let (mut limiter, start) = (SwitchLimiter::default(), Instant::now());
        let at = |seconds| start + Duration::from_secs(seconds);
        for second in [0, 10, 20, 30, 40, 50] {
            assert_eq!(limiter.take(PLUG, at(second)), Ok(()));
        }
        assert_eq!(limiter.take(PLUG, at(59)), Err(TooOften(LIMITS[0])));
        // Another plug has its own count.
        assert_eq!(limiter.take(Mac::new([2; 6]), at(59)), Ok(()));
        // The first is a minute old.
        assert_eq!(limiter.take(PLUG, at(60)), Ok(()));
        assert_eq!(limiter.take(PLUG, at(69)), Err(TooOften(LIMITS[0])));
        assert_eq!(limiter.take(PLUG, at(70)), Ok(()));
    }

    #[test]
    fn a_slow_fight_is_bounded_by_the_hour_and_the_day() {
        let (mut limiter, start) = (SwitchLimiter::default(), Instant::now());
        let mut allowed = 0;
        for second in (0..3600).step_by(12) {
            allowed += usize::from(
                limiter
                    .take(PLUG, start + Duration::from_secs(second))
                    .is_ok(),
            );
        }
        assert_eq!(allowed, 60);
        let later = start + Duration::from_secs(3599);
        let error = limiter.take(PLUG, later).unwrap_err().to_string();
        assert!(error.ends_with("60 times within an hour"), "{error}");
        for second in (3600..86_400).step_by(70) {
            allowed += usize::from(
                limiter
                    .take(PLUG, start + Duration::from_secs(second))
                    .is_ok(),
            );
        }
        assert_eq!(allowed, 600);
        let error = limiter
            .take(PLUG, start + Duration::from_secs(86_399))
            .unwrap_err();
        assert!(
            error.to_string().ends_with("600 times within a day"),
            "{error}"
        );
    }

    #[test]
    fn an_order_that_is_repeated_counts_from_its_last_time() {
        let (mut limiter, start) = (SwitchLimiter::default(), Instant::now());
        let at = |seconds| start + Duration::from_secs(seconds);
        limiter.take(PLUG, at(0)).unwrap();
        limiter.repeat(PLUG, at(30));
        limiter.repeat(PLUG, at(300));
        for second in 301..306 {
            assert_eq!(limiter.take(PLUG, at(second)), Ok(()));
        }
        assert_eq!(limiter.take(PLUG, at(359)), Err(TooOften(LIMITS[0])));
        assert_eq!(limiter.take(PLUG, at(360)), Ok(()));
    }

    #[test]
    fn forgets_plugs_that_rest() {
        let (mut limiter, start) = (SwitchLimiter::default(), Instant::now());
        limiter.take(PLUG, start).unwrap();
        limiter
            .take(Mac::new([2; 6]), start + MAX_WINDOW / 2)
            .unwrap();
        limiter.tidy(start + MAX_WINDOW);
        assert_eq!(limiter.changes.len(), 1);
    }

    proptest! {
        #[test]
        fn never_more_than_the_bound_in_any_minute(
            steps in prop::collection::vec((0_u64..30_000, 0_u8..3, any::<bool>()), 1..300)
        ) {
            let (mut limiter, mut now) = (SwitchLimiter::default(), Instant::now());
            let mut allowed: HashMap<Mac, Vec<Instant>> = HashMap::new();
            for (millis, plug, tidies) in steps {
                now += Duration::from_millis(millis);
                if tidies {
                    limiter.tidy(now);
                }
                let plug = Mac::new([plug; 6]);
                let past = allowed.entry(plug).or_default();
                let is_below = LIMITS.iter().all(|limit| {
                    past.iter().filter(|then| now - **then < limit.window).count() < limit.max
                });
                // Exactly the naive count decides: never more than the bound, and never one less.
                prop_assert_eq!(limiter.take(plug, now).is_ok(), is_below);
                if is_below {
                    past.push(now);
                }
            }
        }
    }
}
