//! The connections to one open file, and what its errors mean.
//!
//! Two connections write: one whose commits are on the disk when they return, for what people make, and one whose commits
//! only survive the process, for readings. They take turns. Others read, and are never in the way of writing.

use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use serde::Serialize;
use serde::de::DeserializeOwned;
use sqlx::pool::PoolConnection;
use sqlx::sqlite::{
    SqliteAutoVacuum, SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions,
    SqliteSynchronous,
};
use sqlx::{ConnectOptions, Sqlite, SqliteConnection};
use tokio::sync::MutexGuard;

use crate::store::{StoreError, StoreInfo};

/// How long another process may hold the file before a call gives up.
const LOCKED_FOR: Duration = Duration::from_secs(3);
/// How long a call waits for its turn.
const TURN_WITHIN: Duration = Duration::from_secs(15);
const READERS: u32 = 2;

/// The connections to one open file.
#[derive(Debug)]
pub(super) struct Database {
    path: PathBuf,
    /// How the file is read.
    source: SqliteConnectOptions,
    readers: SqlitePool,
    writers: Option<Writers>,
    /// Held by who writes: SQLite knows no queue, only asking again and again.
    turn: tokio::sync::Mutex<()>,
    /// The last count, and when: counting reads every page.
    pub(super) counted: Mutex<Option<(Instant, StoreInfo)>>,
}

#[derive(Debug)]
struct Writers {
    edits: SqlitePool,
    history: SqlitePool,
}

/// A transaction, and the turn that it holds.
///
/// It is begun and ended by hand. Of a full disk SQLite rolls back by itself, which sqlx's own transactions do not expect:
/// the connection could never begin another one. One that was not committed is closed, whatever state it is in.
pub(super) struct Writing<'a> {
    connection: PoolConnection<Sqlite>,
    is_committed: bool,
    path: &'a Path,
    _turn: MutexGuard<'a, ()>,
}

impl Writing<'_> {
    /// The connection, within the transaction.
    pub(super) fn connection(&mut self) -> &mut SqliteConnection {
        &mut self.connection
    }

    /// Makes it so.
    pub(super) async fn commit(mut self) -> Result<(), StoreError> {
        let committed = sqlx::query("COMMIT").execute(self.connection()).await;
        committed.map_err(|error| fault(self.path, WRITTEN, error))?;
        self.is_committed = true;
        Ok(())
    }
}

impl Drop for Writing<'_> {
    fn drop(&mut self) {
        if !self.is_committed {
            self.connection.close_on_drop();
        }
    }
}

/// What could not be done with the file.
pub(super) const OPENED: &str = "opened";
pub(super) const READ: &str = "read";
pub(super) const WRITTEN: &str = "written";

impl Database {
    pub(super) fn writable(path: &Path) -> Self {
        let writer = |synchronous, name: &str| {
            let name = name.to_owned();
            let options = options(path)
                .auto_vacuum(SqliteAutoVacuum::Incremental)
                .journal_mode(SqliteJournalMode::Wal)
                .synchronous(synchronous)
                .thread_name(move |_| name.clone());
            pool(options, 1)
        };
        Self {
            writers: Some(Writers {
                edits: writer(SqliteSynchronous::Full, "store-edits"),
                history: writer(SqliteSynchronous::Normal, "store-history"),
            }),
            ..Self::reading(path, options(path))
        }
    }

    /// For a file that cannot be written. `is_still` is for a directory that cannot be written either, where nobody can
    /// change the file and no file beside it can be made.
    pub(super) fn read_only(path: &Path, is_still: bool) -> Self {
        Self::reading(path, options(path).read_only(true).immutable(is_still))
    }

    fn reading(path: &Path, options: SqliteConnectOptions) -> Self {
        let reader = options
            .clone()
            .pragma("query_only", "ON")
            .thread_name(|number| format!("store-read-{number}"));
        Self {
            path: path.to_owned(),
            source: options,
            readers: pool(reader, READERS),
            writers: None,
            turn: tokio::sync::Mutex::new(()),
            counted: Mutex::new(None),
        }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn is_read_only(&self) -> bool {
        self.writers.is_none()
    }

    /// A further connection, for what takes long.
    pub(super) async fn connect(&self) -> Result<SqliteConnection, sqlx::Error> {
        self.source.connect().await
    }

    pub(super) fn readers(&self) -> &SqlitePool {
        &self.readers
    }

    /// Begins a change that is on the disk when it is committed.
    pub(super) async fn edit(&self) -> Result<Writing<'_>, StoreError> {
        self.write(&self.writers()?.edits).await
    }

