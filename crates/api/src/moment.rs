//! Moments and ranges of time in queries.

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use serde::Serialize;

use crate::error::{RequestError, excerpt};
use crate::json::json_is_text;

/// The first second of 2200.
const END: i64 = 7_258_118_400;

/// A moment between 1970 and 2200: RFC 3339, or a local date with or without a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    /// An instant.
    Instant(Timestamp),
    /// A local date and time.
    Local(DateTime),
    /// A local day as a whole.
    Day(Date),
}

/// The requested range of time. A day as its end is included as a whole.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct RangeRequest {
    /// Start.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<Moment>,
    /// End, exclusive; now unless given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to: Option<Moment>,
}

/// A time range: includes its start, excludes its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TimeRange {
    /// Start.
    pub from: Timestamp,
    /// End.
    pub to: Timestamp,
}

impl RangeRequest {
    /// Returns the range in a time zone. Without `to` it ends at `now`; without `from` it starts at the moment that `default`
    /// returns for its end.
    ///
    /// # Errors
    ///
    /// A [`RequestError`] of kind `usage` at `from` or `to` if an end is out of bounds or the range is empty.
    pub fn resolve(
        self,
        now: Timestamp,
        zone: &TimeZone,
        default: impl Fn(Timestamp) -> Result<Timestamp, RequestError>,
    ) -> Result<TimeRange, RequestError> {
        let to = match self.to {
            Some(moment) => moment.end(zone).ok_or_else(|| outside("to"))?,
            None => now,
        };
        let from = match self.from {
            Some(moment) => moment.start(zone).ok_or_else(|| outside("from"))?,
            None => default(to)?,
        };
        if from >= to {
            let message = format!("from: it is {from:.0}, which is not before `to`, {to:.0}");
            return Err(RequestError::usage(message).at("from"));
        }
        Ok(TimeRange { from, to })
    }
}

impl TimeRange {
    /// Returns the length in seconds, rounded up.
    pub fn seconds(self) -> i64 {
        let length = self.from.duration_until(self.to);
        length.as_secs() + i64::from(length.subsec_nanos() > 0)
    }
}

impl Moment {
    /// Returns the moment, or the start of the day; `None` outside the years 1970 to 2199.
    pub fn start(self, zone: &TimeZone) -> Option<Timestamp> {
        match self {
            Self::Day(date) => day_start(date, date, zone),
            other => other.instant(zone),
        }
    }

    /// Returns the moment, or the end of the day; `None` outside the years 1970 to 2199.
    pub fn end(self, zone: &TimeZone) -> Option<Timestamp> {
        match self {
            Self::Day(date) => day_start(date, date.tomorrow().ok()?, zone),
            other => other.instant(zone),
        }
    }

    fn instant(self, zone: &TimeZone) -> Option<Timestamp> {
        let time = match self {
            Self::Instant(time) => time,
            Self::Local(time) => zone.to_timestamp(time).ok()?,
            Self::Day(date) => zone.to_timestamp(date.into()).ok()?,
        };
        (time >= Timestamp::UNIX_EPOCH && time.as_second() < END).then_some(time)
    }
}

/// Returns the start of `edge` if the `named` day is within bounds.
fn day_start(named: Date, edge: Date, zone: &TimeZone) -> Option<Timestamp> {
    if !(1970..2200).contains(&named.year()) {
        return None;
    }
    // Where clocks go forward at midnight, the day begins at the first time that exists. East of Greenwich the first day of 1970
    // begins before 1970.
    let start = zone.to_timestamp(edge.into()).ok()?;
    Some(start.max(Timestamp::UNIX_EPOCH))
}

/// Returns a time without what is finer than a millisecond, as databases keep it.
pub fn to_millisecond(at: Timestamp) -> Timestamp {
    let whole = Timestamp::from_millisecond(at.as_millisecond());
    whole.expect("a time that is nearer to 1970 is in range, too")
}

fn outside(field: &str) -> RequestError {
    RequestError::usage(format!("{field}: not between the years 1970 and 2200")).at(field)
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Instant(time) => time.fmt(f),
            Self::Local(time) => time.fmt(f),
            Self::Day(date) => date.fmt(f),
        }
    }
}

