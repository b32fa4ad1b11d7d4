//! The fields of documents in words for people.

use anstyle::Style;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan, Zoned};
use serde_json::Value;

use super::Document;
use crate::ui::{BAD, BOLD, DIM, GOOD, clean, paint};

/// What time it is, and where whoever reads it is.
#[derive(Debug, Clone)]
pub(crate) struct Clock {
    now: Zoned,
}

impl Clock {
    /// This computer's.
    pub(crate) fn system() -> Self {
        Self::at(Timestamp::now(), TimeZone::system())
    }

    /// A clock that stands.
    pub(crate) fn at(now: Timestamp, timezone: TimeZone) -> Self {
        let now = Zoned::new(now, timezone);
        Self { now }
    }

    /// Returns a moment in local time: `today 18:00`, `tomorrow 07:00`, `Thu 2026-12-24 18:00`.
    pub(crate) fn moment(&self, at: Timestamp) -> String {
        let at = Zoned::new(at, self.now.time_zone().clone());
        let today = self.now.date();
        let is = |days: i64| {
            today
                .checked_add(days.days())
                .is_ok_and(|day| day == at.date())
        };
        if is(0) {
            at.strftime("today %H:%M").to_string()
        } else if is(1) {
            at.strftime("tomorrow %H:%M").to_string()
        } else if is(-1) {
            at.strftime("yesterday %H:%M").to_string()
        } else {
            at.strftime("%a %Y-%m-%d %H:%M").to_string()
        }
    }

    /// As [`Clock::moment`], of what JSON carries; `None` for null and for what is no time.
    pub(crate) fn of(&self, at: Option<&Value>) -> Option<String> {
        at?.as_str()?.parse().ok().map(|at| self.moment(at))
    }

    /// Returns the local time of day: `18:00:05`.
    pub(crate) fn time(&self) -> String {
        self.now.strftime("%H:%M:%S").to_string()
    }

    /// Returns the local date.
    pub(crate) fn today(&self) -> Date {
        self.now.date()
    }

    /// Returns the moment that it is.
    pub(crate) fn now(&self) -> Timestamp {
        self.now.timestamp()
    }

    /// Returns the local zone.
    pub(crate) fn timezone(&self) -> &TimeZone {
        self.now.time_zone()
    }
}

/// Returns a text field; nothing for what is absent or no text.
pub(crate) fn text<'a>(document: &'a Document, field: &str) -> &'a str {
    document
        .get(field)
        .and_then(Value::as_str)
        .unwrap_or_default()
}

/// Returns a number field as people write it.
pub(crate) fn figure(document: &Document, field: &str) -> String {
    match document.get(field).and_then(Value::as_f64) {
        Some(number) => number.to_string(),
        None => "?".to_owned(),
    }
}

/// Tells whether it acts at all.
pub(crate) fn is_enabled(document: &Document) -> bool {
    document
        .get("enabled")
        .and_then(Value::as_bool)
        .unwrap_or(true)
}

/// Returns days of the week: `daily`, `weekdays`, `weekend`, `mon, wed`.
pub(crate) fn days(days: Option<&Value>) -> String {
    let days: Vec<&str> = days
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    let has = |all: &[&str]| days.len() == all.len() && all.iter().all(|day| days.contains(day));
    if days.is_empty() || has(&["mon", "tue", "wed", "thu", "fri", "sat", "sun"]) {
        "daily".to_owned()
    } else if has(&["mon", "tue", "wed", "thu", "fri"]) {
        "weekdays".to_owned()
    } else if has(&["sat", "sun"]) {
        "weekend".to_owned()
    } else {
        days.join(", ")
    }
}

/// Returns what a schedule or rule last did: when, what, and why.
pub(crate) fn last(document: &Document, clock: &Clock) -> Option<String> {
    let last = document.get("last")?.as_object()?;
    let at = clock.of(last.get("at"))?;
    let unsure = match last.get("confirmed").and_then(Value::as_bool) {
        Some(false) => " (not confirmed)",
        _ => "",
    };
    let words = [text(last, "action"), text(last, "why")];
    let words: Vec<&str> = words.into_iter().filter(|word| !word.is_empty()).collect();
    Some(format!("{at}: {}{unsure}", words.join(", ")))
}

/// Returns why the hub stopped a schedule or rule, if it did.
pub(crate) fn halted(document: &Document, clock: &Clock) -> Option<String> {
    let halted = document.get("halted")?.as_object()?;
    let at = clock.of(halted.get("at")).unwrap_or_default();
    Some(
        format!("{at}: {}", text(halted, "why"))
            .trim_start_matches(": ")
            .to_owned(),
    )
}

/// One line of the details of a document.
#[derive(Debug, Clone)]
pub(crate) struct Line {
    label: &'static str,
    value: String,
    style: Style,
}

