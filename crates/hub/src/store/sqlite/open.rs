//! Examines, creates and opens the file; sets a damaged one aside.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, Read as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use api::{DatabaseDamage, LostRows};
use jiff::Timestamp;
use sqlx::migrate::{MigrateError, Migration, MigrationType, Migrator};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions as _, Connection as _, SqlStr, SqliteConnection};

use super::database::{
    OPENED, QueryError, SETTING, SqliteDatabase, code, codes, read_options, store_error,
    unavailable,
};
use super::files::{set_aside_files, sync_directory, with_suffix};
use super::rescue::rescue;
use super::{damage, journal};
use crate::store::StoreError;

/// The schema, step by step. `sqlx::migrate!` would do the same, but builds SQLite a second time for the compiler's use.
static MIGRATIONS: LazyLock<Migrator> = LazyLock::new(|| {
    let step = |version, description: &'static str, sql| {
        let (kind, sql) = (MigrationType::Simple, SqlStr::from_static(sql));
        Migration::new(version, description.into(), kind, sql, false)
    };
    Migrator::with_migrations(vec![
        step(
            1,
            "first",
            include_str!("../../../migrations/sqlite/0001_first.sql"),
        ),
        step(
            2,
            "log",
            include_str!("../../../migrations/sqlite/0002_log.sql"),
        ),
        step(
            3,
            "often_unplugged",
            include_str!("../../../migrations/sqlite/0003_often_unplugged.sql"),
        ),
    ])
});

/// "Main", in the header of every database of Mains.
const APPLICATION_ID: i64 = 0x4d61_696e;
const MAGIC: &[u8; 16] = b"SQLite format 3\0";
/// Size above which a file is not checked as a whole; damage in its history shows when it is read.
const MAX_CHECKED_BYTES: u64 = 8 << 20;
/// Checks of the tables that are small, and without which nothing works.
const CHECKS: [&str; 6] = [
    "PRAGMA quick_check('sqlite_schema')",
    "PRAGMA quick_check('plugs')",
    "PRAGMA quick_check('documents')",
    "PRAGMA quick_check('settings')",
    "PRAGMA quick_check('series')",
    "PRAGMA quick_check('lifetimes')",
];

/// Condition of the file at the path.
#[derive(Debug)]
pub(super) enum FileCondition {
    Empty,
    Sound,
    Damaged(String),
}

/// Returns the path without symbolic links, because SQLite finds the log beside the file by the file's own name.
pub(super) fn resolve(path: &Path) -> Result<PathBuf, StoreError> {
    match path.canonicalize() {
        Ok(path) if path.is_file() => Ok(path),
        Ok(_) => Err(StoreError::File {
            path: path.to_owned(),
            what: "is not a file".to_owned(),
        }),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(path.to_owned()),
        Err(error) => Err(unavailable(path, OPENED, error)),
    }
}

/// Opens or creates the file. Also returns the new path of a damaged one.
pub(super) async fn open(path: &Path) -> Result<(SqliteDatabase, Option<PathBuf>), StoreError> {
    let foreign =
        journal::set_aside_foreign(path).map_err(|error| unavailable(path, OPENED, error))?;
    if let Some(log) = foreign {
        tracing::error!(
            database = %path.display(),
            kept_as = %log.display(),
            "the log beside the database is not of this file, which was replaced; it was set aside"
        );
    }
    match examine(path, MAX_CHECKED_BYTES).await? {
        FileCondition::Empty => match create(path).await {
            Err(error) if is_refused_by_disk(&error) => {
                Ok((create_in_memory(path, &error).await?, None))
            }
            created => Ok((created?, None)),
        },
        FileCondition::Sound => match connect(path).await {
            Err(StoreError::Damaged { what, .. }) => set_aside_and_create(path, &what).await,
            opened => Ok((opened?, None)),
        },
        FileCondition::Damaged(what) => set_aside_and_create(path, &what).await,
    }
}

