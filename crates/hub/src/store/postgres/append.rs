//! Adds readings to history, and rows from elsewhere.

use std::collections::HashSet;
use std::fmt::Write as _;

use hiflying::Mac;
use sqlx::{AssertSqlSafe, PgConnection, PgPool};

use super::Postgres;
use super::months::{KnownMonths, imported_months, sampled_months};
use crate::store::batch::{
    self, BatchRows, ImportedRows, ReadingRow, SeriesOfPlugs, SeriesRow, SpanRow, StoredSeries,
    TotalRow,
};
use crate::store::query_error::QueryError;
use crate::store::{EnergyState, HistoryRow, Sample, StoreError};

/// Number of rows of a statement of an import.
const ROWS_PER_STATEMENT: usize = 10_000;

macro_rules! reading_columns {
    () => {
        "readings (plug, at_ms, voltage, current, frequency, power, counter_wh, energy, gap_ms)"
    };
}

const COPY_READINGS: &str = concat!("COPY ", reading_columns!(), " FROM STDIN");

const IMPORT_READINGS: &str = concat!(
    "INSERT INTO ",
    reading_columns!(),
    " SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[], \
      $7::bigint[], $8::bigint[], $9::bigint[]) ON CONFLICT DO NOTHING"
);

macro_rules! insert_spans {
    ($table:literal, $rows:expr) => {
        concat!(
            "INSERT INTO ",
            $table,
            " (plug, t, readings, power, low, high, energy) ",
            $rows,
            " ON CONFLICT (plug, t) DO "
        )
    };
}
pub(super) use insert_spans;

/// Adds rows to `minutes` or `quarters`, also to those that exist.
macro_rules! add_spans {
    ($table:literal, $rows:expr) => {
        concat!(
            crate::store::postgres::append::insert_spans!($table, $rows),
            "UPDATE SET readings = ",
            $table,
            ".readings + excluded.readings, \
             power = ",
            $table,
            ".power + excluded.power, \
             low = least(",
            $table,
            ".low, excluded.low), \
             high = greatest(",
            $table,
            ".high, excluded.high), \
             energy = ",
            $table,
            ".energy + excluded.energy"
        )
    };
}
pub(super) use add_spans;

macro_rules! given_spans {
    () => {
        "SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[], \
         $7::bigint[])"
    };
}

const ADD_TO_MINUTES: &str = add_spans!("minutes", given_spans!());
const ADD_TO_QUARTERS: &str = add_spans!("quarters", given_spans!());
const IMPORT_MINUTES: &str = concat!(insert_spans!("minutes", given_spans!()), "NOTHING");
const IMPORT_QUARTERS: &str = concat!(insert_spans!("quarters", given_spans!()), "NOTHING");

macro_rules! refresh_spans {
    ($table:literal) => {
        concat!(
            insert_spans!($table, given_spans!()),
            "UPDATE SET readings = excluded.readings, power = excluded.power, low = excluded.low, \
             high = excluded.high, energy = excluded.energy"
        )
    };
}

const REFRESH_MINUTES: &str = refresh_spans!("minutes");
const REFRESH_QUARTERS: &str = refresh_spans!("quarters");

/// Saves lifetime totals. A total never decreases; an equal one can have a new counter as its reference.
const SAVE_LIFETIMES: &str = "INSERT INTO lifetimes (plug, total_wh, counter_wh, at_ms) \
    SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[]) \
    ON CONFLICT (plug) DO UPDATE SET total_wh = excluded.total_wh, counter_wh = excluded.counter_wh, \
    at_ms = excluded.at_ms WHERE excluded.total_wh >= lifetimes.total_wh";

const SERIES: &str = "SELECT mac, id, (SELECT max(at_ms) FROM readings WHERE plug = id), total_wh, counter_wh, at_ms \
    FROM series LEFT JOIN lifetimes ON plug = id WHERE mac = ANY($1)";

/// A crash of the server may cost the last readings, as a power cut does with SQLite. Hubs append one after the other, so that each
/// knows the totals that the other one has written.
const BEGIN_APPEND: &str = "SET LOCAL synchronous_commit = off; \
    SELECT pg_advisory_xact_lock('lifetimes'::regclass::oid::bigint)";

const STORED: &str = "SELECT plug, at_ms FROM readings \
    JOIN unnest($1::bigint[], $2::bigint[]) AS wanted (series, moment) ON plug = series AND at_ms = moment";

