//! The times at which a plug is metered: spread over the interval, and less often while metering fails. Pure.

use std::time::{Duration, Instant};

/// Maximum delay while metering fails, unless the interval itself is longer.
const MAX_RETRY_DELAY: Duration = Duration::from_secs(60);
/// Maximum number of times that the delay is doubled.
const MAX_DOUBLINGS: u32 = 6;

/// The times at which one plug is metered.
#[derive(Debug, Clone, Copy)]
pub(super) struct MeteringRhythm {
    period: Duration,
    due: Instant,
    /// Time of an additional reading outside the rhythm.
    extra: Option<Instant>,
    failures: u32,
}

impl MeteringRhythm {
    /// Begins the rhythm; `share` from 0 to 1 is the place in the interval.
    pub(super) fn new(now: Instant, period: Duration, share: f64) -> Self {
        Self {
            period,
            due: now + period.mul_f64(share.clamp(0.0, 1.0)),
            extra: None,
            failures: 0,
        }
    }

    pub(super) fn due(&self) -> Instant {
        self.extra.map_or(self.due, |extra| extra.min(self.due))
    }

    pub(super) fn period(&self) -> Duration {
        self.period
    }

    /// Makes a reading due at once; then the old rhythm continues, so that plugs that are switched together are not metered
    /// together from then on.
    pub(super) fn hurry(&mut self, now: Instant) {
        self.extra = Some(now);
    }

    /// Records that it was metered at `now`. Returns whether that had failed before.
    pub(super) fn done(&mut self, now: Instant) -> bool {
        let had_failed = self.failures > 0;
        self.failures = 0;
        self.extra = None;
        self.due = self.next(now);
        had_failed
    }

    /// Records that it could not be metered. Returns whether that is new.
    pub(super) fn failed(&mut self, now: Instant) -> bool {
        let is_new = self.failures == 0;
        let gap = self.period * (1 << self.failures.min(MAX_DOUBLINGS));
        self.failures = self.failures.saturating_add(1);
        self.extra = None;
        self.due = now + gap.min(MAX_RETRY_DELAY.max(self.period));
        is_new
    }

    /// Returns the next time of the rhythm. Missed readings are not made up for.
    fn next(&self, now: Instant) -> Instant {
        if self.due > now {
            return self.due;
        }
        let late = now.saturating_duration_since(self.due);
        let missed = late.as_nanos() / self.period.as_nanos().max(1);
        let periods = u32::try_from(missed).unwrap_or(u32::MAX).saturating_add(1);
        let next = self
            .period
            .checked_mul(periods)
            .and_then(|gap| self.due.checked_add(gap));
        next.filter(|next| *next > now).unwrap_or(now + self.period)
    }
}

/// Returns the place in the interval at which the `index`-th plug is metered, so that any number of plugs in a row is spread evenly.
pub(super) fn share(index: u64) -> f64 {
    const GOLDEN: f64 = 0.618_033_988_749_894_9;
    // Far more plugs than fit into a house are still exact.
    (index as f64 * GOLDEN).fract()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const PERIOD: Duration = Duration::from_secs(10);

    #[test]
    fn keeps_its_rhythm_and_makes_up_for_nothing() {
        let start = Instant::now();
        let at = |seconds: f64| start + Duration::from_secs_f64(seconds);
        let mut pace = MeteringRhythm::new(start, PERIOD, 0.3);
        assert_eq!(pace.due(), at(3.0));
        pace.done(at(3.2));
        assert_eq!(pace.due(), at(13.0));
        pace.done(at(57.0));
        assert_eq!(pace.due(), at(63.0));
        pace.hurry(at(59.0));
        assert_eq!(pace.due(), at(59.0));
        pace.done(at(59.1));
        assert_eq!(pace.due(), at(63.0));
    }

    #[test]
    fn failing_slows_it_down_and_is_news_once() {
        let start = Instant::now();
        let mut pace = MeteringRhythm::new(start, PERIOD, 0.0);
        let mut now = start;
        let mut gaps = Vec::new();
        for round in 0..40 {
            assert_eq!(pace.failed(now), round == 0);
            gaps.push((pace.due() - now).as_secs());
            now = pace.due();
        }
        assert_eq!(gaps[..5], [10, 20, 40, 60, 60]);
        assert!(pace.done(now) && !pace.done(now));
        assert_eq!(pace.due() - now, PERIOD);
    }

    #[test]
    fn plugs_are_spread_evenly() {
        for count in [3_u64, 20, 1000] {
            let mut shares: Vec<f64> = (0..count).map(share).collect();
            shares.sort_by(f64::total_cmp);
            let widest = shares
                .windows(2)
                .map(|pair| pair[1] - pair[0])
                .fold(0.0, f64::max);
            assert!(widest < 2.7 / count as f64, "{count}: {widest}");
        }
    }

    proptest! {
        #[test]
        fn always_later(period in 1_u64..100_000_000, steps in prop::collection::vec((0_u64..10_000_000, 0_u8..3), 1..50)) {
            let mut now = Instant::now();
            let mut pace = MeteringRhythm::new(now, Duration::from_millis(period), 0.5);
            for (gap, what) in steps {
                now += Duration::from_millis(gap);
                match what {
                    0 => { pace.done(now); }
                    1 => { pace.failed(now); }
                    _ => { pace.hurry(now); prop_assert!(pace.due() <= now); continue; }
                }
                prop_assert!(pace.due() > now);
                prop_assert!(pace.due() <= now + MAX_RETRY_DELAY.max(pace.period() * 2));
            }
        }
    }
}
