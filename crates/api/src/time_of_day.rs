//! A local time as people write it in schedules, rules and tariffs: `07:00`.

use std::fmt;
use std::str::FromStr;

use jiff::civil::Time;

use crate::json::json_is_text;

/// A local time of day: `07:00`, or to the second `07:00:30`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TimeOfDay(Time);

impl TimeOfDay {
    /// Returns it as a jiff time.
    pub const fn get(self) -> Time {
        self.0
    }
}

impl fmt::Display for TimeOfDay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02}:{:02}", self.0.hour(), self.0.minute())?;
        match self.0.second() {
            0 => Ok(()),
            second => write!(f, ":{second:02}"),
        }
    }
}

impl FromStr for TimeOfDay {
    type Err = String;

    /// Reads `07:00`, `7:00` or `07:00:30`, from `00:00` to `23:59:59`.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let part = |digits: &str| {
            let is_number =
                matches!(digits.len(), 1 | 2) && digits.bytes().all(|byte| byte.is_ascii_digit());
            is_number.then(|| digits.parse().ok()).flatten()
        };
        let read = || {
            let (hour, rest) = text.split_once(':')?;
            let (minute, second) = rest.split_once(':').unwrap_or((rest, "00"));
            if minute.len() != 2 || second.len() != 2 {
                return None;
            }
            Time::new(part(hour)?, part(minute)?, part(second)?, 0).ok()
        };
        read().map(Self).ok_or_else(|| {
            "not a local time; write it like `07:00`, from `00:00` to `23:59`".to_owned()
        })
    }
}

json_is_text!(
    TimeOfDay,
    "A local time of day.",
    "^([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9])?$",
    ["07:00"]
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_as_people_write_them() {
        for (text, shown) in [
            ("07:00", "07:00"),
            ("7:05", "07:05"),
            ("23:59", "23:59"),
            ("07:00:00", "07:00"),
            ("07:00:30", "07:00:30"),
        ] {
            assert_eq!(text.parse::<TimeOfDay>().unwrap().to_string(), shown);
        }
        for text in [
            "",
            ":",
            "7",
            "7:",
            ":30",
            "24:00",
            "12:60",
            "7:5",
            "+7:00",
            "007:00",
            "07:00:60",
            "07:00:1",
            "07:00:",
            "07:00:00:00",
            "07:00:00.5",
            "07:00 ",
            "7.30",
            "７:00",
        ] {
            assert!(text.parse::<TimeOfDay>().is_err(), "{text}");
        }
    }
}