/// Examines the file without writing to it, and returns one of its settings.
pub(super) async fn inspect(path: &Path, setting: &str) -> Result<Option<String>, StoreError> {
    let path = resolve(path)?;
    if let Some(folder) = path.parent()
        && !folder.is_dir()
    {
        let cause = format!("there is no directory {}", folder.display());
        return Err(unavailable(&path, OPENED, cause));
    }
    match examine(&path, MAX_CHECKED_BYTES).await? {
        FileCondition::Empty => Ok(None),
        FileCondition::Damaged(what) => Err(StoreError::Damaged {
            database: path.display().to_string(),
            what,
        }),
        FileCondition::Sound => {
            let value = read_setting(&path, setting).await;
            value.map_err(|error| store_error(&path, OPENED, error))
        }
    }
}

async fn read_setting(path: &Path, key: &str) -> Result<Option<String>, sqlx::Error> {
    let mut connection = read_options(path, false).connect().await?;
    let query = sqlx::query_scalar(SETTING).bind(key);
    let value: Option<Vec<u8>> = query.fetch_optional(&mut connection).await?;
    connection.close().await?;
    Ok(value.and_then(|value| String::from_utf8(value).ok()))
}

/// Replaces a damaged file, which must be closed.
pub(super) async fn replace(path: &Path) -> Result<(SqliteDatabase, Option<PathBuf>), StoreError> {
    set_aside_and_create(path, "found while it was in use").await
}

async fn set_aside_and_create(
    path: &Path,
    what: &str,
) -> Result<(SqliteDatabase, Option<PathBuf>), StoreError> {
    let aside = set_aside(path, plugs::now()).map_err(|error| unavailable(path, OPENED, error))?;
    tracing::error!(
        database = %path.display(),
        kept_as = %aside.display(),
        what,
        "the database is damaged; it was set aside, and a new one takes its place"
    );
    let database = create(path).await?;
    let lost = rescue(&aside, &database).await;
    for LostRows { table, rows } in &lost {
        tracing::error!(
            table,
            rows,
            "rows cannot be copied from the damaged database"
        );
    }
    let kept_as = aside
        .file_name()
        .map(|name| name.to_string_lossy().into_owned());
    let damage = DatabaseDamage {
        found: plugs::now(),
        problem: what.to_owned(),
        kept_as,
        lost,
    };
    if let Err(error) = damage::keep(&database, damage).await {
        tracing::error!(%error, "the damage cannot be noted in the new database");
    }
    Ok((database, Some(aside)))
}

/// Creates the file, accessible to its owner only; SQLite gives the logs beside it the same mode.
async fn create(path: &Path) -> Result<SqliteDatabase, StoreError> {
    let made = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(path)
        .and_then(|_| sync_directory(path));
    made.map_err(|error| unavailable(path, OPENED, error))?;
    connect(path).await
}

/// Returns true for a disk that is full or read-only. A directory that does not exist is a wrong configuration.
fn is_refused_by_disk(error: &StoreError) -> bool {
    let StoreError::Unavailable { source, .. } = error else {
        return false;
    };
    let kind = source.downcast_ref::<io::Error>().map(io::Error::kind);
    !matches!(
        kind,
        Some(io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
    )
}

/// Makes an empty database in memory that takes no change, in place of a file that the disk does not allow.
async fn create_in_memory(path: &Path, error: &StoreError) -> Result<SqliteDatabase, StoreError> {
    tracing::error!(
        error = error as &dyn std::error::Error,
        "there is no database and none can be made; the hub knows no plugs and keeps nothing"
    );
    let refused = |error| store_error(path, OPENED, error);
    let options: SqliteConnectOptions = "sqlite::memory:".parse().map_err(refused)?;
    let mut connection = options.connect().await.map_err(refused)?;
    let migrated = MIGRATIONS.run(&mut connection).await;
    migrated.map_err(|error| migration_error(path, error))?;
    let database = SqliteDatabase::in_memory(path, options, connection);
    database.map_err(|error| unavailable(path, OPENED, error))
}

/// Opens a file that may be empty, and migrates it.
async fn connect(path: &Path) -> Result<SqliteDatabase, StoreError> {
    if let Err(error) = OpenOptions::new().write(true).open(path) {
        return match error.kind() {
            io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
                connect_read_only(path).await
            }
            _ => Err(unavailable(path, OPENED, error)),
        };
    }
    // It holds the hash of the password. A mode that this user may not change is no reason not to start.
    let _ = fs::set_permissions(path, Permissions::from_mode(0o600));
    let opened = SqliteDatabase::writable(path);
    let mut database = opened.map_err(|error| unavailable(path, OPENED, error))?;
    let error = match prepare(&database).await {
        Ok(()) => {
            let epoch = journal::mark(&database).await;
            database.belongs_to(epoch);
            return Ok(database);
        }
        Err(error) => error,
    };
    // A full disk has room again one day; until then every write fails.
    if is_full(migration_code(&error)) && is_current(&database).await {
        return Ok(database);
    }
    database.close().await;
    match migration_code(&error) {
        Some(codes::READONLY | codes::CANTOPEN | codes::FULL | codes::IOERR) => {
            connect_read_only(path)
                .await
                .map_err(|_| migration_error(path, error))
        }
        _ => Err(migration_error(path, error)),
    }
}

