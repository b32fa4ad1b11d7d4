//! The signals that end an endless verb.

use std::time::Instant;

use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::error::Failure;

/// Receiver of SIGINT and SIGTERM from the moment of its creation.
#[derive(Debug)]
pub struct Signals {
    interrupt: Signal,
    terminate: Signal,
}

impl Signals {
    /// Begins to listen; from now on these signals do not end the process by themselves.
    pub fn listen() -> Result<Self, Failure> {
        let listen = |kind| {
            signal(kind)
                .map_err(|error| Failure::local("signals cannot be listened to").caused_by(&error))
        };
        Ok(Self {
            interrupt: listen(SignalKind::interrupt())?,
            terminate: listen(SignalKind::terminate())?,
        })
    }

    /// Waits for the first of them.
    pub async fn received(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
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
