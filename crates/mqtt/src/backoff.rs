//! The delay before the next connection.

use std::time::Duration;

/// Delay after the first failure.
const MIN_DELAY: Duration = Duration::from_secs(1);
/// Maximum delay after a connection that was accepted and thrown out.
const MAX_DELAY: Duration = Duration::from_secs(60);
/// Maximum delay while the broker does not let the hub in: soon after it is there again, so are the plugs.
const MAX_UNREACHABLE_DELAY: Duration = Duration::from_secs(10);
/// Minimum duration of a connection that counts as a success. One that is accepted and thrown out sooner counts as a failure, so
/// that two clients with the same client id do not throw each other out in turn without end.
const MIN_CONNECTED: Duration = Duration::from_secs(60);

/// The delay before the next connection, which doubles with each failure in a row.
#[derive(Debug, Default)]
pub(crate) struct Backoff {
    failures: u32,
}

impl Backoff {
    /// Records the end of a connection that lasted for `connected`, or of an attempt to connect. Returns the delay; `random` is
    /// between 0 and 1 and spreads hubs that lose the same broker.
    pub(crate) fn next(&mut self, connected: Option<Duration>, random: f64) -> Duration {
        if connected.is_some_and(|lasted| lasted >= MIN_CONNECTED) {
            self.failures = 0;
        }
        let delay =
            MIN_DELAY.saturating_mul(1_u32.checked_shl(self.failures.min(16)).unwrap_or(u32::MAX));
        // Whoever threw it out would be thrown out in turn.
        let is_thrown_out = connected.is_some_and(|lasted| lasted < MIN_CONNECTED);
        self.failures = self
            .failures
            .saturating_add(if is_thrown_out { 2 } else { 1 });
        let max = match connected {
            Some(_) => MAX_DELAY,
            None => MAX_UNREACHABLE_DELAY,
        };
        delay.min(max).mul_f64(0.75 + random / 4.0)
    }

    /// Records that another client has the same client id. The next delay is the longest.
    pub(crate) fn slow_down(&mut self) {
        self.failures = self.failures.max(6);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(backoff: &mut Backoff, connected: Option<u64>) -> f64 {
        let connected = connected.map(Duration::from_secs);
        backoff.next(connected, 1.0).as_secs_f64()
    }

    #[test]
    fn doubles_up_to_ten_seconds() {
        let mut backoff = Backoff::default();
        let delays: Vec<f64> = (0..6).map(|_| seconds(&mut backoff, None)).collect();
        assert_eq!(delays, [1.0, 2.0, 4.0, 8.0, 10.0, 10.0]);
        assert_eq!(seconds(&mut backoff, Some(3_600)), 1.0);
    }

    #[test]
    fn a_connection_that_is_thrown_out_soon_is_no_success() {
        let mut backoff = Backoff::default();
        let delays: Vec<f64> = (0..4).map(|_| seconds(&mut backoff, Some(2))).collect();
        assert_eq!(delays, [1.0, 4.0, 16.0, 60.0]);
        backoff.slow_down();
        assert_eq!(seconds(&mut backoff, Some(2)), 60.0);
        assert!(backoff.next(Some(Duration::ZERO), 0.0) >= Duration::from_secs(45));
    }
}
