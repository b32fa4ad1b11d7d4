//! The signals that end an endless verb.

use std::time::Instant;

#[cfg_attr(unix, path = "shutdown/unix.rs")]
#[cfg_attr(windows, path = "shutdown/windows.rs")]
mod signals;

pub use signals::Signals;

impl Signals {
    /// Waits for the first of them.
    pub async fn received(&mut self) {
        self.next().await;
    }

    /// Waits for the first of them, but not longer than until `deadline`.
    pub async fn received_before(mut self, deadline: Option<Instant>) {
        match deadline {
            None => self.received().await,
            // A signal or the deadline, both end the verb.
            Some(deadline) => drop(tokio::time::timeout_at(deadline.into(), self.received()).await),
        }
    }
}
