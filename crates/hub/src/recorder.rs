//! Records readings into history, off the path of everything else.
//!
//! It collects readings for a second and writes them as one batch. When the store fails, it buffers a bounded number of them until
//! the store works again. It also removes old history. A sender never waits for the store.

mod buffer;

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep_until, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::event::EventBus;
use crate::store::{HistoryStore, Sample, StoreError};
use buffer::SampleBuffer;

/// Maximum time that a reading waits for its batch.
const BATCH_DELAY: Duration = Duration::from_secs(1);
const MAX_BATCH_SIZE: usize = 4096;
/// Readings buffered while the store fails: seven hours of twenty plugs, in ten megabytes.
const MAX_BUFFERED: usize = 50_000;
/// Delay before a store that failed is tried again.
const RETRY_DELAY: Duration = Duration::from_secs(5);
/// Bound on writing the last readings.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(3);
const FIRST_TIDY_DELAY: Duration = Duration::from_secs(60);
const TIDY_INTERVAL: Duration = Duration::from_secs(3600);

/// State of the recorder.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RecorderStatus {
    /// Readings waiting to be written.
    pub buffered: usize,
    /// Readings written.
    pub written: u64,
    /// Readings lost because the store failed for too long.
    pub dropped: u64,
    /// Current error of the store; `None` while it works.
    pub last_error: Option<String>,
}

/// Handle on the task that records.
#[derive(Debug, Clone, Default)]
pub struct Recorder {
    status: Arc<Mutex<RecorderStatus>>,
    /// Changes when the store begins to fail, and when it works again.
    is_failing: watch::Sender<bool>,
}

impl Recorder {
    /// Starts to record the readings from the channel. When cancelled, it takes what is still in the channel, writes everything
    /// within seconds, and ends; it also ends when all senders are gone.
    pub fn start(
        store: Arc<dyn HistoryStore>,
        samples: mpsc::Receiver<Sample>,
        cancel: CancellationToken,
        tracker: &TaskTracker,
    ) -> Self {
        let recorder = Self::default();
        let task = RecorderTask {
            store: Arc::clone(&store),
            recorder: recorder.clone(),
            buffer: SampleBuffer::new(MAX_BUFFERED),
            write_at: None,
            writing: None,
        };
        tracker.spawn(task.run(samples, cancel.clone()));
        tracker.spawn(tidy(store, cancel));
        recorder
    }

    /// Returns its state.
    pub fn status(&self) -> RecorderStatus {
        self.lock().clone()
    }

