//! The schema: its steps, its version, and whether that of a file is as the steps make it.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;
use std::sync::LazyLock;

use sqlx::migrate::{MigrateError, Migration, MigrationType, Migrator};
use sqlx::sqlite::{SqliteAutoVacuum, SqliteConnectOptions};
use sqlx::{ConnectOptions as _, SqlStr, SqliteConnection};

use super::database::{OPENED, QueryError, code, pool, read_options, unavailable};
use super::header::{self, HEADER_BYTES};

/// The schema, step by step. `sqlx::migrate!` would do the same, but builds SQLite a second time for the compiler's use.
pub(super) static MIGRATIONS: LazyLock<Migrator> = LazyLock::new(|| {
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

/// Objects that the migrator makes, by a statement of its own.
const MIGRATOR_PREFIX: &str = "_sqlx";
/// Tables that no other program's database has together.
const OWN_TABLES: i64 = 4;
const COUNT_OWN_TABLES: &str = "SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name IN ('plugs', 'documents', \
     'series', 'lifetimes')";
const ENTRIES: &str =
    "SELECT type, name, tbl_name, rootpage, sql FROM sqlite_schema ORDER BY rootpage";

/// A table or an index: its type, name, table, first page, and the statement that makes it.
pub(super) type SchemaEntry = (String, String, String, i64, Option<String>);

/// The schema of a file, compared with that of its version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SchemaCondition {
    AsMade,
    /// Tables begin at other pages, as after a `VACUUM` by hand, or because a number is damaged.
    Moved,
    Damaged,
}

/// Returns the newest version.
pub(super) fn newest() -> i64 {
    let versions = MIGRATIONS.iter().map(|migration| migration.version);
    versions.max().expect("there are migrations")
}

/// Returns the version of a database.
pub(super) async fn version(connection: &mut SqliteConnection) -> Result<i64, sqlx::Error> {
    let sql = "SELECT coalesce(max(CAST(version AS INTEGER)), 0) FROM _sqlx_migrations";
    sqlx::query_scalar(sql).fetch_one(connection).await
}

/// Returns true if the steps that a database has taken are known, up to those of a newer version.
pub(super) async fn has_known_steps(
    connection: &mut SqliteConnection,
) -> Result<bool, sqlx::Error> {
    let sql = "SELECT CAST(version AS INTEGER), CAST(success AS INTEGER), CAST(checksum AS BLOB) FROM _sqlx_migrations \
         ORDER BY version";
    let taken = sqlx::query_as::<_, (i64, i64, Vec<u8>)>(sql).fetch_all(connection);
    let taken = match taken.await {
        Ok(taken) => taken,
        Err(error) if code(&error).is_none() => return Ok(false),
        Err(error) => return Err(error),
    };
    let known = MIGRATIONS.iter();
    let is_known = known
        .zip(&taken)
        .all(|(known, (version, success, checksum))| {
            (known.version, 1, &*known.checksum) == (*version, *success, checksum.as_slice())
        });
    Ok(is_known && !taken.is_empty())
}

/// Returns true if a database has the tables of Mains.
pub(super) async fn has_own_tables(connection: &mut SqliteConnection) -> Result<bool, sqlx::Error> {
    let found: i64 = sqlx::query_scalar(COUNT_OWN_TABLES)
        .fetch_one(connection)
        .await?;
    Ok(found == OWN_TABLES)
}

/// Compares the schema of a database with the one that the steps up to a version make.
pub(super) async fn compare(
    connection: &mut SqliteConnection,
    version: i64,
) -> Result<SchemaCondition, sqlx::Error> {
    let found = match entries(connection).await {
        Ok(found) => found,
        Err(error) if code(&error).is_none() => return Ok(SchemaCondition::Damaged),
        Err(error) => return Err(error),
    };
    let mut condition = SchemaCondition::AsMade;
    for (kind, name, table, root, sql) in of_version(version).await? {
        let same = found.iter().find(|found| found.1 == name);
        let Some((found_kind, _, found_table, found_root, found_sql)) = same else {
            return Ok(SchemaCondition::Damaged);
        };
        let is_ours = !table.starts_with(MIGRATOR_PREFIX);
        if (&kind, &table) != (found_kind, found_table) || is_ours && sql != *found_sql {
            return Ok(SchemaCondition::Damaged);
        }
        if root != *found_root {
            condition = SchemaCondition::Moved;
        }
    }
    Ok(condition)
}

/// Returns true if a file has its header and its schema as they were made.
pub(super) async fn is_sound(path: &Path) -> Result<bool, QueryError> {
    let mut header = [0; HEADER_BYTES];
    let read = File::open(path).and_then(|mut file| file.read_exact(&mut header));
    read.map_err(|error| unavailable(path, OPENED, error))?;
    if header::problem(&header).is_some() {
        return Ok(false);
    }
    let mut connection = read_options(path, false).connect().await?;
    // The version that the file notes can be damaged itself.
    for version in (1..=newest()).rev() {
        if compare(&mut connection, version).await? == SchemaCondition::AsMade {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Returns the schema that the steps up to a version make. The pages are the same in every file: with automatic vacuum, SQLite puts
/// the first page of a new table behind that of the newest, whatever the file holds.
pub(super) async fn of_version(version: i64) -> Result<Vec<SchemaEntry>, sqlx::Error> {
    let options: SqliteConnectOptions = "sqlite::memory:".parse()?;
    let options = options.auto_vacuum(SqliteAutoVacuum::Incremental);
    // The migrator's future with a single connection is not `Send`.
    let memory = pool(options, 1);
    let steps = MIGRATIONS.iter().filter(|step| step.version <= version);
    let steps = Migrator::with_migrations(steps.cloned().collect());
    let made = match steps.run(&memory).await {
        Ok(()) => entries(&mut *memory.acquire().await?).await,
        Err(MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _)) => Err(error),
        Err(error) => Err(sqlx::Error::Protocol(error.to_string())),
    };
    memory.close().await;
    made
}

async fn entries(connection: &mut SqliteConnection) -> Result<Vec<SchemaEntry>, sqlx::Error> {
    sqlx::query_as(ENTRIES).fetch_all(connection).await
}