impl FromStr for Moment {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if !text.contains(['T', 't', ' ', ':'])
            && let Ok(date) = text.parse()
        {
            return Ok(Self::Day(date));
        }
        let instant = text.parse().map(Self::Instant);
        instant
            .or_else(|_| text.parse().map(Self::Local))
            .map_err(|_| {
                let shown = excerpt(text);
                format!(
                    "\u{2018}{shown}\u{2019} is not a time; write it like 2026-11-22T12:00:00Z, or a local date like 2026-11-22"
                )
            })
    }
}

json_is_text!(
    Moment,
    "A moment between 1970 and 2200: RFC 3339, or a local date with or without a time.",
    r"^(19[7-9][0-9]|20[0-9]{2}|21[0-9]{2})-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])(T([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9](\.[0-9]{1,9})?(Z|[+-](0[0-9]|1[0-4]):[0-5][0-9])?)?)?$",
    // One that can stand at both ends.
    ["2026-11-22"]
);

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;

    use super::*;

    fn berlin() -> TimeZone {
        TimeZone::get("Europe/Berlin").unwrap()
    }

    fn time(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn resolve(from: &str, to: &str) -> Result<TimeRange, RequestError> {
        let moment = |text: &str| (!text.is_empty()).then(|| text.parse().unwrap());
        let request = RangeRequest {
            from: moment(from),
            to: moment(to),
        };
        let day_before = |to: Timestamp| Ok(to - SignedDuration::from_hours(24));
        request.resolve(time("2026-11-22T12:00:00Z"), &berlin(), day_before)
    }

    #[test]
    fn the_last_day_unless_told_otherwise() {
        let range = resolve("", "").unwrap();
        assert_eq!(range.from, time("2026-11-21T12:00:00Z"));
        assert_eq!(range.to, time("2026-11-22T12:00:00Z"));
        let range = resolve("", "2026-01-02T00:00:00Z").unwrap();
        assert_eq!(range.from, time("2026-01-01T00:00:00Z"));
    }

    #[test]
    fn times_as_people_and_programs_write_them() {
        for (from, to, start, end) in [
            (
                "2026-11-22",
                "2026-11-22",
                "2026-11-21T23:00:00Z",
                "2026-11-22T23:00:00Z",
            ),
            (
                "2026-03-29",
                "2026-03-29",
                "2026-03-28T23:00:00Z",
                "2026-03-29T22:00:00Z",
            ),
            (
                "2026-11-22T10:00",
                "2026-11-22T11:00:30",
                "2026-11-22T09:00:00Z",
                "2026-11-22T10:00:30Z",
            ),
            (
                "2026-11-22T10:00:00+02:00",
                "2026-11-22T10:00:00Z",
                "2026-11-22T08:00:00Z",
                "2026-11-22T10:00:00Z",
            ),
            (
                "1970-01-01",
                "2199-12-31",
                "1970-01-01T00:00:00Z",
                "2199-12-31T23:00:00Z",
            ),
        ] {
            let expected = TimeRange {
                from: time(start),
                to: time(end),
            };
            assert_eq!(resolve(from, to), Ok(expected), "{from} {to}");
        }
    }

    #[test]
    fn times_that_make_no_sense_are_named() {
        for (from, to, field) in [
            ("1969-12-31", "", "from"),
            ("1969-12-31T23:59:59Z", "", "from"),
            ("1969-12-31T23:59:59.999Z", "", "from"),
            ("", "2200-01-01", "to"),
            ("", "2200-01-01T00:00:00Z", "to"),
            ("", "9999-12-31", "to"),
            ("-009999-01-01", "", "from"),
            ("2026-11-23", "", "from"),
            ("2026-11-22T12:00:00Z", "", "from"),
            ("2026-11-02", "2026-11-01", "from"),
        ] {
            let error = resolve(from, to).unwrap_err();
            assert_eq!(error.field(), Some(field), "{from} {to}: {error}");
        }
        for text in [
            "",
            "yesterday",
            "2026-02-30",
            "2026-11-22T10:00:00 02:00",
            "9999-12-31T23:59:59Z",
            "99999999999999999999",
        ] {
            assert!(text.parse::<Moment>().is_err(), "{text}");
        }
    }

    proptest::proptest! {
        #[test]
        fn never_panics(text in "\\PC*") {
            let zone = berlin();
            if let Ok(moment) = text.parse::<Moment>() {
                let _ = (moment.start(&zone), moment.end(&zone));
                proptest::prop_assert_eq!(moment.to_string().parse(), Ok(moment));
            }
        }
    }
}
