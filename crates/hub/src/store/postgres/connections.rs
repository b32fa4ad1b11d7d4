//! Connections of one purpose, which are given up together when the server does not reply in time: how they are made, and how their
//! errors name the database.

use std::time::Duration;

use api::SiteName;
use parking_lot::{Mutex, RwLock};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions, PgSslMode};
use sqlx::{AssertSqlSafe, ConnectOptions as _, PgPool};
use tokio::time::timeout;

use super::PostgresConfig;
use super::refusal::ServerRefusal;
use crate::store::StoreError;
use crate::store::query_error::{OPENED, QueryError};

/// Time after which unused connections that read another site are closed: there can be many sites, and many hubs that read them.
const READER_IDLE_TIMEOUT: Duration = Duration::from_secs(5);
/// Bound on the time that a call waits for a connection.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(3);
/// Bound on the time that a call takes; longer than the server's own bound on a statement, which leaves the connection intact.
const CALL_TIMEOUT: Duration = Duration::from_secs(40);
/// Bound on a heartbeat, well below the time for which a lease lasts.
const BEAT_TIMEOUT: Duration = Duration::from_secs(2);
/// Bound on closing the connections.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);
/// Settings of each connection.
const SESSION: &str = "SET statement_timeout = '25s'; SET lock_timeout = '10s'; \
    SET idle_in_transaction_session_timeout = '60s'; SET client_min_messages = 'warning'";

/// Beginning of the schemas of sites.
const SITE_PREFIX: &str = "site_";

/// Purpose of connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ConnectionPurpose {
    /// Everything but the lease: readings, what people make, queries.
    Site,
    /// Reading another site; nothing is written.
    OtherSite,
    /// Heartbeats, the lease and notifications, which no query of history must delay.
    Lease,
}

/// Connections that are opened when they are used.
#[derive(Debug)]
pub(super) struct Connections {
    purpose: ConnectionPurpose,
    config: PostgresConfig,
    /// Replaced as a whole when the server does not reply.
    pool: RwLock<PgPool>,
    /// The lease whose loss lets writes fail.
    fence: Mutex<Option<u64>>,
}

impl ConnectionPurpose {
    const fn max_connections(self) -> u32 {
        match self {
            // One for readings, one for what people make, the others for queries.
            Self::Site => 4,
            // One for heartbeats, one that listens.
            Self::OtherSite | Self::Lease => 2,
        }
    }

    const fn timeout(self) -> Duration {
        match self {
            Self::Site | Self::OtherSite => CALL_TIMEOUT,
            Self::Lease => BEAT_TIMEOUT,
        }
    }
}

impl Connections {
    /// Makes them; none is opened yet.
    pub(super) fn new(
        purpose: ConnectionPurpose,
        config: &PostgresConfig,
    ) -> Result<Self, StoreError> {
        Ok(Self {
            purpose,
            config: config.clone(),
            pool: RwLock::new(pool(purpose, config, None)?),
            fence: Mutex::default(),
        })
    }

    /// Runs a query. When there is no reply in time, the next query uses new connections: one to a server that has vanished would
    /// stay for a quarter of an hour.
    pub(super) async fn run<T, F>(
        &self,
        operation: &'static str,
        query: impl FnOnce(PgPool) -> F,
    ) -> Result<T, StoreError>
    where
        F: Future<Output = Result<T, QueryError>>,
    {
        let limit = self.purpose.timeout();
        match timeout(limit, query(self.pool())).await {
            Ok(outcome) => outcome.map_err(|error| store_error(&self.config, operation, error)),
            Err(_) => {
                if !self.pool().is_closed() {
                    self.renew()?;
                }
                let cause = format!("no reply within {} s", limit.as_secs());
                Err(unavailable(&self.config, operation, cause))
            }
        }
    }

    /// Returns the present connections.
    pub(super) fn pool(&self) -> PgPool {
        // Nothing panics under this lock.
        let pool = self.pool.read();
        pool.clone()
    }

    /// From now on lets writes fail when the lease with this number is lost.
    pub(super) fn set_fence(&self, number: Option<u64>) -> Result<(), StoreError> {
        *self.fence.lock() = number;
        self.renew()
    }

