//! Cron expressions with five fields: minute, hour, day of the month, month, day of the week.
//!
//! `croner` parses them into days, hours and minutes; the search is our own, because daylight saving time has the same rules here
//! as for every other schedule.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use croner::CronPattern;
use croner::parser::{CronParser, Seconds, Year};
use croner::time::Weekday;
use jiff::ToSpan;
use jiff::civil::{Date, DateTime, Time, date, time};

use crate::error::excerpt;
use crate::json::json_is_text;

/// Maximum length of an expression; useful ones are shorter.
const MAX_CRON_LEN: usize = 128;
/// Maximum number of days to search: every combination of a date and a weekday occurs within 40 years, e.g. a leap day on a Monday,
/// also across 2100, which has no leap day.
const DAYS_AHEAD: usize = 15_000;

json_is_text!(
    Cron,
    "A cron expression with five fields.",
    r"^(@[A-Za-z]+|[-0-9A-Za-z*,/#?+]+( [-0-9A-Za-z*,/#?+]+){4})$",
    ["0 7 * * 1-5", "0 7 * * MON-FRI"],
    1..=128
);

/// A cron expression that matches at least one time: `*/15 7-9 * * 1-5`, `@daily`.
#[derive(Clone)]
pub struct Cron {
    text: String,
    /// Shared, because the tables are some kilobytes.
    parsed: Arc<Parsed>,
}

struct Parsed {
    days: CronPattern,
    hours: Vec<i8>,
    minutes: Vec<i8>,
}

impl FromStr for Cron {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let text: Vec<&str> = text.split_whitespace().collect();
        let text = text.join(" ");
        if text.len() > MAX_CRON_LEN {
            return Err(format!(
                "a cron expression has at most {MAX_CRON_LEN} characters"
            ));
        }
        let is_five = text.starts_with('@') || text.split(' ').count() == 5;
        if !is_five || !text.is_ascii() {
            return Err(format!(
                "'{}' is no cron expression; it has five fields: minute, hour, day of the month, month, day of the week",
                excerpt(&text)
            ));
        }
        let parser = CronParser::builder()
            .seconds(Seconds::Disallowed)
            .year(Year::Disallowed)
            .build();
        let cron = parser
            .parse(&text)
            .map_err(|error| format!("'{}' is no cron expression: {error}", excerpt(&text)))?;
        let cron = Self {
            text,
            parsed: Arc::new(Parsed::new(cron.pattern)),
        };
        match cron.after(date(2000, 1, 1).to_datetime(Time::midnight())) {
            Some(_) => Ok(cron),
            None => Err(format!("'{}' never happens", excerpt(&cron.text))),
        }
    }
}

impl Cron {
    /// Returns true if the hours begin with `*`, as in `*/30 * * * *` and `@hourly`: the expression means a rhythm, not times of day.
    pub fn is_hourly(&self) -> bool {
        let mut fields = self.text.split_whitespace();
        match fields.next() {
            Some(nickname) if nickname.starts_with('@') => self.parsed.hours.len() == 24,
            _ => fields
                .next()
                .is_some_and(|hours| hours.starts_with(['*', '?'])),
        }
    }

    /// Returns the first local time after this one.
    pub fn after(&self, after: DateTime) -> Option<DateTime> {
        let today = after.date();
        let rest = self.parsed.time_after(after.time());
        if let Some(time) = rest.filter(|_| self.parsed.is_day(today)) {
            return Some(today.to_datetime(time));
        }
        let first = self.parsed.first_time()?;
        let days = today.series(1.day()).skip(1).take(DAYS_AHEAD);
        let mut days = days.filter(|day| self.parsed.is_day(*day));
        days.next().map(|day| day.to_datetime(first))
    }
}

impl Parsed {
    fn new(pattern: CronPattern) -> Self {
        let narrow =
            |values: Vec<u16>| values.into_iter().filter_map(|value| value.try_into().ok());
        Self {
            hours: narrow(pattern.hours.values()).collect(),
            minutes: narrow(pattern.minutes.values()).collect(),
            days: pattern,
        }
    }

