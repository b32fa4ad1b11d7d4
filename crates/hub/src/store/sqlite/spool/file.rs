//! The file of a spool: its tables, and the statements on them.

use std::path::Path;

use hiflying::Mac;
use sqlx::sqlite::{SqliteJournalMode, SqliteLockingMode, SqliteSynchronous};
use sqlx::{ConnectOptions as _, Connection as _, SqliteConnection};

use super::super::database::{
    OPENED, QueryError, decoded, encoded, options, store_error, unavailable,
};
use crate::store::batch::{ReadingRow, TotalRow, reading_row, total_row};
use crate::store::rows::{self, StoredReading, StoredTotal};
use crate::store::scale::{signed, unsigned};
use crate::store::{EnergyState, HistoryRow, Sample, StoreError};

/// Marks the file, as `PRAGMA application_id`: `MnSp`.
const APPLICATION_ID: i64 = 0x4d6e_5370;
/// Version of the tables below, as `PRAGMA user_version`.
const VERSION: i64 = 1;
/// Size up to which the file is checked as a whole; damage in a larger one shows when it is read.
const MAX_CHECKED_BYTES: u64 = 8 << 20;
/// Size from which the file of an empty spool is made small again.
const MIN_SHRUNK_BYTES: u64 = 1 << 20;
/// Number of readings from which some are left out at a time.
const TRIMMED_READINGS: i64 = 20_000;

/// The columns are those of `readings` in the database; `id` is the order in which they came. `counts` saves counting the rows.
/// `totals` has the latest lifetime total of each plug, which the database does not know yet.
const SCHEMA: &str = "\
    CREATE TABLE waiting (id INTEGER PRIMARY KEY AUTOINCREMENT, plug TEXT NOT NULL, at_ms INTEGER NOT NULL, \
        voltage INTEGER, current INTEGER, frequency INTEGER, power INTEGER, counter_wh INTEGER, energy INTEGER, gap_ms INTEGER, \
        total_wh INTEGER, total_counter_wh INTEGER, total_at_ms INTEGER);\
    CREATE TABLE counts (only INTEGER PRIMARY KEY CHECK (only = 1), readings INTEGER NOT NULL);\
    INSERT INTO counts VALUES (1, 0);\
    CREATE TABLE totals (plug TEXT NOT NULL PRIMARY KEY, total_wh INTEGER NOT NULL, counter_wh INTEGER, at_ms INTEGER NOT NULL);\
    PRAGMA application_id = 1299075952; PRAGMA user_version = 1;";

const PUSH: &str = "INSERT INTO waiting (plug, at_ms, voltage, current, frequency, power, counter_wh, energy, gap_ms, total_wh, \
    total_counter_wh, total_at_ms) SELECT value ->> 0, value ->> '$[1][1]', value ->> '$[1][2]', value ->> '$[1][3]', \
    value ->> '$[1][4]', value ->> '$[1][5]', value ->> '$[1][6]', value ->> '$[1][7]', value ->> '$[1][8]', \
    value ->> '$[2][1]', value ->> '$[2][2]', value ->> '$[2][3]' FROM json_each(?)";

/// A total never decreases, as in the database.
const PUSH_TOTALS: &str = "INSERT INTO totals (plug, total_wh, counter_wh, at_ms) \
    SELECT value ->> 0, value ->> '$[2][1]', value ->> '$[2][2]', value ->> '$[2][3]' FROM json_each(?) \
    WHERE value ->> '$[2][1]' IS NOT NULL \
    ON CONFLICT (plug) DO UPDATE SET total_wh = excluded.total_wh, counter_wh = excluded.counter_wh, \
    at_ms = excluded.at_ms WHERE excluded.total_wh >= total_wh";

const COUNT: &str = "UPDATE counts SET readings = readings + ?";

const USAGE: &str = "SELECT readings, (page_count - freelist_count) * page_size, page_count * page_size, \
    (SELECT coalesce(max(seq), 0) FROM sqlite_sequence) FROM counts, pragma_page_count, pragma_freelist_count, pragma_page_size";

const FIRST: &str = "SELECT json_group_array(json_array(id, plug, \
    json_array(at_ms, voltage, current, frequency, power, counter_wh, energy, gap_ms), \
    json_array(total_wh, total_counter_wh, total_at_ms))) FROM (SELECT * FROM waiting WHERE id > ? ORDER BY id LIMIT ?)";

const REMOVE: &str = "DELETE FROM waiting WHERE id <= ?";

const TOTALS: &str = "SELECT json_group_array(json_array(plug, json_array(total_wh, counter_wh, at_ms))) FROM totals";

/// Gives the energy of the oldest readings to the last of them of each plug.
const GATHER: &str = "UPDATE waiting SET energy = oldest.energy, gap_ms = max(waiting.at_ms - oldest.since, 1) \
    FROM (SELECT max(id) AS last, sum(energy) AS energy, min(at_ms - gap_ms) AS since FROM waiting WHERE id <= ? GROUP BY plug) \
    AS oldest WHERE waiting.id = oldest.last AND oldest.energy IS NOT NULL";

