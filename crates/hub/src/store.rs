//! What outlives the process.
//!
//! [`Store`] is small, because PostgreSQL is to follow SQLite. Plugs, documents and settings are durable when their
//! method returns. Readings come in batches, off the path of everything else: when the store fails, only history suffers.

pub mod csv;
mod scale;
mod slots;
mod sqlite;
mod sum;

use std::fmt;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};

use api::{Collection, Id, Metering, PowerOn};
use async_trait::async_trait;
use hiflying::Mac;
use jiff::Timestamp;
use plugs::{FamilyId, Reading, RelayState};
use serde_json::Value;

pub use sqlite::{Opened, Retention, Sqlite};

/// An adopted plug as it is kept.
#[derive(Debug, Clone, PartialEq)]
pub struct PlugRecord {
    /// Its hardware address.
    pub mac: Mac,
    /// What it is.
    pub family: FamilyId,
    /// The maker's serial number.
    pub serial: Option<String>,
    /// Where it was last heard.
    pub address: Ipv4Addr,
    /// The module id or the maker's model.
    pub model: Option<String>,
    /// The name that its owner gave; no two plugs have the same.
    pub name: Option<String>,
    /// Where it is.
    pub room: Option<String>,
    /// How often it is metered; `None` is the hub's default.
    pub metering: Option<Metering>,
    /// What its relay is to be after an outage; `None` leaves it to the plug.
    pub power_on: Option<PowerOn>,
    /// The relay's position when it last told.
    pub relay: Option<RelayState>,
    /// When it was adopted.
    pub adopted: Timestamp,
    /// When it was last heard.
    pub seen: Timestamp,
    /// Grows with every change that people make: its ETag.
    pub revision: u64,
}

/// A document as the store sees it.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredDocument {
    /// The name that the hub gave it.
    pub id: Id,
    /// Grows with every edit.
    pub revision: u64,
    /// What people wrote.
    pub body: Value,
    /// What the hub remembers of it, e.g. when it last fired. `Null` when there is nothing.
    pub state: Value,
}

/// Where a plug's lifetime total stands.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct EnergyState {
    /// All that it ever used, in watt-hours.
    pub total_wh: u64,
    /// The plug's own counter when that total was reckoned.
    pub counter_wh: Option<u64>,
    /// When that was.
    pub at: Timestamp,
}

/// One reading on its way into history.
#[derive(Debug, Clone, PartialEq)]
pub struct Sample {
    /// The reading.
    pub reading: Reading,
    /// What was used since the reading before, if that can be told.
    pub used: Option<Used>,
    /// Where the lifetime total stands after it.
    pub energy: Option<EnergyState>,
}

/// Energy that was used between two readings.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Used {
    /// When the reading before was.
    pub since: Timestamp,
    /// Watt-hours.
    pub energy_wh: f64,
}

/// How finely history is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Steps of so many seconds, counted from 1970 in UTC; the asked range is widened to whole ones.
    Seconds(u32),
    /// Local days; the boundaries in between are the caller's, see [`HistoryQuery::edges`].
    Edges,
}

/// Which part of a plug's history.
#[derive(Debug, Clone, PartialEq)]
pub struct HistoryQuery {
    /// Whose.
    pub plug: Mac,
    /// The first moment.
    pub from: Timestamp,
    /// The first moment that is no longer in it.
    pub to: Timestamp,
    /// How finely.
    pub step: Step,
    /// For [`Step::Edges`]: the beginnings of the steps, ascending, and the end of the last.
    pub edges: Vec<Timestamp>,
    /// The most points to return.
    pub limit: usize,
}

/// One step of history. Steps without data do not exist.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct HistoryPoint {
    /// When the step began.
    pub t: Timestamp,
    /// Mean power in watts. `None` where the energy is known only from a later reading.
    pub power_w: Option<f64>,
    /// Lowest power in watts.
    pub power_min_w: Option<f64>,
    /// Highest power in watts.
    pub power_max_w: Option<f64>,
    /// What was used in the step, in watt-hours.
    pub energy_wh: f64,
}

/// What a plug used in a quarter of an hour.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Quarter {
    /// Whose.
    pub plug: Mac,
    /// When it began.
    pub t: Timestamp,
    /// Watt-hours.
    pub energy_wh: f64,
}

/// How finely history is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Tier {
    /// Every reading, for days.
    Readings,
    /// Minutes, for months.
    Minutes,
    /// Quarters of an hour, for ever.
    Quarters,
}

/// What is kept of a minute or a quarter of an hour.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Span {
    /// When it began.
    pub t: Timestamp,
    /// How many readings had a power.
    pub readings: u32,
    /// Their mean power in watts; `None` without any, and so the two that follow.
    pub power_w: Option<f64>,
    /// The lowest.
    pub power_min_w: Option<f64>,
    /// The highest.
    pub power_max_w: Option<f64>,
    /// What was used in it, in watt-hours.
    pub energy_wh: f64,
}