impl Line {
    /// A plain line.
    pub(crate) fn new(label: &'static str, value: impl Into<String>) -> Self {
        Self::styled(Style::new(), label, value)
    }

    /// A line of which the value stands out, or does not.
    pub(crate) fn styled(style: Style, label: &'static str, value: impl Into<String>) -> Self {
        let value = value.into();
        Self {
            label,
            value,
            style,
        }
    }

    /// A line for what may not be there, which is shown as a dim dash.
    pub(crate) fn maybe(label: &'static str, value: Option<String>) -> Self {
        match value {
            Some(value) => Self::new(label, value),
            None => Self::styled(DIM, label, "-"),
        }
    }
}

/// The first lines of all details: the name, and the id that never changes.
pub(crate) fn heading(document: &Document) -> Vec<Line> {
    vec![
        Line::styled(BOLD, "name", text(document, "name")),
        Line::styled(DIM, "id", text(document, "id")),
    ]
}

/// The line that tells whether a schedule or rule acts.
pub(crate) fn state(document: &Document, clock: &Clock) -> Line {
    match halted(document, clock) {
        Some(why) => Line::styled(BAD, "state", format!("stopped {why}")),
        None if is_enabled(document) => Line::styled(GOOD, "state", "enabled"),
        None => Line::styled(DIM, "state", "disabled"),
    }
}

/// Returns lines with a dim label each; what people and devices wrote cannot steer the terminal.
pub(crate) fn lines(details: &[Line]) -> String {
    let width = details
        .iter()
        .map(|line| line.label.len())
        .max()
        .unwrap_or_default();
    let lines: Vec<String> = details
        .iter()
        .map(|line| {
            let label = format!("{:<width$}", line.label);
            format!(
                "{}  {}",
                paint(DIM, label),
                paint(line.style, clean(&line.value))
            )
        })
        .collect();
    lines.join("\n")
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use serde_json::json;

    /// Sunday, 22 November 2026, noon in UTC.
    pub(crate) fn clock() -> Clock {
        let zone = TimeZone::get("Europe/Berlin").unwrap();
        Clock::at("2026-11-22T12:00:00Z".parse().unwrap(), zone)
    }

    pub(crate) fn document(json: Value) -> Document {
        serde_json::from_value(json).unwrap()
    }

    #[test]
    fn moments_near_now_have_words() {
        for (at, expected) in [
            ("2026-11-22T17:00:00Z", "today 18:00"),
            ("2026-11-22T23:00:00Z", "tomorrow 00:00"),
            ("2026-11-21T22:59:59Z", "yesterday 23:59"),
            ("2026-11-24T00:00:00Z", "Tue 2026-11-24 01:00"),
            ("2027-06-01T00:00:00Z", "Tue 2027-06-01 02:00"),
        ] {
            assert_eq!(clock().of(Some(&json!(at))).unwrap(), expected);
        }
        for none in [Value::Null, json!("soon"), json!(5)] {
            assert_eq!(clock().of(Some(&none)), None);
        }
        assert_eq!(clock().of(None), None);
        let edge = Clock::at(Timestamp::MAX, TimeZone::UTC);
        assert!(edge.moment(Timestamp::MIN).contains("-9999"));
    }

    #[test]
    fn days_have_words() {
        for (value, expected) in [
            (json!(null), "daily"),
            (json!([]), "daily"),
            (
                json!(["sun", "mon", "tue", "wed", "thu", "fri", "sat"]),
                "daily",
            ),
            (json!(["fri", "mon", "tue", "wed", "thu"]), "weekdays"),
            (json!(["sat", "sun"]), "weekend"),
            (json!(["mon", "wed"]), "mon, wed"),
        ] {
            assert_eq!(days(Some(&value)), expected);
        }
    }

    #[test]
    fn what_was_last_done_and_why() {
        let rule = document(json!({
            "last": {"at": "2026-11-22T11:00:00Z", "action": "off", "why": "below 10 W for 5m", "confirmed": false},
            "halted": {"at": "2026-11-22T11:01:00Z", "why": "6 switches within a minute"},
        }));
        let last = last(&rule, &clock()).unwrap();
        assert_eq!(last, "today 12:00: off, below 10 W for 5m (not confirmed)");
        assert_eq!(
            halted(&rule, &clock()).unwrap(),
            "today 12:01: 6 switches within a minute"
        );
        let none = document(json!({"last": null, "halted": null}));
        assert_eq!(
            (super::last(&none, &clock()), halted(&none, &clock())),
            (None, None)
        );
    }

    #[test]
    fn labels_are_aligned() {
        let text = lines(&[Line::new("name", "evening\u{7}"), Line::maybe("id", None)]);
        assert_eq!(
            anstream::adapter::strip_str(&text).to_string(),
            "name  evening\\u{7}\nid    -"
        );
    }
}
