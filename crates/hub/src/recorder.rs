//! Records readings into history, off the path of everything else.
//!
//! It collects readings for a second and writes them as one batch. When the store fails, it buffers a bounded number of them until
//! the store works again: in a spool on the local disk where there is one, else in memory. It also removes old history. A sender
//! never waits for the store.

mod buffer;
mod state;
mod task;

use std::sync::Arc;
use std::time::Duration;

use hiflying::Mac;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::event::EventBus;
use crate::store::{EnergyState, HistoryStore, Sample, Spool, SpoolStatus};
pub use state::RecorderStatus;
use state::{RecorderState, SPOOL_RETRY_DELAY};
use task::RecorderTask;

const FIRST_TIDY_DELAY: Duration = Duration::from_secs(60);
const TIDY_INTERVAL: Duration = Duration::from_secs(3600);

/// Handle on the task that records.
#[derive(Debug, Clone, Default)]
pub struct Recorder(Arc<RecorderState>);

impl Recorder {
    /// Starts to record the readings from the channel, and those in the spool. When cancelled, it takes what is still in the channel,
    /// writes everything within seconds, and ends; it also ends when all senders are gone.
    pub fn start(
        store: Arc<dyn HistoryStore>,
        samples: mpsc::Receiver<Sample>,
        spool: Option<Arc<Spool>>,
        cancel: CancellationToken,
        tracker: &TaskTracker,
    ) -> Self {
        let state = Arc::new(RecorderState {
            spool,
            ..RecorderState::default()
        });
        let task = RecorderTask::new(Arc::clone(&store), Arc::clone(&state));
        tracker.spawn(task.run(samples, cancel.clone()));
        if let Some(spool) = state.spool.clone() {
            tracker.spawn(examine(spool, cancel.clone()));
        }
        tracker.spawn(tidy(store, cancel));
        Self(state)
    }

    /// Returns its state.
    pub fn status(&self) -> RecorderStatus {
        let mut status = self.0.status.lock().clone();
        if let Some(spool) = &self.0.spool {
            let spool = spool.status();
            status.buffered += usize::try_from(spool.readings).unwrap_or(usize::MAX);
            status.dropped += spool.dropped;
            status.spool = Some(spool);
        }
        status
    }

    /// Returns lifetime totals, with those of readings in the spool in place of earlier ones.
    pub async fn latest_totals(&self, totals: Vec<(Mac, EnergyState)>) -> Vec<(Mac, EnergyState)> {
        match &self.0.spool {
            Some(spool) => spool.latest_totals(totals).await,
            None => totals,
        }
    }

    /// Publishes failures of the store and of the spool, and their ends, until cancelled.
    pub async fn publish_problems(self, bus: EventBus, cancel: CancellationToken) {
        let mut changes = self.0.is_failing.subscribe();
        let mut spooling = self.0.spool.as_ref().map(|spool| spool.changes());
        let mut told = SpoolStatus::default();
        loop {
            if let Some(spooling) = &mut spooling {
                let status = spooling.borrow_and_update().clone();
                publish_spool(&bus, &told, &status);
                told = status;
            }
            let spool_changed = async {
                match &mut spooling {
                    Some(spooling) => spooling.changed().await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = cancel.cancelled() => return,
                changed = spool_changed => if changed.is_err() {
                    return;
                },
                changed = changes.changed() => {
                    if changed.is_err() {
                        return;
                    }
                    let is_failing = *changes.borrow_and_update();
                    let error = self.0.status.lock().last_error.clone();
                    let message = match error.filter(|_| is_failing) {
                        Some(error) => format!("history cannot be written: {error}"),
                        None => "history is recorded again".to_owned(),
                    };
                    bus.problem("history", None, !is_failing, message);
                }
            }
        }
    }
}

/// Publishes the difference between two states of a spool.
fn publish_spool(bus: &EventBus, before: &SpoolStatus, now: &SpoolStatus) {
    let problem = |is_solved, message: String| bus.problem("spool", None, is_solved, message);
    if let Some(file) = now.kept_as.as_ref().filter(|_| before.kept_as.is_none()) {
        let file = file.display();
        problem(
            false,
            format!(
                "the spool was damaged; the readings in it are kept as {file} and missing from the history"
            ),
        );
    }
    if now.dropped > 0 && before.dropped == 0 {
        let message =
            "the spool is full; the oldest readings are dropped, and their energy is kept";
        problem(false, message.to_owned());
    }
    match (&before.error, &now.error) {
        (None, Some(error)) => {
            problem(
                false,
                format!("the spool fails, and readings wait in memory: {error}"),
            );
        }
        (Some(_), None) => problem(true, "the spool works again".to_owned()),
        _ => {}
    }
}

/// Examines a spool that failed from time to time.
async fn examine(spool: Arc<Spool>, cancel: CancellationToken) {
    loop {
        let pause = tokio::time::sleep(SPOOL_RETRY_DELAY);
        if cancel.run_until_cancelled(pause).await.is_none() {
            return;
        }
        if spool.status().error.is_some() {
            spool.examine().await;
        }
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
