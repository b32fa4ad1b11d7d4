//! Results of commands and searches.

use jiff::Timestamp;
use plugs::{Minutes, RelayState};

/// A plug's own timer that was set. The plug only acknowledges it; its later switch cannot be confirmed in advance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Delayed {
    /// Position of the relay when the timer ends.
    pub relay: RelayState,
    /// Delay in minutes.
    pub minutes: Minutes,
    /// Approximate time of the switch.
    pub due: Timestamp,
}
