//! The kernel's clock.

use std::time::Duration;

use nix::time::{ClockId, clock_gettime};

/// Returns the time since the machine started, with the time that it slept.
pub fn steady_time() -> Duration {
    // It cannot fail on any kernel of this century; if it did, no clock would ever seem to be set.
    clock_gettime(ClockId::CLOCK_BOOTTIME).map_or(Duration::ZERO, Duration::from)
}
