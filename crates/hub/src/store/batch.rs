//! The rows that a batch of readings becomes, the same for every database.

use std::collections::{BTreeMap, HashMap, HashSet};

use hiflying::Mac;
use plugs::Reading;

use super::rows;
use super::scale::{self, hundredths, signed, thousandths};
use super::spread::{EnergySpread, MINUTE, QUARTER, floor};
use super::sum::SpanSum;
use super::{EnergyState, HistoryRow, HistorySpan, Sample, Used};
use crate::energy::{can_use, granted};

/// Bounds the memory of a batch after a long gap.
const MAX_ROWS_PER_STATEMENT: usize = 20_000;

/// (series, at, voltage, current, frequency, power, counter, energy, gap)
pub(super) type ReadingRow = (
    i64,
    i64,
    Option<i64>,
    Option<i64>,
    Option<i64>,
    Option<i64>,
    Option<i64>,
    Option<i64>,
    Option<i64>,
);

/// (series, t, readings, power, low, high, energy)
pub(super) type SpanRow = (i64, i64, i64, i64, Option<i64>, Option<i64>, i64);

/// (series, total, counter, at)
pub(super) type TotalRow = (i64, i64, Option<i64>, i64);

/// A plug's row in `series`, the time of its latest reading, and its lifetime total.
#[derive(Debug, Clone, Copy)]
pub(super) struct SeriesRow {
    pub(super) id: i64,
    pub(super) latest: Option<i64>,
    pub(super) total: Option<EnergyState>,
}

/// (mac, id, latest, then the columns of the lifetime total)
pub(super) type StoredSeries<M> = (M, i64, Option<i64>, Option<i64>, Option<i64>, Option<i64>);

/// The series of some plugs.
pub(super) type SeriesOfPlugs = HashMap<Mac, SeriesRow>;

/// Sums by series and time.
type SeriesSums = BTreeMap<(i64, i64), SpanSum>;

/// Readings on their way into rows.
#[derive(Debug, Default)]
struct Batch {
    readings: Vec<ReadingRow>,
    minutes: SeriesSums,
    quarters: SeriesSums,
    lifetimes: BTreeMap<i64, EnergyState>,
}

/// Rows to be written, each table in its order, so that neighbours are written together.
#[derive(Debug)]
pub(super) struct BatchRows {
    pub(super) readings: Vec<ReadingRow>,
    pub(super) minutes: Vec<SpanRow>,
    pub(super) quarters: Vec<SpanRow>,
    pub(super) totals: Vec<TotalRow>,
}

impl SeriesRow {
    /// Returns the meaning of a row.
    pub(super) fn of<M>((mac, id, latest, total, counter, at): StoredSeries<M>) -> (M, Self) {
        let total = rows::total((total, counter, at));
        (mac, Self { id, latest, total })
    }
}

/// Returns the plugs of some samples.
pub(super) fn plugs(samples: &[Sample]) -> HashSet<Mac> {
    samples.iter().map(|sample| sample.reading.plug).collect()
}

/// Returns those readings, by series and time, that can be stored already: not those later than a plug's latest.
pub(super) fn candidates(samples: &[Sample], series: &SeriesOfPlugs) -> Vec<(i64, i64)> {
    let candidate = |sample: &Sample| {
        let series = series.get(&sample.reading.plug)?;
        let at = sample.reading.at.as_millisecond();
        (Some(at) <= series.latest).then_some((series.id, at))
    };
    samples.iter().filter_map(candidate).collect()
}

/// Returns the rows of samples in portions of a bounded size. Readings in `stored` are left out; each that comes is added to it.
/// Energy counts as far as it raises the lifetime total of its plug, see [`uncounted`].
pub(super) fn portions(
    samples: &[Sample],
    series: &SeriesOfPlugs,
    mut stored: HashSet<(i64, i64)>,
) -> impl Iterator<Item = BatchRows> {
    let mut samples = samples.iter();
    let known = |row: &SeriesRow| Some((row.id, row.total?));
    let mut totals: HashMap<_, _> = series.values().filter_map(known).collect();
    std::iter::from_fn(move || {
        let mut batch = Batch::default();
        for sample in samples.by_ref() {
            let Some(series) = series.get(&sample.reading.plug) else {
                continue;
            };
            if !stored.insert((series.id, sample.reading.at.as_millisecond())) {
                continue;
            }
            let known = totals.get(&series.id).copied();
            let used = uncounted(sample, known);
            batch.take(reading_row(series.id, &sample.reading, used));
            if let Some(state) = sample.energy.filter(|state| continues(known, *state)) {
                totals.insert(series.id, state);
                batch.lifetimes.insert(series.id, state);
            }
            if batch.is_full() {
                break;
            }
        }
        (!batch.readings.is_empty()).then(|| batch.into_rows())
    })
}

impl Batch {
    fn into_rows(self) -> BatchRows {
        let mut readings = self.readings;
        readings.sort_unstable_by_key(|row| (row.0, row.1));
        BatchRows {
            readings,
            minutes: span_rows(&self.minutes),
            quarters: span_rows(&self.quarters),
            totals: totals(&self.lifetimes),
        }
    }

    fn is_full(&self) -> bool {
        self.readings.len().max(self.minutes.len()) >= MAX_ROWS_PER_STATEMENT
    }

