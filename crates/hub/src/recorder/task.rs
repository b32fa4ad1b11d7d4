//! The task that takes readings, writes them, and brings what waits to the spool.
//!
//! Order: what is in the spool is older than what is in memory, and is written first.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until, timeout};
use tokio_util::sync::CancellationToken;

use super::buffer::SampleBuffer;
use super::state::{RecorderState, SPOOL_RETRY_DELAY};
use crate::store::{HistoryStore, Sample, Spool, StoreError};

/// Maximum time that a reading waits for its batch.
const BATCH_DELAY: Duration = Duration::from_secs(1);
pub(super) const MAX_BATCH_SIZE: usize = 4096;
/// Readings buffered while the store fails: seven hours of twenty plugs, in ten megabytes.
pub(super) const MAX_BUFFERED: usize = 50_000;
/// Delay before a store that failed is tried again.
pub(super) const RETRY_DELAY: Duration = Duration::from_secs(5);
/// Bound on writing the last readings.
pub(super) const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(3);
/// Time after which a batch that is being written is brought to the spool as well.
const SLOW_WRITE: Duration = Duration::from_secs(5);
/// Bound on writing the last readings before they go to the spool, and on that.
const LAST_WRITE_TIMEOUT: Duration = Duration::from_millis(1_000);
const LAST_SPOOL_TIMEOUT: Duration = Duration::from_millis(1_200);

/// Readings on their way, shared with the operation that writes them.
type SharedBatch = Arc<Vec<Sample>>;
type PendingOperation<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// Result of a write.
#[derive(Debug)]
enum Written {
    /// The store has this number of readings.
    Readings(usize),
    /// The store failed.
    Failed(StoreError),
    /// The spool had nothing, or could not be read.
    Nothing,
}

/// A batch from memory that is being written.
#[derive(Debug)]
struct InFlight {
    batch: SharedBatch,
    /// True if the spool has it as well, or is being given it.
    is_spooled: bool,
    /// When it is given to the spool.
    slow_at: Instant,
}

/// The task of a recorder.
pub(super) struct RecorderTask {
    store: Arc<dyn HistoryStore>,
    recorder: Arc<RecorderState>,
    buffer: SampleBuffer,
    /// When the next batch is written; `None` while there is nothing to write.
    write_at: Option<Instant>,
    writing: Option<PendingOperation<Written>>,
    in_flight: Option<InFlight>,
    /// When memory goes to the spool; `None` while it does not.
    spool_at: Option<Instant>,
    spooling: Option<PendingOperation<(SharedBatch, Result<(), StoreError>)>>,
}

impl RecorderTask {
    pub(super) fn new(store: Arc<dyn HistoryStore>, recorder: Arc<RecorderState>) -> Self {
        let has_waiting = recorder
            .spool
            .as_ref()
            .is_some_and(|spool| spool.has_waiting());
        Self {
            store,
            recorder,
            buffer: SampleBuffer::new(MAX_BUFFERED),
            write_at: has_waiting.then(Instant::now),
            writing: None,
            in_flight: None,
            spool_at: None,
            spooling: None,
        }
    }

