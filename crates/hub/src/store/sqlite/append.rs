//! Adds readings to history by a few statements for a whole batch.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, HashMap, HashSet};

use hiflying::Mac;
use sqlx::SqliteConnection;

use super::database::{QueryError, SqliteDatabase, decoded, encoded};
use super::transfer::merged;
use crate::store::scale::{self, hundredths, signed, thousandths};
use crate::store::spread::{EnergySpread, MINUTE, QUARTER, floor};
use crate::store::sum::SpanSum;
use crate::store::{EnergyState, Sample, Used};

/// Inserts a JSON array of [`ReadingRow`]s; existing rows stay.
pub(super) const INSERT_READINGS: &str = "INSERT INTO readings \
    (plug, at_ms, voltage, current, frequency, power, counter_wh, energy, gap_ms) \
    SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5, value ->> 6, value ->> 7, \
    value ->> 8 FROM json_each(?) WHERE true ON CONFLICT DO NOTHING";

/// Inserts a JSON array of [`SpanRow`]s into `minutes` or `quarters`; the rest is the clause for existing rows.
macro_rules! insert_spans {
    ($table:literal, $($on_conflict:tt)+) => {
        concat!(
            "INSERT INTO ",
            $table,
            " (plug, t, readings, power, low, high, energy) \
              SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5, value ->> 6 \
              FROM json_each(?) WHERE true",
            $($on_conflict)+
        )
    };
}
pub(super) use insert_spans;

const ADD_TO_MINUTES: &str = insert_spans!("minutes", merged!());
const ADD_TO_QUARTERS: &str = insert_spans!("quarters", merged!());

/// Saves lifetime totals. A total never decreases; an equal one can have a new counter as its reference.
const SAVE_LIFETIMES: &str = "INSERT INTO lifetimes (plug, total_wh, counter_wh, at_ms) \
    SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3 FROM json_each(?) WHERE true \
    ON CONFLICT (plug) DO UPDATE SET total_wh = excluded.total_wh, counter_wh = excluded.counter_wh, \
    at_ms = excluded.at_ms WHERE excluded.total_wh >= total_wh";

const SERIES: &str = "SELECT json_group_array(json_array(mac, id, \
    (SELECT max(at_ms) FROM readings WHERE plug = id))) FROM series WHERE mac IN (SELECT value FROM json_each(?))";

/// Bounds the memory of a batch after a long gap.
const MAX_ROWS_PER_STATEMENT: usize = 20_000;

/// One row of `readings`, in the order of [`INSERT_READINGS`].
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

/// One row of `minutes` or `quarters`, in the order of [`insert_spans`].
pub(super) type SpanRow = (i64, i64, i64, i64, Option<i64>, Option<i64>, i64);

/// A plug's row in `series`, and the time of its latest reading.
#[derive(Debug, Clone, Copy)]
pub(super) struct SeriesRow {
    pub(super) id: i64,
    latest: Option<i64>,
}

/// Sums by series and time.
type SeriesSums = BTreeMap<(i64, i64), SpanSum>;

/// Rows to be written.
#[derive(Debug, Default)]
struct Batch {
    readings: Vec<ReadingRow>,
    minutes: SeriesSums,
    quarters: SeriesSums,
    lifetimes: BTreeMap<i64, EnergyState>,
}

/// Adds readings in one transaction.
pub(super) async fn append(
    database: &SqliteDatabase,
    samples: &[Sample],
) -> Result<(), QueryError> {
    if samples.is_empty() {
        return Ok(());
    }
    let mut transaction = database.record().await?;
    let connection = transaction.connection();
    let macs = samples.iter().map(|sample| sample.reading.plug).collect();
    let series = series(connection, macs).await?;
    let mut stored = stored(connection, samples, &series).await?;
    let mut batch = Batch::default();
    for sample in samples {
        let Some(series) = series.get(&sample.reading.plug) else {
            continue;
        };
        if !stored.insert((series.id, sample.reading.at.as_millisecond())) {
            continue;
        }
        batch.take(series.id, sample);
        if batch.is_full() {
            std::mem::take(&mut batch).write(connection).await?;
        }
    }
    batch.write(connection).await?;
    transaction.commit().await
}

/// Returns the series of these plugs, and creates those that do not exist.
pub(super) async fn series(
    connection: &mut SqliteConnection,
    macs: HashSet<Mac>,
) -> Result<HashMap<Mac, SeriesRow>, sqlx::Error> {
    let macs: Vec<_> = macs.into_iter().map(|mac| format!("{mac:x}")).collect();
    let json = encoded(&macs);
    let found = existing_series(connection, &json).await?;
    if found.len() == macs.len() {
        return Ok(found);
    }
    sqlx::query("INSERT OR IGNORE INTO series (mac) SELECT value FROM json_each(?)")
        .bind(&json)
        .execute(&mut *connection)
        .await?;
    existing_series(connection, &json).await
}

