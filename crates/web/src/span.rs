//! Ranges of a chart: an hour, a day, a week, a month or a year of the hub's time zone, and the step between two points.

use api::{Moment, Period, RangeRequest, RequestError, TimeRange};
use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, ToSpan, Zoned};

/// Length of a range.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SpanKind {
    /// Sixty minutes.
    Hour,
    /// A local day, which has 23 to 25 hours.
    Day,
    /// From Monday to Sunday.
    Week,
    /// A calendar month.
    Month,
    /// A calendar year.
    Year,
}

impl SpanKind {
    /// Every kind with its value in addresses and its word.
    pub(crate) const ALL: [(Self, &'static str, &'static str); 5] = [
        (Self::Hour, "hour", "Hour"),
        (Self::Day, "day", "Day"),
        (Self::Week, "week", "Week"),
        (Self::Month, "month", "Month"),
        (Self::Year, "year", "Year"),
    ];

    /// Reads the value of an address.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|(_, value, _)| *value == text)
            .map(|(kind, ..)| kind)
    }

    /// Returns the value in addresses.
    pub(crate) fn as_str(self) -> &'static str {
        Self::ALL
            .into_iter()
            .find(|(kind, ..)| *kind == self)
            .map_or("day", |(_, value, _)| value)
    }

    /// Returns the starts of the period before that of a day, of its own, and of the two after it.
    fn edges(self, day: Date) -> Option<[Date; 4]> {
        let (first, unit) = match self {
            Self::Hour | Self::Day => (day, 1.day()),
            Self::Week => {
                let back = i64::from(day.weekday().to_monday_zero_offset());
                (day.checked_sub(back.days()).ok()?, 1.week())
            }
            Self::Month => (day.first_of_month(), 1.month()),
            Self::Year => (day.first_of_year(), 1.year()),
        };
        let next = first.checked_add(unit).ok()?;
        let before = first.checked_sub(unit).ok()?;
        Some([before, first, next, next.checked_add(unit).ok()?])
    }

    /// Returns the step between two points of a chart.
    pub(crate) fn step(self) -> Period {
        Period::seconds(match self {
            Self::Hour => 10,
            Self::Day => 5 * 60,
            Self::Week => 30 * 60,
            Self::Month => 2 * 3600,
            Self::Year => 24 * 3600,
        })
    }

    /// Returns the step of the table in words.
    pub(crate) fn row_words(self) -> &'static str {
        match self {
            Self::Hour => "5 minutes",
            Self::Day => "hours",
            Self::Week => "6 hours",
            Self::Month => "days",
            Self::Year => "months",
        }
    }

    /// Returns the start of the row of the table to which a time belongs.
    pub(crate) fn row_start(self, at: &Zoned) -> DateTime {
        let local = at.datetime();
        let hour = |hour| local.date().at(hour, 0, 0, 0);
        match self {
            Self::Hour => local.date().at(local.hour(), local.minute() / 5 * 5, 0, 0),
            Self::Day => hour(local.hour()),
            Self::Week => hour(local.hour() / 6 * 6),
            Self::Month => hour(0),
            Self::Year => local.date().first_of_month().at(0, 0, 0, 0),
        }
    }
}

/// A range with the ranges before and after it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Span {
    /// Its length, or the shortest that is not shorter than the ends that were given.
    pub(crate) kind: SpanKind,
    /// True for a range of the calendar, or an hour.
    pub(crate) is_whole: bool,
    /// Its ends.
    pub(crate) range: TimeRange,
    /// Its title: `Sun 29 Nov`.
    pub(crate) title: String,
    /// The query of the range before.
    pub(crate) before: String,
    /// The query of the range after; `None` if that is not yet.
    pub(crate) after: Option<String>,
}

