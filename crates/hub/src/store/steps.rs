//! Divides a range of time into steps, and selects the rows that each part is made of. Without database access.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::store::spread::{EnergySpread, MINUTE, QUARTER, ceil, floor};
use crate::store::sum::SpanSum;
use crate::store::{HistoryQuery, HistoryStep, Tier};

/// Sums by the start of their step, in seconds.
pub(super) type StepSums = BTreeMap<i64, SpanSum>;

/// (at, power, energy, gap)
pub(super) type ConsumptionRow = (i64, Option<i64>, Option<i64>, Option<i64>);

/// A range of seconds, without its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct SecondRange {
    pub(super) from: i64,
    pub(super) to: i64,
}

/// Division of time into steps.
#[derive(Debug)]
pub(super) enum StepBoundaries {
    Seconds(i64),
    Edges(Vec<i64>),
}

/// Times for which a plug has rows of each tier.
#[derive(Debug, Clone, Copy)]
pub(super) struct TierExtent {
    pub(super) readings_from: i64,
    pub(super) minutes: SecondRange,
    pub(super) quarters: SecondRange,
}

/// Parts of a range, each with the tier that it is read from.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct TierRanges {
    pub(super) quarters: SecondRange,
    pub(super) minutes: SecondRange,
    pub(super) readings: SecondRange,
}

impl TierRanges {
    pub(super) fn of(tier: Tier, range: SecondRange, extent: TierExtent) -> Self {
        let readings_from = match tier {
            Tier::Readings => extent.readings_from.min(range.to).max(range.from),
            _ => range.to,
        };
        let minutes_from = match tier {
            Tier::Quarters => range.to,
            _ => extent.minutes.from.min(readings_from).max(range.from),
        };
        Self {
            quarters: SecondRange {
                from: range.from,
                to: minutes_from,
            },
            minutes: SecondRange {
                from: minutes_from,
                to: readings_from,
            },
            readings: SecondRange {
                from: readings_from,
                to: range.to,
            },
        }
    }
}

impl SecondRange {
    pub(super) fn is_empty(self) -> bool {
        self.from >= self.to
    }

    pub(super) fn within(self, other: Self) -> Self {
        Self {
            from: self.from.max(other.from),
            to: self.to.min(other.to),
        }
    }
}

impl StepBoundaries {
    pub(super) fn of(query: &HistoryQuery) -> Self {
        match query.step {
            HistoryStep::Seconds(step) => Self::Seconds(i64::from(step.max(1))),
            HistoryStep::Edges => {
                Self::Edges(query.edges.iter().map(|edge| floor_second(*edge)).collect())
            }
        }
    }

    /// Returns steps at least as long as the coarsest rows that the query has to be answered from: a row cannot be divided.
    pub(super) fn coarsened(self, query: &HistoryQuery, extent: TierExtent) -> Self {
        let Self::Seconds(step) = self else {
            return self;
        };
        let tier = self.tier();
        let parts = TierRanges::of(tier, self.widened(query), extent);
        let row = if tier != Tier::Quarters && !parts.quarters.within(extent.quarters).is_empty() {
            QUARTER
        } else if tier == Tier::Readings && !parts.minutes.within(extent.minutes).is_empty() {
            MINUTE
        } else {
            return self;
        };
        // A longer step can begin earlier, where the rows are coarser still.
        Self::Seconds(ceil(step, row)).coarsened(query, extent)
    }

    /// Returns the resolution.
    pub(super) fn step(&self) -> HistoryStep {
        match self {
            Self::Seconds(step) => HistoryStep::Seconds(u32::try_from(*step).unwrap_or(u32::MAX)),
            Self::Edges(_) => HistoryStep::Edges,
        }
    }

    /// Returns the range of a query, widened to whole steps.
    pub(super) fn widened(&self, query: &HistoryQuery) -> SecondRange {
        match self {
            Self::Seconds(step) => SecondRange {
                from: floor(floor_second(query.from), *step),
                to: ceil(ceil_second(query.to), *step),
            },
            Self::Edges(edges) => SecondRange {
                // Without boundaries there are no steps.
                from: edges.first().copied().unwrap_or(0),
                to: edges.last().copied().unwrap_or(0),
            },
        }
    }

