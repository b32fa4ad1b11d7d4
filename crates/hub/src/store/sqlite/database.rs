//! The connections to one open file, and the meaning of its errors.
//!
//! Two connections write: one whose commits are on the disk when they return, for what people make, and one whose commits
//! only survive the process, for readings. They take turns. Others read, and never block a writer.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use hiflying::Mac;
use parking_lot::Mutex;
use serde::de::DeserializeOwned;
use sqlx::pool::PoolConnection;
use sqlx::sqlite::{
    SqliteAutoVacuum, SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions,
    SqliteSynchronous,
};
use sqlx::{ConnectOptions as _, Connection as _, SqliteConnection};
use tokio::sync::MutexGuard;

use super::disk;
pub(super) use crate::store::query_error::{OPENED, QueryError, READ, WRITTEN};
use crate::store::records::SERIES_OF;
pub(super) use crate::store::rows::{decoded, encoded, readable_rows};
use crate::store::{StoreError, StoreInfo};

/// Bound on the time that another process may hold the file.
const BUSY_TIMEOUT: Duration = Duration::from_secs(3);
/// Bound on the time that a call waits for the calls before it.
const TURN_TIMEOUT: Duration = Duration::from_secs(15);
const READ_CONNECTIONS: u32 = 2;

/// The connections to one open file.
#[derive(Debug)]
pub(super) struct SqliteDatabase {
    path: PathBuf,
    /// The file itself. Closing any handle of a file gives up all locks of this process on it, so that this one is open for as long
    /// as the connections are.
    file: Arc<File>,
    /// Number in the file's header by which it is known, see [`super::journal`].
    epoch: Option<u32>,
    /// True if it has a log.
    is_logged: bool,
    /// Options of connections that read.
    source: SqliteConnectOptions,
    readers: SqlitePool,
    writers: Option<Writers>,
    /// Held while writing: SQLite has no queue, it only polls.
    turn: tokio::sync::Mutex<()>,
    /// Keeps a database in memory for as long as this is.
    memory: Option<tokio::sync::Mutex<SqliteConnection>>,
    /// The last count of rows and its time; counting reads every page.
    pub(super) counted: Mutex<Option<(Instant, StoreInfo)>>,
}

#[derive(Debug)]
struct Writers {
    edits: SqlitePool,
    history: SqlitePool,
}

/// A transaction and the turn that it holds.
///
/// It is begun and ended by hand: when the disk is full, SQLite rolls back by itself, which sqlx's own transactions do not expect,
/// and the connection could never begin another one. The connection of a transaction that was not ended is closed.
pub(super) struct WriteTransaction<'a> {
    database: &'a SqliteDatabase,
    connection: PoolConnection<sqlx::Sqlite>,
    has_ended: bool,
    _turn: MutexGuard<'a, ()>,
}

impl WriteTransaction<'_> {
    /// Returns the connection, within the transaction.
    pub(super) fn connection(&mut self) -> &mut SqliteConnection {
        &mut self.connection
    }

    /// Commits, if the file is still in its place.
    pub(super) async fn commit(mut self) -> Result<(), QueryError> {
        let placed = self.database.check_place();
        let end = if placed.is_ok() { "COMMIT" } else { "ROLLBACK" };
        sqlx::query(end).execute(self.connection()).await?;
        self.has_ended = true;
        Ok(placed?)
    }
}

impl Drop for WriteTransaction<'_> {
    fn drop(&mut self) {
        if !self.has_ended {
            self.connection.close_on_drop();
        }
    }
}

impl SqliteDatabase {
    pub(super) fn writable(path: &Path) -> io::Result<Self> {
        let writer = |synchronous, name: &str| {
            let name = name.to_owned();
            let options = options(path)
                .auto_vacuum(SqliteAutoVacuum::Incremental)
                .journal_mode(SqliteJournalMode::Wal)
                .synchronous(synchronous)
                .thread_name(move |_| name.clone());
            pool(options, 1)
        };
        Ok(Self {
            writers: Some(Writers {
                edits: writer(SqliteSynchronous::Full, "store-edits"),
                history: writer(SqliteSynchronous::Normal, "store-history"),
            }),
            ..Self::reading(path, options(path))?
        })
    }

    /// Opens a file that cannot be written. `is_immutable` is for a directory that cannot be written either, where no process can
    /// change the file or create one beside it.
    pub(super) fn read_only(path: &Path, is_immutable: bool) -> io::Result<Self> {
        Self::reading(path, read_options(path, is_immutable))
    }