    /// Closes them. A server that does not reply must not keep the hub from ending.
    pub(super) async fn close(&self) {
        let _ = timeout(CLOSE_TIMEOUT, self.pool().close()).await;
    }

    fn renew(&self) -> Result<(), StoreError> {
        // Locked before the fence is read, so that no connections of an earlier fence take the place of later ones.
        let mut present = self.pool.write();
        let fence = *self.fence.lock();
        *present = pool(self.purpose, &self.config, fence)?;
        Ok(())
    }
}

/// Returns connections whose writes fail when the lease with the number is lost.
fn pool(
    purpose: ConnectionPurpose,
    config: &PostgresConfig,
    fence: Option<u64>,
) -> Result<PgPool, StoreError> {
    let mut session = SESSION.to_owned();
    if let Some(number) = fence {
        session += &format!("; SET mains.lease = '{number}'");
    }
    let mut pool = PgPoolOptions::new()
        .max_connections(purpose.max_connections())
        .acquire_timeout(ACQUIRE_TIMEOUT);
    if purpose == ConnectionPurpose::OtherSite {
        session += "; SET default_transaction_read_only = on";
        pool = pool.idle_timeout(READER_IDLE_TIMEOUT);
    }
    let options = options(config)?;
    let begin = pool.after_connect(move |connection, _| {
        let session = session.clone();
        Box::pin(async move {
            sqlx::raw_sql(AssertSqlSafe(session))
                .execute(connection)
                .await?;
            Ok(())
        })
    });
    Ok(begin.connect_lazy_with(options))
}

/// Returns how to connect.
pub(super) fn options(config: &PostgresConfig) -> Result<PgConnectOptions, StoreError> {
    let options: Result<PgConnectOptions, _> = config.url.to_string().parse();
    let options = options.map_err(|error| unavailable(config, OPENED, error))?;
    let mut options = options
        .application_name("mains")
        .disable_statement_logging();
    if let Some(password) = &config.password {
        options = options.password(password);
    }
    if let Some(file) = &config.ca_file {
        options = options.ssl_mode(PgSslMode::VerifyFull).ssl_root_cert(file);
    }
    if let Some(schema) = schema(&config.site) {
        options = options.options([("search_path", schema)]);
    }
    Ok(options)
}

/// Returns the schema of a site; `None` for the only one, which has the first schema of the search path. A name has no underscore,
/// so that no two sites have the same schema.
pub(super) fn schema(site: &SiteName) -> Option<String> {
    (!site.is_empty()).then(|| format!("{SITE_PREFIX}{}", site.as_str().replace('-', "_")))
}

/// Returns the site of a schema.
pub(super) fn site_of(schema: &str) -> Option<SiteName> {
    let name = schema.strip_prefix(SITE_PREFIX)?.replace('_', "-");
    let site: SiteName = name.parse().ok()?;
    Some(site).filter(|site| !site.is_empty())
}

/// Names the database and the operation in an error.
pub(super) fn store_error(
    config: &PostgresConfig,
    operation: &'static str,
    error: QueryError,
) -> StoreError {
    let error = match error {
        QueryError::Sql(error) => error,
        QueryError::Store(error) => return error,
    };
    match error {
        sqlx::Error::Database(error) if error.constraint() == Some("plugs_name_key") => {
            StoreError::Conflict("there is another one of this name".to_owned())
        }
        sqlx::Error::PoolTimedOut => {
            let cause = "the server cannot be reached, or all connections are in use";
            unavailable(config, operation, cause)
        }
        sqlx::Error::Database(error) => {
            unavailable(config, operation, ServerRefusal::of_server(&*error))
        }
        sqlx::Error::Io(error) => match ServerRefusal::of_certificate(&error) {
            Some(refusal) => unavailable(config, operation, refusal),
            None => unavailable(config, operation, error),
        },
        error => unavailable(config, operation, error),
    }
}

pub(super) fn unavailable(
    config: &PostgresConfig,
    operation: &'static str,
    cause: impl Into<Box<dyn std::error::Error + Send + Sync>>,
) -> StoreError {
    StoreError::Unavailable {
        database: config.url.to_string(),
        what: operation,
        source: cause.into(),
    }
}
