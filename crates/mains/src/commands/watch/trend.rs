//! The power of a plug over the last minutes, in slots of the clock. Pure: now is a parameter.

use std::collections::VecDeque;

use jiff::{SignedDuration, Timestamp};

/// Maximum number of samples: at two seconds a quarter of an hour, at ten more than an hour.
const MAX_SAMPLES: usize = 512;

/// Samples of power in watts, in order of time.
#[derive(Debug, Default)]
pub(super) struct Trend {
    /// `None` from where on nothing is known.
    samples: VecDeque<(Timestamp, Option<f64>)>,
}

/// The slots into which a trend is divided, the last one around now.
#[derive(Debug, Clone, Copy)]
pub(super) struct TrendSlots {
    /// Number of slots.
    pub(super) count: usize,
    /// Length of a slot in seconds; more than zero.
    pub(super) seconds: i64,
    /// The end of the trend.
    pub(super) now: Timestamp,
}

impl Trend {
    /// Adds a sample, in watts.
    pub(super) fn add(&mut self, at: Timestamp, watts: Option<f64>) {
        self.push(at, watts.filter(|watts| watts.is_finite()));
    }

    /// Puts earlier samples, in order of time, before those that there are.
    pub(super) fn precede(&mut self, earlier: impl Iterator<Item = (Timestamp, Option<f64>)>) {
        let first = self.samples.front().map_or(Timestamp::MAX, |(at, _)| *at);
        let mut samples: VecDeque<_> = earlier.filter(|(at, _)| *at < first).collect();
        samples.append(&mut self.samples);
        samples.drain(..samples.len().saturating_sub(MAX_SAMPLES));
        self.samples = samples;
    }

    /// Begins a gap.
    pub(super) fn interrupt(&mut self, at: Timestamp) {
        if self.samples.back().is_some_and(|(_, last)| last.is_some()) {
            self.push(at, None);
        }
    }

    fn push(&mut self, at: Timestamp, watts: Option<f64>) {
        // A clock that was set back must not turn the order.
        let at = self.samples.back().map_or(at, |(last, _)| at.max(*last));
        self.samples.push_back((at, watts));
        if self.samples.len() > MAX_SAMPLES {
            self.samples.pop_front();
        }
    }

    /// Returns the mean power in each slot. A slot without a sample has the last one before it, unless that is older than
    /// `limit`; else it is a gap.
    pub(super) fn slots(&self, slots: TrendSlots, limit: SignedDuration) -> Vec<Option<f64>> {
        let mut samples = self.samples.iter().peekable();
        let mut last: Option<(Timestamp, f64)> = None;
        slots
            .ends()
            .map(|end| {
                let (mut sum, mut count) = (0.0, 0_u32);
                while let Some((at, watts)) = samples.next_if(|(at, _)| *at < end) {
                    last = watts.map(|watts| (*at, watts));
                    if at.duration_until(end) <= slots.length()
                        && let Some(watts) = watts
                    {
                        sum += watts;
                        count += 1;
                    }
                }
                let carried = last.filter(|(at, _)| at.duration_until(end.min(slots.now)) <= limit);
                match count {
                    0 => carried.map(|(_, watts)| watts),
                    _ => Some(sum / f64::from(count)),
                }
            })
            .collect()
    }
}

impl TrendSlots {
    fn length(self) -> SignedDuration {
        SignedDuration::from_secs(self.seconds)
    }

    /// Returns the ends of the slots. They stand at multiples of the length, so that a sample stays in its slot.
    fn ends(self) -> impl Iterator<Item = Timestamp> {
        let last = self.now.as_second().div_euclid(self.seconds) + 1;
        let count = i64::try_from(self.count).unwrap_or(i64::MAX);
        (1 - count..=0).map(move |slot| {
            Timestamp::from_second((last + slot) * self.seconds).unwrap_or(Timestamp::MAX)
        })
    }
}

/// Adds up the slots of several plugs; a slot of which no plug knows anything is a gap.
pub(super) fn sum(total: &mut Vec<Option<f64>>, slots: Vec<Option<f64>>) {
    if total.is_empty() {
        *total = slots;
        return;
    }
    for (total, slot) in total.iter_mut().zip(slots) {
        *total = match (*total, slot) {
            (Some(total), Some(slot)) => Some(total + slot),
            (known, None) | (None, known) => known,
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: SignedDuration = SignedDuration::from_secs(25);

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn slots(count: usize, now: i64) -> TrendSlots {
        TrendSlots {
            count,
            seconds: 10,
            now: at(now),
        }
    }

    fn trend(samples: &[(i64, Option<f64>)]) -> Trend {
        let mut trend = Trend::default();
        for (second, watts) in samples {
            trend.add(at(*second), *watts);
        }
        trend
    }

    #[test]
    fn a_slot_has_the_mean_of_its_samples() {
        let trend = trend(&[(100, Some(10.0)), (105, Some(30.0)), (112, Some(5.0))]);
        let expected = [None, Some(20.0), Some(5.0)];
        assert_eq!(trend.slots(slots(3, 115), LIMIT), expected);
        // Nothing shimmers while the slot lasts.
        assert_eq!(trend.slots(slots(3, 119), LIMIT), expected);
        assert_eq!(trend.slots(slots(0, 119), LIMIT), []);
    }

    #[test]
    fn a_value_is_carried_until_it_is_stale() {
        let trend = trend(&[(100, Some(10.0))]);
        let carried = trend.slots(slots(5, 141), LIMIT);
        assert_eq!(carried, [Some(10.0), Some(10.0), None, None, None]);
    }

    #[test]
    fn an_interruption_is_a_gap_at_once() {
        let mut trend = trend(&[(100, Some(10.0))]);
        trend.interrupt(at(111));
        trend.interrupt(at(112));
        assert_eq!(trend.samples.len(), 2);
        trend.add(at(135), Some(7.0));
        let slots = trend.slots(slots(4, 136), LIMIT);
        assert_eq!(slots, [Some(10.0), None, None, Some(7.0)]);
    }

    #[test]
    fn a_clock_that_is_set_back_and_endless_samples_do_no_harm() {
        let mut trend = trend(&[(100, Some(10.0)), (50, Some(20.0)), (101, Some(f64::NAN))]);
        assert_eq!(trend.slots(slots(1, 101), LIMIT), [Some(15.0)]);
        for second in 0..2_000 {
            trend.add(at(second), Some(1.0));
        }
        assert_eq!(trend.samples.len(), MAX_SAMPLES);
    }

    #[test]
    fn what_was_before_comes_first() {
        let mut trend = trend(&[(120, Some(10.0))]);
        let earlier = [(95, Some(1.0)), (105, Some(2.0)), (125, Some(3.0))];
        trend.precede(
            earlier
                .map(|(second, watts)| (at(second), watts))
                .into_iter(),
        );
        let expected = [None, Some(1.0), Some(2.0), Some(2.0), Some(10.0)];
        assert_eq!(trend.slots(slots(5, 121), LIMIT), expected);
    }

    #[test]
    fn sums_know_gaps() {
        let mut total = Vec::new();
        sum(&mut total, vec![None, Some(1.0), None]);
        sum(&mut total, vec![None, Some(2.0), Some(3.0)]);
        assert_eq!(total, [None, Some(3.0), Some(3.0)]);
    }
}