impl Span {
    /// Returns the range of a kind in which a moment lies; the present one without a moment.
    pub(crate) fn at(
        kind: SpanKind,
        from: Option<Moment>,
        now: Timestamp,
        zone: &TimeZone,
    ) -> Result<Self, RequestError> {
        let outside =
            || RequestError::usage("from: not between the years 1970 and 2200").at("from");
        let at = match from {
            Some(moment) => moment.start(zone).ok_or_else(outside)?,
            None if kind == SpanKind::Hour => now
                .checked_sub(SignedDuration::from_hours(1))
                .map_err(|_| outside())?,
            None => now,
        };
        Self::around(kind, at, now, zone).ok_or_else(outside)
    }

    /// Returns the range between two moments; that of a kind if it is one.
    pub(crate) fn between(
        request: RangeRequest,
        now: Timestamp,
        zone: &TimeZone,
    ) -> Result<Self, RequestError> {
        let too_long = || RequestError::usage("to: a graph has at most a year").at("to");
        let range = request.resolve(now, zone, |_| Err(too_long()))?;
        let length = SignedDuration::from_secs(range.seconds());
        let kinds = [
            (1, SpanKind::Hour),
            (25, SpanKind::Day),
            (7 * 24 + 1, SpanKind::Week),
        ];
        let longer = [(31 * 24 + 1, SpanKind::Month), (366 * 24, SpanKind::Year)];
        let fits = |(hours, _): &(i64, SpanKind)| length <= SignedDuration::from_hours(*hours);
        let (_, kind) = kinds
            .into_iter()
            .chain(longer)
            .find(fits)
            .ok_or_else(too_long)?;
        let whole = Self::around(kind, range.from, now, zone);
        if let Some(whole) = whole.filter(|whole| whole.range == range) {
            return Ok(whole);
        }
        let local = |time: Timestamp| {
            Zoned::new(time, zone.clone())
                .strftime("%-d %b, %H:%M")
                .to_string()
        };
        let query = |by: SignedDuration| -> Option<String> {
            let [from, to] = [range.from, range.to].map(|time| time.checked_add(by).ok());
            Some(format!(
                "?from={}&to={}",
                from?.max(Timestamp::UNIX_EPOCH),
                to?
            ))
        };
        Ok(Self {
            kind,
            is_whole: false,
            range,
            title: format!("{} to {}", local(range.from), local(range.to)),
            before: query(-length).ok_or_else(too_long)?,
            after: query(length).filter(|_| range.to <= now),
        })
    }

    fn around(kind: SpanKind, at: Timestamp, now: Timestamp, zone: &TimeZone) -> Option<Self> {
        if kind == SpanKind::Hour {
            return Self::hour(at, now, zone);
        }
        let day = Zoned::new(at, zone.clone()).date();
        let [before, first, next, after_end] = kind.edges(day)?;
        let midnight = |day: Date| zone.to_timestamp(day.into()).ok();
        let range = TimeRange {
            from: midnight(first)?.max(Timestamp::UNIX_EPOCH),
            to: midnight(next)?,
        };
        let query = |from: Date, to: Date| -> Option<String> {
            Some(format!(
                "?range={}&from={from}&to={}",
                kind.as_str(),
                to.yesterday().ok()?
            ))
        };
        let title = match kind {
            SpanKind::Week => {
                let last = next.yesterday().ok()?;
                format!(
                    "{} to {}",
                    first.strftime("%-d %b"),
                    last.strftime("%-d %b %Y")
                )
            }
            SpanKind::Month => first.strftime("%B %Y").to_string(),
            SpanKind::Year => first.strftime("%Y").to_string(),
            SpanKind::Hour | SpanKind::Day => first.strftime("%a %-d %b %Y").to_string(),
        };
        let after = match range.to <= now {
            true => Some(query(next, after_end)?),
            false => None,
        };
        Some(Self {
            kind,
            is_whole: true,
            range,
            title,
            before: query(before, first)?,
            after,
        })
    }

