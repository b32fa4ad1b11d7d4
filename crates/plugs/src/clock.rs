//! The time of day, and a clock that nobody sets.

use std::time::SystemTime;

use jiff::Timestamp;

#[cfg_attr(all(unix, not(target_os = "macos")), path = "clock/unix.rs")]
#[cfg_attr(target_os = "macos", path = "clock/macos.rs")]
#[cfg_attr(windows, path = "clock/windows.rs")]
mod steady;

pub use steady::steady_time;

/// First and last time of day that Mains knows, in seconds since 1970; the last is the end of 2199.
const KNOWN_TIMES: (i64, i64) = (0, 7_258_118_399);

/// Returns the time of day. A clock beyond the years from 1970 to 2199 counts as at their edge: a machine without a battery, or one that
/// was told nonsense, still switches, and nobody computes beyond the calendar.
pub fn now() -> Timestamp {
    within(SystemTime::now())
}

fn within(time: SystemTime) -> Timestamp {
    let edge = |second| Timestamp::from_second(second).expect("both are in the calendar");
    let (first, last) = (edge(KNOWN_TIMES.0), edge(KNOWN_TIMES.1));
    let is_past = time < SystemTime::UNIX_EPOCH;
    let beyond = if is_past { first } else { last };
    Timestamp::try_from(time).map_or(beyond, |time| time.clamp(first, last))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_clock_beyond_the_calendar_is_at_its_edge() {
        let year = Duration::from_secs(365 * 24 * 3600);
        for (time, shown) in [
            (
                SystemTime::UNIX_EPOCH - year * 9_000,
                "1970-01-01T00:00:00Z",
            ),
            (
                SystemTime::UNIX_EPOCH - year * 20_000,
                "1970-01-01T00:00:00Z",
            ),
            (SystemTime::UNIX_EPOCH + year, "1971-01-01T00:00:00Z"),
            (
                SystemTime::UNIX_EPOCH + year * 8_000,
                "2199-12-31T23:59:59Z",
            ),
            (
                SystemTime::UNIX_EPOCH + year * 20_000,
                "2199-12-31T23:59:59Z",
            ),
        ] {
            assert_eq!(within(time).to_string(), shown);
        }
    }
}