/// Migrates the file, and checks that it can be written.
async fn prepare(database: &SqliteDatabase) -> Result<(), MigrateError> {
    let Ok(edits) = database.edits() else {
        return Ok(());
    };
    MIGRATIONS.run(edits).await?;
    let mut connection = edits.acquire().await?;
    for sql in ["BEGIN IMMEDIATE", "ROLLBACK"] {
        sqlx::query(sql).execute(&mut *connection).await?;
    }
    Ok(())
}

async fn is_current(database: &SqliteDatabase) -> bool {
    match database.readers().acquire().await {
        Ok(mut connection) => version(&mut connection)
            .await
            .is_ok_and(|found| found == newest()),
        Err(_) => false,
    }
}

/// Returns true for a full disk, on which the log beside the file cannot be created.
fn is_full(code: Option<i32>) -> bool {
    matches!(code, Some(codes::FULL | codes::IOERR))
}

async fn connect_read_only(path: &Path) -> Result<SqliteDatabase, StoreError> {
    let known = newest();
    for is_immutable in [false, true] {
        match read_version(path, is_immutable).await {
            Ok(found) if found == known => {
                let opened = SqliteDatabase::read_only(path, is_immutable);
                return opened.map_err(|error| unavailable(path, OPENED, error));
            }
            Ok(_) => {
                let cause = "it is read-only, and of an older version";
                return Err(unavailable(path, OPENED, cause));
            }
            Err(error) if !is_immutable && is_readable_as_immutable(path, &error) => {}
            Err(error) => return Err(store_error(path, OPENED, error)),
        }
    }
    Err(unavailable(path, OPENED, "it is read-only"))
}

async fn read_version(path: &Path, is_immutable: bool) -> Result<i64, sqlx::Error> {
    let options = read_options(path, is_immutable);
    let mut connection = options.connect().await?;
    let found = version(&mut connection).await?;
    connection.close().await?;
    Ok(found)
}

/// Returns true if a file that cannot be read in the ordinary way can be read as one that never changes: if no log is beside
/// it, which would be ignored.
fn is_readable_as_immutable(path: &Path, error: &sqlx::Error) -> bool {
    let log = with_suffix(path, "-wal").metadata();
    let is_logged = log.is_ok_and(|metadata| metadata.len() > 0);
    !is_logged && (code(error) == Some(codes::CANTOPEN) || is_full(code(error)))
}

/// Examines a file as a whole, without writing to it.
pub(super) async fn examine_whole(path: &Path) -> Result<FileCondition, StoreError> {
    examine(path, u64::MAX).await
}

