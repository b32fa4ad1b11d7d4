//! Readings that wait on the local disk for a database that cannot take them.
//!
//! A file of its own with one row for each reading, oldest first; [`file`] has its statements. Readings are removed when the database
//! has them; a process that is killed in between hands them over again, which
//! [`HistoryStore::append`](crate::store::HistoryStore::append) does not count twice. Beyond the limit the oldest readings go, but
//! their energy stays: the last of them of each plug takes it over.

mod file;

use std::path::PathBuf;
use std::time::Duration;

use hiflying::Mac;
use parking_lot::Mutex;
use tokio::sync::watch;
use tokio::time::{Instant, timeout};

use super::database::{OPENED, QueryError, READ, WRITTEN, store_error, unavailable};
use super::files::set_aside_files;
use crate::store::scale::{signed, unsigned};
use crate::store::{EnergyState, Sample, StoreError};
use file::{SpoolFile, SpoolUsage, SpooledBatch};

/// Bound on an operation; the disk of another one that hangs must not hold up the readings after it.
const OPERATION_TIMEOUT: Duration = Duration::from_secs(10);
/// Time for which a spool that failed is not used.
const RETRY_DELAY: Duration = Duration::from_secs(30);
/// The file and its logs.
const FILES: [&str; 3] = ["-wal", "-shm", ""];

/// State of a spool.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SpoolStatus {
    /// Readings in it.
    pub readings: u64,
    /// Size of its content on the disk.
    pub bytes: u64,
    /// Maximum size.
    pub limit_bytes: u64,
    /// Readings left out since it was opened, because there was no room for them. Their energy is kept.
    pub dropped: u64,
    /// Current error; `None` while it can be used.
    pub error: Option<String>,
    /// The damaged file that was set aside since it was opened.
    pub kept_as: Option<PathBuf>,
}

/// A bounded file of readings.
#[derive(Debug)]
pub struct Spool {
    path: PathBuf,
    file: tokio::sync::Mutex<SpoolFile>,
    /// After an error: the time from which it is tried again.
    retry_at: Mutex<Option<Instant>>,
    status: watch::Sender<SpoolStatus>,
}

impl Spool {
    /// Opens or creates the file. A damaged one is set aside; one that cannot be used is tried again later.
    pub async fn open(path: PathBuf, limit_bytes: u64) -> Self {
        let status = SpoolStatus {
            limit_bytes,
            ..SpoolStatus::default()
        };
        let spool = Self {
            path,
            file: tokio::sync::Mutex::default(),
            retry_at: Mutex::default(),
            status: watch::Sender::new(status),
        };
        spool.examine().await;
        spool
    }

    /// Returns its state.
    pub fn status(&self) -> SpoolStatus {
        self.status.borrow().clone()
    }

    /// Returns a receiver of its state.
    pub(crate) fn changes(&self) -> watch::Receiver<SpoolStatus> {
        self.status.subscribe()
    }

    /// Returns true if it can be used, as far as is known.
    pub(crate) fn is_usable(&self) -> bool {
        let retry_at = *self.retry_at.lock();
        retry_at.is_none_or(|at| at <= Instant::now())
    }

    /// Returns true if it has readings that can be read, as far as is known.
    pub(crate) fn has_waiting(&self) -> bool {
        self.status.borrow().readings > 0 && self.is_usable()
    }

    /// Opens the file if it is not open.
    pub(crate) async fn examine(&self) {
        let opened = self.bounded(OPENED, async {
            drop(self.opened().await?);
            Ok(())
        });
        // The status has the error.
        let _ = opened.await;
    }

    /// Adds readings. Where there is no room, the oldest are left out.
    pub(crate) async fn push(&self, samples: &[Sample]) -> Result<(), StoreError> {
        let limit = self.status.borrow().limit_bytes;
        let (dropped, usage) = self
            .bounded(WRITTEN, async {
                let mut file = self.opened().await?;
                Ok(file.push(samples, signed(limit)).await?)
            })
            .await?;
        self.update(usage, dropped);
        Ok(())
    }

    /// Returns the oldest readings; `None` without any.
    pub(crate) async fn first(&self, max: usize) -> Result<Option<SpooledBatch>, StoreError> {
        let batch = self.bounded(READ, async {
            let mut file = self.opened().await?;
            Ok(file.first(max).await?)
        });
        let batch = batch.await?;
        if batch.is_none() {
            // Nothing waits but what could not be removed.
            self.remove(None).await;
        }
        Ok(batch)
    }

