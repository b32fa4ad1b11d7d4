//! When a schedule fires, as people write it.

use std::fmt;
use std::str::FromStr;

use jiff::SignedDuration;
use jiff::civil::DateTime;
use serde::{Deserialize, Serialize};

use super::{Cron, Weekdays};
use crate::duration::{self, Period};
use crate::error::excerpt;
use crate::json::json_is_text;
use crate::local_date::LocalDate;
use crate::time_of_day::TimeOfDay;

/// The longest way from sunrise or sunset.
const LONGEST_OFFSET: SignedDuration = SignedDuration::from_hours(12);

/// When a schedule fires.
///
/// In JSON the key that it has says which kind it is: `{"at":"07:00","days":["mon"]}`,
/// `{"sun":"sunset","offset":"-15m","days":["mon"]}`, `{"once":"2026-12-24T18:00"}` or `{"cron":"0 7 * * 1-5"}`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Fields", into = "Fields")]
pub enum When {
    /// At a local time of day.
    At {
        /// The time.
        at: TimeOfDay,
        /// On these days.
        days: Weekdays,
    },
    /// When the sun rises or sets.
    Sun {
        /// Which of the two.
        sun: SunEvent,
        /// So much after it, or before it when negative.
        offset: Offset,
        /// On these days: those on whose noon it follows or which it precedes, also where the sun sets after midnight.
        days: Weekdays,
    },
    /// Once, at a local time.
    Once(LocalDateTime),
    /// Whenever a cron expression says so, in local time.
    Cron(Cron),
}

/// The JSON of [`When`].
#[derive(Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Fields {
    #[serde(skip_serializing_if = "Option::is_none")]
    at: Option<TimeOfDay>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sun: Option<SunEvent>,
    #[serde(skip_serializing_if = "Option::is_none")]
    offset: Option<Offset>,
    #[serde(skip_serializing_if = "Option::is_none")]
    once: Option<LocalDateTime>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cron: Option<Cron>,
    #[serde(skip_serializing_if = "Option::is_none")]
    days: Option<Weekdays>,
}

impl TryFrom<Fields> for When {
    type Error = &'static str;

    fn try_from(fields: Fields) -> Result<Self, Self::Error> {
        if fields.offset.is_some() && fields.sun.is_none() {
            return Err("`offset` goes with `sun` only");
        }
        if fields.days.is_some() && (fields.once.is_some() || fields.cron.is_some()) {
            return Err("`days` goes with `at` and `sun` only");
        }
        let days = fields.days.unwrap_or_default();
        match (fields.at, fields.sun, fields.once, fields.cron) {
            (Some(at), None, None, None) => Ok(Self::At { at, days }),
            (None, Some(sun), None, None) => Ok(Self::Sun {
                sun,
                offset: fields.offset.unwrap_or_default(),
                days,
            }),
            (None, None, Some(once), None) => Ok(Self::Once(once)),
            (None, None, None, Some(cron)) => Ok(Self::Cron(cron)),
            _ => Err("`when` has exactly one of `at`, `sun`, `once` and `cron`"),
        }
    }
}

impl From<When> for Fields {
    fn from(when: When) -> Self {
        let none = Self::default();
        match when {
            When::At { at, days } => Self {
                at: Some(at),
                days: Some(days),
                ..none
            },
            When::Sun { sun, offset, days } => Self {
                sun: Some(sun),
                offset: Some(offset),
                days: Some(days),
                ..none
            },
            When::Once(once) => Self {
                once: Some(once),
                ..none
            },
            When::Cron(cron) => Self {
                cron: Some(cron),
                ..none
            },
        }
    }
}

/// What the sun does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SunEvent {
    /// It comes up.
    Sunrise,
    /// It goes down.
    Sunset,
}

json_is_text!(LocalDateTime, Offset);

/// A local date and time, to the second: `2026-12-24T18:00`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LocalDateTime(DateTime);

impl LocalDateTime {
    /// Returns it as the calendar has it.
    pub fn get(self) -> DateTime {
        self.0
    }
}

impl FromStr for LocalDateTime {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let unreadable = || {
            format!(
                "'{}' is no local date and time; write it like `2026-12-24T18:00`, without a zone",
                excerpt(text)
            )
        };
        let (date, time) = text.split_once(['T', ' ']).ok_or_else(unreadable)?;
        let time: TimeOfDay = time.parse().map_err(|_| unreadable())?;
        let date: LocalDate = date.parse().map_err(|problem| {
            format!("'{}' is no local date and time: {problem}", excerpt(text))
        })?;
        Ok(Self(date.get().to_datetime(time.get())))
    }
}

impl fmt::Display for LocalDateTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = match self.0.second() {
            0 => self.0.strftime("%FT%R"),
            _ => self.0.strftime("%FT%T"),
        };
        shown.fmt(f)
    }
}

/// A way from sunrise or sunset: `-15m`, `1h30m`, `0s`. At most twelve hours either way.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Offset(SignedDuration);

impl Offset {
    /// Returns it as a duration with a sign.
    pub fn get(self) -> SignedDuration {
        self.0
    }
}