    fn reading(path: &Path, options: SqliteConnectOptions) -> io::Result<Self> {
        let reader = options
            .clone()
            .pragma("query_only", "ON")
            .thread_name(|number| format!("store-read-{number}"));
        Ok(Self {
            path: path.to_owned(),
            file: Arc::new(File::open(path)?),
            epoch: None,
            is_logged: false,
            source: options,
            readers: pool(reader, READ_CONNECTIONS),
            writers: None,
            turn: tokio::sync::Mutex::new(()),
            memory: None,
            counted: Mutex::new(None),
        })
    }

    /// Takes an empty database in memory in place of a file that cannot be made; nothing can be written to it.
    pub(super) fn in_memory(
        path: &Path,
        options: SqliteConnectOptions,
        connection: SqliteConnection,
    ) -> io::Result<Self> {
        let mut database = Self::reading(Path::new("/dev/null"), options)?;
        path.clone_into(&mut database.path);
        database.memory = Some(tokio::sync::Mutex::new(connection));
        Ok(database)
    }

    /// Sets the number by which the file is known.
    pub(super) fn belongs_to(&mut self, epoch: Option<u32>) {
        self.epoch = epoch;
        self.is_logged = self.log().is_ok();
    }

    fn log(&self) -> io::Result<fs::Metadata> {
        fs::metadata(super::files::with_suffix(&self.path, "-wal"))
    }

    /// Returns the file itself.
    pub(super) fn file(&self) -> &Arc<File> {
        &self.file
    }

    /// Checks that the file at the path is the one that is open, and has its log beside it: otherwise what is written would be lost.
    fn check_place(&self) -> Result<(), StoreError> {
        let same = || {
            let is_there = disk::is_at(&self.file, &self.path)?;
            let epoch = self.epoch.map(|_| super::epoch::epoch(&self.file));
            let is_known = epoch.transpose()? == self.epoch;
            if self.is_logged {
                self.log()?;
            }
            Ok::<_, io::Error>(is_there && is_known)
        };
        if same().unwrap_or(false) {
            return Ok(());
        }
        let cause = "the file was removed or replaced while it was in use; restart the hub";
        Err(unavailable(&self.path, WRITTEN, cause))
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Returns true if there is no file.
    pub(super) fn is_in_memory(&self) -> bool {
        self.memory.is_some()
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

    /// Begins a transaction that is on the disk when it is committed.
    pub(super) async fn edit(&self) -> Result<WriteTransaction<'_>, QueryError> {
        self.begin(&self.writers()?.edits).await
    }

    /// Begins a transaction that survives the process when it is committed, and a power cut a little later.
    pub(super) async fn record(&self) -> Result<WriteTransaction<'_>, QueryError> {
        self.begin(&self.writers()?.history).await
    }

    async fn begin(&self, pool: &SqlitePool) -> Result<WriteTransaction<'_>, QueryError> {
        let turn = self.turn().await?;
        // A connection that is opened, or closed because its transaction failed, can write to the file.
        self.check_place()?;
        let mut transaction = WriteTransaction {
            database: self,
            connection: pool.acquire().await?,
            has_ended: false,
            _turn: turn,
        };
        sqlx::query("BEGIN IMMEDIATE")
            .execute(transaction.connection())
            .await?;
        Ok(transaction)
    }

    /// Waits until no other call writes, and keeps others from it.
    pub(super) async fn turn(&self) -> Result<MutexGuard<'_, ()>, StoreError> {
        let turn = tokio::time::timeout(TURN_TIMEOUT, self.turn.lock()).await;
        turn.map_err(|_| unavailable(&self.path, WRITTEN, "busy"))
    }

    /// Returns the connection for edits, outside of a transaction.
    pub(super) fn edits(&self) -> Result<&SqlitePool, StoreError> {
        Ok(&self.writers()?.edits)
    }

    fn writers(&self) -> Result<&Writers, StoreError> {
        let writers = self.writers.as_ref();
        let cause = "the file or its directory is read-only";
        writers.ok_or_else(|| unavailable(&self.path, WRITTEN, cause))
    }

    /// Closes all connections; what the write-ahead log holds goes into the file, unless another one is in its place.
    pub(super) async fn close(&self) {
        let guard = match self.check_place() {
            Ok(()) => None,
            Err(_) => self.keep_log_out().await,
        };
        self.readers.close().await;
        if let Some(writers) = &self.writers {
            writers.history.close().await;
            writers.edits.close().await;
            if self.log().is_err() {
                super::epoch::forget_note(&self.path);
            }
        }
        if let Some(guard) = guard {
            let _ = guard.close().await;
        }
    }

    /// Returns a connection that keeps SQLite from writing the log into the file: only the last connection that is closed does, and
    /// this one cannot write. `None` if there is no file that could be read.
    async fn keep_log_out(&self) -> Option<SqliteConnection> {
        let options = options(&self.path).read_only(true);
        let mut guard = options.connect().await.ok()?;
        let read = sqlx::query("SELECT count(*) FROM sqlite_schema");
        read.execute(&mut guard).await.ok()?;
        Some(guard)
    }

    /// Names the file and the operation in an error.
    pub(super) fn store_error(&self, operation: &'static str, error: QueryError) -> StoreError {
        match error {
            QueryError::Sql(error) => store_error(&self.path, operation, error),
            QueryError::Store(error) => error,
        }
    }

    /// Returns the series of a plug, if it has history.
    pub(super) async fn series_of(&self, plug: Mac) -> Result<Option<i64>, sqlx::Error> {
        sqlx::query_scalar(SERIES_OF)
            .bind(format!("{plug:x}"))
            .fetch_optional(self.readers())
            .await
    }

    /// Returns at most `limit` rows of one series from `from` on and before `to`. The statement takes the series, `from`, `to` and
    /// `limit`, and returns one JSON text.
    pub(super) async fn slice<T: DeserializeOwned>(
        &self,
        sql: &'static str,
        series: i64,
        (from, to): (i64, i64),
        limit: usize,
    ) -> Result<Vec<T>, sqlx::Error> {
        let json: String = sqlx::query_scalar(sql)
            .bind(series)
            .bind(from)
            .bind(to)
            .bind(i64::try_from(limit).unwrap_or(i64::MAX))
            .fetch_one(self.readers())
            .await?;
        decoded(&json)
    }
}

