//! Examines a database, and brings its schema up to date.

use std::sync::LazyLock;
use std::time::Duration;

use sqlx::migrate::{MigrateError, Migration, MigrationType, Migrator};
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _, PgConnection, SqlStr};
use tokio::time::timeout;

use super::PostgresConfig;
use super::connections::{options, schema, store_error, unavailable};
use super::refusal::ServerRefusal;
use crate::store::StoreError;
use crate::store::query_error::{OPENED, QueryError};

/// The schema, step by step.
static MIGRATIONS: LazyLock<Migrator> = LazyLock::new(|| {
    let steps = [
        (
            "first",
            include_str!("../../../migrations/postgres/0001_first.sql"),
        ),
        (
            "shared",
            include_str!("../../../migrations/postgres/0002_shared.sql"),
        ),
    ];
    let migration = |(version, (name, sql)): (i64, (&'static str, &'static str))| {
        let sql = SqlStr::from_static(sql);
        Migration::new(version, name.into(), MigrationType::Simple, sql, false)
    };
    Migrator::with_migrations((1..).zip(steps).map(migration).collect())
});

/// Bound on connecting and on each step of opening.
const OPEN_TIMEOUT: Duration = Duration::from_secs(30);

/// Number of tables in the schema that is used, and whether one of them is marked as ours.
const EXAMINE: &str = "SELECT count(*), \
    coalesce(bool_or(relname = 'settings' AND obj_description(oid, 'pg_class') = 'Mains'), false) \
    FROM pg_class WHERE relkind IN ('r', 'p', 'v', 'm') AND relname <> '_sqlx_migrations' \
    AND relnamespace = to_regnamespace(current_schema())";

/// SQLSTATE of what the user may not do.
const NOT_ALLOWED: &str = "42501";

/// Creates the schema of a site. One that somebody else has created is used as it is, which takes fewer rights.
async fn create_schema(
    config: &PostgresConfig,
    connection: &mut PgConnection,
    schema: &str,
) -> Result<(), QueryError> {
    let exists = "SELECT to_regnamespace($1) IS NOT NULL";
    let exists = async |connection: &mut PgConnection| {
        let query = sqlx::query_scalar(exists).bind(schema);
        query.fetch_one(connection).await
    };
    if exists(connection).await? {
        return Ok(());
    }
    let sql = format!("CREATE SCHEMA {schema}");
    match sqlx::query(AssertSqlSafe(sql))
        .execute(&mut *connection)
        .await
    {
        Ok(_) => Ok(()),
        // Another hub of the site was faster.
        Err(_) if exists(connection).await? => Ok(()),
        Err(sqlx::Error::Database(error)) if error.code().as_deref() == Some(NOT_ALLOWED) => {
            let (message, options) = (error.message(), options(config)?);
            let user = options.get_username();
            let cause = format!(
                "{message}; an administrator of it creates the schema with `CREATE SCHEMA {schema} AUTHORIZATION \"{user}\"`"
            );
            Err(unavailable(config, OPENED, cause).into())
        }
        Err(error) => Err(error.into()),
    }
}

/// Examines the database and migrates it.
pub(super) async fn migrate(config: &PostgresConfig) -> Result<(), StoreError> {
    let work = async {
        let mut connection = options(config)?.connect().await?;
        let found = examine(config, &mut connection).await?;
        if found == 0
            && let Some(schema) = schema(&config.site)
        {
            create_schema(config, &mut connection, &schema).await?;
        }
        // A newer database that this version may use stays as it is.
        if found <= newest() {
            let migrated = MIGRATIONS.run(&mut connection).await;
            migrated.map_err(|error| migration_error(config, error))?;
        }
        connection.close().await?;
        Ok(())
    };
    bounded(config, work).await
}

/// Examines the database without writing to it, and returns one of its settings.
pub(super) async fn inspect(
    config: &PostgresConfig,
    setting: &str,
) -> Result<Option<String>, StoreError> {
    let work = async {
        let mut connection = options(config)?.connect().await?;
        let is_empty = examine(config, &mut connection).await? == 0;
        let value = if is_empty {
            None
        } else {
            let query = sqlx::query_scalar(super::records::SETTING).bind(setting);
            query.fetch_optional(&mut connection).await?
        };
        connection.close().await?;
        Ok(value)
    };
    bounded(config, work).await
}

async fn bounded<T>(
    config: &PostgresConfig,
    work: impl Future<Output = Result<T, QueryError>>,
) -> Result<T, StoreError> {
    match timeout(OPEN_TIMEOUT, work).await {
        Ok(outcome) => outcome.map_err(|error| store_error(config, OPENED, error)),
        Err(_) => {
            let cause = format!("no reply within {} s", OPEN_TIMEOUT.as_secs());
            Err(unavailable(config, OPENED, cause))
        }
    }
}

/// Checks that the database is ours or empty, and returns the version of its schema; 0 for an empty one.
async fn examine(
    config: &PostgresConfig,
    connection: &mut PgConnection,
) -> Result<i64, QueryError> {
    let (tables, is_ours): (i64, bool) =
        sqlx::query_as(EXAMINE).fetch_one(&mut *connection).await?;
    if tables == 0 {
        return Ok(0);
    }
    if !is_ours {
        return Err(unavailable(config, OPENED, ServerRefusal::Foreign).into());
    }
    let sql = "SELECT coalesce(max(version), 0) FROM _sqlx_migrations";
    let found: i64 = sqlx::query_scalar(sql).fetch_one(&mut *connection).await?;
    if found > newest() && !is_usable(connection).await? {
        return Err(newer(config, found).into());
    }
    Ok(found)
}

/// Returns true if a database of a newer version says that this one may go on using it, so that hubs are upgraded one after the
/// other.
async fn is_usable(connection: &mut PgConnection) -> Result<bool, sqlx::Error> {
    let oldest = sqlx::query_scalar("SELECT oldest_schema FROM lease");
    let oldest: Option<i64> = oldest.fetch_optional(connection).await?;
    Ok(oldest.is_some_and(|oldest| oldest <= newest()))
}

/// Returns the newest version of the schema.
fn newest() -> i64 {
    let versions = MIGRATIONS.iter().map(|migration| migration.version);
    versions.max().expect("there are migrations")
}

fn newer(config: &PostgresConfig, found: i64) -> StoreError {
    StoreError::Newer {
        database: config.url.to_string(),
        found,
        known: newest(),
    }
}

fn migration_error(config: &PostgresConfig, error: MigrateError) -> StoreError {
    match error {
        MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _) => {
            store_error(config, OPENED, error.into())
        }
        MigrateError::VersionMissing(found) => newer(config, found),
        error => unavailable(config, OPENED, error),
    }
}
