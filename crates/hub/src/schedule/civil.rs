//! Conversion of local times to instants.

use jiff::civil::DateTime;
use jiff::tz::{AmbiguousOffset, TimeZone};
use jiff::{SignedDuration, Timestamp};

/// Returns the instant of a local time. A time that does not exist becomes the moment at which the clock is set forward over it; a
/// time that exists twice becomes the first.
///
/// A later local time is never an earlier instant. `None` only at the ends of time.
pub(crate) fn instant(local: DateTime, timezone: &TimeZone) -> Option<Timestamp> {
    match timezone.to_ambiguous_timestamp(local).offset() {
        AmbiguousOffset::Unambiguous { offset } => offset.to_timestamp(local).ok(),
        AmbiguousOffset::Fold { before, .. } => before.to_timestamp(local).ok(),
        AmbiguousOffset::Gap { before, .. } => {
            // With the offset from before, the local time is at or after the change, by less than the gap is long.
            let beyond = before.to_timestamp(local).ok()?;
            let beyond = beyond.checked_add(SignedDuration::from_secs(1)).ok()?;
            timezone
                .preceding(beyond)
                .next()
                .map(|change| change.timestamp())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_that_do_not_exist_or_exist_twice() {
        for (zone, local, expected) in [
            (
                "Europe/Berlin",
                "2026-03-29T01:59:59",
                "2026-03-29T00:59:59Z",
            ),
            ("Europe/Berlin", "2026-03-29T02:00", "2026-03-29T01:00:00Z"),
            ("Europe/Berlin", "2026-03-29T02:30", "2026-03-29T01:00:00Z"),
            ("Europe/Berlin", "2026-03-29T03:00", "2026-03-29T01:00:00Z"),
            ("Europe/Berlin", "2026-10-25T02:30", "2026-10-25T00:30:00Z"),
            ("Europe/Berlin", "2026-10-25T03:00", "2026-10-25T02:00:00Z"),
            // Far beyond the tables, by the rule that goes on for ever.
            ("Europe/Berlin", "2150-03-29T02:30", "2150-03-29T01:00:00Z"),
            // Half an hour.
            (
                "Australia/Lord_Howe",
                "2026-10-04T02:15",
                "2026-10-03T15:30:00Z",
            ),
            (
                "Australia/Lord_Howe",
                "2026-04-05T01:45",
                "2026-04-04T14:45:00Z",
            ),
            // A whole day that was left out.
            ("Pacific/Apia", "2011-12-30T07:00", "2011-12-30T10:00:00Z"),
            // Midnight itself is in the gap.
            ("Asia/Beirut", "2026-03-29T00:00", "2026-03-28T22:00:00Z"),
        ] {
            let timezone = TimeZone::get(zone).unwrap();
            let found = instant(local.parse().unwrap(), &timezone).unwrap();
            assert_eq!(found.to_string(), expected, "{zone} {local}");
        }
    }
}
