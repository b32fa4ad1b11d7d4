//! Rows as the databases return them, and their meaning.

use api::{LogEntry, LogKind, Period};
use hiflying::Mac;
use jiff::Timestamp;
use plugs::{Reading, RelayState};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::scale::{from_hundredths, from_thousandths, moment, signed, unsigned};
use super::spread::{QUARTER, floor};
use super::{EnergyState, HistoryRow, HistorySpan, Tier, Used};

/// Age at which entries of the log are removed, in days.
const MAX_LOG_DAYS: i64 = 366;
/// Maximum number of entries. Their texts are short, so that the log stays below a hundred megabytes.
pub(super) const MAX_LOG_ENTRIES: i64 = 200_000;

/// (at, voltage, current, frequency, power, counter, energy, gap)
pub(super) type StoredReading = (
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
pub(super) type StoredSpan = (i64, i64, i64, Option<i64>, Option<i64>, i64);

/// (total, counter, at)
pub(super) type StoredTotal = (Option<i64>, Option<i64>, Option<i64>);

/// (id, at, kind, plug, relay, cause, problem, text)
pub(super) type LogRow = (
    i64,
    i64,
    LogKind,
    Option<String>,
    Option<RelayState>,
    Option<String>,
    u8,
    String,
);

/// Returns the meaning of a reading's row.
pub(super) fn reading(plug: Mac, row: StoredReading) -> Option<HistoryRow> {
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

/// Returns the meaning of the columns of a lifetime total; `None` without one.
pub(super) fn total((total, counter, at): StoredTotal) -> Option<EnergyState> {
    Some(EnergyState {
        total_wh: unsigned(total?),
        counter_wh: counter.map(unsigned),
        at: moment(at?)?,
    })
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

/// Returns the meaning of rows of minutes or quarters.
pub(super) fn spans(tier: Tier, rows: Vec<StoredSpan>) -> Vec<HistoryRow> {
    let spans = rows.into_iter().filter_map(span);
    match tier {
        Tier::Quarters => spans.map(HistoryRow::Quarter).collect(),
        _ => spans.map(HistoryRow::Minute).collect(),
    }
}

/// The database has whole milliseconds.
pub(super) fn ceil_millisecond(t: Timestamp) -> i64 {
    -((-t.as_nanosecond()).div_euclid(1_000_000) as i64)
}

/// Returns the row of an entry of the log.
pub(super) fn log_row(entry: &LogEntry) -> LogRow {
    (
        signed(entry.id),
        entry.at.as_millisecond(),
        entry.kind,
        entry.plug.map(|plug| format!("{plug:x}")),
        entry.relay,
        entry.cause.clone(),
        entry.problem.into(),
        entry.text.clone(),
    )
}

/// Returns the meaning of a row of the log.
pub(super) fn log_entry(
    (id, at, kind, plug, relay, cause, problem, text): LogRow,
) -> Option<LogEntry> {
    Some(LogEntry {
        id: unsigned(id),
        at: moment(at)?,
        kind,
        plug: plug.and_then(|plug| plug.parse::<Mac>().ok()),
        relay,
        cause,
        problem: problem != 0,
        text,
    })
}

/// Returns the millisecond before which entries of the log are too old.
pub(super) fn oldest_entry(now: Timestamp) -> i64 {
    now.as_millisecond() - MAX_LOG_DAYS * 24 * 3600 * 1000
}

/// Returns the second before which rows are too old: the start of a quarter of an hour, so that the rest is whole.
pub(super) fn oldest_row(now: Timestamp, kept: Period) -> i64 {
    let kept = i64::try_from(kept.get().as_secs()).unwrap_or(i64::MAX);
    floor(now.as_second().saturating_sub(kept), QUARTER)
}

/// Reads the one JSON text that a query returns. Rows one by one cost more than all of them in one text.
pub(super) fn decoded<T: DeserializeOwned>(json: &str) -> Result<T, sqlx::Error> {
    serde_json::from_str(json).map_err(|error| sqlx::Error::Decode(error.into()))
}

/// Reads the one JSON text that a query returns as a blob, of rows with text. A row that cannot be understood is ignored, also where
/// a damaged byte is no UTF-8: it must not take the others with it.
pub(super) fn readable_rows<T: DeserializeOwned>(json: &[u8]) -> Result<Vec<T>, sqlx::Error> {
    let json = String::from_utf8_lossy(json);
    if let Ok(rows) = serde_json::from_str(&json) {
        return Ok(rows);
    }
    let rows: Vec<serde_json::Value> = decoded(&json)?;
    let number = rows.len();
    let rows = rows.into_iter().map(serde_json::from_value);
    let readable: Vec<T> = rows.filter_map(Result::ok).collect();
    let ignored = number - readable.len();
    tracing::warn!(ignored, "stored rows cannot be understood and are ignored");
    Ok(readable)
}

/// Writes rows as the one JSON text that a statement takes.
pub(super) fn encoded<T: Serialize>(rows: &[T]) -> String {
    serde_json::to_string(rows).expect("tuples of numbers and texts can be written as JSON")
}