async fn existing_series(
    connection: &mut SqliteConnection,
    macs: &str,
) -> Result<HashMap<Mac, SeriesRow>, sqlx::Error> {
    let query = sqlx::query_scalar(SERIES).bind(macs);
    let json: String = query.fetch_one(connection).await?;
    let rows: Vec<(Mac, i64, Option<i64>)> = decoded(&json)?;
    let series = rows
        .into_iter()
        .map(|(plug, id, latest)| (plug, SeriesRow { id, latest }));
    Ok(series.collect())
}

/// Returns which of these readings are stored already. Those later than a plug's latest cannot be.
async fn stored(
    connection: &mut SqliteConnection,
    samples: &[Sample],
    series: &HashMap<Mac, SeriesRow>,
) -> Result<HashSet<(i64, i64)>, sqlx::Error> {
    let candidates: Vec<(i64, i64)> = samples
        .iter()
        .filter_map(|sample| {
            let series = series.get(&sample.reading.plug)?;
            let at = sample.reading.at.as_millisecond();
            (Some(at) <= series.latest).then_some((series.id, at))
        })
        .collect();
    if candidates.is_empty() {
        return Ok(HashSet::new());
    }
    let sql = "SELECT json_group_array(json_array(plug, at_ms)) FROM readings \
        WHERE (plug, at_ms) IN (SELECT value ->> 0, value ->> 1 FROM json_each(?))";
    let query = sqlx::query_scalar(sql).bind(encoded(&candidates));
    let json: String = query.fetch_one(connection).await?;
    decoded(&json)
}

impl Batch {
    async fn write(self, connection: &mut SqliteConnection) -> Result<(), sqlx::Error> {
        let mut readings = self.readings;
        // In the order of the table, so that neighbours are written together.
        readings.sort_unstable_by_key(|row| (row.0, row.1));
        for (sql, json) in [
            (INSERT_READINGS, encoded(&readings)),
            (ADD_TO_MINUTES, encoded(&rows(&self.minutes))),
            (ADD_TO_QUARTERS, encoded(&rows(&self.quarters))),
            (SAVE_LIFETIMES, encoded(&totals(&self.lifetimes))),
        ] {
            sqlx::query(sql)
                .bind(json)
                .execute(&mut *connection)
                .await?;
        }
        Ok(())
    }

    fn is_full(&self) -> bool {
        self.readings.len().max(self.minutes.len()) >= MAX_ROWS_PER_STATEMENT
    }

    fn take(&mut self, series: i64, sample: &Sample) {
        let row = reading_row(series, sample);
        if let Some(power) = row.5 {
            self.add(series, row.1.div_euclid(1000), SpanSum::of_power(power));
        }
        if let (Some(energy), Some(gap)) = (row.7, row.8) {
            for (t, share) in EnergySpread::new(row.1 - gap, row.1, energy).minutes() {
                self.add(series, t, SpanSum::of_energy(share));
            }
        }
        self.readings.push(row);
        if let Some(state) = sample.energy {
            self.add_total(series, state);
        }
    }

    fn add(&mut self, series: i64, t: i64, sum: SpanSum) {
        let minutes = self.minutes.entry((series, floor(t, MINUTE)));
        minutes.or_default().add(sum);
        let quarters = self.quarters.entry((series, floor(t, QUARTER)));
        quarters.or_default().add(sum);
    }

    fn add_total(&mut self, series: i64, state: EnergyState) {
        match self.lifetimes.entry(series) {
            Entry::Occupied(mut entry) if state.total_wh >= entry.get().total_wh => {
                entry.insert(state);
            }
            Entry::Occupied(_) => {}
            Entry::Vacant(entry) => {
                entry.insert(state);
            }
        }
    }
}

/// Returns the row of a reading.
pub(super) fn reading_row(series: i64, sample: &Sample) -> ReadingRow {
    let reading = &sample.reading;
    let at = reading.at.as_millisecond();
    let used = sample.used;
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

fn rows(sums: &SeriesSums) -> Vec<SpanRow> {
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

fn totals(lifetimes: &BTreeMap<i64, EnergyState>) -> Vec<(i64, i64, Option<i64>, i64)> {
    let row = |(series, state): (&i64, &EnergyState)| {
        (
            *series,
            signed(state.total_wh),
            state.counter_wh.map(signed),
            state.at.as_millisecond(),
        )
    };
    lifetimes.iter().map(row).collect()
}
