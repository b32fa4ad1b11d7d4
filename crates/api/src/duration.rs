//! Durations as people type and read them: `800ms`, `5s`, `1m30s`, `2h`, `1d`. A day is 24 hours.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use jiff::fmt::friendly::{Spacing, SpanPrinter};
use jiff::{SignedDuration, Span, SpanRelativeTo};

use crate::json::json_is_text;

/// Maximum duration: longer than any useful one, and short enough that no clock arithmetic overflows.
const MAX_DURATION: Duration = Duration::from_secs(366 * 24 * 60 * 60);

const DAY: u64 = 24 * 60 * 60;

/// Reads a duration that is longer than zero and names its unit.
///
/// # Errors
///
/// A clause that describes the error in the text.
pub fn parse(text: &str) -> Result<Duration, String> {
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(format!(
            "a duration needs a unit, for example `{text}s` or `{text}m`"
        ));
    }
    let unreadable =
        || "not a duration; write it like `800ms`, `5s`, `1m30s`, `2h` or `1d`".to_owned();
    let span: Span = text.parse().map_err(|_| unreadable())?;
    if span.get_years() != 0 || span.get_months() != 0 {
        return Err("a duration has no years or months; their length varies".to_owned());
    }
    let signed = span
        .to_duration(SpanRelativeTo::days_are_24_hours())
        .map_err(|_| unreadable())?;
    match Duration::try_from(signed) {
        Ok(Duration::ZERO) => Err("the duration must be longer than zero".to_owned()),
        Ok(duration) if duration > MAX_DURATION => {
            Err("the duration must be at most a year".to_owned())
        }
        Ok(duration) => Ok(duration),
        Err(_) => Err("a duration cannot be negative".to_owned()),
    }
}

/// Writes a duration for people: `800ms`, `5s`, `1m 30s`.
pub fn show(duration: Duration) -> String {
    let rounded = if duration >= Duration::from_secs(10) {
        Duration::from_secs(duration.as_secs())
    } else {
        Duration::from_millis(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX))
    };
    SignedDuration::try_from(rounded)
        .map_or_else(|_| "very long".to_owned(), |signed| format!("{signed:#}"))
}

/// A duration in configuration and JSON: `"10s"`, `"15m"`, `"1d"`. Longer than zero, at most a year.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Period(Duration);

impl Period {
    /// Makes a period of whole seconds. Zero becomes one: a period is never empty.
    pub const fn seconds(seconds: u64) -> Self {
        Self(Duration::from_secs(if seconds == 0 { 1 } else { seconds }))
    }

    /// Returns it as a standard library duration.
    pub const fn get(self) -> Duration {
        self.0
    }
}

impl From<Duration> for Period {
    /// Converts a duration; zero becomes a second, and more than a year becomes a year.
    fn from(duration: Duration) -> Self {
        match duration {
            Duration::ZERO => Self::seconds(0),
            _ => Self(duration.min(MAX_DURATION)),
        }
    }
}

impl fmt::Display for Period {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0.as_secs();
        if self.0.subsec_nanos() == 0 && seconds.is_multiple_of(DAY) {
            return write!(f, "{}d", seconds / DAY);
        }
        let signed = SignedDuration::try_from(self.0).unwrap_or(SignedDuration::MAX);
        let text = SpanPrinter::new()
            .spacing(Spacing::None)
            .duration_to_string(&signed);
        f.write_str(&text)
    }
}

impl FromStr for Period {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        parse(text).map(Self)
    }
}

json_is_text!(
    Period,
    "A duration longer than zero.",
    "^([1-9][0-9]{0,2}d)?([1-9][0-9]{0,3}h)?([1-9][0-9]{0,4}m)?([1-9][0-9]{0,6}s)?([1-9][0-9]{0,5}ms)?([1-9][0-9]{0,5}(µs|us))?([1-9][0-9]{0,5}ns)?$",
    ["10s", "1m30s", "15m", "1d"],
    2..=40
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_people_write() {
        for (text, expected) in [
            ("800ms", 800),
            ("5s", 5_000),
            ("1m30s", 90_000),
            ("1m 30s", 90_000),
            ("2h", 7_200_000),
            ("1d", 86_400_000),
        ] {
            assert_eq!(parse(text), Ok(Duration::from_millis(expected)), "{text}");
        }
    }

    #[test]
    fn refuses_what_is_no_duration() {
        for text in [
            "5",
            "-1s",
            "abc",
            "0s",
            "",
            " ",
            "99999999999999999999s",
            "400d",
            "1y",
            "2mo",
            "9999999h",
            "5 5",
            "s",
        ] {
            assert!(parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn shows_them_readably() {
        assert_eq!(show(Duration::from_micros(12_345)), "12ms");
        assert_eq!(show(Duration::from_secs(90)), "1m 30s");
    }

    #[test]
    fn periods_as_the_contract_writes_them() {
        for text in ["10s", "15m", "1d", "1h30m", "90d", "500ms"] {
            assert_eq!(text.parse::<Period>().unwrap().to_string(), text);
        }
        assert_eq!("60s".parse::<Period>().unwrap().to_string(), "1m");
        assert_eq!("24h".parse::<Period>().unwrap().to_string(), "1d");
    }

    proptest::proptest! {
        #[test]
        fn never_panics(text in "\\PC*") {
            let _ = parse(&text);
        }

        #[test]
        fn shows_what_it_reads(millis in 1_u64..31_536_000_000) {
            let duration = Duration::from_millis(millis);
            // Below ten seconds nothing is rounded.
            if millis < 10_000 {
                proptest::prop_assert_eq!(parse(&show(duration)), Ok(duration));
            }
            proptest::prop_assert_eq!(Period(duration).to_string().parse(), Ok(Period(duration)));
        }
    }
}