impl Postgres {
    /// Adds readings in one transaction.
    pub(super) async fn append_samples(&self, samples: &[Sample]) -> Result<(), StoreError> {
        if samples.is_empty() {
            return Ok(());
        }
        self.make_months(sampled_months(samples)).await?;
        let written = self.write(|pool| append(pool, samples)).await;
        self.forget_months_on_error(written)
    }

    /// Saves lifetime totals.
    pub(super) async fn write_lifetimes(
        &self,
        totals: &[(Mac, EnergyState)],
    ) -> Result<(), StoreError> {
        self.write(|pool| async move {
            let mut transaction = pool.begin().await?;
            let plugs = totals.iter().map(|(plug, _)| *plug).collect();
            let series = series(&mut transaction, plugs).await?;
            write_totals(&mut transaction, &batch::total_rows(totals, &series)).await?;
            Ok(transaction.commit().await?)
        })
        .await
    }

    /// Adds rows from elsewhere in one transaction, and returns how many were new.
    pub(super) async fn import_rows(
        &self,
        plug: Mac,
        rows: &[HistoryRow],
    ) -> Result<u64, StoreError> {
        self.make_months(imported_months(rows)).await?;
        let statements = [IMPORT_MINUTES, IMPORT_QUARTERS];
        let written = self.write(|pool| import(pool, plug, rows, statements));
        self.forget_months_on_error(written.await)
    }

    /// Puts minutes and quarters in the place of those that exist.
    pub(super) async fn refresh_rows(
        &self,
        plug: Mac,
        rows: &[HistoryRow],
    ) -> Result<(), StoreError> {
        self.make_months(imported_months(rows)).await?;
        let statements = [REFRESH_MINUTES, REFRESH_QUARTERS];
        let written = self.write(|pool| import(pool, plug, rows, statements));
        self.forget_months_on_error(written.await.map(drop))
    }

    /// Makes the partitions that are not known to exist.
    async fn make_months(&self, months: KnownMonths) -> Result<(), StoreError> {
        let missing: Vec<_> = months.difference(&self.months.lock()).copied().collect();
        for month in missing {
            self.write(|pool| async move {
                let sql = AssertSqlSafe(month.create_table());
                sqlx::raw_sql(sql).execute(&pool).await?;
                Ok(())
            })
            .await?;
            self.months.lock().insert(month);
        }
        Ok(())
    }

    /// Forgets which partitions exist after a write that failed, perhaps because another program dropped one.
    fn forget_months_on_error<T>(&self, written: Result<T, StoreError>) -> Result<T, StoreError> {
        written.inspect_err(|_| self.months.lock().clear())
    }
}

async fn append(pool: PgPool, samples: &[Sample]) -> Result<(), QueryError> {
    let mut transaction = pool.begin().await?;
    sqlx::raw_sql(BEGIN_APPEND)
        .execute(&mut *transaction)
        .await?;
    let series = series(&mut transaction, batch::plugs(samples)).await?;
    let stored = stored(&mut transaction, batch::candidates(samples, &series)).await?;
    for rows in batch::portions(samples, &series, stored) {
        write(&mut transaction, &rows).await?;
    }
    Ok(transaction.commit().await?)
}