/// Examines a file; as a whole up to a size.
async fn examine(path: &Path, max_checked: u64) -> Result<FileCondition, StoreError> {
    let mut header = [0; 16];
    let length = match File::open(path) {
        Ok(mut file) => {
            let length = file
                .metadata()
                .map_err(|error| unavailable(path, OPENED, error))?
                .len();
            if length > 0 && file.read_exact(&mut header).is_err() {
                return Ok(FileCondition::Damaged("it is truncated".to_owned()));
            }
            length
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => 0,
        Err(error) => return Err(unavailable(path, OPENED, error)),
    };
    if length == 0 {
        return Ok(FileCondition::Empty);
    }
    if header != *MAGIC {
        return Ok(FileCondition::Damaged(
            "it does not begin like a database".to_owned(),
        ));
    }
    for is_immutable in [false, true] {
        match check(path, length <= max_checked, is_immutable).await {
            Err(QueryError::Sql(error)) => match code(&error) {
                Some(codes::CORRUPT | codes::NOTADB) => {
                    return Ok(FileCondition::Damaged(error.to_string()));
                }
                _ if !is_immutable && is_readable_as_immutable(path, &error) => {}
                _ => return Err(store_error(path, OPENED, error)),
            },
            Err(QueryError::Store(error)) => return Err(error),
            Ok(found) => return Ok(found),
        }
    }
    Err(unavailable(path, OPENED, "it cannot be examined"))
}

/// Examines the content of the file without writing to it.
async fn check(
    path: &Path,
    is_whole: bool,
    is_immutable: bool,
) -> Result<FileCondition, QueryError> {
    let options = read_options(path, is_immutable);
    let mut connection = options.connect().await?;
    let application: i64 = scalar(&mut connection, "PRAGMA application_id").await?;
    if application != APPLICATION_ID {
        return empty_or_foreign(path, &mut connection).await;
    }
    let found = version(&mut connection).await?;
    if found > newest() {
        return Err(newer(path, found).into());
    }
    let whole = is_whole.then_some("PRAGMA quick_check(1)");
    for sql in CHECKS.into_iter().chain(whole) {
        let verdict: String = sqlx::query_scalar(sql).fetch_one(&mut connection).await?;
        if verdict != "ok" {
            return Ok(FileCondition::Damaged(verdict));
        }
    }
    connection.close().await?;
    Ok(FileCondition::Sound)
}

/// Examines a file without the application id: one whose creation was interrupted has no table, any other belongs to another
/// program.
async fn empty_or_foreign(
    path: &Path,
    connection: &mut SqliteConnection,
) -> Result<FileCondition, QueryError> {
    let sql = "SELECT count(*) FROM sqlite_schema WHERE name <> '_sqlx_migrations'";
    if scalar(connection, sql).await? == 0 {
        return Ok(FileCondition::Empty);
    }
    Err(StoreError::File {
        path: path.to_owned(),
        what: "is the database of another program".to_owned(),
    }
    .into())
}

async fn version(connection: &mut SqliteConnection) -> Result<i64, sqlx::Error> {
    scalar(
        connection,
        "SELECT coalesce(max(version), 0) FROM _sqlx_migrations",
    )
    .await
}

async fn scalar(connection: &mut SqliteConnection, sql: &'static str) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar(sql).fetch_one(connection).await
}

/// Returns the newest version of the schema.
fn newest() -> i64 {
    let versions = MIGRATIONS.iter().map(|migration| migration.version);
    versions.max().expect("there are migrations")
}

fn migration_code(error: &MigrateError) -> Option<i32> {
    match error {
        MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _) => code(error),
        _ => None,
    }
}

fn migration_error(path: &Path, error: MigrateError) -> StoreError {
    match error {
        MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _) => {
            store_error(path, OPENED, error)
        }
        MigrateError::VersionMissing(found) => newer(path, found),
        error => unavailable(path, OPENED, error),
    }
}

/// Renames a damaged file, with its logs.
fn set_aside(path: &Path, now: Timestamp) -> io::Result<PathBuf> {
    set_aside_files(path, "damaged", &["-wal", "-shm", ""], now)
}

fn newer(path: &Path, found: i64) -> StoreError {
    StoreError::Newer {
        database: path.display().to_string(),
        found,
        known: newest(),
    }
}
