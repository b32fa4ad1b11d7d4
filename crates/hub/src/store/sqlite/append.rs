//! Readings on their way into history: a few statements for a whole batch.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, HashMap, HashSet};

use api::PlugId;
use hiflying::Mac;
use sqlx::SqliteConnection;

use super::carry::merged;
use super::database::{Database, WRITTEN, encoded};
use crate::store::scale::{self, hundredths, signed, thousandths};
use crate::store::slots::{MINUTE, QUARTER, Spread, floor};
use crate::store::sum::Sum;
use crate::store::{EnergyState, Sample, StoreError, Used};

/// Gives rows of readings, each a [`ReadingRow`] of a JSON array, to the table. What is there already stays.
pub(super) const INSERT_READINGS: &str = "INSERT INTO readings \
    (plug, at_ms, voltage, current, frequency, power, counter_wh, energy, gap_ms) \
    SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5, value ->> 6, value ->> 7, \
    value ->> 8 FROM json_each(?) WHERE true ON CONFLICT DO NOTHING";

/// Gives rows of minutes or quarters, each a [`SpanRow`] of a JSON array, to their table; what comes after `$table` says what
/// happens when one is there already.
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

/// A total never goes back; an equal one can have a new counter as its reference.
const SAVE_LIFETIMES: &str = "INSERT INTO lifetimes (plug, total_wh, counter_wh, at_ms) \
    SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3 FROM json_each(?) WHERE true \
    ON CONFLICT (plug) DO UPDATE SET total_wh = excluded.total_wh, counter_wh = excluded.counter_wh, \
    at_ms = excluded.at_ms WHERE excluded.total_wh >= total_wh";

const SERIES: &str = "SELECT json_group_array(json_array(mac, id, \
    (SELECT max(at_ms) FROM readings WHERE plug = id))) FROM series WHERE mac IN (SELECT value FROM json_each(?))";

/// No more rows than this in one statement: it bounds the memory of a batch after a long gap.
const MOST_ROWS: usize = 20_000;

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

/// A plug's row in `series`, and its latest reading.
#[derive(Debug, Clone, Copy)]
pub(super) struct Series {
    pub(super) id: i64,
    latest: Option<i64>,
}

/// Sums on their way, by series and time.
type Sums = BTreeMap<(i64, i64), Sum>;

/// A batch on its way into the tables.
#[derive(Debug, Default)]
struct Batch {
    readings: Vec<ReadingRow>,
    minutes: Sums,
    quarters: Sums,
    lifetimes: BTreeMap<i64, EnergyState>,
}

impl Database {
    pub(super) async fn append(&self, samples: &[Sample]) -> Result<(), StoreError> {
        if samples.is_empty() {
            return Ok(());
        }
        let mut writing = self.record().await?;
        let macs = samples.iter().map(|sample| sample.reading.plug).collect();
        let series = self.series(writing.connection(), macs).await?;
        let mut known = self.known(writing.connection(), samples, &series).await?;
        let mut batch = Batch::default();
        for sample in samples {
            let Some(series) = series.get(&sample.reading.plug) else {
                continue;
            };
            if !known.insert((series.id, sample.reading.at.as_millisecond())) {
                continue;
            }
            batch.take(series.id, sample);
            if batch.is_full() {
                self.write_batch(writing.connection(), &mut batch).await?;
            }
        }
        self.write_batch(writing.connection(), &mut batch).await?;
        writing.commit().await
    }

    /// Returns the series of these plugs; makes those that do not exist.
    pub(super) async fn series(
        &self,
        connection: &mut SqliteConnection,
        macs: HashSet<Mac>,
    ) -> Result<HashMap<Mac, Series>, StoreError> {
        let texts: Vec<_> = macs
            .into_iter()
            .map(|mac| PlugId(mac).to_string())
            .collect();
        let texts_json = encoded(&texts);
        let mut found = self.known_series(connection, &texts_json).await?;
        if found.len() < texts.len() {
            let sql = "INSERT OR IGNORE INTO series (mac) SELECT value FROM json_each(?)";
            sqlx::query(sql)
                .bind(&texts_json)
                .execute(&mut *connection)
                .await
                .map_err(|error| self.fault(WRITTEN, error))?;
            found = self.known_series(connection, &texts_json).await?;
        }
        Ok(found)
    }

