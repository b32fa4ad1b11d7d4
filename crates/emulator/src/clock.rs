//! The time of day, by the emulator's own code.

use std::time::SystemTime;

use jiff::Timestamp;

/// Returns the time of day. One that the calendar does not have is its end: jiff's own function panics there.
pub(crate) fn now() -> Timestamp {
    within(SystemTime::now())
}

fn within(time: SystemTime) -> Timestamp {
    let is_past = time < SystemTime::UNIX_EPOCH;
    let edge = if is_past {
        Timestamp::MIN
    } else {
        Timestamp::MAX
    };
    Timestamp::try_from(time).unwrap_or(edge)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_clock_beyond_the_calendar_is_at_its_edge() {
        let years = Duration::from_secs(20_000 * 365 * 24 * 3600);
        assert_eq!(within(SystemTime::UNIX_EPOCH + years), Timestamp::MAX);
        assert_eq!(within(SystemTime::UNIX_EPOCH - years), Timestamp::MIN);
        let day = SystemTime::UNIX_EPOCH + Duration::from_secs(86_400);
        assert_eq!(within(day).to_string(), "1970-01-02T00:00:00Z");
    }
}
