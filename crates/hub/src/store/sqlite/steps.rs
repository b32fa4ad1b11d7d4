//! How a range of time is cut into steps, and which rows each part of it is made of. No database here.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::store::slots::{MINUTE, QUARTER, Spread, ceil, floor};
use crate::store::sum::Sum;
use crate::store::{HistoryQuery, Step, Tier};

/// Sums by the beginning of their step, in seconds.
pub(super) type Sums = BTreeMap<i64, Sum>;

/// (at, power, energy, gap)
pub(super) type ReadingRow = (i64, Option<i64>, Option<i64>, Option<i64>);

/// Seconds, from the first to the first that is no longer in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Range {
    pub(super) from: i64,
    pub(super) to: i64,
}

/// How the time is cut.
#[derive(Debug)]
pub(super) enum Steps {
    Seconds(i64),
    Edges(Vec<i64>),
}

/// Where the rows of a plug begin and end.
#[derive(Debug, Clone, Copy)]
pub(super) struct Extent {
    pub(super) readings_from: i64,
    pub(super) minutes: Range,
    pub(super) quarters: Range,
}

/// Which part comes from which rows.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Pieces {
    pub(super) quarters: Range,
    pub(super) minutes: Range,
    pub(super) readings: Range,
}

impl Pieces {
    pub(super) fn of(tier: Tier, range: Range, extent: Extent) -> Self {
        let readings_from = match tier {
            Tier::Readings => extent.readings_from.min(range.to).max(range.from),
            _ => range.to,
        };
        let minutes_from = match tier {
            Tier::Quarters => range.to,
            _ => extent.minutes.from.min(readings_from).max(range.from),
        };
        Self {
            quarters: Range {
                from: range.from,
                to: minutes_from,
            },
            minutes: Range {
                from: minutes_from,
                to: readings_from,
            },
            readings: Range {
                from: readings_from,
                to: range.to,
            },
        }
    }
}

impl Range {
    pub(super) fn within(self, other: Self) -> Self {
        Self {
            from: self.from.max(other.from),
            to: self.to.min(other.to),
        }
    }
}

impl Steps {
    pub(super) fn of(query: &HistoryQuery) -> Self {
        match query.step {
            Step::Seconds(step) => Self::Seconds(i64::from(step.max(1))),
            Step::Edges => {
                Self::Edges(query.edges.iter().map(|edge| floor_second(*edge)).collect())
            }
        }
    }

    /// Returns whole steps around what is asked for.
    pub(super) fn widened(&self, query: &HistoryQuery) -> Range {
        match self {
            Self::Seconds(step) => Range {
                from: floor(floor_second(query.from), *step),
                to: ceil(ceil_second(query.to), *step),
            },
            Self::Edges(edges) => Range {
                from: edges.first().copied().unwrap_or_default(),
                to: edges.last().copied().unwrap_or_default(),
            },
        }
    }

    /// Returns the coarsest rows that these steps can be made of.
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

    /// Returns the parts of a range whose rows belong together, each with the beginning of its step. Where a step is
    /// shorter than a row, the row belongs to the step in which it begins.
    pub(super) fn pairs(
        &self,
        row: i64,
        range: Range,
    ) -> Box<dyn Iterator<Item = (i64, Range)> + Send + '_> {
        let filled = move |(t, part): (i64, Range)| {
            let part = part.within(range);
            (part.from < part.to).then_some((t, part))
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
                        (floor(from, step), Range { from, to })
                    });
                Box::new(parts.filter_map(filled))
            }
            Self::Edges(edges) => {
                let parts = edges.iter().zip(edges.iter().skip(1)).map(|(from, to)| {
                    let (from, to) = (*from, *to);
                    (from, Range { from, to })
                });
                Box::new(parts.filter_map(filled))
            }
        }
    }

    /// Returns the step that a second is in.
    fn around(&self, t: i64) -> Option<Range> {
        match self {
            Self::Seconds(step) => {
                let from = floor(t, *step);
                Some(Range {
                    from,
                    to: from + step,
                })
            }
            Self::Edges(edges) => {
                let after = edges.partition_point(|edge| *edge <= t);
                Some(Range {
                    from: *edges.get(after.checked_sub(1)?)?,
                    to: *edges.get(after)?,
                })
            }
        }
    }

    pub(super) fn add_reading(&self, sums: &mut Sums, row: &ReadingRow, range: Range) {
        let (at, power, energy, gap) = *row;
        if let (Some(power), true) = (power, at < range.to.saturating_mul(1000))
            && let Some(step) = self.around(at.div_euclid(1000))
        {
            add_to(sums, step.from, Sum::of_power(power));
        }
        let (Some(energy), Some(gap)) = (energy, gap) else {
            return;
        };
        let spread = Spread::new(at - gap, at, energy);
        let mut t = (at - gap).div_euclid(1000).max(range.from);
        while t < range.to && t.saturating_mul(1000) < at {
            let Some(step) = self.around(t) else {
                break;
            };
            let share = spread.between(
                step.from.max(range.from).saturating_mul(1000),
                step.to.saturating_mul(1000),
            );
            add_to(sums, step.from, Sum::of_energy(share));
            t = step.to;
        }
    }
}

pub(super) fn add_to(sums: &mut Sums, t: i64, sum: Sum) {
    if !sum.is_empty() {
        sums.entry(t).or_default().add(sum);
    }
}

const NANOSECONDS: i128 = 1_000_000_000;

pub(super) fn floor_second(t: Timestamp) -> i64 {
    // The calendar's years fit into 64 bits of seconds many times over.
    t.as_nanosecond().div_euclid(NANOSECONDS) as i64
}

pub(super) fn ceil_second(t: Timestamp) -> i64 {
    -((-t.as_nanosecond()).div_euclid(NANOSECONDS) as i64)
}