    /// Publishes failures of the store, and their ends, until cancelled.
    pub async fn publish_problems(self, bus: EventBus, cancel: CancellationToken) {
        let mut changes = self.is_failing.subscribe();
        while let Some(Ok(())) = cancel.run_until_cancelled(changes.changed()).await {
            let is_failing = *changes.borrow_and_update();
            let error = self.lock().last_error.clone();
            let message = match error.filter(|_| is_failing) {
                Some(error) => format!("history cannot be written: {error}"),
                None => "history is recorded again".to_owned(),
            };
            bus.problem("history", None, !is_failing, message);
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, RecorderStatus> {
        // Plain numbers, whole at any moment.
        self.status.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A batch being written, with its result.
type PendingWrite = Pin<Box<dyn Future<Output = (Vec<Sample>, Result<(), StoreError>)> + Send>>;

struct RecorderTask {
    store: Arc<dyn HistoryStore>,
    recorder: Recorder,
    buffer: SampleBuffer,
    /// When the next batch is written; `None` while there is nothing to write.
    write_at: Option<Instant>,
    writing: Option<PendingWrite>,
}

impl RecorderTask {
    async fn run(mut self, mut samples: mpsc::Receiver<Sample>, cancel: CancellationToken) {
        let mut incoming = Vec::new();
        let mut is_ending = false;
        loop {
            let write_at = self.write_at.unwrap_or_else(Instant::now);
            tokio::select! {
                () = cancel.cancelled(), if !is_ending => {
                    is_ending = true;
                    // Readings in the channel are still received.
                    samples.close();
                }
                count = samples.recv_many(&mut incoming, MAX_BATCH_SIZE) => {
                    if count == 0 {
                        break;
                    }
                    self.take(&mut incoming);
                }
                outcome = done(&mut self.writing) => self.written(outcome),
                () = sleep_until(write_at), if self.writing.is_none() && self.write_at.is_some() => self.write(),
            }
            self.recorder.lock().buffered = self.buffer.len();
        }
        self.end().await;
    }

    fn take(&mut self, incoming: &mut Vec<Sample>) {
        let now = Instant::now();
        let is_urgent = self.buffer.extend(incoming.drain(..));
        let is_failing = {
            let mut status = self.recorder.lock();
            status.dropped = self.buffer.dropped();
            status.last_error.is_some()
        };
        let due = self.write_at.unwrap_or(now + BATCH_DELAY);
        let is_due = !is_failing && (is_urgent || self.buffer.len() >= MAX_BATCH_SIZE);
        self.write_at = Some(if is_due { due.min(now) } else { due });
    }

    fn write(&mut self) {
        let batch = self.buffer.batch(MAX_BATCH_SIZE);
        self.write_at = None;
        if batch.is_empty() {
            return;
        }
        let store = Arc::clone(&self.store);
        self.writing = Some(Box::pin(async move {
            let result = store.append(&batch).await;
            (batch, result)
        }));
    }

    fn written(&mut self, (batch, result): (Vec<Sample>, Result<(), StoreError>)) {
        self.writing = None;
        let now = Instant::now();
        match result {
            Ok(()) => self.works(batch.len()),
            Err(error) => {
                self.buffer.put_back(batch);
                self.fails(&error);
                self.write_at = Some(now + RETRY_DELAY);
            }
        }
        if self.buffer.len() >= MAX_BATCH_SIZE && self.recorder.lock().last_error.is_none() {
            self.write_at = Some(now);
        } else if self.buffer.len() > 0 && self.write_at.is_none() {
            self.write_at = Some(now + BATCH_DELAY);
        }
    }

    fn works(&self, written: usize) {
        let mut status = self.recorder.lock();
        status.written += written as u64;
        if status.last_error.take().is_some() {
            let dropped = status.dropped;
            tracing::info!(dropped, "history is recorded again");
            self.recorder.is_failing.send_replace(false);
        }
    }

    fn fails(&self, error: &StoreError) {
        let mut status = self.recorder.lock();
        status.dropped = self.buffer.dropped();
        if status.last_error.is_none() {
            tracing::error!(
                error = error as &dyn std::error::Error,
                "history cannot be written; readings are kept in memory until it can"
            );
        }
        status.last_error = Some(error.to_string());
        let set = |is_failing: &mut bool| !std::mem::replace(is_failing, true);
        self.recorder.is_failing.send_if_modified(set);
    }

    /// Writes the rest within a bound: a store that hangs must not keep the hub from ending.
    async fn end(mut self) {
        let last = async {
            loop {
                match &mut self.writing {
                    Some(writing) => {
                        let outcome = writing.await;
                        let is_over = outcome.1.is_err();
                        self.written(outcome);
                        if is_over {
                            break;
                        }
                    }
                    None if self.buffer.len() > 0 => self.write(),
                    None => break,
                }
            }
        };
        let is_late = timeout(SHUTDOWN_TIMEOUT, last).await.is_err();
        let lost = self.buffer.len();
        if is_late || lost > 0 {
            tracing::error!(lost, "the last readings could not be written");
        }
        self.recorder.lock().buffered = lost;
    }
}

/// Waits for the batch being written; for ever if there is none.
async fn done(writing: &mut Option<PendingWrite>) -> (Vec<Sample>, Result<(), StoreError>) {
    match writing {
        Some(writing) => writing.await,
        None => std::future::pending().await,
    }
}

async fn tidy(store: Arc<dyn HistoryStore>, cancel: CancellationToken) {
    let mut next = Instant::now() + FIRST_TIDY_DELAY;
    loop {
        tokio::select! {
            () = cancel.cancelled() => return,
            () = sleep_until(next) => {}
        }
        // It can be cancelled at any point, because each of its transactions is complete in itself.
        tokio::select! {
            () = cancel.cancelled() => return,
            result = store.tidy(plugs::now()) => if let Err(error) = result {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "old history could not be removed"
                );
            }
        }
        next = Instant::now() + TIDY_INTERVAL;
    }
}

#[cfg(test)]
mod tests;
