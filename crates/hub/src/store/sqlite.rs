//! One file of SQLite: the store of one home.
//!
//! * [`open`]: finding out what is there, making it, setting it aside when it is damaged.
//! * [`rescue`]: what is whole in a damaged file goes into the new one.
//! * [`database`]: the connections to an open file, and what its errors mean.
//! * [`keep`]: plugs, documents, settings. Durable when the call returns.
//! * [`carry`]: history that changes hands.
//! * [`append`], [`history`], [`rows`], [`tidy`]: readings and what is made of them.
//! * [`backup`]: a copy while everything goes on.
//!
//! When SQLite finds the file damaged while the hub runs, the file is set aside and a new one takes its place, see
//! [`Sqlite::mended`].

mod append;
mod backup;
mod carry;
mod database;
mod history;
mod keep;
mod open;
mod rescue;
mod rows;
mod steps;
mod tidy;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use api::{Collection, Id, Period};
use async_trait::async_trait;
use hiflying::Mac;
use jiff::Timestamp;
use serde_json::Value;
use tokio::sync::RwLock;

use super::{
    EnergyState, HistoryPoint, HistoryQuery, Quarter, Row, Sample, Store, StoreError, StoreInfo,
    StoredDocument, Tier,
};
use crate::store::PlugRecord;
use database::Database;

/// On a disk that fails, one damaged file after the other would fill it.
const MOST_REPLACED: u32 = 3;

/// How long what is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retention {
    /// Every reading.
    pub readings: Period,
    /// Minutes.
    pub minutes: Period,
}

impl Default for Retention {
    fn default() -> Self {
        Self {
            readings: Period::seconds(7 * 24 * 3600),
            minutes: Period::seconds(90 * 24 * 3600),
        }
    }
}

/// What came of opening.
#[derive(Debug)]
pub struct Opened {
    /// The store.
    pub store: Sqlite,
    /// Where the file went that was there before, because it was damaged.
    pub set_aside: Option<PathBuf>,
    /// The file cannot be written: what is there can be read, and every edit is refused.
    pub read_only: bool,
}

/// A store in one file of SQLite.
#[derive(Debug)]
pub struct Sqlite {
    path: PathBuf,
    retention: Retention,
    /// Replaced as a whole when the file turns out to be damaged.
    database: RwLock<Arc<Database>>,
    /// How often that was.
    replaced: AtomicU32,
}

impl Sqlite {
    /// Opens the file, or makes it, readable by its owner only. A damaged one is renamed, never deleted, and what is whole
    /// of its plugs, documents and settings goes into the new one.
    ///
    /// # Errors
    ///
    /// [`StoreError::Newer`] for a file of a newer Mains and [`StoreError::File`] for one of another program, which both
    /// stay untouched; [`StoreError::Unavailable`] when it can neither be opened nor made.
    pub async fn open(path: &Path, retention: Retention) -> Result<Opened, StoreError> {
        let path = open::resolve(path)?;
        let (database, set_aside) = open::open(&path).await?;
        Ok(Opened {
            set_aside,
            read_only: database.is_read_only(),
            store: Self {
                path,
                retention,
                replaced: AtomicU32::new(0),
                database: RwLock::new(Arc::new(database)),
            },
        })
    }

    /// Closes the file, with everything written into it. Whoever still uses the store gets errors.
    pub async fn close(&self) {
        self.database().await.close().await;
    }

    async fn database(&self) -> Arc<Database> {
        Arc::clone(&*self.database.read().await)
    }

    /// Passes a result on; a file that it shows to be damaged is replaced first.
    async fn mended<T>(
        &self,
        used: &Arc<Database>,
        result: Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        if matches!(result, Err(StoreError::Damaged { .. })) {
            self.replace(used).await;
        }
        result
    }

