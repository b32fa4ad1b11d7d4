//! The limit on automatic switches of each relay, which is a mechanical part.
//!
//! Two contradicting rules, or a rule and a schedule, would wear out a relay. So its automatic switches within the last minute are
//! counted, and the schedule or rule that exceeds the limit is stopped. Switches by people are not counted. Time is a parameter.

use std::collections::{HashMap, VecDeque};
use std::time::{Duration, Instant};

use hiflying::Mac;

/// Automatic switches of one relay within [`LIMIT_WINDOW`].
pub(super) const MAX_AUTOMATIC_SWITCHES: usize = 6;
/// Time over which switches are counted.
pub(super) const LIMIT_WINDOW: Duration = Duration::from_secs(60);

/// The limit on automatic switches is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the relay has been switched automatically {MAX_AUTOMATIC_SWITCHES} times within a minute")]
pub(super) struct TooOften;

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
    /// [`TooOften`], without counting it, when it would exceed the limit.
    pub(super) fn take(&mut self, plug: Mac, now: Instant) -> Result<(), TooOften> {
        let changes = self.changes.entry(plug).or_default();
        while changes
            .front()
            .is_some_and(|change| now.saturating_duration_since(*change) >= LIMIT_WINDOW)
        {
            changes.pop_front();
        }
        if changes.len() >= MAX_AUTOMATIC_SWITCHES {
            return Err(TooOften);
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

    /// Removes plugs that were not switched within the window.
    pub(super) fn tidy(&mut self, now: Instant) {
        self.changes.retain(|_, changes| {
            changes
                .back()
                .is_some_and(|change| now.saturating_duration_since(*change) < LIMIT_WINDOW)
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
        assert_eq!(limiter.take(PLUG, at(59)), Err(TooOften));
        // Another plug has its own count.
        assert_eq!(limiter.take(Mac::new([2; 6]), at(59)), Ok(()));
        // The first is a minute old.
        assert_eq!(limiter.take(PLUG, at(60)), Ok(()));
        assert_eq!(limiter.take(PLUG, at(69)), Err(TooOften));
        assert_eq!(limiter.take(PLUG, at(70)), Ok(()));
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
        assert_eq!(limiter.take(PLUG, at(359)), Err(TooOften));
        assert_eq!(limiter.take(PLUG, at(360)), Ok(()));
    }

    #[test]
    fn forgets_plugs_that_rest() {
        let (mut limiter, start) = (SwitchLimiter::default(), Instant::now());
        limiter.take(PLUG, start).unwrap();
        limiter
            .take(Mac::new([2; 6]), start + LIMIT_WINDOW / 2)
            .unwrap();
        limiter.tidy(start + LIMIT_WINDOW);
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
                let recent = past.iter().filter(|then| now - **then < LIMIT_WINDOW).count();
                // Exactly the naive count decides: never more than the bound, and never one less.
                prop_assert_eq!(limiter.take(plug, now).is_ok(), recent < MAX_AUTOMATIC_SWITCHES);
                if recent < MAX_AUTOMATIC_SWITCHES {
                    past.push(now);
                }
            }
        }
    }
}
