//! The kernel's clock.

use std::time::Duration;

use nix::time::{ClockId, clock_gettime};

/// Returns the time since the machine started, with the time that it slept, which this clock counts on macOS.
pub fn steady_time() -> Duration {
    clock_gettime(ClockId::CLOCK_MONOTONIC).map_or(Duration::ZERO, Duration::from)
}
