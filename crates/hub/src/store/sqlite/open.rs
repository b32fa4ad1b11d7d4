//! Finding out what is at the path, making it, setting it aside when it is damaged.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, Read as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use jiff::Timestamp;
use sqlx::migrate::{MigrateError, Migration, MigrationType, Migrator};
use sqlx::{ConnectOptions as _, Connection as _, SqlStr, SqliteConnection};

use super::database::{Database, OPENED, code, codes, fault, options, unavailable};
use super::rescue::rescue;
use crate::store::StoreError;

/// The schema, step by step. `sqlx::migrate!` would do the same, but builds SQLite a second time for the compiler's use.
static MIGRATIONS: LazyLock<Migrator> = LazyLock::new(|| {
    let step = |version, description: &'static str, sql| {
        let (kind, sql) = (MigrationType::Simple, SqlStr::from_static(sql));
        Migration::new(version, description.into(), kind, sql, false)
    };
    Migrator::with_migrations(vec![step(
        1,
        "first",
        include_str!("../../../migrations/sqlite/0001_first.sql"),
    )])
});

/// "Main", in the header of each of our files.
const APPLICATION: i64 = 0x4d61_696e;
const MAGIC: &[u8; 16] = b"SQLite format 3\0";
/// A larger file is not read as a whole before it is used; damage in its history shows when it is met.
const CHECKED_WHOLE: u64 = 8 << 20;
/// What is always checked: it is small, and nothing works without it.
const CHECKED: [&str; 6] = [
    "PRAGMA quick_check('sqlite_schema')",
    "PRAGMA quick_check('plugs')",
    "PRAGMA quick_check('documents')",
    "PRAGMA quick_check('settings')",
    "PRAGMA quick_check('series')",
    "PRAGMA quick_check('lifetimes')",
];

/// What is at the path.
#[derive(Debug)]
enum Found {
    Nothing,
    Sound,
    Damaged(String),
}

/// Returns the path without links, because the log beside the file is found by the file's own name.
pub(super) fn resolve(path: &Path) -> Result<PathBuf, StoreError> {
    match path.canonicalize() {
        Ok(path) if path.is_file() => Ok(path),
        Ok(_) => Err(StoreError::File {
            path: path.to_owned(),
            what: "is not a file".to_owned(),
        }),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(path.to_owned()),
        Err(error) => Err(io_fault(path, error)),
    }
}

/// Opens what is there, or makes it. Returns where a damaged file went, too.
pub(super) async fn open(path: &Path) -> Result<(Database, Option<PathBuf>), StoreError> {
    match examine(path).await? {
        Found::Nothing => Ok((create(path).await?, None)),
        Found::Sound => match connect(path).await {
            Err(StoreError::Damaged { what, .. }) => set_aside_and_create(path, &what).await,
            opened => Ok((opened?, None)),
        },
        Found::Damaged(what) => set_aside_and_create(path, &what).await,
    }
}

/// Replaces a file that has shown itself to be damaged. Nobody may have it open.
pub(super) async fn replace(path: &Path) -> Result<(Database, Option<PathBuf>), StoreError> {
    set_aside_and_create(path, "it was found while working with it").await
}

async fn set_aside_and_create(
    path: &Path,
    what: &str,
) -> Result<(Database, Option<PathBuf>), StoreError> {
    let aside = set_aside(path, Timestamp::now()).map_err(|error| io_fault(path, error))?;
    tracing::error!(
        database = %path.display(),
        kept_as = %aside.display(),
        what,
        "the database is damaged; it was set aside, and a new one takes its place"
    );
    let database = create(path).await?;
    rescue(&aside, &database).await;
    Ok((database, Some(aside)))
}

/// Makes the file, readable by its owner only; the logs beside it follow suit.
async fn create(path: &Path) -> Result<Database, StoreError> {
    let made = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(path)
        .and_then(|_| sync_directory(path));
    made.map_err(|error| io_fault(path, error))?;
    connect(path).await
}

