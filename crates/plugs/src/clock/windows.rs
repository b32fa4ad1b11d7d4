//! The performance counter.

use std::sync::LazyLock;
use std::time::{Duration, Instant};

static START: LazyLock<Instant> = LazyLock::new(Instant::now);

/// Returns the time since the first call, with the time that the machine slept: the counter goes on meanwhile.
pub fn steady_time() -> Duration {
    START.elapsed()
}
