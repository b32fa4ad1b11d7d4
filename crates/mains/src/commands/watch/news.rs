//! News of plugs, from the plugs themselves or from a hub.

use hiflying::Mac;
use plugs::{Plug, Reading};
use serde_json::Value;

use crate::error::Failure;

/// News of a plug.
#[derive(Debug)]
pub(super) enum News {
    /// A plug is there, or has changed.
    Plug { plug: Box<Plug>, available: bool },
    /// A plug was metered.
    Reading {
        reading: Box<Reading>,
        /// As it is printed: a hub's has more than the plug's.
        json: Value,
        /// `true` when it has just been made.
        fresh: bool,
    },
    /// A plug does not answer.
    Silent(Mac),
    /// The hub keeps it no longer.
    Removed(Mac),
}

impl News {
    /// Returns the plug, when it is news of a plug's state.
    pub(super) fn mac_of_plug(&self) -> Option<Mac> {
        match self {
            Self::Plug { plug, .. } => Some(plug.mac),
            _ => None,
        }
    }
}

/// Ends a source of news whose receiver is gone, which is no failure.
pub(super) fn nobody_looks<T>(_: T) -> Result<(), Failure> {
    Ok(())
}
