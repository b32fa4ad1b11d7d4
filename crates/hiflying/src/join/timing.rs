//! Timings and retry limits of a join.

use std::time::Duration;

/// Time for the link to the network; after that the key counts as wrong.
pub(super) const LINK_TIMEOUT: Duration = Duration::from_secs(20);

/// Time for the network to give the module an address.
pub(super) const LEASE_TIMEOUT: Duration = Duration::from_secs(15);

/// Time for a restart, counted from when the caller is back on the access point.
pub(super) const RESTART_TIMEOUT: Duration = Duration::from_secs(60);

/// Time for the handshake of the session.
pub(super) const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(12);

/// Tries of each command. A join is a chain of some twenty commands, so each gets more than one alone.
pub(super) const COMMAND_RETRIES: u32 = 6;

/// Interval between queries of link and address.
pub(super) const STATUS_INTERVAL: Duration = Duration::from_millis(300);

/// Delay before a setting is read once more, in which stray replies can pass.
pub(super) const REREAD_DELAY: Duration = Duration::from_millis(100);

/// Maximum number of times that the module may fall silent while it links.
pub(super) const MAX_LINK_TIMEOUTS: u32 = 3;
