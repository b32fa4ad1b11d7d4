//! The wall clock of a room.

use std::time::Instant;

use jiff::Timestamp;

/// Wall clock of a room.
#[derive(Debug, Clone, Copy)]
pub(super) struct RoomClock {
    begin: Instant,
    wall: Timestamp,
}

impl RoomClock {
    pub(super) fn new(begin: Instant, wall: Timestamp) -> Self {
        Self { begin, wall }
    }

    /// Returns the time as bridges write it: UTC, to the second, without a zone.
    pub(super) fn text(self, at: Instant) -> String {
        let since = at.saturating_duration_since(self.begin);
        let wall = self.wall.checked_add(since).unwrap_or(self.wall);
        wall.strftime("%Y-%m-%dT%H:%M:%S").to_string()
    }
}
