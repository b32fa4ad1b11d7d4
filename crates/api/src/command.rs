//! Results of commands and searches.

use jiff::Timestamp;
use plugs::{Minutes, Plug, RelayState};
use serde::{Deserialize, Serialize};

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

/// A device that a search found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FoundPlug {
    /// What the command line shows, too.
    #[serde(flatten)]
    pub plug: Plug,
    /// Whether the hub keeps it.
    pub adopted: bool,
}