    fn is_day(&self, day: Date) -> bool {
        let weekday = day.weekday().to_sunday_zero_offset();
        let numbers = [day.month(), day.day(), weekday].map(u32::try_from);
        let [Ok(month), Ok(of_month), Ok(weekday)] = numbers else {
            return false;
        };
        let weekday = Weekday::from_days_from_sunday(weekday);
        self.days.month_match(month).unwrap_or(false)
            && self
                .days
                .day_match(day.year().into(), month, of_month, weekday)
                .unwrap_or(false)
    }

    /// Returns the first time of day after this one.
    fn time_after(&self, after: Time) -> Option<Time> {
        let in_hour = self.minutes.iter().find(|minute| **minute > after.minute());
        if let Some(minute) = in_hour.filter(|_| self.hours.contains(&after.hour())) {
            return Some(time(after.hour(), *minute, 0, 0));
        }
        let hour = self.hours.iter().find(|hour| **hour > after.hour())?;
        Some(time(*hour, *self.minutes.first()?, 0, 0))
    }

    fn first_time(&self) -> Option<Time> {
        Some(time(*self.hours.first()?, *self.minutes.first()?, 0, 0))
    }
}

impl PartialEq for Cron {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for Cron {}

impl fmt::Debug for Cron {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Cron({:?})", self.text)
    }
}

impl fmt::Display for Cron {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn next_times() {
        for (cron, after, expected) in [
            ("*/15 * * * *", "2026-03-01T00:00", "2026-03-01T00:15"),
            ("0 7 * * 1-5", "2026-11-20T07:00", "2026-11-23T07:00"),
            ("30 6 1 * *", "2026-12-01T06:30", "2027-01-01T06:30"),
            ("0 0 29 2 *", "2026-01-01T00:00", "2028-02-29T00:00"),
            // Vixie's rule: a day of the month or a day of the week.
            ("0 12 13 * fri", "2026-11-01T00:00", "2026-11-06T12:00"),
            ("0 12 * * 7", "2026-11-22T12:00", "2026-11-29T12:00"),
            ("0 12 l * *", "2026-02-01T00:00", "2026-02-28T12:00"),
            ("0 9 * * mon#1", "2026-11-03T00:00", "2026-12-07T09:00"),
            ("@daily", "2026-12-31T00:00", "2027-01-01T00:00"),
            // The rarest: a leap day on a Monday, across 2100.
            ("0 0 29 2 +1", "2072-03-01T00:00", "2112-02-29T00:00"),
        ] {
            let cron: Cron = cron.parse().unwrap();
            let next = cron.after(after.parse().unwrap());
            assert_eq!(next, Some(expected.parse().unwrap()), "{cron}");
        }
    }

    #[test]
    fn what_is_no_cron_expression_or_never_happens() {
        let long = format!("{} * * * *", "0,".repeat(100));
        for text in [
            "",
            "* * * *",
            "0 * * * * *",
            "0 0 * * * * 2027",
            "60 * * * *",
            "* 24 * * *",
            "* * 0 * *",
            "* * * 13 *",
            "* * * * 8",
            "@reboot",
            "@",
            "0 0 30 2 *",
            ", * * * *",
            "5-1 * * * *",
            "*/0 * * * *",
            "a b c d e",
            &long,
        ] {
            assert!(text.parse::<Cron>().is_err(), "{text}");
        }
    }

    proptest::proptest! {
        #[test]
        fn never_panics(any in "\\PC{0,60}", near in "([-0-9*/,#LWA-Za-z+?@]{1,6} ){4}[-0-9*/,#LWA-Za-z+?@]{1,6}") {
            for text in [any, near] {
                if let Ok(cron) = text.parse::<Cron>() {
                    proptest::prop_assert_eq!(cron.to_string().parse(), Ok(cron));
                }
            }
        }
    }
}
