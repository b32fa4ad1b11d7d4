//! A date as people write it: `2026-11-22`.

use std::fmt;
use std::str::FromStr;

use jiff::civil::Date;

use crate::json::json_is_text;

/// A local date between 1970 and 2200.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LocalDate(Date);

impl LocalDate {
    /// Returns it as a jiff date.
    pub const fn get(self) -> Date {
        self.0
    }
}

impl fmt::Display for LocalDate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for LocalDate {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        // jiff also reads dates out of longer texts.
        let is_plain =
            text.len() == 10 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'-'));
        let date: Option<Date> = is_plain.then(|| text.parse().ok()).flatten();
        let date = date.ok_or("not a date; write it like `2026-12-24`")?;
        if !(1970..2200).contains(&date.year()) {
            return Err(format!("{date} is not between 1970 and 2200"));
        }
        Ok(Self(date))
    }
}

json_is_text!(
    LocalDate,
    "A local date.",
    "^(19[7-9][0-9]|20[0-9]{2}|21[0-9]{2})-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])$",
    ["2026-11-22"]
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_as_people_write_them() {
        for text in ["1970-01-01", "2028-02-29", "2199-12-31"] {
            assert_eq!(text.parse::<LocalDate>().unwrap().to_string(), text);
        }
        for text in [
            "",
            "2026-2-1",
            "2026-02-29",
            "1969-12-31",
            "2200-01-01",
            "2026-12-24T18:00",
            "20261224",
            "2026-12-24 ",
            "-026-12-24",
            "２０２６-12-24",
        ] {
            assert!(text.parse::<LocalDate>().is_err(), "{text}");
        }
    }
}
