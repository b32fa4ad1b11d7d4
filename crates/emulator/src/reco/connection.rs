//! State of one TCP connection to the command port.

use std::time::Instant;

use crate::twin::ConnectionId;

#[derive(Debug)]
pub(super) struct CommandStream {
    pub(super) id: ConnectionId,
    /// Time of the last input.
    pub(super) heard: Instant,
    /// Time at which the last segment leaves: jitter must not reorder a byte stream.
    pub(super) busy_until: Instant,
    pub(super) next_babble: Option<Instant>,
}
