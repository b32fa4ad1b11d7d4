//! Moments in the past as people type them, for `history` and `energy`.

use std::str::FromStr;

use jiff::civil::{Date, DateTime};
use jiff::{SignedDuration, Timestamp, ToSpan};

use super::documents::people::Clock;
use api::duration;

/// A moment as it was typed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Moment {
    /// A date or a time that the hub reads itself: a local one is meant in its zone.
    Written(String),
    /// So long ago.
    Ago(SignedDuration),
    /// A day, counted from today.
    Day(i64),
}

impl FromStr for Moment {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "now" => return Ok(Self::Ago(SignedDuration::ZERO)),
            "today" => return Ok(Self::Day(0)),
            "yesterday" => return Ok(Self::Day(-1)),
            _ => {}
        }
        let is_time = text.parse::<Timestamp>().is_ok()
            || DateTime::strptime("%Y-%m-%dT%H:%M", text).is_ok()
            || DateTime::strptime("%Y-%m-%dT%H:%M:%S", text).is_ok();
        if is_time || Date::strptime("%Y-%m-%d", text).is_ok() {
            return Ok(Self::Written(text.to_owned()));
        }
        let ago = duration::parse(text)
            .ok()
            .and_then(|ago| SignedDuration::try_from(ago).ok());
        ago.map(Self::Ago).ok_or_else(|| {
            "write a date (2026-11-22), a time (2026-11-22T18:00, 2026-11-22T17:00:00Z), how long ago (24h, 7d), or \
             `yesterday`, `today`, `now`"
                .to_owned()
        })
    }
}

impl Moment {
    /// Returns it as the hub reads it.
    pub(super) fn text(&self, clock: &Clock) -> String {
        match self {
            Self::Written(text) => text.clone(),
            // Nobody can type so long that the first moment of all would be passed.
            Self::Ago(ago) => clock
                .now()
                .checked_sub(*ago)
                .unwrap_or(Timestamp::MIN)
                .to_string(),
            Self::Day(days) => {
                let today = clock.today();
                today.checked_add(days.days()).unwrap_or(today).to_string()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::documents::people::tests::clock;

    #[test]
    fn as_people_type_them() {
        for (text, expected) in [
            ("2026-11-22", "2026-11-22"),
            ("2026-11-22T18:00", "2026-11-22T18:00"),
            ("2026-11-22T18:00:30", "2026-11-22T18:00:30"),
            ("2026-11-22T17:00:00Z", "2026-11-22T17:00:00Z"),
            ("2026-11-22T18:00:00+01:00", "2026-11-22T18:00:00+01:00"),
            ("24h", "2026-11-21T12:00:00Z"),
            ("7d", "2026-11-15T12:00:00Z"),
            ("now", "2026-11-22T12:00:00Z"),
            ("today", "2026-11-22"),
            ("yesterday", "2026-11-21"),
        ] {
            let moment: Moment = text.parse().unwrap();
            assert_eq!(moment.text(&clock()), expected, "{text}");
        }
        for text in [
            "",
            "tomorrow",
            "18:00",
            "2026-02-30",
            "22.11.2026",
            "-7d",
            "7",
            "2026-11-22 18:00 ",
        ] {
            assert!(text.parse::<Moment>().is_err(), "{text}");
        }
    }
}
