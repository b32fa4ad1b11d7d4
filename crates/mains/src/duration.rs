//! Durations as people type and read them: `800ms`, `5s`, `1m 30s`, `2h`.

use std::time::Duration;

use jiff::SignedDuration;

/// Longer than any wait that makes sense here, and short enough that no clock arithmetic overflows.
const LONGEST: Duration = Duration::from_secs(366 * 24 * 60 * 60);

/// Reads a duration that is longer than zero and names its unit.
pub fn parse(text: &str) -> Result<Duration, String> {
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(format!(
            "a duration needs a unit, for example `{text}s` or `{text}m`"
        ));
    }
    let signed: SignedDuration = text
        .parse()
        .map_err(|_| "not a duration; write it like `800ms`, `5s`, `1m30s` or `2h`".to_owned())?;
    match Duration::try_from(signed) {
        Ok(Duration::ZERO) => Err("the duration must be longer than zero".to_owned()),
        Ok(duration) if duration > LONGEST => Err("the duration must be at most a year".to_owned()),
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

    proptest::proptest! {
        #[test]
        fn never_panics(text in "\\PC*") {
            let _ = parse(&text);
        }

        #[test]
        fn shows_what_it_reads(millis in 1_u64..100_000) {
            let duration = Duration::from_millis(millis);
            // Below ten seconds nothing is rounded.
            if millis < 10_000 {
                proptest::prop_assert_eq!(parse(&show(duration)), Ok(duration));
            }
        }
    }
}
