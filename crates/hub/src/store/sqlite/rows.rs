//! Rows as they are stored, for export and import.

use hiflying::Mac;
use jiff::Timestamp;
use plugs::Reading;
use sqlx::SqliteConnection;

use super::append::{INSERT_READINGS, SpanRow, insert_spans, reading_row, series};
use super::database::{QueryError, SqliteDatabase, encoded};
use super::steps::ceil_second;
use crate::store::scale::{self, from_hundredths, from_thousandths, moment, thousandths, unsigned};
use crate::store::spread::{MINUTE, QUARTER, floor};
use crate::store::{HistoryRow, HistorySpan, Sample, Tier, Used};

const ROWS_PER_STATEMENT: usize = 10_000;

const READINGS: &str = "SELECT json_group_array(json_array(at_ms, voltage, current, frequency, power, counter_wh, energy, \
    gap_ms)) FROM (SELECT * FROM readings WHERE plug = ?1 AND at_ms >= ?2 AND at_ms < ?3 ORDER BY at_ms LIMIT ?4)";

macro_rules! select_spans {
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
type StoredReading = (
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
type StoredSpan = (i64, i64, i64, Option<i64>, Option<i64>, i64);

/// Returns stored rows of a tier, by time.
pub(super) async fn rows(
    database: &SqliteDatabase,
    plug: Mac,
    tier: Tier,
    (from, to): (Timestamp, Timestamp),
    limit: usize,
) -> Result<Vec<HistoryRow>, sqlx::Error> {
    let Some(series) = database.series_of(plug).await? else {
        return Ok(Vec::new());
    };
    let seconds = (ceil_second(from), ceil_second(to));
    let sql = match tier {
        Tier::Readings => {
            let span = (ceil_millisecond(from), ceil_millisecond(to));
            let rows: Vec<StoredReading> = database.slice(READINGS, series, span, limit).await?;
            let readings = rows.into_iter().filter_map(|row| reading(plug, row));
            return Ok(readings.collect());
        }
        Tier::Minutes => select_spans!("minutes"),
        Tier::Quarters => select_spans!("quarters"),
    };
    let rows = database.slice(sql, series, seconds, limit).await?;
    let spans = rows.into_iter().filter_map(span);
    Ok(match tier {
        Tier::Quarters => spans.map(HistoryRow::Quarter).collect(),
        _ => spans.map(HistoryRow::Minute).collect(),
    })
}

/// Adds rows from elsewhere in one transaction, and returns how many were new.
pub(super) async fn import(
    database: &SqliteDatabase,
    plug: Mac,
    rows: &[HistoryRow],
) -> Result<u64, QueryError> {
    let mut transaction = database.edit().await?;
    let connection = transaction.connection();
    let series = series(connection, [plug].into()).await?;
    let Some(series) = series.get(&plug).map(|series| series.id) else {
        return Ok(0);
    };
    let mut new = 0;
    for rows in rows.chunks(ROWS_PER_STATEMENT) {
        new += import_chunk(connection, plug, series, rows).await?;
    }
    transaction.commit().await?;
    Ok(new)
}

async fn import_chunk(
    connection: &mut SqliteConnection,
    plug: Mac,
    series: i64,
    rows: &[HistoryRow],
) -> Result<u64, sqlx::Error> {
    let (mut readings, mut minutes, mut quarters) = (Vec::new(), Vec::new(), Vec::new());
    for row in rows {
        match row {
            HistoryRow::Reading(reading, used) => {
                let mut reading = reading.clone();
                reading.plug = plug;
                let sample = Sample {
                    reading,
                    used: *used,
                    energy: None,
                };
                readings.push(reading_row(series, &sample));
            }
            HistoryRow::Minute(span) => minutes.push(span_row(series, span, MINUTE)),
            HistoryRow::Quarter(span) => quarters.push(span_row(series, span, QUARTER)),
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

fn reading(plug: Mac, row: StoredReading) -> Option<HistoryRow> {
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
    Some(HistoryRow::Reading(reading, used))
}

fn span((t, readings, power, low, high, energy): StoredSpan) -> Option<HistorySpan> {
    let mean = (readings > 0).then(|| power as f64 / readings as f64 / 1e3);
    Some(HistorySpan {
        t: Timestamp::from_second(t).ok()?,
        readings: u32::try_from(readings).unwrap_or(u32::MAX),
        power_w: mean,
        power_min_w: low.map(from_thousandths),
        power_max_w: high.map(from_thousandths),
        energy_wh: from_thousandths(energy),
    })
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

/// The database has whole milliseconds.
fn ceil_millisecond(t: Timestamp) -> i64 {
    -((-t.as_nanosecond()).div_euclid(1_000_000) as i64)
}
