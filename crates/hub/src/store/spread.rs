//! Assigns readings to minutes and quarters of an hour, and shares energy that was used over a gap among them.

/// Seconds of a minute.
pub(super) const MINUTE: i64 = 60;
/// Seconds of a quarter of an hour.
pub const QUARTER: i64 = 900;

const HOUR: i64 = 3600;
const DAY: i64 = 24 * HOUR;
/// Energy used over a longer gap counts for this last part of it.
const MAX_SPREAD_SECONDS: i64 = 400 * DAY;

/// Returns the start of the step that contains `t`.
pub(super) fn floor(t: i64, step: i64) -> i64 {
    t - t.rem_euclid(step.max(1))
}

/// Returns the start of the first step not before `t`.
pub(super) fn ceil(t: i64, step: i64) -> i64 {
    t.saturating_add((-t).rem_euclid(step.max(1)))
}

/// Energy used evenly between two moments.
#[derive(Debug, Clone, Copy)]
pub(super) struct EnergySpread {
    /// Milliseconds.
    since: i64,
    /// Milliseconds; later than `since`.
    at: i64,
    energy: i64,
}

impl EnergySpread {
    /// Spreads energy between two moments, in milliseconds. When the clock went back in between, it counts for the end.
    pub(super) fn new(since: i64, at: i64, energy: i64) -> Self {
        let earliest = at.saturating_sub(MAX_SPREAD_SECONDS * 1000);
        Self {
            since: since.clamp(earliest, at.saturating_sub(1)),
            at,
            energy,
        }
    }

    /// Returns the energy used from one moment to another, both in milliseconds. Adjoining shares add up exactly.
    pub(super) fn between(&self, from: i64, to: i64) -> i64 {
        self.until(to) - self.until(from)
    }

    fn until(&self, t: i64) -> i64 {
        let t = t.clamp(self.since, self.at);
        let length = i128::from((self.at - self.since).max(1));
        let share = i128::from(self.energy) * i128::from(t - self.since) / length;
        i64::try_from(share).unwrap_or(self.energy)
    }

    /// Returns the steps (in seconds) within a range, with the share of each.
    pub(super) fn steps(
        self,
        step: i64,
        range: std::ops::Range<i64>,
    ) -> impl Iterator<Item = (i64, i64)> {
        let first = floor(self.since.div_euclid(1000).max(range.start), step);
        let end = ceil_second(self.at).min(range.end);
        let starts = std::iter::successors(Some(first), move |t| t.checked_add(step));
        starts
            .take_while(move |t| *t < end)
            .map(move |t| (t, self.between(t * 1000, (t + step) * 1000)))
            .filter(|(_, share)| *share != 0)
    }

    /// Returns the minutes, with the share of each.
    ///
    /// A plug that was away for days must not cost a row for each minute: a gap of more than an hour is spread over quarters of an
    /// hour, one of more than a week over hours, each represented by its first minute.
    pub(super) fn minutes(self) -> impl Iterator<Item = (i64, i64)> {
        let gap = (self.at - self.since) / 1000;
        let step = if gap <= HOUR {
            MINUTE
        } else if gap <= 7 * DAY {
            QUARTER
        } else {
            HOUR
        };
        self.steps(step, i64::MIN..i64::MAX)
    }
}

fn ceil_second(milliseconds: i64) -> i64 {
    ceil(milliseconds, 1000).div_euclid(1000)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_reading_every_ten_seconds_belongs_to_one_minute_or_two() {
        let shares = |since, at| {
            EnergySpread::new(since, at, 100)
                .minutes()
                .collect::<Vec<_>>()
        };
        assert_eq!(shares(10_000, 20_000), [(0, 100)]);
        // The end of a gap is no longer in it.
        assert_eq!(shares(50_000, 60_000), [(0, 100)]);
        assert_eq!(shares(55_000, 65_000), [(0, 50), (60, 50)]);
        assert_eq!(shares(-5_000, 5_000), [(-60, 50), (0, 50)]);
    }

    #[test]
    fn a_clock_that_went_back() {
        let shares = EnergySpread::new(90_000, 30_000, 7)
            .minutes()
            .collect::<Vec<_>>();
        assert_eq!(shares, [(0, 7)]);
    }

    #[test]
    fn a_long_gap_costs_few_rows() {
        let rows = |gap: i64| {
            EnergySpread::new(0, gap * 1000, i64::MAX / 4)
                .minutes()
                .count()
        };
        assert_eq!(rows(HOUR), 60);
        assert_eq!(rows(DAY), 96);
        assert_eq!(rows(30 * DAY), 30 * 24);
        assert!(rows(100_000 * DAY) <= 400 * 24 + 1);
    }

    proptest! {
        #[test]
        fn nothing_is_lost_or_made(
            since in -100_000_000_000_i64..4_000_000_000_000,
            gap in -1_000_000_i64..40_000_000_000,
            energy in 0_i64..1_000_000_000_000,
        ) {
            let spread = EnergySpread::new(since, since + gap, energy);
            let shares: Vec<_> = spread.minutes().collect();
            prop_assert_eq!(shares.iter().map(|(_, share)| share).sum::<i64>(), energy);
            prop_assert!(shares.iter().all(|(t, share)| t % MINUTE == 0 && *share > 0));
            prop_assert!(shares.len() <= 400 * 24 + 1);
        }

        #[test]
        fn floor_and_ceil_enclose(t in -4_000_000_000_i64..4_000_000_000, step in 1_i64..100_000) {
            prop_assert!(floor(t, step) <= t && t - floor(t, step) < step);
            prop_assert!(ceil(t, step) >= t && ceil(t, step) - t < step);
            prop_assert_eq!(floor(t, step).rem_euclid(step), 0);
            prop_assert_eq!(ceil(t, step).rem_euclid(step), 0);
        }
    }
}