const TRIM: &str = "DELETE FROM waiting WHERE id <= ?1 \
    AND id NOT IN (SELECT max(id) FROM waiting WHERE id <= ?1 GROUP BY plug)";

/// (id, plug, reading, lifetime total)
type WaitingRow = (i64, Mac, StoredReading, StoredTotal);

/// (plug, reading, lifetime total), both of no series
type PushedRow = (Mac, ReadingRow, Option<TotalRow>);

/// The oldest readings, to be removed when the database has them.
#[derive(Debug)]
pub(crate) struct SpooledBatch {
    /// The readings, oldest first.
    pub(crate) samples: Vec<Sample>,
    /// Number of the last one.
    last: i64,
}

/// The file, open or not.
#[derive(Debug, Default)]
pub(super) struct SpoolFile {
    /// `None` before the first use and after an error.
    connection: Option<SqliteConnection>,
    /// Number of the last reading that the database has; its removal may have failed.
    done: i64,
}

/// Extent of a spool.
#[derive(Debug, Clone, Copy)]
pub(super) struct SpoolUsage {
    pub(super) readings: i64,
    /// Bytes of the pages in use, and of all pages.
    pub(super) bytes: i64,
    file_bytes: i64,
    /// Number of the last reading that was ever added.
    last: i64,
}

impl SpoolFile {
    pub(super) fn is_open(&self) -> bool {
        self.connection.is_some()
    }

    /// Opens the file, and returns its extent.
    pub(super) async fn open(&mut self, path: &Path) -> Result<SpoolUsage, StoreError> {
        let made = statefile::owner_only()
            .write(true)
            .create(true)
            .truncate(false)
            .open(path);
        made.map_err(|error| unavailable(path, OPENED, error))?;
        let (connection, usage) = prepare(path).await.map_err(|error| match error {
            QueryError::Store(error) => error,
            QueryError::Sql(error) => store_error(path, OPENED, error),
        })?;
        // The numbers of a new file begin anew.
        self.done = self.done.min(usage.last);
        self.connection = Some(connection);
        Ok(usage)
    }

    /// Drops the connection after an error, within whatever transaction it is.
    pub(super) fn give_up(&mut self) {
        self.connection = None;
    }

    pub(super) async fn close(&mut self) {
        if let Some(connection) = self.connection.take() {
            let _ = connection.close().await;
        }
    }

    /// Notes that the database has a batch.
    pub(super) fn note_done(&mut self, batch: &SpooledBatch) {
        self.done = batch.last;
    }

    /// Adds readings, and leaves out the oldest where there is no room. Returns how many those were.
    pub(super) async fn push(
        &mut self,
        samples: &[Sample],
        limit: i64,
    ) -> Result<(u64, SpoolUsage), sqlx::Error> {
        let json = encoded(&samples.iter().map(pushed_row).collect::<Vec<_>>());
        let done = self.done;
        let mut transaction = self.connection()?.begin().await?;
        remove(&mut transaction, done).await?;
        let dropped = trim(&mut transaction, limit).await?;
        for sql in [PUSH, PUSH_TOTALS] {
            let query = sqlx::query(sql).bind(&json);
            query.execute(&mut *transaction).await?;
        }
        count(&mut transaction, signed(samples.len() as u64)).await?;
        transaction.commit().await?;
        Ok((dropped, usage(self.connection()?).await?))
    }

    /// Returns the oldest readings that the database does not have.
    pub(super) async fn first(&mut self, max: usize) -> Result<Option<SpooledBatch>, sqlx::Error> {
        let query = sqlx::query_scalar(FIRST)
            .bind(self.done)
            .bind(signed(max as u64));
        let json: String = query.fetch_one(self.connection()?).await?;
        let rows: Vec<WaitingRow> = decoded(&json)?;
        let last = rows.last().map(|row| row.0);
        Ok(last.map(|last| SpooledBatch {
            samples: rows.into_iter().filter_map(sample).collect(),
            last,
        }))
    }

    /// Removes the readings that the database has. Makes the file small when it is empty.
    pub(super) async fn remove_done(&mut self) -> Result<SpoolUsage, sqlx::Error> {
        let done = self.done;
        let mut transaction = self.connection()?.begin().await?;
        remove(&mut transaction, done).await?;
        transaction.commit().await?;
        let connection = self.connection()?;
        let now = usage(connection).await?;
        if now.readings > 0 {
            return Ok(now);
        }
        let is_large = unsigned(now.file_bytes) >= MIN_SHRUNK_BYTES;
        let shrink = ["VACUUM", "PRAGMA wal_checkpoint(TRUNCATE)"];
        let shrink = shrink.into_iter().filter(|_| is_large);
        for sql in ["DELETE FROM totals"].into_iter().chain(shrink) {
            sqlx::query(sql).execute(&mut *connection).await?;
        }
        usage(connection).await
    }

