//! Examines, creates and opens the file; sets a damaged one aside.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use api::{DatabaseDamage, LostRows};
use sqlx::migrate::MigrateError;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions as _, Connection as _, SqliteConnection};

use super::database::{
    OPENED, QueryError, SETTING, SqliteDatabase, code, codes, read_options, store_error,
    unavailable,
};
use super::files::{free_name, move_files, sync_directory, with_suffix};
use super::header::{APPLICATION_ID, HEADER_BYTES};
use super::rescue::rescue;
use super::schema::{MIGRATIONS, SchemaCondition, newest, version};
use super::{damage, header, journal, repair, schema};
use crate::store::StoreError;

/// Endings of the names of a file and its logs.
const LOGGED: [&str; 3] = ["-wal", "-shm", ""];
/// Ending of the name of a database that takes the place of a damaged one, while it is filled.
const NEW_SUFFIX: &str = "-new";
/// Ending of its name when it is complete, behind the new name of the damaged one.
const RESCUED_SUFFIX: &str = "-rescued";
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
    let tidied = tidy_up(path).and_then(|()| journal::set_aside_foreign(path));
    let foreign = tidied.map_err(|error| unavailable(path, OPENED, error))?;
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

/// Makes a new database of what is whole in a damaged one, and sets that aside. The new one takes its place when it is complete: a
/// process that is killed meanwhile begins again, or ends the work of the one before.
async fn set_aside_and_create(
    path: &Path,
    what: &str,
) -> Result<(SqliteDatabase, Option<PathBuf>), StoreError> {
    let refused = |error| unavailable(path, OPENED, error);
    let aside = free_name(path, "damaged", &LOGGED, plugs::now()).map_err(refused)?;
    tracing::error!(
        database = %path.display(),
        kept_as = %aside.display(),
        what,
        "the database is damaged; it is set aside, and a new one takes its place"
    );
    remove_incomplete(path).map_err(refused)?;
    let new = with_suffix(path, NEW_SUFFIX);
    let database = create(&new).await?;
    if database.is_read_only() {
        let cause = "it is damaged, and there is no room for a new one";
        return Err(unavailable(path, OPENED, cause));
    }
    let lost = rescue(path, &database).await;
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
    // Its log goes into it.
    database.close().await;
    fs::rename(&new, with_suffix(&aside, RESCUED_SUFFIX))
        .and_then(|()| take_place(path, &aside))
        .map_err(refused)?;
    Ok((connect(path).await?, Some(aside)))
}

/// Puts the complete database that was made of a damaged one in its place.
fn take_place(path: &Path, aside: &Path) -> io::Result<()> {
    if aside.symlink_metadata().is_err() {
        move_files(path, aside, &LOGGED)?;
    }
    fs::rename(with_suffix(aside, RESCUED_SUFFIX), path)?;
    sync_directory(path)
}

/// Removes a database that was not complete when its process was killed.
fn remove_incomplete(path: &Path) -> io::Result<()> {
    let new = with_suffix(path, NEW_SUFFIX);
    journal::forget(&new)?;
    for left in [&new, &repair::copy_beside(&new)] {
        match fs::remove_file(left) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    Ok(())
}

/// Ends or takes back what a process has begun that was killed while it replaced a damaged database.
fn tidy_up(path: &Path) -> io::Result<()> {
    if let Err(error) = remove_incomplete(path) {
        tracing::debug!(%error, "what was left beside the database cannot be removed");
    }
    let Some(name) = path.file_name() else {
        return Ok(());
    };
    let beginning = [name.as_encoded_bytes(), b".damaged-"].concat();
    let directory = path.parent().filter(|parent| parent.is_dir());
    let Ok(files) = fs::read_dir(directory.unwrap_or(Path::new("."))) else {
        return Ok(());
    };
    for file in files.flatten() {
        let is_of_database = file.file_name().as_encoded_bytes().starts_with(&beginning);
        let path_aside = file.path();
        let aside = path_aside
            .to_str()
            .and_then(|path| path.strip_suffix(RESCUED_SUFFIX));
        if let (true, Some(aside)) = (is_of_database, aside) {
            take_place(path, Path::new(aside))?;
        }
    }
    Ok(())
}

/// Creates the file, accessible to its owner only; SQLite gives the logs beside it the same mode.
async fn create(path: &Path) -> Result<SqliteDatabase, StoreError> {
    let made = statefile::owner_only()
        .write(true)
        .create(true)
        .truncate(false)
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
    match OpenOptions::new().write(true).open(path) {
        // It holds the hash of the password. A mode that this user may not change is no reason not to start.
        Ok(file) => drop(statefile::restrict_access(&file)),
        Err(error) => {
            return match error.kind() {
                io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
                    connect_read_only(path).await
                }
                _ => Err(unavailable(path, OPENED, error)),
            };
        }
    }
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
    let mut header = [0; HEADER_BYTES];
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
    if let Some(problem) = header::problem(&header) {
        return Ok(FileCondition::Damaged(problem.to_owned()));
    }
    let is_logged = with_suffix(path, "-wal")
        .metadata()
        .is_ok_and(|log| log.len() > 0);
    let is_of_other_length = !is_logged && length != header::noted_length(&header);
    let is_whole = length <= max_checked || is_of_other_length;
    for is_immutable in [false, true] {
        match check(path, is_whole, is_immutable).await {
            Err(QueryError::Sql(error)) => match code(&error) {
                // A damaged schema can be one that SQLite does not understand.
                Some(codes::CORRUPT | codes::NOTADB | codes::ERROR) => {
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
    if application != i64::from(APPLICATION_ID) {
        return empty_or_foreign(path, &mut connection).await;
    }
    let damaged = |what: &str| Ok(FileCondition::Damaged(what.to_owned()));
    if !schema::has_known_steps(&mut connection).await? {
        return damaged("its version is damaged");
    }
    let found = version(&mut connection).await?;
    if found > newest() {
        return Err(newer(path, found).into());
    }
    let condition = schema::compare(&mut connection, found).await?;
    if condition == SchemaCondition::Damaged {
        return damaged("its schema is damaged");
    }
    let is_whole = is_whole || condition == SchemaCondition::Moved;
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
    if schema::has_own_tables(connection).await? {
        return Ok(FileCondition::Damaged("its header is damaged".to_owned()));
    }
    Err(StoreError::File {
        path: path.to_owned(),
        what: "is the database of another program".to_owned(),
    }
    .into())
}

async fn scalar(connection: &mut SqliteConnection, sql: &'static str) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar(sql).fetch_one(connection).await
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

fn newer(path: &Path, found: i64) -> StoreError {
    StoreError::Newer {
        database: path.display().to_string(),
        found,
        known: newest(),
    }
}
