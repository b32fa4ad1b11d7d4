//! The sockets by which the module calls a server: `AT+SOCKB`, and `AT+NETP` as a client.

use std::time::{Duration, Instant};

use crate::twin::ConnectionId;

/// Interval of attempts to reach the server.
const CALL_INTERVAL: Duration = Duration::from_secs(5);

/// A connection to a server, or the next attempt at one.
#[derive(Debug, Default)]
pub(super) struct ServerCall {
    connection: Option<ConnectionId>,
    next: Option<Instant>,
}

impl ServerCall {
    /// Takes a connection that the driver has opened for the module.
    pub(super) fn admit(&mut self, id: ConnectionId) -> bool {
        let is_awaited = self.next.is_some() && self.connection.is_none();
        if is_awaited {
            self.connection = Some(id);
        }
        is_awaited
    }

    /// Returns whether the server is to be called now.
    pub(super) fn is_due(&mut self, now: Instant) -> bool {
        let is_due = self.connection.is_none() && *self.next.get_or_insert(now) <= now;
        if is_due {
            self.next = Some(now + CALL_INTERVAL);
        }
        is_due
    }

    /// Calls no server any more.
    pub(super) fn stop(&mut self) {
        self.next = None;
    }

    pub(super) fn close(&mut self, id: ConnectionId) {
        self.connection = self.connection.filter(|open| *open != id);
    }

    /// Forgets everything at a restart; returns the connection that breaks.
    pub(super) fn restart(&mut self) -> Option<ConnectionId> {
        std::mem::take(self).connection
    }

    pub(super) fn timeout(&self) -> Option<Instant> {
        self.next.filter(|_| self.connection.is_none())
    }
}