    fn hour(from: Timestamp, now: Timestamp, zone: &TimeZone) -> Option<Self> {
        let hour = SignedDuration::from_hours(1);
        // Whole minutes make an axis that can be read.
        let from = Timestamp::from_second(from.as_second().div_euclid(60) * 60)
            .ok()?
            .max(Timestamp::UNIX_EPOCH);
        let to = from.checked_add(hour).ok()?;
        let query = |from: Timestamp| -> Option<String> {
            let to = from.checked_add(hour).ok()?;
            Some(format!("?range=hour&from={from}&to={to}"))
        };
        let local = |time: Timestamp| Zoned::new(time, zone.clone());
        let after = match to.checked_add(SignedDuration::from_mins(1)).ok()? <= now {
            true => Some(query(to)?),
            false => None,
        };
        Some(Self {
            kind: SpanKind::Hour,
            is_whole: true,
            range: TimeRange { from, to },
            title: format!(
                "{} to {}",
                local(from).strftime("%-d %b, %H:%M"),
                local(to).strftime("%H:%M")
            ),
            before: query(from.checked_sub(hour).ok()?)?,
            after,
        })
    }

    /// Returns the format of the time in a row of the table. A time that a change of the clock repeats has the name of its zone.
    pub(crate) fn row_format(&self, zone: &TimeZone) -> &'static str {
        let is_repeated = zone.to_offset(self.range.from) > zone.to_offset(self.range.to);
        match self.kind {
            SpanKind::Hour | SpanKind::Day if is_repeated => "%H:%M %Z",
            SpanKind::Hour | SpanKind::Day => "%H:%M",
            SpanKind::Week => "%a %-d %b, %H:%M",
            SpanKind::Month => "%a %-d %b",
            SpanKind::Year => "%B",
        }
    }

    /// Returns the labels of the axis of time, evenly spread; many are empty.
    pub(crate) fn labels(&self, zone: &TimeZone) -> Vec<String> {
        let local = |at: Timestamp| Zoned::new(at, zone.clone());
        let (parts, format) = match self.kind {
            SpanKind::Week if !self.is_whole => (4, "%a %H:%M"),
            SpanKind::Year if !self.is_whole => (4, "%-d %b"),
            SpanKind::Hour => (4, "%H:%M"),
            SpanKind::Day if !self.is_whole => (4, "%H:%M"),
            SpanKind::Day => return self.hours(zone),
            SpanKind::Week => (7, "%a"),
            SpanKind::Month => (4, "%-d %b"),
            SpanKind::Year => (12, "%b"),
        };
        let length = self.range.seconds();
        let is_time = self.kind == SpanKind::Hour || !self.is_whole;
        let label = |part| match part == parts {
            true if is_time => local(self.range.to).strftime(format).to_string(),
            true => String::new(),
            false => {
                // Later, so that a label does not slip over a change of the clock, or back into a month of 31 days.
                let slack = match self.kind {
                    _ if is_time => 0,
                    SpanKind::Year => 129_600,
                    _ => 43_200,
                };
                let at = SignedDuration::from_secs(length * part / parts + slack);
                let at = self.range.from.checked_add(at).unwrap_or(self.range.to);
                local(at).strftime(format).to_string()
            }
        };
        (0..=parts).map(label).collect()
    }

    /// Returns a label for each hour of a day, of which there are 23 to 25: every sixth has words.
    fn hours(&self, zone: &TimeZone) -> Vec<String> {
        let hours = self.range.seconds() / 3600;
        let label = |hour| {
            let at = self
                .range
                .from
                .checked_add(SignedDuration::from_hours(hour));
            let local = Zoned::new(at.unwrap_or(self.range.to), zone.clone());
            match local.hour() % 6 == 0 {
                true => local.strftime("%H:%M").to_string(),
                false => String::new(),
            }
        };
        let end = "24:00".to_owned();
        (0..hours).map(label).chain([end]).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn span(kind: SpanKind, from: Option<&str>) -> Span {
        let zone = TimeZone::get("Europe/Berlin").unwrap();
        let now = "2026-11-29T18:45:30Z".parse().unwrap();
        Span::at(kind, from.map(|text| text.parse().unwrap()), now, &zone).unwrap()
    }

    #[test]
    fn ranges_of_the_calendar() {
        let day = span(SpanKind::Day, None);
        assert_eq!(day.range.from.to_string(), "2026-11-28T23:00:00Z");
        assert_eq!(
            (day.title.as_str(), day.after.as_deref()),
            ("Sun 29 Nov 2026", None)
        );
        assert_eq!(day.before, "?range=day&from=2026-11-28&to=2026-11-28");
        // A day of 25 hours.
        let long = span(SpanKind::Day, Some("2026-10-25"));
        assert_eq!(long.range.seconds(), 25 * 3600);
        assert_eq!(
            long.after.as_deref(),
            Some("?range=day&from=2026-10-26&to=2026-10-26")
        );
        let week = span(SpanKind::Week, None);
        assert_eq!(week.title, "23 Nov to 29 Nov 2026");
        assert_eq!(week.before, "?range=week&from=2026-11-16&to=2026-11-22");
        let month = span(SpanKind::Month, Some("2026-02-10"));
        assert_eq!(
            month.after.as_deref(),
            Some("?range=month&from=2026-03-01&to=2026-03-31")
        );
        assert_eq!(
            span(SpanKind::Year, None).before,
            "?range=year&from=2025-01-01&to=2025-12-31"
        );
        let hour = span(SpanKind::Hour, None);
        assert_eq!(
            (hour.title.as_str(), hour.range.seconds()),
            ("29 Nov, 18:45 to 19:45", 3600)
        );
    }

    #[test]
    fn ranges_of_any_length() {
        let zone = TimeZone::get("Europe/Berlin").unwrap();
        let now = "2026-11-29T18:45:30Z".parse().unwrap();
        let between = |from: &str, to: &str| {
            let (from, to) = (from.parse().unwrap(), to.parse().unwrap());
            let request = RangeRequest {
                from: Some(from),
                to: Some(to),
            };
            Span::between(request, now, &zone)
        };
        let day = between("2026-10-25", "2026-10-25").unwrap();
        assert_eq!(day, span(SpanKind::Day, Some("2026-10-25")));
        let part = between("2026-11-27T22:00:00Z", "2026-11-28T04:00:00Z").unwrap();
        assert_eq!((part.kind, part.is_whole), (SpanKind::Day, false));
        assert_eq!(part.title, "27 Nov, 23:00 to 28 Nov, 05:00");
        assert_eq!(
            part.before,
            "?from=2026-11-27T16:00:00Z&to=2026-11-27T22:00:00Z"
        );
        assert_eq!(
            part.labels(&zone),
            ["23:00", "00:30", "02:00", "03:30", "05:00"]
        );
        let weeks = between("2026-11-02", "2026-11-15").unwrap();
        assert_eq!((weeks.kind, weeks.is_whole), (SpanKind::Month, false));
        let error = between("2024-01-01", "2026-11-15").unwrap_err();
        assert_eq!(error.message(), "to: a graph has at most a year");
        assert!(between("2026-11-15", "2026-11-02").is_err());
    }

    #[test]
    fn labels_of_time() {
        let zone = TimeZone::get("Europe/Berlin").unwrap();
        for (day, hours) in [("2026-11-29", 24), ("2026-10-25", 25), ("2026-03-29", 23)] {
            let labels = span(SpanKind::Day, Some(day)).labels(&zone);
            assert_eq!(labels.len(), hours + 1, "{day}");
            let words: Vec<_> = labels.iter().filter(|label| !label.is_empty()).collect();
            assert_eq!(
                words,
                ["00:00", "06:00", "12:00", "18:00", "24:00"],
                "{day}"
            );
            assert_eq!(labels[hours - 6], "18:00", "{day}");
        }
        for year in ["2026-06-01", "2028-06-01"] {
            let year = span(SpanKind::Year, Some(year)).labels(&zone);
            let months = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec ";
            assert_eq!(year.join(" "), months);
        }
        let repeated = span(SpanKind::Day, Some("2026-10-25"));
        assert_eq!(repeated.row_format(&zone), "%H:%M %Z");
        assert_eq!(span(SpanKind::Day, None).row_format(&zone), "%H:%M");
        let week = span(SpanKind::Week, Some("2026-10-25")).labels(&zone);
        assert_eq!(week, ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun", ""]);
    }
}