    /// Returns the latest total of each plug.
    pub(super) async fn totals(&mut self) -> Result<Vec<(Mac, EnergyState)>, sqlx::Error> {
        let query = sqlx::query_scalar(TOTALS);
        let json: String = query.fetch_one(self.connection()?).await?;
        let rows: Vec<(Mac, StoredTotal)> = decoded(&json)?;
        let totals = rows.into_iter();
        Ok(totals
            .filter_map(|(plug, total)| Some((plug, rows::total(total)?)))
            .collect())
    }

    fn connection(&mut self) -> Result<&mut SqliteConnection, sqlx::Error> {
        self.connection.as_mut().ok_or(sqlx::Error::PoolClosed)
    }
}

/// Opens the file, checks that it is a spool and sound, and makes the tables of a new one.
async fn prepare(path: &Path) -> Result<(SqliteConnection, SpoolUsage), QueryError> {
    let damaged = |what: &str| StoreError::Damaged {
        database: path.display().to_string(),
        what: what.to_owned(),
    };
    let mut connection = options(path)
        // No other process uses it, so that no index of the log has to be shared.
        .locking_mode(SqliteLockingMode::Exclusive)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Normal)
        .connect()
        .await?;
    let sql = "SELECT (SELECT count(*) FROM sqlite_schema), application_id, user_version \
        FROM pragma_application_id, pragma_user_version";
    let (tables, application, version): (i64, i64, i64) =
        sqlx::query_as(sql).fetch_one(&mut connection).await?;
    match (tables, application, version) {
        (0, 0, _) => create(&mut connection).await?,
        (_, APPLICATION_ID, VERSION) => {}
        (_, APPLICATION_ID, _) => {
            let what = "was written by another version of Mains; move it away".to_owned();
            let path = path.to_owned();
            return Err(StoreError::File { path, what }.into());
        }
        _ => return Err(damaged("it is no spool of Mains").into()),
    }
    let usage = usage(&mut connection).await?;
    if unsigned(usage.file_bytes) <= MAX_CHECKED_BYTES {
        let check = sqlx::query_scalar("PRAGMA quick_check(1)");
        let verdict: String = check.fetch_one(&mut connection).await?;
        if verdict != "ok" {
            return Err(damaged(&verdict).into());
        }
    }
    Ok((connection, usage))
}

async fn create(connection: &mut SqliteConnection) -> Result<(), sqlx::Error> {
    let mut transaction = connection.begin().await?;
    sqlx::raw_sql(SCHEMA).execute(&mut *transaction).await?;
    transaction.commit().await
}

/// Leaves out the oldest readings while the spool is larger than its limit, and returns how many.
async fn trim(connection: &mut SqliteConnection, limit: i64) -> Result<u64, sqlx::Error> {
    let mut dropped = 0;
    loop {
        let usage = usage(connection).await?;
        if usage.bytes <= limit || usage.readings == 0 {
            return Ok(dropped);
        }
        let some = (usage.readings / 2).min(TRIMMED_READINGS);
        let sql = "SELECT id FROM waiting ORDER BY id LIMIT 1 OFFSET ?";
        let query = sqlx::query_scalar(sql).bind(some);
        let Some(last): Option<i64> = query.fetch_optional(&mut *connection).await? else {
            return Ok(dropped);
        };
        sqlx::query(GATHER)
            .bind(last)
            .execute(&mut *connection)
            .await?;
        let query = sqlx::query(TRIM).bind(last);
        let mut trimmed = query.execute(&mut *connection).await?.rows_affected();
        if trimmed == 0 {
            // More plugs than readings: there is no room for one of each.
            let query = sqlx::query(REMOVE).bind(last);
            trimmed = query.execute(&mut *connection).await?.rows_affected();
        }
        count(connection, -signed(trimmed)).await?;
        dropped += trimmed;
    }
}

/// Removes readings up to a number.
async fn remove(connection: &mut SqliteConnection, last: i64) -> Result<(), sqlx::Error> {
    let query = sqlx::query(REMOVE).bind(last);
    let removed = query.execute(&mut *connection).await?.rows_affected();
    count(connection, -signed(removed)).await
}

async fn count(connection: &mut SqliteConnection, change: i64) -> Result<(), sqlx::Error> {
    sqlx::query(COUNT).bind(change).execute(connection).await?;
    Ok(())
}

async fn usage(connection: &mut SqliteConnection) -> Result<SpoolUsage, sqlx::Error> {
    let query = sqlx::query_as(USAGE).fetch_one(connection);
    let (readings, bytes, file_bytes, last) = query.await?;
    Ok(SpoolUsage {
        readings,
        bytes,
        file_bytes,
        last,
    })
}

fn pushed_row(sample: &Sample) -> PushedRow {
    (
        sample.reading.plug,
        reading_row(0, &sample.reading, sample.used),
        sample.energy.map(|total| total_row(0, total)),
    )
}

fn sample((_, plug, reading, total): WaitingRow) -> Option<Sample> {
    let HistoryRow::Reading(reading, used) = rows::reading(plug, reading)? else {
        return None;
    };
    Some(Sample {
        reading,
        used,
        energy: rows::total(total),
    })
}