    /// Removes readings that the database has. When that fails, it is done later.
    pub(crate) async fn remove(&self, batch: Option<&SpooledBatch>) {
        let removed = self.bounded(WRITTEN, async {
            // Noted first: the rows must not be handed over again when they cannot be removed.
            if let Some(batch) = batch {
                self.file.lock().await.note_done(batch);
            }
            let mut file = self.opened().await?;
            Ok(file.remove_done().await?)
        });
        if let Ok(usage) = removed.await {
            self.update(usage, 0);
        }
    }

    /// Returns lifetime totals, with those of readings that wait in place of earlier ones.
    pub async fn latest_totals(
        &self,
        mut totals: Vec<(Mac, EnergyState)>,
    ) -> Vec<(Mac, EnergyState)> {
        let read = self.bounded(READ, async {
            let mut file = self.opened().await?;
            Ok(file.totals().await?)
        });
        // The status has the error of a file that cannot be read.
        for (plug, waiting) in read.await.into_iter().flatten() {
            let is_later =
                |known: &EnergyState| waiting.at > known.at && waiting.total_wh >= known.total_wh;
            match totals.iter_mut().find(|(mac, _)| *mac == plug) {
                Some((_, known)) if is_later(known) => *known = waiting,
                Some(_) => {}
                None => totals.push((plug, waiting)),
            }
        }
        totals
    }

    /// Closes the file.
    pub(crate) async fn close(&self) {
        self.file.lock().await.close().await;
    }

    /// Returns the open file; opens it if necessary, with a new one in place of a damaged one.
    async fn opened(&self) -> Result<tokio::sync::MutexGuard<'_, SpoolFile>, QueryError> {
        let mut file = self.file.lock().await;
        if file.is_open() {
            return Ok(file);
        }
        if !self.is_usable() {
            return Err(unavailable(&self.path, OPENED, "it failed a moment ago").into());
        }
        let opened = match file.open(&self.path).await {
            Err(StoreError::Damaged { what, .. }) => {
                self.set_aside(&what)?;
                file.open(&self.path).await
            }
            opened => opened,
        };
        self.update(opened?, 0);
        Ok(file)
    }

    /// Runs an operation on the file. After an error the file is closed, and not used for a while; a damaged one is replaced at the
    /// next use.
    async fn bounded<T>(
        &self,
        operation: &'static str,
        work: impl Future<Output = Result<T, QueryError>>,
    ) -> Result<T, StoreError> {
        let error = match timeout(OPERATION_TIMEOUT, work).await {
            Ok(Ok(value)) => {
                *self.retry_at.lock() = None;
                self.status
                    .send_if_modified(|status| status.error.take().is_some());
                return Ok(value);
            }
            Ok(Err(QueryError::Store(error))) => error,
            Ok(Err(QueryError::Sql(sqlx::Error::Decode(error)))) => StoreError::Damaged {
                database: self.path.display().to_string(),
                what: error.to_string(),
            },
            Ok(Err(QueryError::Sql(error))) => store_error(&self.path, operation, error),
            Err(_) => unavailable(&self.path, operation, "the disk does not reply"),
        };
        // Another operation may have it; that one finds out by itself.
        if let Ok(mut file) = self.file.try_lock() {
            file.give_up();
        }
        if !self.is_usable() {
            return Err(error);
        }
        let text = api::ErrorChain(&error).to_string();
        if !matches!(error, StoreError::Damaged { .. }) {
            *self.retry_at.lock() = Some(Instant::now() + RETRY_DELAY);
        }
        self.status.send_modify(|status| {
            if status.error.is_none() {
                tracing::error!("the spool fails, and readings wait in memory: {text}");
            }
            status.error = Some(text);
        });
        Err(error)
    }

    /// Sets a damaged file aside, once: those of a failing disk would fill it.
    fn set_aside(&self, what: &str) -> Result<(), StoreError> {
        if self.status.borrow().kept_as.is_some() {
            return Err(unavailable(&self.path, OPENED, what.to_owned()));
        }
        let aside = set_aside_files(&self.path, "damaged", &FILES, plugs::now());
        let aside = aside.map_err(|error| unavailable(&self.path, OPENED, error))?;
        tracing::error!(
            "the spool {} is damaged ({what}); it is kept as {} with the readings in it, and a new one is used",
            self.path.display(),
            aside.display()
        );
        self.status
            .send_modify(|status| status.kept_as = Some(aside));
        Ok(())
    }

    fn update(&self, usage: SpoolUsage, dropped: u64) {
        if dropped > 0 {
            tracing::error!(
                dropped,
                "the spool is full; its oldest readings are dropped, and their energy is kept"
            );
        }
        self.status.send_if_modified(|status| {
            status.readings = unsigned(usage.readings);
            status.bytes = unsigned(usage.bytes);
            status.dropped += dropped;
            dropped > 0
        });
    }
}

#[cfg(test)]
mod tests;
