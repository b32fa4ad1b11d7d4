//! A relay is a mechanical part: how often it may be moved without anybody's hand.
//!
//! Two rules that want the opposite, or a rule and a schedule, would switch a plug to pieces. So the automatic changes of each
//! relay are counted over the last minute, and who would make one too many is to be stopped. People are never counted.
//!
//! The guard knows no clock and stops nobody itself.

use std::collections::{HashMap, VecDeque};
use std::time::{Duration, Instant};

use hiflying::Mac;

/// So many times in [`WINDOW`] may a relay be moved automatically.
pub const MOST: usize = 6;
/// The time over which changes are counted.
pub const WINDOW: Duration = Duration::from_secs(60);

/// One automatic change too many.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the relay has been switched automatically {MOST} times within a minute")]
pub struct TooOften;

/// Counts the automatic changes of each relay.
#[derive(Debug, Default)]
pub struct Guard {
    changes: HashMap<Mac, VecDeque<Instant>>,
}

impl Guard {
    /// Notes that a plug's relay is about to be moved automatically.
    ///
    /// # Errors
    ///
    /// [`TooOften`], and nothing is noted, when that would be one change too many.
    pub fn take(&mut self, plug: Mac, now: Instant) -> Result<(), TooOften> {
        let changes = self.changes.entry(plug).or_default();
        while changes
            .front()
            .is_some_and(|change| now.saturating_duration_since(*change) >= WINDOW)
        {
            changes.pop_front();
        }
        if changes.len() >= MOST {
            return Err(TooOften);
        }
        changes.push_back(now);
        Ok(())
    }

    /// Notes that the latest order to a plug is about to be given once more, because nobody knows whether it was carried out.
    /// It counts once, and from now on: it may be this time that it moves the relay.
    pub fn repeat(&mut self, plug: Mac, now: Instant) {
        let changes = self.changes.entry(plug).or_default();
        changes.pop_back();
        changes.push_back(now);
    }

    /// Forgets what no longer counts, and plugs that have not been moved for long.
    pub fn tidy(&mut self, now: Instant) {
        self.changes.retain(|_, changes| {
            changes
                .back()
                .is_some_and(|change| now.saturating_duration_since(*change) < WINDOW)
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
        let (mut guard, start) = (Guard::default(), Instant::now());
        let at = |seconds| start + Duration::from_secs(seconds);
        for second in [0, 10, 20, 30, 40, 50] {
            assert_eq!(guard.take(PLUG, at(second)), Ok(()));
        }
        assert_eq!(guard.take(PLUG, at(59)), Err(TooOften));
        // Another plug has its own count.
        assert_eq!(guard.take(Mac::new([2; 6]), at(59)), Ok(()));
        // The first is a minute old.
        assert_eq!(guard.take(PLUG, at(60)), Ok(()));
        assert_eq!(guard.take(PLUG, at(69)), Err(TooOften));
        assert_eq!(guard.take(PLUG, at(70)), Ok(()));
    }

    #[test]
    fn an_order_that_is_repeated_counts_from_its_last_time() {
        let (mut guard, start) = (Guard::default(), Instant::now());
        let at = |seconds| start + Duration::from_secs(seconds);
        guard.take(PLUG, at(0)).unwrap();
        guard.repeat(PLUG, at(30));
        guard.repeat(PLUG, at(300));
        for second in 301..306 {
            assert_eq!(guard.take(PLUG, at(second)), Ok(()));
        }
        assert_eq!(guard.take(PLUG, at(359)), Err(TooOften));
        assert_eq!(guard.take(PLUG, at(360)), Ok(()));
    }

    #[test]
    fn forgets_plugs_that_rest() {
        let (mut guard, start) = (Guard::default(), Instant::now());
        guard.take(PLUG, start).unwrap();
        guard.take(Mac::new([2; 6]), start + WINDOW / 2).unwrap();
        guard.tidy(start + WINDOW);
        assert_eq!(guard.changes.len(), 1);
    }

    proptest! {
        #[test]
        fn never_more_than_the_bound_in_any_minute(
            steps in prop::collection::vec((0_u64..30_000, 0_u8..3, any::<bool>()), 1..300)
        ) {
            let (mut guard, mut now) = (Guard::default(), Instant::now());
            let mut allowed: HashMap<Mac, Vec<Instant>> = HashMap::new();
            for (millis, plug, tidies) in steps {
                now += Duration::from_millis(millis);
                if tidies {
                    guard.tidy(now);
                }
                let plug = Mac::new([plug; 6]);
                let past = allowed.entry(plug).or_default();
                let recent = past.iter().filter(|then| now - **then < WINDOW).count();
                // Exactly the naive count decides: never more than the bound, and never one less.
                prop_assert_eq!(guard.take(plug, now).is_ok(), recent < MOST);
                if recent < MOST {
                    past.push(now);
                }
            }
        }
    }
}