/// A row of history as it is kept: what export writes and import reads.
#[derive(Debug, Clone, PartialEq)]
pub enum Row {
    /// A reading, and what was used since the one before.
    Reading(Reading, Option<Used>),
    /// A minute.
    Minute(Span),
    /// A quarter of an hour.
    Quarter(Span),
}

/// How big the store is, and what it holds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct StoreInfo {
    /// Bytes on disk, with the write-ahead log.
    pub bytes: u64,
    /// Raw readings.
    pub readings: u64,
    /// Minute means.
    pub minutes: u64,
    /// Quarter-hour sums.
    pub quarters: u64,
}

/// Why the store could not do something.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The file was written by a newer Mains.
    #[error("{} was written by a newer version of Mains (schema {found}, this one knows {known})", path.display())]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its version.
        found: i64,
        /// The newest that is known here.
        known: i64,
    },
    /// The disk is full, the file is locked, read-only or gone. It may go again later.
    #[error("the database {} cannot be {what}", path.display())]
    Unavailable {
        /// The file.
        path: PathBuf,
        /// Read, written, opened.
        what: &'static str,
        /// What the system or the database says.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// What is in it makes no sense.
    #[error("the database {} is damaged: {what}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What was found.
        what: String,
    },
    /// What was to be written contradicts what is there (a revision, a name).
    #[error("{0}")]
    Conflict(String),
    /// A file that was given for import, export or backup is not as it must be.
    #[error("{}: {what}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong, with the line where there is one.
        what: String,
    },
}

/// What outlives the process.
#[async_trait]
pub trait Store: fmt::Debug + Send + Sync {
    /// Returns every adopted plug.
    async fn plugs(&self) -> Result<Vec<PlugRecord>, StoreError>;

    /// Writes a plug, new or changed.
    async fn save_plug(&self, plug: &PlugRecord) -> Result<(), StoreError>;

    /// Forgets a plug. Its history stays for the day that it is adopted again, unless `purge`.
    async fn delete_plug(&self, plug: Mac, purge: bool) -> Result<(), StoreError>;

    /// Carries the history and the lifetime total of `old` on under `new`, and forgets `old`; `record` is what is kept
    /// of `new` from now on. All or nothing.
    async fn replace_plug(&self, old: Mac, record: &PlugRecord) -> Result<(), StoreError>;

    /// Returns where the lifetime total of every plug stands, forgotten ones too.
    async fn energy(&self) -> Result<Vec<(Mac, EnergyState)>, StoreError>;

    /// Returns all documents of a collection.
    async fn documents(&self, collection: Collection) -> Result<Vec<StoredDocument>, StoreError>;

    /// Writes a document, new or changed; its `state` too.
    async fn save_document(
        &self,
        collection: Collection,
        document: &StoredDocument,
    ) -> Result<(), StoreError>;

    /// Writes only what the hub remembers of a document.
    async fn save_state(
        &self,
        collection: Collection,
        id: &Id,
        state: &Value,
    ) -> Result<(), StoreError>;

    /// Removes a document; it is no error when it is not there.
    async fn delete_document(&self, collection: Collection, id: &Id) -> Result<(), StoreError>;

    /// Returns a setting of the hub itself, e.g. the hash of the password.
    async fn setting(&self, key: &str) -> Result<Option<String>, StoreError>;

    /// Writes a setting; `None` removes it.
    async fn save_setting(&self, key: &str, value: Option<&str>) -> Result<(), StoreError>;

    /// Takes readings into history: the raw rows, their minutes and quarter-hours, and the lifetime totals. All or nothing;
    /// a reading that is there already (same plug, same millisecond) is not counted twice.
    async fn append(&self, samples: &[Sample]) -> Result<(), StoreError>;

    /// Returns a part of a plug's history from the finest data that reaches back far enough.
    async fn history(&self, query: &HistoryQuery) -> Result<Vec<HistoryPoint>, StoreError>;

    /// Returns the quarter-hours of one plug or all, by plug and time.
    async fn quarters(
        &self,
        plug: Option<Mac>,
        from: Timestamp,
        to: Timestamp,
    ) -> Result<Vec<Quarter>, StoreError>;

    /// Returns at most `limit` rows as they are kept, by time. Goes on from the millisecond after the last one.
    async fn rows(
        &self,
        plug: Mac,
        tier: Tier,
        from: Timestamp,
        to: Timestamp,
        limit: usize,
    ) -> Result<Vec<Row>, StoreError>;

    /// Takes rows from elsewhere into a plug's history, all or none, and returns how many were new. What is there already
    /// stays as it is, so that the same rows can come twice. A row feeds no coarser tier; it has to bring its own.
    async fn import(&self, plug: Mac, rows: &[Row]) -> Result<u64, StoreError>;

    /// Drops what is older than the retention allows, and gives the space back.
    async fn tidy(&self, now: Timestamp) -> Result<(), StoreError>;

    /// Returns how big it is.
    async fn info(&self) -> Result<StoreInfo, StoreError>;

    /// Writes a whole and consistent copy into a new file, while everything goes on.
    async fn backup(&self, to: &Path) -> Result<(), StoreError>;
}
