//! Persistent state of the hub.
//!
//! [`Store`] is the sum of four traits, so that each part of the hub asks for what it uses; SQLite and PostgreSQL implement them all.

mod backup;
mod batch;
mod copy;
pub mod csv;
mod history;
mod postgres;
mod query_error;
mod records;
mod retention;
mod rows;
mod scale;
mod shared;
mod site;
mod spread;
mod sqlite;
mod steps;
mod sum;
mod transfer;

use std::fmt;
use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::sync::Arc;

pub use api::HistoryPoint;
use api::{Collection, DatabaseDamage, Id, LogEntry, LogKind, Metering, PowerOn, SiteName};
use async_trait::async_trait;
use hiflying::Mac;
use jiff::Timestamp;
use plugs::{FamilyId, Reading, RelayState};
use serde_json::Value;

pub use backup::Backup;
pub use copy::{CopiedStore, CopyError, copy};
pub use postgres::{Postgres, PostgresConfig, PostgresUrl};
pub use retention::Retention;
pub use shared::{
    Claim, ClaimKind, Claimed, Heartbeat, HubRecord, LeaseRecord, SharedStore, SiteState,
};
pub use site::SiteRecord;
pub use spread::QUARTER;
pub use sqlite::{OpenedStore, Spool, SpoolStatus, Sqlite, restore};

/// An adopted plug as it is stored.
#[derive(Debug, Clone, PartialEq)]
pub struct PlugRecord {
    /// Its hardware address.
    pub mac: Mac,
    /// Its family.
    pub family: FamilyId,
    /// The maker's serial number.
    pub serial: Option<String>,
    /// Address at which it was last seen.
    pub address: Ipv4Addr,
    /// The module id or the maker's model.
    pub model: Option<String>,
    /// The name that its owner gave; no two plugs have the same.
    pub name: Option<String>,
    /// Room that it is in.
    pub room: Option<String>,
    /// Metering interval; `None` is the hub's default.
    pub metering: Option<Metering>,
    /// State of the relay after an outage; `None` leaves it to the plug.
    pub power_on: Option<PowerOn>,
    /// True if it is often unplugged, which is no alert.
    pub often_unplugged: bool,
    /// Last reported state of the relay.
    pub relay: Option<RelayState>,
    /// Time since which it is in this state, if known.
    pub relay_since: Option<Timestamp>,
    /// Time of its adoption.
    pub adopted: Timestamp,
    /// Time at which it was last seen.
    pub seen: Timestamp,
    /// Increases with every change that people make; serves as the ETag.
    pub revision: u64,
}

impl PlugRecord {
    /// Returns its name, else its MAC.
    pub(crate) fn title(&self) -> String {
        self.name.clone().unwrap_or_else(|| self.mac.to_string())
    }
}

/// A document as it is stored.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredDocument {
    /// Its identifier.
    pub id: Id,
    /// Increases with every edit.
    pub revision: u64,
    /// The document itself.
    pub body: Value,
    /// Run-time state of the document, e.g. its last run; `Null` when there is none.
    pub state: Value,
}

/// The lifetime total of a plug.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct EnergyState {
    /// Energy that it ever used, in watt-hours.
    pub total_wh: u64,
    /// The plug's own counter at that time.
    pub counter_wh: Option<u64>,
    /// Time at which the total was computed.
    pub at: Timestamp,
}

/// A reading to be added to history.
#[derive(Debug, Clone, PartialEq)]
pub struct Sample {
    /// The reading.
    pub reading: Reading,
    /// Energy used since the previous reading, if known.
    pub used: Option<Used>,
    /// The lifetime total after it.
    pub energy: Option<EnergyState>,
}

/// Energy that was used between two readings.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Used {
    /// Time of the previous reading.
    pub since: Timestamp,
    /// Watt-hours.
    pub energy_wh: f64,
}

