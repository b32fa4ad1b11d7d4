//! Writes the log of past events to the store, off the path of everything else.
//!
//! The event bus adds the entries. They wait in memory for their batch, and longer while the store fails; a query finds
//! them there, too.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use api::{LogEntry, RequestError};
use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use crate::store::{LogQuery, Store, StoreError};

/// Maximum time that an entry waits for its batch.
const BATCH_DELAY: Duration = Duration::from_millis(200);
/// Delay before a store that failed is tried again.
const RETRY_DELAY: Duration = Duration::from_secs(5);
/// Bound on writing the last entries.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(2);
/// Entries kept in memory while the store fails; the oldest are dropped.
const MAX_PENDING: usize = 10_000;
/// The setting with the number of the last entry that was seen on the pages.
const READ_SETTING: &str = "log_read";

/// The log of past events. Clones share their state.
#[derive(Debug, Clone)]
pub struct EventLog(Arc<SharedLog>);

#[derive(Debug)]
struct SharedLog {
    store: Arc<dyn Store>,
    state: Mutex<LogState>,
    has_work: Notify,
}

#[derive(Debug, Default)]
struct LogState {
    /// Entries that are not written yet, oldest first.
    pending: VecDeque<Arc<LogEntry>>,
    /// Number of the latest entry.
    last: u64,
    /// Number of the last entry that was seen.
    read: u64,
    /// `true` while the store has an older one.
    is_read_unsaved: bool,
    /// Problems after it.
    unread: u64,
    dropped: u64,
    is_failing: bool,
}

impl EventLog {
    /// Opens the log of a store.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if it cannot be read.
    pub async fn load(store: Arc<dyn Store>) -> Result<Self, StoreError> {
        let last = store.last_log_id().await?;
        let read = store.setting(READ_SETTING).await?;
        let read = read.and_then(|text| text.parse().ok()).unwrap_or(0);
        let state = LogState {
            last,
            read,
            unread: store.problems_after(read).await?,
            ..LogState::default()
        };
        Ok(Self(Arc::new(SharedLog {
            store,
            state: Mutex::new(state),
            has_work: Notify::new(),
        })))
    }

    /// Returns the number of the latest entry.
    pub fn last_id(&self) -> u64 {
        self.0.state.lock().last
    }

    /// Returns the number of problems that nobody has seen on the pages.
    pub fn unread(&self) -> u64 {
        self.0.state.lock().unread
    }

    /// Marks all entries as seen.
    pub fn mark_read(&self) {
        let mut state = self.0.state.lock();
        if state.read < state.last {
            state.read = state.last;
            state.unread = 0;
            state.is_read_unsaved = true;
            self.0.has_work.notify_one();
        }
    }

    /// Returns entries, newest first.
    ///
    /// # Errors
    ///
    /// [`RequestError`] of kind `unavailable` if the store cannot be read.
    pub async fn entries(&self, query: &LogQuery) -> Result<Vec<LogEntry>, RequestError> {
        // In this order: what is written meanwhile is found twice rather than not at all.
        let pending: Vec<Arc<LogEntry>> =
            self.0.state.lock().pending.iter().rev().cloned().collect();
        let stored = self.0.store.log(query).await;
        let stored = stored.map_err(|error| RequestError::from(&error))?;
        let newest = stored.first().map_or(0, |entry| entry.id);
        let pending = pending
            .into_iter()
            .filter(|entry| entry.id > newest && query.matches(entry))
            .map(Arc::unwrap_or_clone);
        Ok(pending.chain(stored).take(query.limit).collect())
    }

    /// Adds an entry, which waits for its batch.
    pub(crate) fn add(&self, entry: Arc<LogEntry>) {
        let mut state = self.0.state.lock();
        state.last = entry.id;
        state.unread += u64::from(entry.problem);
        if state.pending.len() >= MAX_PENDING {
            state.pending.pop_front();
            state.dropped += 1;
        }
        state.pending.push_back(entry);
        self.0.has_work.notify_one();
    }

    /// Writes entries until cancelled, and then the last ones.
    pub async fn run(self, cancel: CancellationToken) {
        cancel.run_until_cancelled(self.write_for_ever()).await;
        let written = timeout(SHUTDOWN_TIMEOUT, self.write()).await;
        if !matches!(written, Ok(Ok(()))) {
            let lost = self.0.state.lock().pending.len();
            tracing::error!(lost, "the last entries of the log could not be written");
        }
    }

    async fn write_for_ever(&self) {
        loop {
            self.0.has_work.notified().await;
            sleep(BATCH_DELAY).await;
            while let Err(error) = self.write().await {
                if !std::mem::replace(&mut self.0.state.lock().is_failing, true) {
                    tracing::error!(
                        error = &error as &dyn std::error::Error,
                        "the log cannot be written; its entries are kept in memory until it can"
                    );
                }
                sleep(RETRY_DELAY).await;
            }
            let mut state = self.0.state.lock();
            if std::mem::take(&mut state.is_failing) {
                tracing::info!(dropped = state.dropped, "the log is written again");
            }
        }
    }

    async fn write(&self) -> Result<(), StoreError> {
        let (batch, read) = {
            let mut state = self.0.state.lock();
            let read = std::mem::take(&mut state.is_read_unsaved).then_some(state.read);
            (Vec::from_iter(state.pending.iter().cloned()), read)
        };
        if let Some(last) = batch.last() {
            self.0.store.append_log(&batch).await?;
            let mut state = self.0.state.lock();
            while state
                .pending
                .front()
                .is_some_and(|entry| entry.id <= last.id)
            {
                state.pending.pop_front();
            }
        }
        if let Some(read) = read {
            let read = read.to_string();
            let saved = self.0.store.save_setting(READ_SETTING, Some(&read));
            saved
                .await
                .inspect_err(|_| self.0.state.lock().is_read_unsaved = true)?;
        }
        Ok(())
    }
}
