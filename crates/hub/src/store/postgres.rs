//! The store in a PostgreSQL database.
//!
//! * [`config`]: the address of the database and the settings of its connections.
//! * [`open`]: examines the database and brings its schema up to date.
//! * [`records`]: plugs, documents, settings; [`transfer`]: history that moves from one plug to another.
//! * [`append`], [`history`], [`retention`]: readings and the sums made of them; [`months`]: the partitions that they are in.
//! * [`log`]: the log of past events. [`shared`]: the hubs that share the database. [`sites`]: the other sites in it.
//!
//! Nothing waits for the server without a bound: where it does not reply in time, the connections are given up, see [`connections`].

mod append;
mod config;
mod connections;
mod history;
mod log;
mod months;
mod open;
mod records;
mod refusal;
mod retention;
mod shared;
mod sites;
mod transfer;

use std::sync::Arc;
use std::time::Instant;

use api::SiteName;
use async_trait::async_trait;
use hiflying::Mac;
use parking_lot::Mutex;
use plugs::Reading;
use sqlx::PgPool;
use sqlx::postgres::PgListener;

use super::query_error::{QueryError, READ, WRITTEN};
use super::records::SETTINGS;
use super::{
    Backup, CopiedStore, EnergyState, HistoryRow, Retention, SharedStore, Store, StoreError,
    StoreInfo,
};
pub use config::{PostgresConfig, PostgresUrl};
use connections::{ConnectionPurpose, Connections};
use months::KnownMonths;

/// A store in a PostgreSQL database.
#[derive(Debug)]
pub struct Postgres {
    config: PostgresConfig,
    retention: Retention,
    /// For everything but the lease.
    connections: Connections,
    /// For heartbeats, the lease and notifications alone.
    lease: Connections,
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
        Self::over(ConnectionPurpose::Site, config, retention)
    }

    /// Makes a store over connections for a purpose.
    fn over(
        purpose: ConnectionPurpose,
        config: PostgresConfig,
        retention: Retention,
    ) -> Result<Self, StoreError> {
        Ok(Self {
            connections: Connections::new(purpose, &config)?,
            lease: Connections::new(ConnectionPurpose::Lease, &config)?,
            config,
            retention,
            listener: tokio::sync::Mutex::default(),
            months: Mutex::default(),
            counted: Mutex::default(),
        })
    }

    async fn read<T, F>(&self, query: impl FnOnce(PgPool) -> F) -> Result<T, StoreError>
    where
        F: Future<Output = Result<T, QueryError>>,
    {
        self.connections.run(READ, query).await
    }

    async fn write<T, F>(&self, change: impl FnOnce(PgPool) -> F) -> Result<T, StoreError>
    where
        F: Future<Output = Result<T, QueryError>>,
    {
        self.connections.run(WRITTEN, change).await
    }
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

    async fn plugs_of_other_sites(&self) -> Result<Vec<(Mac, SiteName)>, StoreError> {
        self.read_plugs_of_other_sites().await
    }

    fn site_reader(&self, site: &SiteName) -> Result<Arc<dyn Store>, StoreError> {
        Ok(Arc::new(self.reader(site)?))
    }

    async fn last_readings(&self) -> Result<Vec<Reading>, StoreError> {
        self.read_last_readings().await
    }

    async fn close(&self) {
        self.connections.close().await;
    }
}
