//! The signals that end an endless verb.

use std::time::Instant;

use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::error::Failure;

/// SIGINT and SIGTERM, listened to from the moment it is made.
#[derive(Debug)]
pub struct Signals {
    interrupt: Signal,
    terminate: Signal,
}

impl Signals {
    /// Begins to listen; from now on these signals no longer end the process by themselves.
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
            // Either way it is over.
            Some(deadline) => drop(tokio::time::timeout_at(deadline.into(), self.received()).await),
        }
    }
}
