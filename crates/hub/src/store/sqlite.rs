//! The store of one home: one file of SQLite.
//!
//! * [`open`]: examines, creates and opens the file; sets a damaged one aside.
//! * [`rescue`]: copies what is whole in a damaged file into the new one; [`repair`]: makes a copy of it that can be read;
//!   [`damage`]: what could not be copied.
//! * [`schema`], [`header`]: the tables and the file's header, and whether a file has them as they were made.
//! * [`database`]: the connections to an open file, and the meaning of its errors.
//! * [`records`]: plugs, documents, settings.
//! * [`transfer`]: history that moves from one plug to another.
//! * [`append`], [`history`], [`rows`], [`retention`]: readings and the sums made of them.
//! * [`log`]: the log of past events.
//! * [`backup`]: a copy while everything goes on; [`restore`]: a copy that takes the place of the file.
//! * [`spool`]: another file, in which readings wait for a database elsewhere.
//! * [`journal`]: a log that is not of the file beside it; [`wal`]: what is in a log.
//!
//! When SQLite finds the file damaged while the hub runs, the file is set aside and a new one takes its place, see
//! [`Sqlite::run`].

mod append;
mod backup;
mod damage;
mod database;
#[cfg_attr(unix, path = "sqlite/disk/unix.rs")]
#[cfg_attr(windows, path = "sqlite/disk/windows.rs")]
mod disk;
mod epoch;
mod files;
mod header;
mod history;
mod journal;
mod log;
mod open;
mod records;
mod repair;
mod rescue;
mod restore;
mod retention;
mod rows;
mod schema;
mod spool;
mod transfer;
mod wal;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use api::{DatabaseDamage, LostRows};
use async_trait::async_trait;
use hiflying::Mac;
use parking_lot::Mutex;
use tokio::sync::{RwLock, mpsc};

use super::records::SETTINGS;
use super::{
    Backup, CopiedStore, EnergyState, HistoryRow, Retention, Store, StoreError, StoreInfo,
};
use database::{QueryError, READ, SqliteDatabase, WRITTEN};
pub use restore::restore;
pub use spool::{Spool, SpoolStatus};

/// Number of damaged files that are replaced: a failing disk would be filled with them.
const MAX_REPLACEMENTS: u32 = 3;

/// A store that was opened.
#[derive(Debug)]
pub struct OpenedStore {
    /// The store.
    pub store: Sqlite,
    /// New path of the previous file, if it was damaged.
    pub set_aside: Option<PathBuf>,
    /// True if the file cannot be written: it can be read, and every edit is refused.
    pub read_only: bool,
}

/// A store in one file of SQLite.
#[derive(Debug)]
pub struct Sqlite {
    path: PathBuf,
    retention: Retention,
    /// Replaced as a whole when the file turns out to be damaged.
    database: RwLock<Arc<SqliteDatabase>>,
    /// Number of replacements.
    replaced: AtomicU32,
    damage: Mutex<Vec<DatabaseDamage>>,
    /// Damage that was found since the store is open, for [`Store::next_damage`].
    found: mpsc::UnboundedSender<DatabaseDamage>,
    unreported: tokio::sync::Mutex<mpsc::UnboundedReceiver<DatabaseDamage>>,
}

impl Sqlite {
    /// Examines a file without changing it, and returns one of its settings.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if it cannot be opened, is damaged, of a newer version or of another program.
    pub async fn inspect(path: &Path, setting: &str) -> Result<Option<String>, StoreError> {
        open::inspect(path, setting).await
    }

    /// Opens or creates the file, accessible to its owner only. A damaged file is renamed, never deleted, and what is whole of its
    /// plugs, documents and settings is copied into a new one.
    ///
    /// # Errors
    ///
    /// [`StoreError::Newer`] for a file of a newer Mains and [`StoreError::File`] for one of another program, which both
    /// stay untouched; [`StoreError::Unavailable`] when it can neither be opened nor created.
    pub async fn open(path: &Path, retention: Retention) -> Result<OpenedStore, StoreError> {
        let path = open::resolve(path)?;
        let (database, set_aside) = open::open(&path).await?;
        let damage = damage::load(&database).await;
        let (found, unreported) = mpsc::unbounded_channel();
        if let (Some(_), Some(newest)) = (&set_aside, damage.last()) {
            let _ = found.send(newest.clone());
        }
        Ok(OpenedStore {
            set_aside,
            read_only: database.is_read_only(),
            store: Self {
                path,
                retention,
                replaced: AtomicU32::new(0),
                damage: Mutex::new(damage),
                found,
                unreported: unreported.into(),
                database: RwLock::new(Arc::new(database)),
            },
        })
    }

