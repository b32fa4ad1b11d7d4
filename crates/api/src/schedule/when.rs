//! Times at which a schedule runs, as people write them.

use std::fmt;
use std::str::FromStr;

use jiff::SignedDuration;
use jiff::civil::DateTime;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Cron, Weekdays};
use crate::duration::{self, Period};
use crate::error::excerpt;
use crate::json::json_is_text;
use crate::local_date::LocalDate;
use crate::time_of_day::TimeOfDay;

/// Maximum time before or after sunrise or sunset.
const MAX_OFFSET: SignedDuration = SignedDuration::from_hours(12);

/// Times at which a schedule runs, in local time.
///
/// The key in its JSON tells the kind: `{"at":"07:00","days":["mon"]}`,
/// `{"sun":"sunset","offset":"-15m","days":["mon"]}`, `{"once":"2026-12-24T18:00"}` or `{"cron":"0 7 * * 1-5"}`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(untagged, try_from = "WhenFields")]
pub enum When {
    /// At a time of day.
    At {
        /// The time.
        at: TimeOfDay,
        /// On these days; every day unless given.
        #[schema(required = false, nullable)]
        days: Weekdays,
    },
    /// At sunrise or sunset. Where the sun does not rise or set on a day, the schedule does not run.
    Sun {
        /// Which of the two.
        sun: SunEvent,
        /// Time after it, or before it when negative.
        #[schema(required = false, nullable)]
        offset: Offset,
        /// On these days; every day unless given. The day is that of the noon which the event follows or precedes, also where the
        /// sun sets after midnight.
        #[schema(required = false, nullable)]
        days: Weekdays,
    },
    /// Once.
    Once {
        /// The date and time.
        once: LocalDateTime,
    },
    /// By a cron expression.
    Cron {
        /// The expression.
        cron: Cron,
    },
}

/// The JSON of [`When`] as it is read.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WhenFields {
    at: Option<TimeOfDay>,
    sun: Option<SunEvent>,
    offset: Option<Offset>,
    once: Option<LocalDateTime>,
    cron: Option<Cron>,
    days: Option<Weekdays>,
}

impl TryFrom<WhenFields> for When {
    type Error = &'static str;

    fn try_from(fields: WhenFields) -> Result<Self, Self::Error> {
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
            (None, None, Some(once), None) => Ok(Self::Once { once }),
            (None, None, None, Some(cron)) => Ok(Self::Cron { cron }),
            _ => Err("`when` has exactly one of `at`, `sun`, `once` and `cron`"),
        }
    }
}

/// Sunrise or sunset.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum SunEvent {
    /// The sun rises.
    Sunrise,
    /// The sun sets.
    Sunset,
}

json_is_text!(
    LocalDateTime,
    "A local date and time.",
    "^(19[7-9][0-9]|20[0-9]{2}|21[0-9]{2})-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])T([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9])?$",
    ["2026-12-24T18:00"]
);
json_is_text!(
    Offset,
    "Time after sunrise or sunset, or before it when negative.",
    "^[+-]?(0s|([1-9]h|1[0-2]h)?([1-9][0-9]{0,2}m)?([1-9][0-9]{0,4}s)?([1-9][0-9]{0,2}ms)?([1-9][0-9]{0,2}(µs|us))?([1-9][0-9]{0,2}ns)?)$",
    ["-15m", "1h30m"],
    2..=30
);

/// A local date and time, to the second: `2026-12-24T18:00`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LocalDateTime(DateTime);

impl LocalDateTime {
    /// Returns it as a civil date and time.
    pub fn get(self) -> DateTime {
        self.0
    }
}

impl FromStr for LocalDateTime {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let unreadable = || {
            format!(
                "'{}' is not a local date and time; write it like `2026-12-24T18:00`, without a zone",
                excerpt(text)
            )
        };
        let (date, time) = text.split_once(['T', ' ']).ok_or_else(unreadable)?;
        let time: TimeOfDay = time.parse().map_err(|_| unreadable())?;
        let date: LocalDate = date.parse().map_err(|problem| {
            format!(
                "'{}' is not a local date and time: {problem}",
                excerpt(text)
            )
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

/// An offset from sunrise or sunset: `-15m`, `1h30m`, `0s`. At most twelve hours either way.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Offset(SignedDuration);

impl Offset {
    /// Returns it as a signed duration.
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
            .map_err(|problem| format!("'{}' is not an offset: {problem}", excerpt(text)))?;
        let length = SignedDuration::try_from(length)
            .ok()
            .filter(|length| *length <= MAX_OFFSET)
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
            (r#"{"sun":"sunset","offset":"--5m"}"#, "not an offset"),
            (r#"{"sun":"sunset","offset":"5"}"#, "needs a unit"),
            (r#"{"once":"2026-12-24T18:00Z"}"#, "without a zone"),
            (r#"{"once":"2026-12-24T18:00+01:00"}"#, "without a zone"),
            (r#"{"once":"2026-02-29T18:00"}"#, "not a local date"),
            (r#"{"once":"2026-12-24"}"#, "not a local date"),
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