impl FromStr for Offset {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (is_before, length) = match text.strip_prefix('-') {
            Some(length) => (true, length),
            None => (false, text.strip_prefix('+').unwrap_or(text)),
        };
        if matches!(length, "0" | "0s" | "0m" | "0h") {
            return Ok(Self::default());
        }
        let length = duration::parse(length)
            .map_err(|problem| format!("'{}' is no offset: {problem}", excerpt(text)))?;
        let length = SignedDuration::try_from(length)
            .ok()
            .filter(|length| *length <= LONGEST_OFFSET)
            .ok_or("an offset is at most 12 hours either way")?;
        Ok(Self(if is_before { -length } else { length }))
    }
}

impl fmt::Display for Offset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_zero() {
            return f.write_str("0s");
        }
        let sign = if self.0.is_negative() { "-" } else { "" };
        write!(f, "{sign}{}", Period::from(self.0.unsigned_abs()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn back_and_forth(text: &str) -> String {
        let when: When = serde_json::from_str(text).unwrap();
        serde_json::to_string(&when).unwrap()
    }

    #[test]
    fn the_forms_of_the_contract() {
        for text in [
            r#"{"at":"07:00","days":["mon","tue"]}"#,
            r#"{"at":"23:59:59","days":["sun"]}"#,
            r#"{"sun":"sunset","offset":"-15m","days":["mon","sun"]}"#,
            r#"{"sun":"sunrise","offset":"1h30m","days":["sat"]}"#,
            r#"{"once":"2026-12-24T18:00"}"#,
            r#"{"cron":"*/15 7-9 * * 1-5"}"#,
        ] {
            assert_eq!(back_and_forth(text), text);
        }
    }

    #[test]
    fn what_may_be_left_out() {
        let days = r#""days":["mon","tue","wed","thu","fri","sat","sun"]"#;
        let at = format!(r#"{{"at":"07:00",{days}}}"#);
        assert_eq!(back_and_forth(r#"{"at":"7:00"}"#), at);
        assert_eq!(back_and_forth(r#"{"at":"07:00:00","days":null}"#), at);
        let sun = format!(r#"{{"sun":"sunset","offset":"0s",{days}}}"#);
        for text in [r#"{"sun":"sunset"}"#, r#"{"sun":"sunset","offset":"-0m"}"#] {
            assert_eq!(back_and_forth(text), sun);
        }
        assert_eq!(
            back_and_forth(r#"{"once":"2026-12-24 18:00:00"}"#),
            r#"{"once":"2026-12-24T18:00"}"#
        );
    }

    #[test]
    fn what_makes_no_sense_is_refused_with_a_reason() {
        for (text, reason) in [
            ("{}", "exactly one of"),
            (r#"{"days":["mon"]}"#, "exactly one of"),
            (r#"{"at":"07:00","cron":"* * * * *"}"#, "exactly one of"),
            (r#"{"at":"07:00","offset":"5m"}"#, "`offset` goes with"),
            (r#"{"cron":"* * * * *","days":["mon"]}"#, "`days` goes with"),
            (r#"{"at":"07:00","day":["mon"]}"#, "unknown field `day`"),
            (r#"{"at":"24:00"}"#, "not a local time"),
            (r#"{"at":"07:60"}"#, "not a local time"),
            (r#"{"at":"23:59:60"}"#, "not a local time"),
            (r#"{"at":""}"#, "not a local time"),
            (r#"{"at":"7"}"#, "not a local time"),
            (r#"{"at":"٠٧:٠٠"}"#, "not a local time"),
            (r#"{"at":7}"#, "invalid type"),
            (r#"{"sun":"noon"}"#, "unknown variant"),
            (r#"{"sun":"sunset","offset":"13h"}"#, "at most 12 hours"),
            (r#"{"sun":"sunset","offset":"--5m"}"#, "no offset"),
            (r#"{"sun":"sunset","offset":"5"}"#, "needs a unit"),
            (r#"{"once":"2026-12-24T18:00Z"}"#, "without a zone"),
            (r#"{"once":"2026-12-24T18:00+01:00"}"#, "without a zone"),
            (r#"{"once":"2026-02-29T18:00"}"#, "no local date"),
            (r#"{"once":"2026-12-24"}"#, "no local date"),
            (r#"{"once":"1969-12-31T23:59"}"#, "between 1970 and 2200"),
            (r#"{"once":"2200-01-01T00:00"}"#, "between 1970 and 2200"),
            (r#"{"cron":"* * * *"}"#, "five fields"),
        ] {
            let error = serde_json::from_str::<When>(text).unwrap_err().to_string();
            assert!(error.contains(reason), "{text}: {error}");
        }
    }

    proptest::proptest! {
        #[test]
        fn never_panics(text in "\\PC{0,40}", near in "[-+0-9T: ]{0,20}") {
            for text in [text, near] {
                let _ = text.parse::<LocalDateTime>();
                let _ = text.parse::<Offset>();
            }
        }
    }
}