    async fn known_series(
        &self,
        connection: &mut SqliteConnection,
        macs: &str,
    ) -> Result<HashMap<Mac, Series>, StoreError> {
        let json: String = sqlx::query_scalar(SERIES)
            .bind(macs)
            .fetch_one(connection)
            .await
            .map_err(|error| self.fault(WRITTEN, error))?;
        let rows: Vec<(PlugId, i64, Option<i64>)> = self.decoded(&json)?;
        let series = rows
            .into_iter()
            .map(|(plug, id, latest)| (plug.0, Series { id, latest }));
        Ok(series.collect())
    }

    /// Returns which of these readings are there already. Those later than a plug's latest need no look.
    async fn known(
        &self,
        connection: &mut SqliteConnection,
        samples: &[Sample],
        series: &HashMap<Mac, Series>,
    ) -> Result<HashSet<(i64, i64)>, StoreError> {
        let suspects: Vec<(i64, i64)> = samples
            .iter()
            .filter_map(|sample| {
                let series = series.get(&sample.reading.plug)?;
                let at = sample.reading.at.as_millisecond();
                (Some(at) <= series.latest).then_some((series.id, at))
            })
            .collect();
        if suspects.is_empty() {
            return Ok(HashSet::new());
        }
        let sql = "SELECT json_group_array(json_array(plug, at_ms)) FROM readings \
            WHERE (plug, at_ms) IN (SELECT value ->> 0, value ->> 1 FROM json_each(?))";
        let json: String = sqlx::query_scalar(sql)
            .bind(encoded(&suspects))
            .fetch_one(connection)
            .await
            .map_err(|error| self.fault(WRITTEN, error))?;
        self.decoded(&json)
    }

    async fn write_batch(
        &self,
        connection: &mut SqliteConnection,
        batch: &mut Batch,
    ) -> Result<(), StoreError> {
        let batch = std::mem::take(batch);
        let mut readings = batch.readings;
        // In the order of the table, so that neighbours are written together.
        readings.sort_unstable_by_key(|row| (row.0, row.1));
        for (sql, json) in [
            (INSERT_READINGS, encoded(&readings)),
            (ADD_TO_MINUTES, encoded(&rows(&batch.minutes))),
            (ADD_TO_QUARTERS, encoded(&rows(&batch.quarters))),
            (SAVE_LIFETIMES, encoded(&totals(&batch.lifetimes))),
        ] {
            let query = sqlx::query(sql).bind(json);
            let written = query.execute(&mut *connection).await;
            written.map_err(|error| self.fault(WRITTEN, error))?;
        }
        Ok(())
    }
}

impl Batch {
    fn is_full(&self) -> bool {
        self.readings.len().max(self.minutes.len()) >= MOST_ROWS
    }

    fn take(&mut self, series: i64, sample: &Sample) {
        let row = reading_row(series, sample);
        if let Some(power) = row.5 {
            self.add(series, row.1.div_euclid(1000), Sum::of_power(power));
        }
        if let (Some(energy), Some(gap)) = (row.7, row.8) {
            for (t, share) in Spread::new(row.1 - gap, row.1, energy).minutes() {
                self.add(series, t, Sum::of_energy(share));
            }
        }
        self.readings.push(row);
        if let Some(state) = sample.energy {
            self.note_total(series, state);
        }
    }

    fn add(&mut self, series: i64, t: i64, sum: Sum) {
        let minutes = self.minutes.entry((series, floor(t, MINUTE)));
        minutes.or_default().add(sum);
        let quarters = self.quarters.entry((series, floor(t, QUARTER)));
        quarters.or_default().add(sum);
    }

    fn note_total(&mut self, series: i64, state: EnergyState) {
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

/// Returns a reading as its row.
pub(super) fn reading_row(series: i64, sample: &Sample) -> ReadingRow {
    let reading = &sample.reading;
    let at = reading.at.as_millisecond();
    let used = sample.used;
    // A reading whose clock went back was used in the last millisecond.
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

fn rows(sums: &Sums) -> Vec<SpanRow> {
    let row = |(key, sum): (&(i64, i64), &Sum)| {
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