/// A setting, as bytes: of a damaged value they can be no UTF-8.
pub(super) const SETTING: &str = "SELECT CAST(value AS BLOB) FROM settings WHERE key = ?";

/// Returns the options of a connection that does not write.
pub(super) fn read_options(path: &Path, is_immutable: bool) -> SqliteConnectOptions {
    // Of the connections without a mapped index, one that could write is the first.
    let is_read_only = is_immutable || !disk::is_full(path);
    let options = options(path).read_only(is_read_only);
    options.immutable(is_immutable)
}

pub(super) fn options(path: &Path) -> SqliteConnectOptions {
    let options = SqliteConnectOptions::new();
    let options = match disk::is_full(path) {
        // It keeps the index in memory, and other processes out.
        true => options.vfs("unix-excl"),
        false => options,
    };
    options
        .filename(path)
        .busy_timeout(BUSY_TIMEOUT)
        // In KiB: the system caches the file, too.
        .pragma("cache_size", "-1024")
        .pragma("temp_store", "MEMORY")
        .pragma("journal_size_limit", "8388608")
        .statement_cache_capacity(48)
        .disable_statement_logging()
}

/// Returns a pool of connections that are opened when they are needed.
pub(super) fn pool(options: SqliteConnectOptions, connections: u32) -> SqlitePool {
    SqlitePoolOptions::new()
        .max_connections(connections)
        .acquire_timeout(TURN_TIMEOUT)
        .test_before_acquire(false)
        .idle_timeout(None)
        .max_lifetime(None)
        .connect_lazy_with(options)
}

/// Returns SQLite's code of an error, without the details that it adds in the upper bits.
pub(super) fn code(error: &sqlx::Error) -> Option<i32> {
    let code: i32 = error.as_database_error()?.code()?.parse().ok()?;
    Some(code & 0xff)
}

/// SQLite's names for its errors.
pub(super) mod codes {
    pub(in super::super) const ERROR: i32 = 1;
    pub(in super::super) const READONLY: i32 = 8;
    pub(in super::super) const IOERR: i32 = 10;
    pub(in super::super) const CORRUPT: i32 = 11;
    pub(in super::super) const FULL: i32 = 13;
    pub(in super::super) const CANTOPEN: i32 = 14;
    pub(in super::super) const NOTADB: i32 = 26;
}

/// Names the file and the operation in an error.
pub(super) fn store_error(path: &Path, operation: &'static str, error: sqlx::Error) -> StoreError {
    let is_duplicate = |error: &dyn sqlx::error::DatabaseError| error.is_unique_violation();
    match code(&error) {
        Some(codes::CORRUPT | codes::NOTADB) => StoreError::Damaged {
            database: path.display().to_string(),
            what: error.to_string(),
        },
        _ if error.as_database_error().is_some_and(is_duplicate) => {
            StoreError::Conflict("there is another one of this name".to_owned())
        }
        _ => unavailable(path, operation, error),
    }
}

pub(super) fn unavailable(
    path: &Path,
    operation: &'static str,
    cause: impl Into<Box<dyn std::error::Error + Send + Sync>>,
) -> StoreError {
    StoreError::Unavailable {
        database: path.display().to_string(),
        what: operation,
        source: cause.into(),
    }
}
