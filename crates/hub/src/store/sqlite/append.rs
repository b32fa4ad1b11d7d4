//! Adds readings to history by a few statements for a whole batch.

use std::collections::HashSet;

use hiflying::Mac;
use sqlx::SqliteConnection;

use super::database::{QueryError, SqliteDatabase, decoded, encoded};
use super::transfer::merged;
use crate::store::batch::{self, BatchRows, SeriesOfPlugs, SeriesRow, StoredSeries};
use crate::store::{EnergyState, Sample};

/// Inserts a JSON array of [`batch::ReadingRow`]s; existing rows stay.
pub(super) const INSERT_READINGS: &str = "INSERT INTO readings \
    (plug, at_ms, voltage, current, frequency, power, counter_wh, energy, gap_ms) \
    SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5, value ->> 6, value ->> 7, \
    value ->> 8 FROM json_each(?) WHERE true ON CONFLICT DO NOTHING";

/// Inserts a JSON array of [`batch::SpanRow`]s into `minutes` or `quarters`; the rest is the clause for existing rows.
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
    (SELECT max(at_ms) FROM readings WHERE plug = id), total_wh, counter_wh, at_ms)) \
    FROM series LEFT JOIN lifetimes ON plug = id WHERE mac IN (SELECT value FROM json_each(?))";

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
    let series = series(connection, batch::plugs(samples)).await?;
    let stored = stored(connection, &batch::candidates(samples, &series)).await?;
    for rows in batch::portions(samples, &series, stored) {
        write(connection, &rows).await?;
    }
    transaction.commit().await
}

/// Saves lifetime totals.
pub(super) async fn save_totals(
    database: &SqliteDatabase,
    totals: &[(Mac, EnergyState)],
) -> Result<(), QueryError> {
    let mut transaction = database.edit().await?;
    let connection = transaction.connection();
    let plugs = totals.iter().map(|(plug, _)| *plug).collect();
    let series = series(connection, plugs).await?;
    sqlx::query(SAVE_LIFETIMES)
        .bind(encoded(&batch::total_rows(totals, &series)))
        .execute(connection)
        .await?;
    transaction.commit().await
}

/// Returns the series of these plugs, and creates those that do not exist.
pub(super) async fn series(
    connection: &mut SqliteConnection,
    macs: HashSet<Mac>,
) -> Result<SeriesOfPlugs, sqlx::Error> {
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
) -> Result<SeriesOfPlugs, sqlx::Error> {
    let query = sqlx::query_scalar(SERIES).bind(macs);
    let json: String = query.fetch_one(connection).await?;
    let rows: Vec<StoredSeries<Mac>> = decoded(&json)?;
    Ok(rows.into_iter().map(SeriesRow::of).collect())
}

/// Returns which of these readings, by series and time, are stored.
async fn stored(
    connection: &mut SqliteConnection,
    candidates: &[(i64, i64)],
) -> Result<HashSet<(i64, i64)>, sqlx::Error> {
    if candidates.is_empty() {
        return Ok(HashSet::new());
    }
    let sql = "SELECT json_group_array(json_array(plug, at_ms)) FROM readings \
        WHERE (plug, at_ms) IN (SELECT value ->> 0, value ->> 1 FROM json_each(?))";
    let query = sqlx::query_scalar(sql).bind(encoded(candidates));
    let json: String = query.fetch_one(connection).await?;
    decoded(&json)
}

async fn write(connection: &mut SqliteConnection, rows: &BatchRows) -> Result<(), sqlx::Error> {
    for (sql, json) in [
        (INSERT_READINGS, encoded(&rows.readings)),
        (ADD_TO_MINUTES, encoded(&rows.minutes)),
        (ADD_TO_QUARTERS, encoded(&rows.quarters)),
        (SAVE_LIFETIMES, encoded(&rows.totals)),
    ] {
        sqlx::query(sql)
            .bind(json)
            .execute(&mut *connection)
            .await?;
    }
    Ok(())
}
