//! Limits the lines in the log that other programs can cause.

use std::time::Duration;

use tokio::time::Instant;

/// Maximum number of lines in a period.
const MAX_LINES: u32 = 20;
/// The period.
const PERIOD: Duration = Duration::from_secs(60);

/// Counts lines in the present period.
#[derive(Debug, Default)]
pub(crate) struct LogLimit {
    period: Option<Instant>,
    lines: u32,
    unlogged: u64,
}

impl LogLimit {
    /// Counts one line. `None` if it must not be logged, else the number of lines that were not logged before it.
    pub(crate) fn next(&mut self, now: Instant) -> Option<u64> {
        if self
            .period
            .is_none_or(|since| now.duration_since(since) >= PERIOD)
        {
            self.period = Some(now);
            self.lines = 0;
        }
        if self.lines >= MAX_LINES {
            self.unlogged += 1;
            return None;
        }
        self.lines += 1;
        Some(std::mem::take(&mut self.unlogged))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_is_a_few_lines() {
        let (mut limit, now) = (LogLimit::default(), Instant::now());
        let logged = (0..1_000).filter(|_| limit.next(now).is_some()).count();
        assert_eq!(logged, 20);
        assert_eq!(limit.next(now + PERIOD), Some(980));
        assert_eq!(limit.next(now + PERIOD), Some(0));
    }
}
