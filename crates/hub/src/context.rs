//! The parts of a hub that stay while it changes its role, and the tasks of a role.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use hiflying::Mac;
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::config::Config;
use crate::guest::Guest;
use crate::lease::Lease;
use crate::recorder::Recorder;
use crate::store::{Sample, Store};

/// A running hub.
#[derive(Debug, Clone, Default)]
pub struct HubReady {
    /// Its address, e.g. `http://127.0.0.1:8480`.
    pub url: String,
    /// Link that logs in one browser, once.
    pub login_url: String,
}

/// The parts that stay while a hub changes its role.
#[derive(Debug, Clone)]
pub(crate) struct RunContext {
    pub(crate) config: Config,
    pub(crate) names: HashMap<Mac, String>,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) address: SocketAddr,
    pub(crate) guests: Vec<Arc<dyn Guest>>,
    pub(crate) recorder: Recorder,
    pub(crate) samples: mpsc::Sender<Sample>,
    pub(crate) lease: Lease,
}

/// Tasks that end together.
#[derive(Debug)]
pub(crate) struct TaskGroup {
    pub(crate) cancel: CancellationToken,
    pub(crate) tracker: TaskTracker,
}

impl TaskGroup {
    /// Makes a group without tasks.
    pub(crate) fn new() -> Self {
        Self {
            cancel: CancellationToken::new(),
            tracker: TaskTracker::new(),
        }
    }

    /// Cancels the tasks, and waits for them.
    pub(crate) async fn end(&self, limit: Duration, name: &str) {
        self.cancel.cancel();
        self.tracker.close();
        if timeout(limit, self.tracker.wait()).await.is_err() {
            let left = self.tracker.len();
            tracing::error!("{name} did not end within {limit:?}; {left} of them are aborted");
        }
    }
}