async fn import(
    pool: PgPool,
    plug: Mac,
    rows: &[HistoryRow],
    [minutes, quarters]: [&'static str; 2],
) -> Result<u64, QueryError> {
    let mut transaction = pool.begin().await?;
    let series = series(&mut transaction, [plug].into()).await?;
    let Some(series) = series.get(&plug).map(|series| series.id) else {
        return Ok(0);
    };
    let mut new = 0;
    for rows in rows.chunks(ROWS_PER_STATEMENT) {
        let rows = ImportedRows::of(plug, series, rows);
        new += insert_readings(&mut transaction, &rows.readings).await?;
        for (sql, spans) in [(minutes, &rows.minutes), (quarters, &rows.quarters)] {
            new += write_spans(&mut transaction, sql, spans).await?;
        }
    }
    transaction.commit().await?;
    Ok(new)
}

/// Returns the series of these plugs, and creates those that do not exist.
async fn series(
    connection: &mut PgConnection,
    macs: HashSet<Mac>,
) -> Result<SeriesOfPlugs, sqlx::Error> {
    let macs: Vec<_> = macs.into_iter().map(|mac| format!("{mac:x}")).collect();
    let found = existing_series(connection, &macs).await?;
    if found.len() == macs.len() {
        return Ok(found);
    }
    let sql = "INSERT INTO series (mac) SELECT unnest($1::text[]) ON CONFLICT DO NOTHING";
    sqlx::query(sql)
        .bind(&macs)
        .execute(&mut *connection)
        .await?;
    existing_series(connection, &macs).await
}

async fn existing_series(
    connection: &mut PgConnection,
    macs: &[String],
) -> Result<SeriesOfPlugs, sqlx::Error> {
    let query = sqlx::query_as(SERIES).bind(macs);
    let rows: Vec<StoredSeries<String>> = query.fetch_all(connection).await?;
    let series = rows.into_iter().map(SeriesRow::of);
    Ok(series
        .filter_map(|(mac, row)| Some((mac.parse().ok()?, row)))
        .collect())
}

/// Returns which of these readings, by series and time, are stored.
async fn stored(
    connection: &mut PgConnection,
    candidates: Vec<(i64, i64)>,
) -> Result<HashSet<(i64, i64)>, sqlx::Error> {
    if candidates.is_empty() {
        return Ok(HashSet::new());
    }
    let (series, times): (Vec<i64>, Vec<i64>) = candidates.into_iter().unzip();
    let query = sqlx::query_as(STORED).bind(series).bind(times);
    let rows: Vec<(i64, i64)> = query.fetch_all(connection).await?;
    Ok(rows.into_iter().collect())
}

async fn write(connection: &mut PgConnection, rows: &BatchRows) -> Result<(), sqlx::Error> {
    copy_readings(connection, &rows.readings).await?;
    write_spans(connection, ADD_TO_MINUTES, &rows.minutes).await?;
    write_spans(connection, ADD_TO_QUARTERS, &rows.quarters).await?;
    write_totals(connection, &rows.totals).await
}

/// Copies readings, none of which is stored. Minutes and quarters cannot be copied, because they are added to rows that exist.
async fn copy_readings(
    connection: &mut PgConnection,
    rows: &[ReadingRow],
) -> Result<(), sqlx::Error> {
    let mut text = String::with_capacity(rows.len() * 64);
    for row in rows {
        let _ = write!(text, "{}\t{}", row.0, row.1);
        for value in [row.2, row.3, row.4, row.5, row.6, row.7, row.8] {
            let _ = match value {
                Some(value) => write!(text, "\t{value}"),
                None => write!(text, "\t\\N"),
            };
        }
        text.push('\n');
    }
    let mut copy = connection.copy_in_raw(COPY_READINGS).await?;
    copy.send(text.into_bytes()).await?;
    copy.finish().await?;
    Ok(())
}

async fn insert_readings(
    connection: &mut PgConnection,
    rows: &[ReadingRow],
) -> Result<u64, sqlx::Error> {
    let query = sqlx::query(IMPORT_READINGS)
        .bind(column(rows, |row| row.0))
        .bind(column(rows, |row| row.1))
        .bind(column(rows, |row| row.2))
        .bind(column(rows, |row| row.3))
        .bind(column(rows, |row| row.4))
        .bind(column(rows, |row| row.5))
        .bind(column(rows, |row| row.6))
        .bind(column(rows, |row| row.7))
        .bind(column(rows, |row| row.8));
    Ok(query.execute(connection).await?.rows_affected())
}

async fn write_spans(
    connection: &mut PgConnection,
    sql: &'static str,
    rows: &[SpanRow],
) -> Result<u64, sqlx::Error> {
    if rows.is_empty() {
        return Ok(0);
    }
    let query = sqlx::query(sql)
        .bind(column(rows, |row| row.0))
        .bind(column(rows, |row| row.1))
        .bind(column(rows, |row| row.2))
        .bind(column(rows, |row| row.3))
        .bind(column(rows, |row| row.4))
        .bind(column(rows, |row| row.5))
        .bind(column(rows, |row| row.6));
    Ok(query.execute(connection).await?.rows_affected())
}

async fn write_totals(connection: &mut PgConnection, rows: &[TotalRow]) -> Result<(), sqlx::Error> {
    if rows.is_empty() {
        return Ok(());
    }
    let query = sqlx::query(SAVE_LIFETIMES)
        .bind(column(rows, |row| row.0))
        .bind(column(rows, |row| row.1))
        .bind(column(rows, |row| row.2))
        .bind(column(rows, |row| row.3));
    query.execute(connection).await?;
    Ok(())
}

fn column<R, T>(rows: &[R], value: impl Fn(&R) -> T) -> Vec<T> {
    rows.iter().map(value).collect()
}