    async fn replace(&self, damaged: &Arc<Database>) {
        let mut current = self.database.write().await;
        if !Arc::ptr_eq(&current, damaged) || damaged.is_read_only() {
            return;
        }
        if self.replaced.fetch_add(1, Ordering::Relaxed) >= MOST_REPLACED {
            tracing::error!(database = %self.path.display(), "damaged again; the disk may be failing");
            return;
        }
        damaged.close().await;
        match open::replace(&self.path).await {
            Ok((database, _)) => *current = Arc::new(database),
            Err(error) => tracing::error!(
                error = &error as &dyn std::error::Error,
                "the damaged database cannot be replaced"
            ),
        }
    }
}

/// Asks the file; when the answer shows that it is damaged, it is replaced, so that the next call finds a sound one.
macro_rules! asked {
    ($store:ident.$method:ident($($argument:expr),*)) => {{
        let database = $store.database().await;
        let result = database.$method($($argument),*).await;
        $store.mended(&database, result).await
    }};
}

#[async_trait]
impl Store for Sqlite {
    async fn plugs(&self) -> Result<Vec<PlugRecord>, StoreError> {
        asked!(self.plugs())
    }

    async fn save_plug(&self, plug: &PlugRecord) -> Result<(), StoreError> {
        asked!(self.save_plug(plug))
    }

    async fn delete_plug(&self, plug: Mac, purge: bool) -> Result<(), StoreError> {
        asked!(self.delete_plug(plug, purge))
    }

    async fn replace_plug(&self, old: Mac, record: &PlugRecord) -> Result<(), StoreError> {
        asked!(self.replace_plug(old, record))
    }

    async fn energy(&self) -> Result<Vec<(Mac, EnergyState)>, StoreError> {
        asked!(self.energy())
    }

    async fn documents(&self, collection: Collection) -> Result<Vec<StoredDocument>, StoreError> {
        asked!(self.documents(collection))
    }

    async fn save_document(
        &self,
        collection: Collection,
        document: &StoredDocument,
    ) -> Result<(), StoreError> {
        asked!(self.save_document(collection, document))
    }

    async fn save_state(
        &self,
        collection: Collection,
        id: &Id,
        state: &Value,
    ) -> Result<(), StoreError> {
        asked!(self.save_state(collection, id, state))
    }

    async fn delete_document(&self, collection: Collection, id: &Id) -> Result<(), StoreError> {
        asked!(self.delete_document(collection, id))
    }

    async fn setting(&self, key: &str) -> Result<Option<String>, StoreError> {
        asked!(self.setting(key))
    }

    async fn save_setting(&self, key: &str, value: Option<&str>) -> Result<(), StoreError> {
        asked!(self.save_setting(key, value))
    }

    async fn append(&self, samples: &[Sample]) -> Result<(), StoreError> {
        asked!(self.append(samples))
    }

    async fn history(&self, query: &HistoryQuery) -> Result<Vec<HistoryPoint>, StoreError> {
        asked!(self.history(query))
    }

    async fn quarters(
        &self,
        plug: Option<Mac>,
        from: Timestamp,
        to: Timestamp,
    ) -> Result<Vec<Quarter>, StoreError> {
        asked!(self.quarters(plug, from, to))
    }

    async fn rows(
        &self,
        plug: Mac,
        tier: Tier,
        from: Timestamp,
        to: Timestamp,
        limit: usize,
    ) -> Result<Vec<Row>, StoreError> {
        asked!(self.rows(plug, tier, from, to, limit))
    }

    async fn import(&self, plug: Mac, rows: &[Row]) -> Result<u64, StoreError> {
        asked!(self.import(plug, rows))
    }

    async fn tidy(&self, now: Timestamp) -> Result<(), StoreError> {
        asked!(self.tidy(self.retention, now))
    }

    async fn info(&self) -> Result<StoreInfo, StoreError> {
        asked!(self.info())
    }

    async fn backup(&self, to: &Path) -> Result<(), StoreError> {
        asked!(self.backup(to))
    }
}
