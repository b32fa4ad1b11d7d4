//! Timings and retry limits of `mains setup`. Those of the conversation with the module are in `hiflying::join`.

use std::time::Duration;

/// Time to find the named network of a plug that has just been plugged in.
pub(super) const PLUG_NETWORK_TIMEOUT: Duration = Duration::from_secs(20);

/// Time to join the plug's network: a scan, the handshake, an address.
pub(super) const WIFI_JOIN_TIMEOUT: Duration = Duration::from_secs(40);

/// Time for the plug's network to come back after a restart, and to join it again.
pub(super) const WIFI_REJOIN_TIMEOUT: Duration = Duration::from_secs(60);

/// Delay between tries to join the plug's network again.
pub(super) const WIFI_REJOIN_DELAY: Duration = Duration::from_millis(500);

/// Maximum number of times that the key of the plug's network can be typed.
pub(super) const MAX_KEY_ENTRIES: u32 = 3;

/// Time for the user, or the system for the user, to join the plug's network again by hand.
pub(super) const MANUAL_REJOIN_TIMEOUT: Duration = Duration::from_secs(120);

/// Interval between checks whether the computer is on the plug's network again.
pub(super) const MANUAL_REJOIN_INTERVAL: Duration = Duration::from_millis(500);

/// Time of one scan of the home network; on a lossy network it needs several seconds.
pub(super) const ARRIVAL_SCAN_TIMEOUT: Duration = Duration::from_secs(3);

/// Length of a search by the hub.
pub(super) const HUB_SEARCH: Duration = Duration::from_secs(2);
/// Time for a hub to search in our place.
pub(super) const HUB_SEARCH_TIMEOUT: Duration = Duration::from_secs(6);

/// Delay after the first scan, which doubles after each further one: a restart takes from one second to half a minute.
pub(super) const MIN_ARRIVAL_DELAY: Duration = Duration::from_millis(50);

/// Maximum delay between two scans.
pub(super) const MAX_ARRIVAL_DELAY: Duration = Duration::from_secs(2);

/// Time for a plug that was seen as a plain module to show its family.
pub(super) const FAMILY_TIMEOUT: Duration = Duration::from_secs(1);

/// Time for the handshake with a module that may be restarting.
pub(super) const STATION_TIMEOUT: Duration = Duration::from_millis(1200);

/// Time for a plug to join by SmartLink: nine cycles of a key of eight characters.
pub(super) const SMARTLINK_TIMEOUT: Duration = Duration::from_secs(120);

/// Time before the end of `--timeout` at which the sending ends.
pub(super) const END_MARGIN: Duration = Duration::from_millis(100);

/// Time for interrupted work to write back the module's settings after a signal.
pub(super) const CLEANUP_TIMEOUT: Duration = Duration::from_secs(6);

/// Time for the same at the end of `--timeout`: enough for a module that replies, not for one that does not.
pub(super) const TIMEOUT_CLEANUP_TIMEOUT: Duration = Duration::from_secs(2);
