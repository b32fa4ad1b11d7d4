//! The range of the page of energy: its periods, and the ranges before and after it.

use api::{EnergyPeriod, RequestError};
use jiff::civil::Date;
use jiff::{Span, ToSpan};
use serde::Deserialize;

/// The range of the page.
#[derive(Debug, Deserialize)]
pub(crate) struct EnergyQuery {
    by: Option<String>,
    from: Option<String>,
    to: Option<String>,
}

/// A month of days or a year of months, or the range that was given.
pub(crate) struct EnergyView {
    pub(crate) by: EnergyPeriod,
    pub(crate) title: String,
    pub(crate) first: Date,
    /// The first day after the range.
    pub(crate) end: Date,
    /// Distance to the range with which it is compared.
    pub(crate) back: Span,
    pub(crate) before: String,
    pub(crate) after: Option<String>,
}

impl EnergyView {
    pub(crate) fn read(query: &EnergyQuery, today: Date) -> Result<Self, RequestError> {
        let by = query.by.as_deref().unwrap_or("day").parse();
        let by: EnergyPeriod =
            by.map_err(|error| RequestError::usage(format!("by: {error}")).at("by"))?;
        let date = |name: &str, text: &Option<String>| -> Result<Option<Date>, RequestError> {
            let error = |_| {
                RequestError::usage(format!("{name}: it is not a date like 2026-11-29")).at(name)
            };
            // Of a moment the day counts: the page has whole days.
            let text = text
                .as_deref()
                .map(|text| text.split('T').next().unwrap_or(text));
            text.map(|text| text.parse().map_err(error)).transpose()
        };
        let (from, to) = (date("from", &query.from)?, date("to", &query.to)?);
        Self::of(by, from, to, today).ok_or_else(|| {
            RequestError::usage("from: it is not before `to`, or out of the years 1970 to 2200")
                .at("from")
        })
    }

    fn of(by: EnergyPeriod, from: Option<Date>, to: Option<Date>, today: Date) -> Option<Self> {
        let day = from.or(to).unwrap_or(today);
        let (unit, whole) = match by {
            EnergyPeriod::Day => (1.month(), day.first_of_month()),
            EnergyPeriod::Week | EnergyPeriod::Month => (1.year(), day.first_of_year()),
            EnergyPeriod::Year => (10.years(), day.first_of_year().checked_sub(9.years()).ok()?),
        };
        let first = from.unwrap_or(whole);
        let end = match to {
            Some(to) => to.tomorrow().ok()?,
            None => first.checked_add(unit).ok()?,
        };
        if first >= end || !(1970..2200).contains(&first.year()) || end.year() > 2200 {
            return None;
        }
        // A range that is no whole month or year is compared with as many days before it.
        let is_whole = first == whole && first.checked_add(unit).ok()? == end;
        let back = if is_whole {
            unit
        } else {
            i64::from(first.until(end).ok()?.get_days()).days()
        };
        let word = by.as_str();
        let query = |from: Date, end: Date| -> Option<String> {
            Some(format!(
                "?by={word}&from={from}&to={}",
                end.yesterday().ok()?
            ))
        };
        let earlier = first.checked_sub(back).ok()?;
        let after = (end <= today).then(|| query(end, end.checked_add(back).ok()?));
        let title = match (is_whole, by) {
            (true, EnergyPeriod::Day) => first.strftime("%B %Y").to_string(),
            (true, EnergyPeriod::Week | EnergyPeriod::Month) => first.strftime("%Y").to_string(),
            _ => format!(
                "{} to {}",
                first.strftime("%-d %b %Y"),
                end.yesterday().ok()?.strftime("%-d %b %Y")
            ),
        };
        Some(Self {
            by,
            title,
            first,
            end,
            back,
            before: query(earlier, first)?,
            after: after.flatten(),
        })
    }

    pub(crate) fn word(&self) -> &'static str {
        self.by.as_str()
    }

    /// Returns the periods of the navigation, with true for that of the page.
    pub(crate) fn choices(&self) -> impl Iterator<Item = (&'static str, bool)> {
        let by = self.by;
        EnergyPeriod::ALL
            .into_iter()
            .map(move |period| (period.as_str(), period == by))
    }

    /// Returns the first day of each period.
    pub(crate) fn periods(&self) -> Vec<Date> {
        let step = match self.by {
            EnergyPeriod::Day => 1.day(),
            EnergyPeriod::Week => 1.week(),
            EnergyPeriod::Month => 1.month(),
            EnergyPeriod::Year => 1.year(),
        };
        let mut day = self.by.first_day(self.first);
        let mut days = Vec::new();
        while day < self.end {
            days.push(day);
            let Ok(next) = day.checked_add(step) else {
                break;
            };
            day = next;
        }
        days
    }

    pub(crate) fn query(&self) -> String {
        let to = self.end.yesterday().unwrap_or(self.end);
        format!("?by={}&from={}&to={to}", self.word(), self.first)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn view(by: EnergyPeriod, from: Option<&str>, to: Option<&str>) -> Option<EnergyView> {
        let date = |text: Option<&str>| text.map(|text| text.parse().unwrap());
        EnergyView::of(by, date(from), date(to), "2026-11-29".parse().unwrap())
    }

    #[test]
    fn a_month_is_compared_with_the_month_before() {
        let this = view(EnergyPeriod::Day, None, None).unwrap();
        assert_eq!(
            (this.title.as_str(), this.after.as_deref()),
            ("November 2026", None)
        );
        assert_eq!(this.before, "?by=day&from=2026-10-01&to=2026-10-31");
        assert_eq!(this.periods().len(), 30);
        let last = view(EnergyPeriod::Day, Some("2026-10-01"), Some("2026-10-31")).unwrap();
        assert_eq!(
            last.after.as_deref(),
            Some("?by=day&from=2026-11-01&to=2026-11-30")
        );
        assert_eq!(last.query(), "?by=day&from=2026-10-01&to=2026-10-31");
    }

    #[test]
    fn a_year_has_twelve_months() {
        let year = view(EnergyPeriod::Month, None, None).unwrap();
        assert_eq!((year.title.as_str(), year.periods().len()), ("2026", 12));
        assert_eq!(year.before, "?by=month&from=2025-01-01&to=2025-12-31");
    }

    #[test]
    fn ranges_of_any_length() {
        let week = view(EnergyPeriod::Day, Some("2026-11-02"), Some("2026-11-08")).unwrap();
        assert_eq!(week.before, "?by=day&from=2026-10-26&to=2026-11-01");
        assert_eq!(week.title, "2 Nov 2026 to 8 Nov 2026");
        assert!(view(EnergyPeriod::Day, Some("2026-11-09"), Some("2026-11-08")).is_none());
        assert!(view(EnergyPeriod::Month, Some("1960-01-01"), None).is_none());
    }
}
