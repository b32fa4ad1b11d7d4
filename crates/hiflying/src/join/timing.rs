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

/// Minimum duration of a round of null commands after `AT+Z`.
pub(super) const MIN_ROUND: Duration = Duration::from_millis(100);

/// Maximum duration of a round of null commands after `AT+Z`.
pub(super) const MAX_ROUND: Duration = Duration::from_millis(400);

/// Minimum duration of a round while the module still replies: there is no hurry.
pub(super) const REPLYING_ROUND: Duration = Duration::from_millis(300);

/// Null commands of one round. Several, so that loss alone does not look like silence.
pub(super) const COMMANDS_PER_ROUND: usize = 3;

/// Rounds of silence after which the module counts as restarting.
pub(super) const MAX_SILENT_ROUNDS: u32 = 4;

/// Interval after which `AT+Z` is sent again to a module that still replies.
pub(super) const RESTART_INTERVAL: Duration = Duration::from_secs(5);

/// Maximum number of `AT+Z`. Where two of five datagrams are lost, eight go astray once in 1,500 times.
pub(super) const MAX_RESTARTS: u32 = 8;