    fn take(&mut self, row: ReadingRow) {
        let series = row.0;
        if let Some(power) = row.5 {
            self.add(series, row.1.div_euclid(1000), SpanSum::of_power(power));
        }
        if let (Some(energy), Some(gap)) = (row.7, row.8) {
            for (t, share) in EnergySpread::new(row.1 - gap, row.1, energy).minutes() {
                self.add(series, t, SpanSum::of_energy(share));
            }
        }
        self.readings.push(row);
    }

    fn add(&mut self, series: i64, t: i64, sum: SpanSum) {
        let minutes = self.minutes.entry((series, floor(t, MINUTE)));
        minutes.or_default().add(sum);
        let quarters = self.quarters.entry((series, floor(t, QUARTER)));
        quarters.or_default().add(sum);
    }
}

/// Returns the part of a sample's energy that the lifetime total does not have yet. What one hub measured and another one counted
/// by its first reading after a takeover comes from both: late, out of a spool, or again. A server that crashed has lost the last
/// readings, which their hub takes for written; the next one brings their energy.
fn uncounted(sample: &Sample, known: Option<EnergyState>) -> Option<Used> {
    let used = sample.used?;
    let (Some(state), Some(known)) = (sample.energy, known) else {
        return Some(used);
    };
    let new_wh = state.total_wh.saturating_sub(known.total_wh) as f64;
    if new_wh >= used.energy_wh + 1.0 && continues(Some(known), state) {
        return Some(Used {
            since: used.since.min(known.at),
            energy_wh: new_wh,
        });
    }
    if used.energy_wh <= new_wh {
        return Some(used);
    }
    // By a clock that is behind, it can be later than this reading.
    let is_before = known.at < sample.reading.at;
    (new_wh > 0.0).then_some(Used {
        since: if is_before {
            used.since.max(known.at)
        } else {
            used.since
        },
        energy_wh: new_wh,
    })
}

/// Returns true if a lifetime total can follow a known one. That of a plug which takes over the history of another one is written
/// late at times, and is not a total of that history.
fn continues(known: Option<EnergyState>, next: EnergyState) -> bool {
    known.is_none_or(|known| {
        let rise = next.total_wh.checked_sub(known.total_wh);
        rise.is_some_and(|rise| can_use(rise, granted(known.at, next.at), next.at))
    })
}

/// Returns the row of a reading.
pub(super) fn reading_row(series: i64, reading: &Reading, used: Option<Used>) -> ReadingRow {
    let at = reading.at.as_millisecond();
    // When the clock went back, the energy counts for the last millisecond.
    let gap = |used: Used| at.saturating_sub(used.since.as_millisecond()).max(1);
    (
        series,
        at,
        hundredths(reading.voltage_v),
        thousandths(reading.current_a),
        hundredths(reading.frequency_hz),
        thousandths(reading.power_w),
        reading.energy_wh.map(signed),
        used.map(|used| scale::energy(used.energy_wh)),
        used.map(gap),
    )
}

fn span_rows(sums: &SeriesSums) -> Vec<SpanRow> {
    let row = |(key, sum): (&(i64, i64), &SpanSum)| {
        let (series, t) = *key;
        (
            series,
            t,
            sum.readings,
            sum.power,
            sum.low,
            sum.high,
            sum.energy,
        )
    };
    sums.iter().map(row).collect()
}

/// Returns the row of a lifetime total.
pub(super) fn total_row(series: i64, state: EnergyState) -> TotalRow {
    (
        series,
        signed(state.total_wh),
        state.counter_wh.map(signed),
        state.at.as_millisecond(),
    )
}

/// Returns the rows of lifetime totals.
pub(super) fn total_rows(totals: &[(Mac, EnergyState)], series: &SeriesOfPlugs) -> Vec<TotalRow> {
    let by_series = totals
        .iter()
        .filter_map(|(plug, state)| Some((series.get(plug)?.id, *state)));
    self::totals(&by_series.collect())
}

fn totals(lifetimes: &BTreeMap<i64, EnergyState>) -> Vec<TotalRow> {
    let row = |(series, state): (&i64, &EnergyState)| total_row(*series, *state);
    lifetimes.iter().map(row).collect()
}

/// Rows from elsewhere, by table.
#[derive(Debug, Default)]
pub(super) struct ImportedRows {
    pub(super) readings: Vec<ReadingRow>,
    pub(super) minutes: Vec<SpanRow>,
    pub(super) quarters: Vec<SpanRow>,
}

impl ImportedRows {
    /// Returns rows as those of a plug and its series.
    pub(super) fn of(plug: Mac, series: i64, rows: &[HistoryRow]) -> Self {
        let mut imported = Self::default();
        for row in rows {
            match row {
                HistoryRow::Reading(reading, used) => {
                    let mut reading = reading.clone();
                    reading.plug = plug;
                    imported.readings.push(reading_row(series, &reading, *used));
                }
                HistoryRow::Minute(span) => {
                    imported.minutes.push(span_row(series, span, MINUTE));
                }
                HistoryRow::Quarter(span) => {
                    imported.quarters.push(span_row(series, span, QUARTER));
                }
            }
        }
        imported
    }
}

fn span_row(series: i64, span: &HistorySpan, size: i64) -> SpanRow {
    let readings = i64::from(span.readings);
    let sum = span.power_w.map(|power| power * f64::from(span.readings));
    let is_measured = span.readings > 0;
    (
        series,
        floor(span.t.as_second(), size),
        readings,
        thousandths(sum).filter(|_| is_measured).unwrap_or(0),
        thousandths(span.power_min_w).filter(|_| is_measured),
        thousandths(span.power_max_w).filter(|_| is_measured),
        scale::energy(span.energy_wh),
    )
}
