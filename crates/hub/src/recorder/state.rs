//! State that the recorder shares with its task.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::watch;

use crate::store::{Spool, SpoolStatus};

/// Delay before a spool that failed is examined again.
pub(super) const SPOOL_RETRY_DELAY: Duration = Duration::from_secs(30);

/// State of the recorder.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RecorderStatus {
    /// Readings waiting to be written, in memory and in the spool.
    pub buffered: usize,
    /// Readings written.
    pub written: u64,
    /// Readings lost because the store failed for too long.
    pub dropped: u64,
    /// Current error of the store; `None` while it works.
    pub last_error: Option<String>,
    /// The spool; `None` without one.
    pub spool: Option<SpoolStatus>,
}

/// State that a recorder and its task share. The status is without the spool's.
#[derive(Debug, Default)]
pub(super) struct RecorderState {
    pub(super) status: Mutex<RecorderStatus>,
    pub(super) spool: Option<Arc<Spool>>,
    /// Changes when the store begins to fail, and when it works again.
    pub(super) is_failing: watch::Sender<bool>,
}
