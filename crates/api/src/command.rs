//! Results of commands and searches.

use jiff::Timestamp;
use plugs::{Minutes, RelayState};

/// A plug's own timer that was set. That the plug accepted it is all that can be known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Delayed {
    /// What the relay will be.
    pub relay: RelayState,
    /// After so many minutes.
    pub minutes: Minutes,
    /// And so about then.
    pub due: Timestamp,
}