    /// Closes the file after writing everything into it. Later calls fail.
    pub async fn close(&self) {
        self.database().await.close().await;
    }

    /// Adds damage that was found outside of the file.
    pub fn note_damage(&self, damage: DatabaseDamage) {
        // The receiver lives as long as the store.
        let _ = self.found.send(damage.clone());
        self.damage.lock().push(damage);
    }

    /// Records that a setting is damaged, once for each.
    fn note_unreadable_setting(&self, key: &str) {
        let problem = format!("the setting `{key}` cannot be read");
        if self
            .damage
            .lock()
            .iter()
            .any(|known| known.problem == problem)
        {
            return;
        }
        tracing::error!("{problem}; it counts as not set");
        self.note_damage(DatabaseDamage {
            found: plugs::now(),
            problem,
            kept_as: None,
            lost: vec![LostRows {
                table: "settings".to_owned(),
                rows: Some(1),
            }],
        });
    }

    async fn database(&self) -> Arc<SqliteDatabase> {
        Arc::clone(&*self.database.read().await)
    }

    async fn read<T, F>(
        &self,
        query: impl FnOnce(Arc<SqliteDatabase>) -> F,
    ) -> Result<T, StoreError>
    where
        F: Future<Output = Result<T, QueryError>>,
    {
        self.run(READ, query).await
    }

    async fn write<T, F>(
        &self,
        change: impl FnOnce(Arc<SqliteDatabase>) -> F,
    ) -> Result<T, StoreError>
    where
        F: Future<Output = Result<T, QueryError>>,
    {
        self.run(WRITTEN, change).await
    }

    /// Runs a query. When its error shows that the file is damaged, the file is replaced, so that the next query finds a sound one.
    async fn run<T, F>(
        &self,
        operation: &'static str,
        query: impl FnOnce(Arc<SqliteDatabase>) -> F,
    ) -> Result<T, StoreError>
    where
        F: Future<Output = Result<T, QueryError>>,
    {
        let database = self.database().await;
        let outcome = query(Arc::clone(&database)).await;
        let outcome = outcome.map_err(|error| database.store_error(operation, error));
        if matches!(outcome, Err(StoreError::Damaged { .. })) {
            self.replace(&database).await;
        }
        outcome
    }

    async fn replace(&self, damaged: &Arc<SqliteDatabase>) {
        let mut current = self.database.write().await;
        if !Arc::ptr_eq(&current, damaged) || damaged.is_read_only() {
            return;
        }
        if self.replaced.fetch_add(1, Ordering::Relaxed) >= MAX_REPLACEMENTS {
            tracing::error!(database = %self.path.display(), "damaged again; the disk may be failing");
            return;
        }
        damaged.close().await;
        match open::replace(&self.path).await {
            Ok((database, _)) => {
                if let Some(newest) = damage::load(&database).await.pop() {
                    self.note_damage(newest);
                }
                *current = Arc::new(database);
            }
            Err(error) => tracing::error!(
                error = &error as &dyn std::error::Error,
                "the damaged database cannot be replaced"
            ),
        }
    }
}

#[async_trait]
impl CopiedStore for Sqlite {
    async fn settings(&self) -> Result<Vec<(String, String)>, StoreError> {
        self.read(|database| async move {
            let query = sqlx::query_as(SETTINGS);
            Ok(query.fetch_all(database.readers()).await?)
        })
        .await
    }

    async fn save_totals(&self, totals: &[(Mac, EnergyState)]) -> Result<(), StoreError> {
        self.write(|database| async move { append::save_totals(&database, totals).await })
            .await
    }

    async fn refresh(&self, plug: Mac, rows: &[HistoryRow]) -> Result<(), StoreError> {
        self.write(|database| async move { rows::refresh(&database, plug, rows).await })
            .await
    }
}

#[async_trait]
impl Store for Sqlite {
    async fn info(&self) -> Result<StoreInfo, StoreError> {
        self.read(|database| async move { Ok(database.info().await?) })
            .await
    }

    fn damage(&self) -> Vec<DatabaseDamage> {
        let mut damages = self.damage.lock();
        damages.retain(|damage| damage.kept_as.is_none() || damage::is_kept(&self.path, damage));
        damages.clone()
    }

    async fn next_damage(&self) -> DatabaseDamage {
        match self.unreported.lock().await.recv().await {
            Some(damage) => damage,
            // The store has the sender.
            None => std::future::pending().await,
        }
    }

    async fn backup(&self) -> Result<Backup, StoreError> {
        self.read(backup::backup).await
    }

    async fn close(&self) {
        Self::close(self).await;
    }
}