/// A query for entries of the log.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LogQuery {
    /// Start of the time range.
    pub from: Option<Timestamp>,
    /// End of the time range, exclusive.
    pub to: Option<Timestamp>,
    /// Only entries before the one with this number.
    pub before: Option<u64>,
    /// Kinds; all if empty.
    pub kinds: Vec<LogKind>,
    /// Plugs; all entries if empty.
    pub plugs: Vec<Mac>,
    /// `true` for problems only.
    pub problems: bool,
    /// Maximum number of entries.
    pub limit: usize,
}

impl LogQuery {
    /// Returns `true` if an entry is wanted.
    pub(crate) fn matches(&self, entry: &LogEntry) -> bool {
        self.from.is_none_or(|from| entry.at >= from)
            && self.to.is_none_or(|to| entry.at < to)
            && self.before.is_none_or(|before| entry.id < before)
            && (self.kinds.is_empty() || self.kinds.contains(&entry.kind))
            && (self.plugs.is_empty() || entry.plug.is_some_and(|plug| self.plugs.contains(&plug)))
            && (entry.problem || !self.problems)
    }
}

/// Resolution of a history query.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HistoryStep {
    /// Steps of this many seconds, counted from 1970 in UTC; the range is widened to whole steps.
    Seconds(u32),
    /// Steps between the boundaries in [`HistoryQuery::edges`], e.g. local days.
    Edges,
}

/// A query for a part of a plug's history.
#[derive(Debug, Clone, PartialEq)]
pub struct HistoryQuery {
    /// The plug.
    pub plug: Mac,
    /// Start of the range.
    pub from: Timestamp,
    /// End of the range, exclusive.
    pub to: Timestamp,
    /// Resolution.
    pub step: HistoryStep,
    /// For [`HistoryStep::Edges`]: the starts of the steps, ascending, and the end of the last.
    pub edges: Vec<Timestamp>,
    /// Maximum number of points to return.
    pub limit: usize,
}

/// A part of a plug's history.
#[derive(Debug, Clone, PartialEq)]
pub struct HistorySteps {
    /// The resolution: that of the query, or a coarser one.
    pub step: HistoryStep,
    /// The steps with data, by time.
    pub points: Vec<HistoryPoint>,
}

/// Energy that a plug used in a quarter of an hour.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Quarter {
    /// The plug.
    pub plug: Mac,
    /// Its start.
    pub t: Timestamp,
    /// Watt-hours.
    pub energy_wh: f64,
}

/// Resolution at which history is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Tier {
    /// Every reading, for days.
    Readings,
    /// Minutes, for months.
    Minutes,
    /// Quarters of an hour, for ever.
    Quarters,
}

/// Stored sums of a minute or a quarter of an hour.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct HistorySpan {
    /// Its start.
    pub t: Timestamp,
    /// Number of readings with a power.
    pub readings: u32,
    /// Their mean power in watts; `None` without any, and so the two that follow.
    pub power_w: Option<f64>,
    /// The lowest.
    pub power_min_w: Option<f64>,
    /// The highest.
    pub power_max_w: Option<f64>,
    /// Energy used in it, in watt-hours.
    pub energy_wh: f64,
}

/// A row of history as it is stored, exported and imported.
#[derive(Debug, Clone, PartialEq)]
pub enum HistoryRow {
    /// A reading, and the energy used since the previous one.
    Reading(Reading, Option<Used>),
    /// A minute.
    Minute(HistorySpan),
    /// A quarter of an hour.
    Quarter(HistorySpan),
}

/// Size of the database.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct StoreInfo {
    /// Bytes on disk.
    pub bytes: u64,
    /// Raw readings.
    pub readings: u64,
    /// Minute means.
    pub minutes: u64,
    /// Quarter-hour sums.
    pub quarters: u64,
}