    /// Begins a change that survives the process when it is committed, and a power cut a little later.
    pub(super) async fn record(&self) -> Result<Writing<'_>, StoreError> {
        self.write(&self.writers()?.history).await
    }

    async fn write(&self, pool: &SqlitePool) -> Result<Writing<'_>, StoreError> {
        let turn = tokio::time::timeout(TURN_WITHIN, self.turn.lock());
        let turn = turn.await.map_err(|_| self.unavailable(WRITTEN, "busy"))?;
        let connection = pool.acquire().await;
        let mut writing = Writing {
            connection: connection.map_err(|error| self.fault(WRITTEN, error))?,
            is_committed: false,
            path: &self.path,
            _turn: turn,
        };
        let begun = sqlx::query("BEGIN IMMEDIATE").execute(writing.connection());
        begun.await.map_err(|error| self.fault(WRITTEN, error))?;
        Ok(writing)
    }

    /// The connection for edits, outside of a transaction.
    pub(super) fn edits(&self) -> Result<&SqlitePool, StoreError> {
        Ok(&self.writers()?.edits)
    }

    fn writers(&self) -> Result<&Writers, StoreError> {
        let writers = self.writers.as_ref();
        writers.ok_or_else(|| self.unavailable(WRITTEN, "the file or its directory is read-only"))
    }

    /// Closes all connections; what the write-ahead log holds goes into the file.
    pub(super) async fn close(&self) {
        self.readers.close().await;
        if let Some(writers) = &self.writers {
            writers.history.close().await;
            writers.edits.close().await;
        }
    }

    pub(super) fn fault(&self, what: &'static str, error: sqlx::Error) -> StoreError {
        fault(&self.path, what, error)
    }

    pub(super) fn unavailable(&self, what: &'static str, why: &str) -> StoreError {
        unavailable(&self.path, what, why)
    }

    /// Asks for at most `limit` rows of one series from `from` on and before `to`. The statement takes the series, `from`, `to` and `limit`,
    /// and returns one JSON text.
    pub(super) async fn slice<T: DeserializeOwned>(
        &self,
        sql: &'static str,
        series: i64,
        (from, to): (i64, i64),
        limit: usize,
    ) -> Result<Vec<T>, StoreError> {
        let json: String = sqlx::query_scalar(sql)
            .bind(series)
            .bind(from)
            .bind(to)
            .bind(i64::try_from(limit).unwrap_or(i64::MAX))
            .fetch_one(self.readers())
            .await
            .map_err(|error| self.fault(READ, error))?;
        self.decoded(&json)
    }

    /// Reads the one JSON text that a query returns. Rows one by one cost more than all of them in one text.
    pub(super) fn decoded<T: DeserializeOwned>(&self, json: &str) -> Result<T, StoreError> {
        serde_json::from_str(json).map_err(|error| StoreError::Unavailable {
            path: self.path.clone(),
            what: READ,
            source: error.into(),
        })
    }
}

/// Writes rows as the one JSON text that a statement takes.
pub(super) fn encoded<T: Serialize>(rows: &[T]) -> String {
    // Tuples of numbers and texts can always be written; an empty text would be refused by SQLite.
    serde_json::to_string(rows).unwrap_or_default()
}

pub(super) fn options(path: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(path)
        .busy_timeout(LOCKED_FOR)
        // In KiB: the system caches the file, too.
        .pragma("cache_size", "-1024")
        .pragma("temp_store", "MEMORY")
        .pragma("journal_size_limit", "8388608")
        .statement_cache_capacity(48)
        .disable_statement_logging()
}

fn pool(options: SqliteConnectOptions, connections: u32) -> SqlitePool {
    SqlitePoolOptions::new()
        .max_connections(connections)
        .acquire_timeout(TURN_WITHIN)
        .test_before_acquire(false)
        .idle_timeout(None)
        .max_lifetime(None)
        .connect_lazy_with(options)
}

/// Returns what SQLite calls the error, without the details that it adds in the upper bits.
pub(super) fn code(error: &sqlx::Error) -> Option<i32> {
    let code: i32 = error.as_database_error()?.code()?.parse().ok()?;
    Some(code & 0xff)
}

/// SQLite's names for its errors.
pub(super) mod codes {
    pub(in super::super) const READONLY: i32 = 8;
    pub(in super::super) const IOERR: i32 = 10;
    pub(in super::super) const CORRUPT: i32 = 11;
    pub(in super::super) const FULL: i32 = 13;
    pub(in super::super) const CANTOPEN: i32 = 14;
    pub(in super::super) const NOTADB: i32 = 26;
}

pub(super) fn fault(path: &Path, what: &'static str, error: sqlx::Error) -> StoreError {
    let path = path.to_owned();
    match code(&error) {
        Some(codes::CORRUPT | codes::NOTADB) => StoreError::Damaged {
            path,
            what: error.to_string(),
        },
        _ => match error.as_database_error() {
            Some(refused) if refused.is_unique_violation() => {
                StoreError::Conflict("there is another one of this name".to_owned())
            }
            _ => StoreError::Unavailable {
                path,
                what,
                source: error.into(),
            },
        },
    }
}

pub(super) fn unavailable(path: &Path, what: &'static str, why: &str) -> StoreError {
    StoreError::Unavailable {
        path: path.to_owned(),
        what,
        source: why.into(),
    }
}
