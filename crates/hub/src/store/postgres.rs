//! The store in a PostgreSQL database.
//!
//! * [`config`]: the address of the database and the settings of its connections.
//! * [`open`]: examines the database and brings its schema up to date.
//! * [`records`]: plugs, documents, settings; [`transfer`]: history that moves from one plug to another.
//! * [`append`], [`history`], [`retention`]: readings and the sums made of them; [`months`]: the partitions that they are in.
//! * [`log`]: the log of past events. [`shared`]: the hubs that share the database. [`sites`]: the other sites in it.
//!
//! Nothing waits for the server without a bound: where it does not reply in time, the connections are given up, see
//! [`Postgres::run`].

mod append;
mod config;
mod history;
mod log;
mod months;
mod open;
mod records;
mod retention;
mod shared;
mod sites;
mod transfer;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::{Duration, Instant};

use api::SiteName;
use async_trait::async_trait;
use hiflying::Mac;
use plugs::Reading;
use sqlx::postgres::{PgListener, PgPoolOptions};
use sqlx::{AssertSqlSafe, PgPool};
use tokio::time::timeout;

use super::query_error::{QueryError, READ, WRITTEN};
use super::records::SETTINGS;
use super::{
    Backup, CopiedStore, EnergyState, HistoryRow, Retention, SharedStore, SiteRecord, Store,
    StoreError, StoreInfo,
};
pub use config::{PostgresConfig, PostgresUrl};
use months::KnownMonths;

/// Number of connections: one for readings, one for what people make, the others for queries.
const MAX_CONNECTIONS: u32 = 4;
/// Number of connections that read another site.
const MAX_READER_CONNECTIONS: u32 = 2;
/// Time after which unused connections that read another site are closed: there can be many sites.
const READER_IDLE_TIMEOUT: Duration = Duration::from_secs(30);
/// Bound on the time that a call waits for a connection.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(3);
/// Bound on the time that a call takes; longer than the server's own bound on a statement, which leaves the connection intact.
const CALL_TIMEOUT: Duration = Duration::from_secs(40);
/// Bound on closing the connections.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);
/// Settings of each connection.
const SESSION: &str = "SET statement_timeout = '25s'; SET lock_timeout = '10s'; \
    SET idle_in_transaction_session_timeout = '60s'; SET client_min_messages = 'warning'";

/// A store in a PostgreSQL database.
#[derive(Debug)]
pub struct Postgres {
    config: PostgresConfig,
    retention: Retention,
    /// True if nothing is written, as in the database of another site.
    is_reader: bool,
    /// Replaced as a whole when the server does not reply.
    pool: RwLock<PgPool>,
    /// The lease whose loss lets writes over that pool fail.
    fence: Mutex<Option<u64>>,
    /// For heartbeats, the lease and notifications alone.
    lease: RwLock<PgPool>,
    /// The listener for changes, with the schema whose changes it hears.
    listener: tokio::sync::Mutex<Option<(PgListener, String)>>,
    months: Mutex<KnownMonths>,
    /// The last count of rows and its time; counting reads every page.
    counted: Mutex<Option<(Instant, StoreInfo)>>,
}

impl Postgres {
    /// Examines a database without changing it, and returns one of its settings.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if it cannot be reached, is of a newer version or of another program.
    pub async fn inspect(
        config: &PostgresConfig,
        setting: &str,
    ) -> Result<Option<String>, StoreError> {
        open::inspect(config, setting).await
    }

    /// Connects to the database and brings its schema up to date; one without tables gets them.
    ///
    /// # Errors
    ///
    /// [`StoreError::Newer`] for a database of a newer Mains and [`StoreError::Unsupported`] for one of another program, which
    /// both stay untouched; [`StoreError::Unavailable`] when it cannot be reached or its server refuses.
    pub async fn open(config: PostgresConfig, retention: Retention) -> Result<Self, StoreError> {
        open::migrate(&config).await?;
        let pool = history_pool(&config, None)?;
        let lease = shared::lease_pool(&config)?;
        Ok(Self {
            config,
            retention,
            is_reader: false,
            pool: RwLock::new(pool),
            fence: Mutex::default(),
            lease: RwLock::new(lease),
            listener: tokio::sync::Mutex::default(),
            months: Mutex::default(),
            counted: Mutex::default(),
        })
    }

    async fn read<T, F>(&self, query: impl FnOnce(PgPool) -> F) -> Result<T, StoreError>
    where
        F: Future<Output = Result<T, QueryError>>,
    {
        self.run(READ, query).await
    }

    async fn write<T, F>(&self, change: impl FnOnce(PgPool) -> F) -> Result<T, StoreError>
    where
        F: Future<Output = Result<T, QueryError>>,
    {
        self.run(WRITTEN, change).await
    }