/// Opens a file that may be empty, and brings it up to date.
async fn connect(path: &Path) -> Result<Database, StoreError> {
    if let Err(error) = OpenOptions::new().write(true).open(path) {
        return match error.kind() {
            io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
                connect_read_only(path).await
            }
            _ => Err(io_fault(path, error)),
        };
    }
    // Others could read the hash of the password. That it is not ours to change is no reason not to start.
    let _ = fs::set_permissions(path, Permissions::from_mode(0o600));
    let database = Database::writable(path);
    let error = match prepare(&database).await {
        Ok(()) => return Ok(database),
        Err(error) => error,
    };
    // A full disk has room again one day; until then every write says so.
    if is_full(migration_code(&error)) && is_current(&database).await {
        return Ok(database);
    }
    database.close().await;
    match migration_code(&error) {
        Some(codes::READONLY | codes::CANTOPEN | codes::FULL | codes::IOERR) => {
            connect_read_only(path)
                .await
                .map_err(|_| migration_fault(path, error))
        }
        _ => Err(migration_fault(path, error)),
    }
}

/// Brings the file up to date, and finds out whether it can be written.
async fn prepare(database: &Database) -> Result<(), MigrateError> {
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

async fn is_current(database: &Database) -> bool {
    match database.readers().acquire().await {
        Ok(mut connection) => version(&mut connection)
            .await
            .is_ok_and(|found| found == newest()),
        Err(_) => false,
    }
}

/// A log beside the file cannot always be made: not in a directory that is read-only, not on a full disk.
fn is_full(code: Option<i32>) -> bool {
    matches!(code, Some(codes::FULL | codes::IOERR))
}

async fn connect_read_only(path: &Path) -> Result<Database, StoreError> {
    let known = newest();
    for is_still in [false, true] {
        match look_at_version(path, is_still).await {
            Ok(found) if found == known => return Ok(Database::read_only(path, is_still)),
            Ok(_) => {
                let why = "it is read-only, and of an older version";
                return Err(unavailable(path, OPENED, why));
            }
            Err(error) if !is_still && can_be_still(path, &error) => {}
            Err(error) => return Err(fault(path, OPENED, error)),
        }
    }
    Err(unavailable(path, OPENED, "it is read-only"))
}

async fn look_at_version(path: &Path, is_still: bool) -> Result<i64, sqlx::Error> {
    let options = options(path).read_only(true).immutable(is_still);
    let mut connection = options.connect().await?;
    let found = version(&mut connection).await?;
    connection.close().await?;
    Ok(found)
}

/// Tells whether a file that cannot be read in the ordinary way can be read as one that never changes: without a log
/// beside it, which would be overlooked.
fn can_be_still(path: &Path, error: &sqlx::Error) -> bool {
    let log = with_suffix(path, "-wal").metadata();
    let is_logged = log.is_ok_and(|metadata| metadata.len() > 0);
    !is_logged && (code(error) == Some(codes::CANTOPEN) || is_full(code(error)))
}

async fn examine(path: &Path) -> Result<Found, StoreError> {
    let mut header = [0; 16];
    let length = match File::open(path) {
        Ok(mut file) => {
            let length = file
                .metadata()
                .map_err(|error| io_fault(path, error))?
                .len();
            if length > 0 && file.read_exact(&mut header).is_err() {
                return Ok(Found::Damaged("it is cut off".to_owned()));
            }
            length
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => 0,
        Err(error) => return Err(io_fault(path, error)),
    };
    if length == 0 {
        return Ok(Found::Nothing);
    }
    if header != *MAGIC {
        return Ok(Found::Damaged(
            "it does not begin as a database does".to_owned(),
        ));
    }
    for is_still in [false, true] {
        match look(path, length, is_still).await {
            Err(Look::Sql(error)) => match code(&error) {
                Some(codes::CORRUPT | codes::NOTADB) => {
                    return Ok(Found::Damaged(error.to_string()));
                }
                _ if !is_still && can_be_still(path, &error) => {}
                _ => return Err(fault(path, OPENED, error)),
            },
            Err(Look::Store(error)) => return Err(error),
            Ok(found) => return Ok(found),
        }
    }
    Err(unavailable(path, OPENED, "it cannot be looked at"))
}

/// Why a look into the file ended.
enum Look {
    Sql(sqlx::Error),
    Store(StoreError),
}

impl From<sqlx::Error> for Look {
    fn from(error: sqlx::Error) -> Self {
        Self::Sql(error)
    }
}

/// Looks into the file without writing to it.
async fn look(path: &Path, length: u64, is_still: bool) -> Result<Found, Look> {
    let options = options(path).read_only(true).immutable(is_still);
    let mut connection = options.connect().await?;
    let application: i64 = scalar(&mut connection, "PRAGMA application_id").await?;
    if application != APPLICATION {
        return empty_or_foreign(path, &mut connection).await;
    }
    let found = version(&mut connection).await?;
    if found > newest() {
        return Err(Look::Store(StoreError::Newer {
            path: path.to_owned(),
            found,
            known: newest(),
        }));
    }
    let whole = (length <= CHECKED_WHOLE).then_some("PRAGMA quick_check(1)");
    for sql in CHECKED.into_iter().chain(whole) {
        let verdict: String = sqlx::query_scalar(sql).fetch_one(&mut connection).await?;
        if verdict != "ok" {
            return Ok(Found::Damaged(verdict));
        }
    }
    connection.close().await?;
    Ok(Found::Sound)
}

/// A file without our mark: one whose making was cut short has no table, everything else belongs to somebody else.
async fn empty_or_foreign(path: &Path, connection: &mut SqliteConnection) -> Result<Found, Look> {
    let sql = "SELECT count(*) FROM sqlite_schema WHERE name <> '_sqlx_migrations'";
    if scalar(connection, sql).await? == 0 {
        return Ok(Found::Nothing);
    }
    Err(Look::Store(StoreError::File {
        path: path.to_owned(),
        what: "is the database of another program".to_owned(),
    }))
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

fn newest() -> i64 {
    let versions = MIGRATIONS.iter().map(|migration| migration.version);
    versions.max().unwrap_or_default()
}

fn migration_code(error: &MigrateError) -> Option<i32> {
    match error {
        MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _) => code(error),
        _ => None,
    }
}

fn migration_fault(path: &Path, error: MigrateError) -> StoreError {
    match error {
        MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _) => {
            fault(path, OPENED, error)
        }
        MigrateError::VersionMissing(found) => StoreError::Newer {
            path: path.to_owned(),
            found,
            known: newest(),
        },
        error => StoreError::Unavailable {
            path: path.to_owned(),
            what: OPENED,
            source: error.into(),
        },
    }
}

/// Renames a damaged file, with its logs, to a name that says when. Nothing is ever overwritten.
fn set_aside(path: &Path, now: Timestamp) -> io::Result<PathBuf> {
    let time = now.strftime("%Y%m%dT%H%M%SZ");
    let name = |number: u32| match number {
        0 => with_suffix(path, &format!(".damaged-{time}")),
        _ => with_suffix(path, &format!(".damaged-{time}-{number}")),
    };
    let free = (0..1000)
        .map(name)
        .find(|aside| aside.symlink_metadata().is_err());
    let aside = free.ok_or_else(|| io::Error::other("there are too many damaged ones"))?;
    // The logs first: a log without its database would be taken for that of the new one.
    for suffix in ["-wal", "-shm", ""] {
        match fs::rename(with_suffix(path, suffix), with_suffix(&aside, suffix)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    sync_directory(path)?;
    Ok(aside)
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

fn sync_directory(file: &Path) -> io::Result<()> {
    match file.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => File::open(parent)?.sync_all(),
        _ => File::open(".")?.sync_all(),
    }
}

fn io_fault(path: &Path, error: io::Error) -> StoreError {
    StoreError::Unavailable {
        path: path.to_owned(),
        what: OPENED,
        source: error.into(),
    }
}
