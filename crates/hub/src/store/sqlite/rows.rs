//! Rows as they are kept: out for export, in from import.

use hiflying::Mac;
use jiff::Timestamp;
use plugs::Reading;
use sqlx::SqliteConnection;

use super::append::{INSERT_READINGS, SpanRow, insert_spans, reading_row};
use super::database::{Database, WRITTEN, encoded};
use super::steps::ceil_second;
use crate::store::scale::{self, from_hundredths, from_thousandths, moment, thousandths, unsigned};
use crate::store::slots::{MINUTE, QUARTER, floor};
use crate::store::{Row, Sample, Span, StoreError, Tier, Used};

/// No more rows than this in one statement.
const AT_ONCE: usize = 10_000;

const READINGS: &str = "SELECT json_group_array(json_array(at_ms, voltage, current, frequency, power, counter_wh, energy, \
    gap_ms)) FROM (SELECT * FROM readings WHERE plug = ?1 AND at_ms >= ?2 AND at_ms < ?3 ORDER BY at_ms LIMIT ?4)";

macro_rules! spans {
    ($table:literal) => {
        concat!(
            "SELECT json_group_array(json_array(t, readings, power, low, high, energy)) FROM (SELECT * FROM ",
            $table,
            " WHERE plug = ?1 AND t >= ?2 AND t < ?3 ORDER BY t LIMIT ?4)"
        )
    };
}

const IMPORT_MINUTES: &str = insert_spans!("minutes", " ON CONFLICT DO NOTHING");
const IMPORT_QUARTERS: &str = insert_spans!("quarters", " ON CONFLICT DO NOTHING");

/// (at, voltage, current, frequency, power, counter, energy, gap)
type ReadingOut = (
    i64,
    Option<i64>,
    Option<i64>,
    Option<i64>,
    Option<i64>,
    Option<i64>,
    Option<i64>,
    Option<i64>,
);
/// (t, readings, power, low, high, energy)
type SpanOut = (i64, i64, i64, Option<i64>, Option<i64>, i64);

impl Database {
    pub(super) async fn rows(
        &self,
        plug: Mac,
        tier: Tier,
        from: Timestamp,
        to: Timestamp,
        limit: usize,
    ) -> Result<Vec<Row>, StoreError> {
        let Some(series) = self.series_of(plug).await? else {
            return Ok(Vec::new());
        };
        let span = (ceil_second(from), ceil_second(to));
        Ok(match tier {
            Tier::Readings => {
                let span = (ceil_millisecond(from), ceil_millisecond(to));
                let rows: Vec<ReadingOut> = self.slice(READINGS, series, span, limit).await?;
                rows.into_iter()
                    .filter_map(|row| reading(plug, row))
                    .collect()
            }
            Tier::Minutes => spans(self.slice(spans!("minutes"), series, span, limit).await?)
                .map(Row::Minute)
                .collect(),
            Tier::Quarters => spans(self.slice(spans!("quarters"), series, span, limit).await?)
                .map(Row::Quarter)
                .collect(),
        })
    }

    pub(super) async fn import(&self, plug: Mac, rows: &[Row]) -> Result<u64, StoreError> {
        let mut writing = self.edit().await?;
        let series = self.series(writing.connection(), [plug].into()).await?;
        let Some(series) = series.get(&plug).map(|series| series.id) else {
            return Ok(0);
        };
        let mut new = 0;
        for rows in rows.chunks(AT_ONCE) {
            let imported = import(writing.connection(), plug, series, rows).await;
            new += imported.map_err(|error| self.fault(WRITTEN, error))?;
        }
        writing.commit().await?;
        Ok(new)
    }
}

async fn import(
    connection: &mut SqliteConnection,
    plug: Mac,
    series: i64,
    rows: &[Row],
) -> Result<u64, sqlx::Error> {
    let (mut readings, mut minutes, mut quarters) = (Vec::new(), Vec::new(), Vec::new());
    for row in rows {
        match row {
            Row::Reading(reading, used) => {
                let mut reading = reading.clone();
                reading.plug = plug;
                let sample = Sample {
                    reading,
                    used: *used,
                    energy: None,
                };
                readings.push(reading_row(series, &sample));
            }
            Row::Minute(span) => minutes.push(span_row(series, span, MINUTE)),
            Row::Quarter(span) => quarters.push(span_row(series, span, QUARTER)),
        }
    }
    let mut new = 0;
    for (sql, json) in [
        (INSERT_READINGS, encoded(&readings)),
        (IMPORT_MINUTES, encoded(&minutes)),
        (IMPORT_QUARTERS, encoded(&quarters)),
    ] {
        let query = sqlx::query(sql).bind(json);
        new += query.execute(&mut *connection).await?.rows_affected();
    }
    Ok(new)
}

fn reading(plug: Mac, row: ReadingOut) -> Option<Row> {
    let (at, voltage, current, frequency, power, counter, energy, gap) = row;
    let used = energy.zip(gap).and_then(|(energy, gap)| {
        Some(Used {
            since: moment(at - gap)?,
            energy_wh: from_thousandths(energy),
        })
    });
    let reading = Reading {
        plug,
        at: moment(at)?,
        voltage_v: voltage.map(from_hundredths),
        current_a: current.map(from_thousandths),
        frequency_hz: frequency.map(from_hundredths),
        power_w: power.map(from_thousandths),
        energy_wh: counter.map(unsigned),
    };
    Some(Row::Reading(reading, used))
}

fn spans(rows: Vec<SpanOut>) -> impl Iterator<Item = Span> {
    rows.into_iter().filter_map(|row| {
        let (t, readings, power, low, high, energy) = row;
        let mean = (readings > 0).then(|| power as f64 / readings as f64 / 1e3);
        Some(Span {
            t: Timestamp::from_second(t).ok()?,
            readings: u32::try_from(readings).unwrap_or(u32::MAX),
            power_w: mean,
            power_min_w: low.map(from_thousandths),
            power_max_w: high.map(from_thousandths),
            energy_wh: from_thousandths(energy),
        })
    })
}

fn span_row(series: i64, span: &Span, size: i64) -> SpanRow {
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

/// The database has whole milliseconds.
fn ceil_millisecond(t: Timestamp) -> i64 {
    -((-t.as_nanosecond()).div_euclid(1_000_000) as i64)
}
