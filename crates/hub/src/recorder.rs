//! Takes readings into history, off the path of everything else.
//!
//! It owns the way from the plugs' tasks into the store: it gathers readings for a second, writes them as one batch, and
//! when the store fails it keeps a bounded number of them until that works again. It also has the store tidied. It never
//! makes who sends wait for the store.

mod buffer;

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::store::{HistoryStore, Sample, StoreError};
use buffer::Buffer;

/// Readings are written at most this much later.
const GATHERED_FOR: Duration = Duration::from_secs(1);
/// Readings in one batch.
const AT_ONCE: usize = 4096;
/// Readings that are kept while the store fails: seven hours of twenty plugs, in ten megabytes.
const MOST_KEPT: usize = 50_000;
/// A store that failed is left alone for this long.
const RETRY_AFTER: Duration = Duration::from_secs(5);
/// How long the end may take.
const END_WITHIN: Duration = Duration::from_secs(3);
const TIDY_FIRST: Duration = Duration::from_secs(60);
const TIDY_EVERY: Duration = Duration::from_secs(3600);

/// How recording goes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Status {
    /// Readings that wait to be written.
    pub buffered: usize,
    /// Readings that were written.
    pub written: u64,
    /// Readings that are lost to history, because the store failed for too long.
    pub dropped: u64,
    /// Why the store fails now; `None` while it works.
    pub last_error: Option<String>,
}

/// A handle on the task that records. Cloned freely.
#[derive(Debug, Clone, Default)]
pub struct Recorder {
    status: Arc<Mutex<Status>>,
}

impl Recorder {
    /// Starts to record what comes through the channel. When cancelled it takes what is still in the channel, writes
    /// everything within seconds, and ends; it also ends when nobody can send any more.
    pub fn start(
        store: Arc<dyn HistoryStore>,
        samples: mpsc::Receiver<Sample>,
        cancel: CancellationToken,
        tracker: &TaskTracker,
    ) -> Self {
        let recorder = Self::default();
        let task = Task {
            store: Arc::clone(&store),
            recorder: recorder.clone(),
            buffer: Buffer::new(MOST_KEPT),
            write_at: None,
            writing: None,
        };
        tracker.spawn(task.run(samples, cancel.clone()));
        tracker.spawn(tidy(store, cancel));
        recorder
    }

    /// Tells how it goes.
    pub fn status(&self) -> Status {
        self.lock().clone()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Status> {
        // Plain numbers, whole at any moment.
        self.status.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A batch on its way, and what came of it.
type Writing = Pin<Box<dyn Future<Output = (Vec<Sample>, Result<(), StoreError>)> + Send>>;

struct Task {
    store: Arc<dyn HistoryStore>,
    recorder: Recorder,
    buffer: Buffer,
    /// When the next batch is written; `None` while there is nothing to write.
    write_at: Option<Instant>,
    writing: Option<Writing>,
}

impl Task {
    async fn run(mut self, mut samples: mpsc::Receiver<Sample>, cancel: CancellationToken) {
        let mut incoming = Vec::new();
        let mut is_ending = false;
        loop {
            let write_at = self.write_at.unwrap_or_else(Instant::now);
            tokio::select! {
                () = cancel.cancelled(), if !is_ending => {
                    is_ending = true;
                    // What is in it still comes out.
                    samples.close();
                }
                count = samples.recv_many(&mut incoming, AT_ONCE) => {
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
        let due = self.write_at.unwrap_or(now + GATHERED_FOR);
        let is_due = !is_failing && (is_urgent || self.buffer.len() >= AT_ONCE);
        self.write_at = Some(if is_due { due.min(now) } else { due });
    }

    fn write(&mut self) {
        let batch = self.buffer.batch(AT_ONCE);
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
                self.write_at = Some(now + RETRY_AFTER);
            }
        }
        if self.buffer.len() >= AT_ONCE && self.recorder.lock().last_error.is_none() {
            self.write_at = Some(now);
        } else if self.buffer.len() > 0 && self.write_at.is_none() {
            self.write_at = Some(now + GATHERED_FOR);
        }
    }

    fn works(&self, written: usize) {
        let mut status = self.recorder.lock();
        status.written += written as u64;
        if status.last_error.take().is_some() {
            let dropped = status.dropped;
            tracing::info!(dropped, "history is written again");
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
    }

    /// Writes what is left, within a bound: a store that hangs must not keep the hub from ending.
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
        let is_late = timeout(END_WITHIN, last).await.is_err();
        let lost = self.buffer.len();
        if is_late || lost > 0 {
            tracing::error!(lost, "the last readings could not be written");
        }
        self.recorder.lock().buffered = lost;
    }
}

/// Waits for the batch that is on its way; for ever if there is none.
async fn done(writing: &mut Option<Writing>) -> (Vec<Sample>, Result<(), StoreError>) {
    match writing {
        Some(writing) => writing.await,
        None => std::future::pending().await,
    }
}

async fn tidy(store: Arc<dyn HistoryStore>, cancel: CancellationToken) {
    let mut next = Instant::now() + TIDY_FIRST;
    loop {
        tokio::select! {
            () = cancel.cancelled() => return,
            () = sleep_until(next) => {}
        }
        // Each of its changes is whole in itself, so that it can be left at any of them.
        tokio::select! {
            () = cancel.cancelled() => return,
            result = store.tidy(Timestamp::now()) => if let Err(error) = result {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "what is too old could not be dropped from history"
                );
            }
        }
        next = Instant::now() + TIDY_EVERY;
    }
}

#[cfg(test)]
mod tests;