/// Error of a store.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The database was written by a newer Mains.
    #[error(
        "{database} was written by a newer version of Mains (schema {found}, this one knows {known})"
    )]
    Newer {
        /// Name of the database.
        database: String,
        /// Version of its schema.
        found: i64,
        /// Newest version known here.
        known: i64,
    },
    /// The database cannot be used now: disk full, file locked, read-only or missing.
    #[error("the database {database} cannot be {what}")]
    Unavailable {
        /// Name of the database.
        database: String,
        /// The operation that failed: `read`, `written` or `opened`.
        what: &'static str,
        /// Error of the system or the database.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The content of the database is inconsistent.
    #[error("the database {database} is damaged: {what}")]
    Damaged {
        /// Name of the database.
        database: String,
        /// Finding that shows the damage.
        what: String,
    },
    /// The write contradicts what is stored (a revision, a name).
    #[error("{0}")]
    Conflict(String),
    /// This database has no such operation.
    #[error("{0}")]
    Unsupported(&'static str),
    /// A file given for import, export or backup is unsuitable.
    #[error("{}: {what}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// The fault, with the line where there is one.
        what: String,
    },
}

impl StoreError {
    /// Returns the error for a document that someone else has changed.
    fn changed(collection: Collection, id: &Id) -> Self {
        Self::Conflict(format!("the {} {id} has changed", collection.singular()))
    }
}

/// Adopted plugs and their lifetime totals.
#[async_trait]
pub trait PlugStore: fmt::Debug + Send + Sync {
    /// Returns every adopted plug.
    async fn plugs(&self) -> Result<Vec<PlugRecord>, StoreError>;

    /// Writes a new or changed plug.
    async fn save_plug(&self, plug: &PlugRecord) -> Result<(), StoreError>;

    /// Removes a plug. Its history stays for the day that it is adopted again, unless `purge`.
    async fn delete_plug(&self, plug: Mac, purge: bool) -> Result<(), StoreError>;

    /// Continues the history and the lifetime total of `old` under `new`, and removes `old`; `record` describes `new`, and
    /// `documents` are those that named `old`. All or nothing.
    async fn replace_plug(
        &self,
        old: Mac,
        record: &PlugRecord,
        documents: &[(Collection, StoredDocument)],
    ) -> Result<(), StoreError>;

    /// Returns the lifetime total of every plug, removed ones included.
    async fn energy(&self) -> Result<Vec<(Mac, EnergyState)>, StoreError>;
}

/// Documents that people write: groups, schedules, rules, tariffs.
#[async_trait]
pub trait DocumentStore: fmt::Debug + Send + Sync {
    /// Returns all documents of a collection.
    async fn documents(&self, collection: Collection) -> Result<Vec<StoredDocument>, StoreError>;

    /// Writes a new or changed document with its `state`.
    async fn save_document(
        &self,
        collection: Collection,
        document: &StoredDocument,
    ) -> Result<(), StoreError>;

    /// Writes the `state` of a document alone.
    async fn save_state(
        &self,
        collection: Collection,
        id: &Id,
        state: &Value,
    ) -> Result<(), StoreError>;

    /// Removes a document, if it exists.
    async fn delete_document(&self, collection: Collection, id: &Id) -> Result<(), StoreError>;
}

/// Settings of the hub itself, e.g. the hash of the password, and the sites to which they can refer.
#[async_trait]
pub trait SettingStore: fmt::Debug + Send + Sync {
    /// Returns a setting.
    async fn setting(&self, key: &str) -> Result<Option<String>, StoreError>;

    /// Writes settings, all or none; `None` removes one.
    async fn save_settings(&self, values: &[(&str, Option<&str>)]) -> Result<(), StoreError>;

    /// Writes a setting; `None` removes it.
    async fn save_setting(&self, key: &str, value: Option<&str>) -> Result<(), StoreError> {
        self.save_settings(&[(key, value)]).await
    }

    /// Returns the other sites in the database; none in one that holds a single site.
    async fn other_sites(&self) -> Result<Vec<SiteRecord>, StoreError> {
        Ok(Vec::new())
    }
}