    /// Runs a query. When there is no reply in time, the next query uses new connections: one to a server that has vanished would
    /// stay for a quarter of an hour.
    async fn run<T, F>(
        &self,
        operation: &'static str,
        query: impl FnOnce(PgPool) -> F,
    ) -> Result<T, StoreError>
    where
        F: Future<Output = Result<T, QueryError>>,
    {
        let pool = self.pool();
        match timeout(CALL_TIMEOUT, query(pool)).await {
            Ok(outcome) => {
                outcome.map_err(|error| open::store_error(&self.config, operation, error))
            }
            Err(_) => {
                let mut pool = self.pool.write().unwrap_or_else(PoisonError::into_inner);
                if !pool.is_closed() {
                    let fence = *self.fence.lock().unwrap_or_else(PoisonError::into_inner);
                    *pool = match self.is_reader {
                        true => reader_pool(&self.config)?,
                        false => history_pool(&self.config, fence)?,
                    };
                }
                let cause = format!("no reply within {} s", CALL_TIMEOUT.as_secs());
                Err(open::unavailable(&self.config, operation, cause))
            }
        }
    }

    fn pool(&self) -> PgPool {
        // Nothing panics under this lock.
        let pool = self.pool.read().unwrap_or_else(PoisonError::into_inner);
        pool.clone()
    }

    fn months(&self) -> MutexGuard<'_, KnownMonths> {
        // Nothing panics under this lock.
        self.months.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Returns the connections for everything but the lease, whose writes fail when the lease with the number is lost.
fn history_pool(config: &PostgresConfig, fence: Option<u64>) -> Result<PgPool, StoreError> {
    pool(config, MAX_CONNECTIONS, fence)
}

/// Returns connections that are opened when they are used.
fn pool(
    config: &PostgresConfig,
    max_connections: u32,
    fence: Option<u64>,
) -> Result<PgPool, StoreError> {
    let session = match fence {
        Some(number) => format!("{SESSION}; SET mains.lease = '{number}'"),
        None => SESSION.to_owned(),
    };
    let pool = PgPoolOptions::new().max_connections(max_connections);
    connections(config, pool, session)
}

/// Returns connections that read another site; they are closed when they are not used, because there can be many sites.
fn reader_pool(config: &PostgresConfig) -> Result<PgPool, StoreError> {
    let session = format!("{SESSION}; SET default_transaction_read_only = on");
    let pool = PgPoolOptions::new()
        .max_connections(MAX_READER_CONNECTIONS)
        .idle_timeout(READER_IDLE_TIMEOUT);
    connections(config, pool, session)
}

/// Returns connections that begin with these statements.
fn connections(
    config: &PostgresConfig,
    pool: PgPoolOptions,
    session: String,
) -> Result<PgPool, StoreError> {
    let options = open::options(config)?;
    Ok(pool
        .acquire_timeout(ACQUIRE_TIMEOUT)
        .after_connect(move |connection, _| {
            let session = session.clone();
            Box::pin(async move {
                sqlx::raw_sql(AssertSqlSafe(session))
                    .execute(connection)
                    .await?;
                Ok(())
            })
        })
        .connect_lazy_with(options))
}

#[async_trait]
impl CopiedStore for Postgres {
    async fn settings(&self) -> Result<Vec<(String, String)>, StoreError> {
        self.read(|pool| async move { Ok(sqlx::query_as(SETTINGS).fetch_all(&pool).await?) })
            .await
    }

    async fn save_totals(&self, totals: &[(Mac, EnergyState)]) -> Result<(), StoreError> {
        self.write_lifetimes(totals).await
    }

    async fn refresh(&self, plug: Mac, rows: &[HistoryRow]) -> Result<(), StoreError> {
        self.refresh_rows(plug, rows).await
    }
}

#[async_trait]
impl Store for Postgres {
    async fn info(&self) -> Result<StoreInfo, StoreError> {
        self.size().await
    }

    async fn backup(&self) -> Result<Backup, StoreError> {
        Err(StoreError::Unsupported(
            "a PostgreSQL database is backed up with its own tools, e.g. `pg_dump`",
        ))
    }

    fn shared(&self) -> Option<&dyn SharedStore> {
        Some(self)
    }

    async fn other_sites(&self) -> Result<Vec<SiteRecord>, StoreError> {
        self.read_other_sites().await
    }

    fn site_reader(&self, site: &SiteName) -> Result<Arc<dyn Store>, StoreError> {
        Ok(Arc::new(self.reader(site)?))
    }

    async fn last_readings(&self) -> Result<Vec<Reading>, StoreError> {
        self.read_last_readings().await
    }

    async fn close(&self) {
        // A server that does not reply must not keep the hub from ending.
        let _ = timeout(CLOSE_TIMEOUT, self.pool().close()).await;
    }
}
