//! The permission to command plugs, where several programs could.

use std::fmt;
use std::time::Duration;

/// Permission to command plugs, asked immediately before a command leaves; so a program that was stopped in between sends nothing
/// once the permission has ended.
pub trait CommandPermit: fmt::Debug + Send + Sync {
    /// Returns `true` if a command may be sent at this moment.
    fn is_valid(&self) -> bool;

    /// Returns the time after which a command that was sent must not arrive any longer; `None` if that does not matter.
    fn max_delivery(&self) -> Option<Duration> {
        None
    }
}