    pub(super) async fn run(
        mut self,
        mut samples: mpsc::Receiver<Sample>,
        cancel: CancellationToken,
    ) {
        let mut incoming = Vec::new();
        let mut is_ending = false;
        loop {
            let write_at = self.write_at.filter(|_| self.writing.is_none());
            let spool_at = self.spool_at.filter(|_| self.spooling.is_none());
            let (slow_at, examine_at) = (self.slow_at(), self.examine_at());
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
                written = done(&mut self.writing) => self.written(written),
                (batch, result) = done(&mut self.spooling) => self.spooled(batch, result),
                () = at(write_at) => self.write(),
                () = at(spool_at) => self.spool_memory(),
                () = at(slow_at) => self.spool_in_flight(),
                () = at(examine_at) => self.write(),
            }
            self.recorder.status.lock().buffered = self.buffer.len();
        }
        self.end().await;
    }

    fn take(&mut self, incoming: &mut Vec<Sample>) {
        let now = Instant::now();
        let is_urgent = self.buffer.extend(incoming.drain(..));
        let is_failing = self.is_failing();
        self.recorder.status.lock().dropped = self.buffer.dropped();
        let due = self.write_at.unwrap_or(now + BATCH_DELAY);
        let is_due = !is_failing && (is_urgent || self.buffer.len() >= MAX_BATCH_SIZE);
        self.write_at = Some(if is_due { due.min(now) } else { due });
        if self.is_spool_next() && self.spool_at.is_none() {
            self.spool_at = Some(now + BATCH_DELAY);
        }
    }

    fn write(&mut self) {
        self.write_at = None;
        let store = Arc::clone(&self.store);
        if let Some(spool) = self.spool().filter(|spool| spool.has_waiting()) {
            self.writing = Some(Box::pin(write_spooled(store, Arc::clone(spool))));
            return;
        }
        let batch = self.buffer.batch(MAX_BATCH_SIZE);
        if batch.is_empty() {
            return;
        }
        let batch = Arc::new(batch);
        self.in_flight = Some(InFlight {
            batch: Arc::clone(&batch),
            is_spooled: false,
            slow_at: Instant::now() + SLOW_WRITE,
        });
        self.writing = Some(Box::pin(async move {
            match store.append(&batch).await {
                Ok(()) => Written::Readings(batch.len()),
                Err(error) => Written::Failed(error),
            }
        }));
    }

    fn written(&mut self, written: Written) {
        self.writing = None;
        let now = Instant::now();
        let in_flight = self.in_flight.take();
        match written {
            Written::Readings(count) => self.works(count),
            Written::Nothing => {}
            Written::Failed(error) => {
                if let Some(in_flight) = in_flight.filter(|in_flight| !in_flight.is_spooled) {
                    self.buffer.put_back(unshared(in_flight.batch));
                }
                self.fails(&error);
                self.write_at = Some(now + RETRY_DELAY);
                if self.is_spool_next() && self.buffer.len() > 0 {
                    self.spool_at = Some(now);
                }
                return;
            }
        }
        let is_more = self.buffer.len() >= MAX_BATCH_SIZE || self.has_spooled();
        if is_more && !self.is_failing() {
            self.write_at = Some(now);
        } else if self.buffer.len() > 0 && self.write_at.is_none() {
            self.write_at = Some(now + BATCH_DELAY);
        }
    }

    fn works(&self, written: usize) {
        let mut status = self.recorder.status.lock();
        status.written += written as u64;
        if status.last_error.take().is_some() {
            let dropped = status.dropped;
            tracing::info!(dropped, "history is recorded again");
            self.recorder.is_failing.send_replace(false);
        }
    }

    fn fails(&self, error: &StoreError) {
        let mut status = self.recorder.status.lock();
        status.dropped = self.buffer.dropped();
        if status.last_error.is_none() {
            tracing::error!(
                error = error as &dyn std::error::Error,
                "history cannot be written; readings are kept until it can"
            );
        }
        status.last_error = Some(error.to_string());
        let set = |is_failing: &mut bool| !std::mem::replace(is_failing, true);
        self.recorder.is_failing.send_if_modified(set);
    }

    /// Gives what is in memory to the spool.
    fn spool_memory(&mut self) {
        self.spool_at = None;
        if self.is_spool_next() {
            let batch = self.buffer.batch(MAX_BATCH_SIZE);
            if !batch.is_empty() {
                self.push(Arc::new(batch));
            }
        }
    }

    /// Gives the spool a copy of what takes long to be written. It may be written twice, which does not count.
    fn spool_in_flight(&mut self) {
        if let Some(in_flight) = &mut self.in_flight {
            in_flight.is_spooled = true;
            let batch = Arc::clone(&in_flight.batch);
            self.push(batch);
        }
    }

    fn push(&mut self, batch: SharedBatch) {
        if let Some(spool) = self.spool().map(Arc::clone) {
            self.spooling = Some(Box::pin(async move {
                let result = spool.push(&batch).await;
                (batch, result)
            }));
        }
    }

    fn spooled(&mut self, batch: SharedBatch, result: Result<(), StoreError>) {
        self.spooling = None;
        let now = Instant::now();
        let own = |in_flight: &&mut InFlight| Arc::ptr_eq(&in_flight.batch, &batch);
        match (result, self.in_flight.as_mut().filter(own)) {
            (Ok(()), _) => {
                self.write_at.get_or_insert(now + RETRY_DELAY);
            }
            // It is still being written.
            (Err(_), Some(in_flight)) => {
                in_flight.is_spooled = false;
                in_flight.slow_at = now + RETRY_DELAY;
            }
            (Err(_), None) => {
                self.buffer.put_back(unshared(batch));
                self.recorder.status.lock().dropped = self.buffer.dropped();
                self.write_at.get_or_insert(now + RETRY_DELAY);
            }
        }
        if self.is_spool_next() && self.buffer.len() > 0 {
            let is_whole = self.buffer.len() >= MAX_BATCH_SIZE;
            let due = if is_whole { now } else { now + BATCH_DELAY };
            self.spool_at.get_or_insert(due);
        }
    }

    fn spool(&self) -> Option<&Arc<Spool>> {
        self.recorder.spool.as_ref()
    }

    fn has_spooled(&self) -> bool {
        self.spool().is_some_and(|spool| spool.has_waiting())
    }

    fn is_failing(&self) -> bool {
        self.recorder.status.lock().last_error.is_some()
    }

    /// Returns true if readings from memory go to the spool: the store fails or is slow, or earlier ones are there.
    fn is_spool_next(&self) -> bool {
        let is_slow = self.in_flight.as_ref().is_some_and(|one| one.is_spooled);
        self.spool().is_some_and(|spool| {
            spool.is_usable() && (is_slow || self.is_failing() || spool.has_waiting())
        })
    }

    /// Returns when the batch that is being written goes to the spool.
    fn slow_at(&self) -> Option<Instant> {
        let is_possible =
            self.spooling.is_none() && self.spool().is_some_and(|spool| spool.is_usable());
        let in_flight = self
            .in_flight
            .as_ref()
            .filter(|one| is_possible && !one.is_spooled);
        in_flight.map(|one| one.slow_at)
    }

    /// Returns when the spool is looked at while no readings come: one that failed can be readable again.
    fn examine_at(&self) -> Option<Instant> {
        let is_idle = self.writing.is_none() && self.write_at.is_none() && self.spool().is_some();
        is_idle.then(|| Instant::now() + SPOOL_RETRY_DELAY)
    }

    /// Writes the rest within a bound: a store that hangs must not keep the hub from ending. What is left goes to the spool.
    async fn end(mut self) {
        let limit = match self.spool() {
            Some(_) => LAST_WRITE_TIMEOUT,
            None => SHUTDOWN_TIMEOUT,
        };
        let is_late = timeout(limit, self.write_rest()).await.is_err();
        if let Some(spool) = self.spool().map(Arc::clone) {
            let last = timeout(LAST_SPOOL_TIMEOUT, self.spool_rest(&spool));
            if last.await.is_err() {
                tracing::error!("the last readings could not be brought to the spool in time");
            }
        }
        let unsure = self.in_flight.as_ref().filter(|one| !one.is_spooled);
        let lost = self.buffer.len() + unsure.map_or(0, |one| one.batch.len());
        if lost > 0 || (is_late && self.spool().is_none()) {
            tracing::error!(lost, "the last readings could not be written");
        }
        self.recorder.status.lock().buffered = self.buffer.len();
    }

    async fn write_rest(&mut self) {
        loop {
            if self.writing.is_some() {
                let written = done(&mut self.writing).await;
                let is_over = matches!(written, Written::Failed(_));
                self.written(written);
                if is_over {
                    return;
                }
            }
            // What is in the spool can wait there, and what comes after it.
            let is_spooled = self.has_spooled() || (self.is_failing() && self.spool().is_some());
            if is_spooled || self.buffer.len() == 0 {
                return;
            }
            self.write();
        }
    }

    async fn spool_rest(&mut self, spool: &Spool) {
        loop {
            if self.spooling.is_some() {
                let (batch, result) = done(&mut self.spooling).await;
                let is_over = result.is_err();
                self.spooled(batch, result);
                if is_over {
                    break;
                }
            }
            if self.slow_at().is_some() {
                self.spool_in_flight();
                continue;
            }
            let batch = self.buffer.batch(MAX_BATCH_SIZE);
            if batch.is_empty() {
                break;
            }
            self.push(Arc::new(batch));
        }
        spool.close().await;
    }
}

/// Writes the oldest readings of a spool.
async fn write_spooled(store: Arc<dyn HistoryStore>, spool: Arc<Spool>) -> Written {
    // The spool's state has the error of a file that cannot be read.
    let Ok(Some(batch)) = spool.first(MAX_BATCH_SIZE).await else {
        return Written::Nothing;
    };
    match store.append(&batch.samples).await {
        Ok(()) => {
            spool.remove(Some(&batch)).await;
            Written::Readings(batch.samples.len())
        }
        Err(error) => Written::Failed(error),
    }
}

/// Returns the readings of a batch, which nothing else uses as a rule.
fn unshared(batch: SharedBatch) -> Vec<Sample> {
    Arc::try_unwrap(batch).unwrap_or_else(|batch| batch.to_vec())
}

/// Waits for an operation; for ever if there is none.
async fn done<T>(pending: &mut Option<PendingOperation<T>>) -> T {
    match pending {
        Some(pending) => pending.await,
        None => std::future::pending().await,
    }
}

/// Waits for a moment; for ever if there is none.
async fn at(moment: Option<Instant>) {
    match moment {
        Some(moment) => sleep_until(moment).await,
        None => std::future::pending().await,
    }
}
