//! Rows as they are stored, for export and import.

use hiflying::Mac;
use jiff::Timestamp;

use super::append::{INSERT_READINGS, insert_spans, series};
use super::database::{QueryError, SqliteDatabase, encoded};
use crate::store::batch::ImportedRows;
use crate::store::rows::{StoredReading, ceil_millisecond, reading, spans};
use crate::store::steps::ceil_second;
use crate::store::{HistoryRow, Tier};

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

macro_rules! refreshed_spans {
    () => {
        " ON CONFLICT (plug, t) DO UPDATE SET readings = excluded.readings, power = excluded.power, \
          low = excluded.low, high = excluded.high, energy = excluded.energy"
    };
}

const IMPORT_MINUTES: &str = insert_spans!("minutes", " ON CONFLICT DO NOTHING");
const IMPORT_QUARTERS: &str = insert_spans!("quarters", " ON CONFLICT DO NOTHING");
const REFRESH_MINUTES: &str = insert_spans!("minutes", refreshed_spans!());
const REFRESH_QUARTERS: &str = insert_spans!("quarters", refreshed_spans!());

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
    Ok(spans(
        tier,
        database.slice(sql, series, seconds, limit).await?,
    ))
}

/// Adds rows from elsewhere in one transaction, and returns how many were new.
pub(super) async fn import(
    database: &SqliteDatabase,
    plug: Mac,
    rows: &[HistoryRow],
) -> Result<u64, QueryError> {
    write(database, plug, rows, [IMPORT_MINUTES, IMPORT_QUARTERS]).await
}

/// Puts minutes and quarters in the place of those that exist.
pub(super) async fn refresh(
    database: &SqliteDatabase,
    plug: Mac,
    rows: &[HistoryRow],
) -> Result<(), QueryError> {
    let written = write(database, plug, rows, [REFRESH_MINUTES, REFRESH_QUARTERS]).await;
    written.map(drop)
}

async fn write(
    database: &SqliteDatabase,
    plug: Mac,
    rows: &[HistoryRow],
    [minutes, quarters]: [&'static str; 2],
) -> Result<u64, QueryError> {
    let mut transaction = database.edit().await?;
    let connection = transaction.connection();
    let series = series(connection, [plug].into()).await?;
    let Some(series) = series.get(&plug).map(|series| series.id) else {
        return Ok(0);
    };
    let mut new = 0;
    for rows in rows.chunks(ROWS_PER_STATEMENT) {
        let rows = ImportedRows::of(plug, series, rows);
        for (sql, json) in [
            (INSERT_READINGS, encoded(&rows.readings)),
            (minutes, encoded(&rows.minutes)),
            (quarters, encoded(&rows.quarters)),
        ] {
            let query = sqlx::query(sql).bind(json);
            new += query.execute(&mut *connection).await?.rows_affected();
        }
    }
    transaction.commit().await?;
    Ok(new)
}