/// Readings and the sums that are made of them.
#[async_trait]
pub trait HistoryStore: fmt::Debug + Send + Sync {
    /// Adds readings: the raw rows, their minutes and quarter-hours, and the lifetime totals. All or nothing; a reading that is
    /// there already (same plug, same millisecond) is not counted twice, nor is energy that is in the lifetime total already.
    async fn append(&self, samples: &[Sample]) -> Result<(), StoreError>;

    /// Returns a part of a plug's history. Where finer data is removed already, all steps are as long as the rows that are left.
    async fn history(&self, query: &HistoryQuery) -> Result<HistorySteps, StoreError>;

    /// Returns every plug with history, removed ones included.
    async fn recorded(&self) -> Result<Vec<Mac>, StoreError>;

    /// Returns the quarter-hours of one plug or all, by plug and time.
    async fn quarters(
        &self,
        plug: Option<Mac>,
        from: Timestamp,
        to: Timestamp,
    ) -> Result<Vec<Quarter>, StoreError>;

    /// Returns at most `limit` stored rows of a tier, by time. To continue, pass the millisecond after the last one as `from`.
    async fn rows(
        &self,
        plug: Mac,
        tier: Tier,
        from: Timestamp,
        to: Timestamp,
        limit: usize,
    ) -> Result<Vec<HistoryRow>, StoreError>;

    /// Adds rows from elsewhere to a plug's history, all or none, and returns how many were new. Existing rows stay as they
    /// are, so the same rows can be imported twice. A row does not feed the coarser tiers.
    async fn import(&self, plug: Mac, rows: &[HistoryRow]) -> Result<u64, StoreError>;

    /// Removes what is older than the retention allows, and returns the space to the system.
    async fn tidy(&self, now: Timestamp) -> Result<(), StoreError>;
}

/// The log of past events.
#[async_trait]
pub trait LogStore: fmt::Debug + Send + Sync {
    /// Adds entries; those whose number exists stay as they are.
    async fn append_log(&self, entries: &[Arc<LogEntry>]) -> Result<(), StoreError>;

    /// Returns entries, newest first.
    async fn log(&self, query: &LogQuery) -> Result<Vec<LogEntry>, StoreError>;

    /// Returns the number of the latest entry; 0 without any.
    async fn last_log_id(&self) -> Result<u64, StoreError>;

    /// Returns the number of problems after an entry.
    async fn problems_after(&self, id: u64) -> Result<u64, StoreError>;
}

/// The database of a hub.
///
/// Plugs, documents and settings are durable when their method returns. Readings come in batches, off the path of everything
/// else: when the store fails, only history suffers.
#[async_trait]
pub trait Store: PlugStore + DocumentStore + SettingStore + HistoryStore + LogStore {
    /// Returns the size of the database.
    async fn info(&self) -> Result<StoreInfo, StoreError>;

    /// Returns the damage of the database that was found, as far as it is shown.
    fn damage(&self) -> Vec<DatabaseDamage> {
        Vec::new()
    }

    /// Waits for damage that was found by this program and not returned yet.
    async fn next_damage(&self) -> DatabaseDamage {
        std::future::pending().await
    }

    /// Returns the plugs of the other sites in the database.
    async fn plugs_of_other_sites(&self) -> Result<Vec<(Mac, SiteName)>, StoreError> {
        Ok(Vec::new())
    }

    /// Returns a store that reads another site in the database and cannot write it. Nothing is read yet.
    fn site_reader(&self, _: &SiteName) -> Result<Arc<dyn Store>, StoreError> {
        Err(StoreError::Unsupported("this database holds one site"))
    }

    /// Returns the last reading of each plug that has one of the last day.
    async fn last_readings(&self) -> Result<Vec<Reading>, StoreError> {
        Ok(Vec::new())
    }

    /// Begins a whole and consistent copy, while everything goes on.
    async fn backup(&self) -> Result<Backup, StoreError>;

    /// Returns what hubs that share the database need; `None` for a database of one hub.
    fn shared(&self) -> Option<&dyn SharedStore> {
        None
    }

    /// Closes the database after writing everything into it. Later calls fail.
    async fn close(&self) {}
}