    /// Returns the coarsest tier that these steps can be made of.
    pub(super) fn tier(&self) -> Tier {
        let divides = |size| match self {
            Self::Seconds(step) => step % size == 0,
            Self::Edges(edges) => edges.iter().all(|edge| edge % size == 0),
        };
        // A long odd step would read a great many readings, and loses nothing by a minute here or there.
        let is_long = matches!(self, Self::Seconds(step) if *step > QUARTER);
        if divides(QUARTER) {
            Tier::Quarters
        } else if divides(MINUTE) || is_long {
            Tier::Minutes
        } else {
            Tier::Readings
        }
    }

    /// Returns the parts of a range that are summed together, each with the start of its step. A row belongs to the step in which it
    /// begins.
    pub(super) fn pairs(
        &self,
        row: i64,
        range: SecondRange,
    ) -> Box<dyn Iterator<Item = (i64, SecondRange)> + Send + '_> {
        let filled = move |(t, part): (i64, SecondRange)| {
            let part = part.within(range);
            (!part.is_empty()).then_some((t, part))
        };
        match self {
            Self::Seconds(step) => {
                let step = *step;
                let size = step.max(row);
                let starts = std::iter::successors(Some(floor(range.from, size)), move |t| {
                    t.checked_add(size)
                });
                let parts = starts
                    .take_while(move |from| *from < range.to)
                    .map(move |from| {
                        let to = from.saturating_add(size);
                        (floor(from, step), SecondRange { from, to })
                    });
                Box::new(parts.filter_map(filled))
            }
            Self::Edges(edges) => {
                let parts = edges.iter().zip(edges.iter().skip(1)).map(|(from, to)| {
                    let (from, to) = (*from, *to);
                    (from, SecondRange { from, to })
                });
                Box::new(parts.filter_map(filled))
            }
        }
    }

    /// Returns the step that contains a second.
    fn around(&self, t: i64) -> Option<SecondRange> {
        match self {
            Self::Seconds(step) => {
                let from = floor(t, *step);
                Some(SecondRange {
                    from,
                    to: from + step,
                })
            }
            Self::Edges(edges) => {
                let after = edges.partition_point(|edge| *edge <= t);
                Some(SecondRange {
                    from: *edges.get(after.checked_sub(1)?)?,
                    to: *edges.get(after)?,
                })
            }
        }
    }

    pub(super) fn add_reading(
        &self,
        sums: &mut StepSums,
        row: &ConsumptionRow,
        range: SecondRange,
    ) {
        let (at, power, energy, gap) = *row;
        if let (Some(power), true) = (power, at < range.to.saturating_mul(1000))
            && let Some(step) = self.around(at.div_euclid(1000))
        {
            add_to(sums, step.from, SpanSum::of_power(power));
        }
        let (Some(energy), Some(gap)) = (energy, gap) else {
            return;
        };
        let spread = EnergySpread::new(at - gap, at, energy);
        let mut t = (at - gap).div_euclid(1000).max(range.from);
        while t < range.to && t.saturating_mul(1000) < at {
            let Some(step) = self.around(t) else {
                break;
            };
            let share = spread.between(
                step.from.max(range.from).saturating_mul(1000),
                step.to.saturating_mul(1000),
            );
            add_to(sums, step.from, SpanSum::of_energy(share));
            t = step.to;
        }
    }
}

pub(super) fn add_to(sums: &mut StepSums, t: i64, sum: SpanSum) {
    if !sum.is_empty() {
        sums.entry(t).or_default().add(sum);
    }
}

const NANOSECONDS_PER_SECOND: i128 = 1_000_000_000;

pub(super) fn floor_second(t: Timestamp) -> i64 {
    // The calendar's years fit into 64 bits of seconds many times over.
    t.as_nanosecond().div_euclid(NANOSECONDS_PER_SECOND) as i64
}

pub(super) fn ceil_second(t: Timestamp) -> i64 {
    -((-t.as_nanosecond()).div_euclid(NANOSECONDS_PER_SECOND) as i64)
}
