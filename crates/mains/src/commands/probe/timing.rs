//! Timings and retry limits of `mains probe`.

use std::time::Duration;

/// Time for the whole probe, unless `--timeout` sets another: a device that replies takes two seconds.
pub(super) const PROBE_TIMEOUT: Duration = Duration::from_secs(20);

/// Time to open a TCP connection: milliseconds on a home network, seconds on bad Wi-Fi.
pub(super) const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);

/// Tries of each set of discovery words: at 40 % loss each way, one device in thirty stays undetected.
pub(super) const WORD_RETRIES: u32 = 8;

/// Interval between two tries of a set of discovery words.
pub(super) const WORD_INTERVAL: Duration = Duration::from_millis(150);

/// Time in which other devices with the same MAC may reply; less than the other checks take.
pub(super) const NEIGHBOUR_SCAN_TIMEOUT: Duration = Duration::from_millis(800);

/// Maximum time for the reply to a discovery word.
pub(super) const MAX_WORD_TIMEOUT: Duration = Duration::from_millis(600);

/// Maximum time in which late replies may pass before the next set of words.
pub(super) const MAX_SETTLE_DELAY: Duration = Duration::from_secs(2);

/// Time for the handshake of the AT session. The module has just replied, so less is enough than for an unknown one.
pub(super) const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(3);

/// Time for the reply to one try of an AT command.
pub(super) const REPLY_TIMEOUT: Duration = Duration::from_secs(1);

/// Tries of each AT command, because datagrams get lost.
pub(super) const COMMAND_RETRIES: u32 = 3;

/// Minimum interval between two tries of an AT command.
pub(super) const MIN_COMMAND_INTERVAL: Duration = Duration::from_millis(200);

/// Number of commands in a row without a reply after which no further one is sent.
pub(super) const MAX_SILENT_COMMANDS: u32 = 2;
