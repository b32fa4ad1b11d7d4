//! Chosen days of the week.

use std::fmt;
use std::str::FromStr;

use jiff::civil::Weekday;
use serde::de::{Deserializer, Error};
use serde::{Deserialize, Serialize, Serializer};
use utoipa::openapi::{ArrayBuilder, ObjectBuilder, RefOr, Schema, Type};
use utoipa::{PartialSchema, ToSchema};

const NAMES: [(Weekday, &str); 7] = [
    (Weekday::Monday, "mon"),
    (Weekday::Tuesday, "tue"),
    (Weekday::Wednesday, "wed"),
    (Weekday::Thursday, "thu"),
    (Weekday::Friday, "fri"),
    (Weekday::Saturday, "sat"),
    (Weekday::Sunday, "sun"),
];

/// Chosen days of the week, at least one: `["mon","tue"]`.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Weekdays(u8);

impl Weekdays {
    /// Every day.
    pub const ALL: Self = Self(0b111_1111);
    /// Monday to Friday.
    pub const MONDAY_TO_FRIDAY: Self = Self(0b001_1111);
    /// Saturday and Sunday.
    pub const WEEKEND: Self = Self(0b110_0000);

    /// Makes a selection; `None` when it is empty. A day that is named twice counts once.
    pub fn new(days: impl IntoIterator<Item = Weekday>) -> Option<Self> {
        let bits = days.into_iter().fold(0, |bits, day| bits | bit(day));
        (bits != 0).then_some(Self(bits))
    }

    /// Returns `true` if a day is among them.
    pub fn contains(self, day: Weekday) -> bool {
        self.0 & bit(day) != 0
    }

    /// Returns the names of the days, as JSON has them.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        let chosen = NAMES
            .into_iter()
            .filter(move |(day, _)| self.contains(*day));
        chosen.map(|(_, name)| name)
    }
}

fn bit(day: Weekday) -> u8 {
    1 << day.to_monday_zero_offset()
}

impl Default for Weekdays {
    fn default() -> Self {
        Self::ALL
    }
}

impl fmt::Debug for Weekdays {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.names()).finish()
    }
}

impl FromStr for Weekdays {
    type Err = String;

    /// Reads days as people type them: `mon,wed`, `mon-fri`, `weekdays`, `weekend`, `daily`.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut days = Self(0);
        for word in text.split(',') {
            days.0 |= days_of(&word.trim().to_ascii_lowercase())?.0;
        }
        Ok(days)
    }
}

fn days_of(word: &str) -> Result<Weekdays, String> {
    match word {
        "daily" | "all" => return Ok(Weekdays::ALL),
        "weekdays" => return Ok(Weekdays::MONDAY_TO_FRIDAY),
        "weekend" => return Ok(Weekdays::WEEKEND),
        _ => {}
    }
    let (first, last) = word.split_once('-').unwrap_or((word, word));
    let (Some(first), Some(last)) = (day_of(first), day_of(last)) else {
        return Err(
            "not days of the week; write them like `mon,wed`, `mon-fri`, `weekdays`, `weekend` or `daily`"
                .to_owned(),
        );
    };
    let mut days = Weekdays(bit(last));
    // `sat-mon` goes over the end of the week.
    let mut day = first;
    while day != last {
        days.0 |= bit(day);
        day = day.next();
    }
    Ok(days)
}

/// Returns the day for `mon`, `monday`, and the prefixes in between.
fn day_of(word: &str) -> Option<Weekday> {
    const FULL_NAMES: [&str; 7] = [
        "monday",
        "tuesday",
        "wednesday",
        "thursday",
        "friday",
        "saturday",
        "sunday",
    ];
    let mut days = NAMES.into_iter().zip(FULL_NAMES);
    let found = days.find(|(_, full)| word.len() >= 3 && full.starts_with(word));
    found.map(|((day, _), _)| day)
}

impl Serialize for Weekdays {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.names())
    }
}

impl<'de> Deserialize<'de> for Weekdays {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let names = Vec::<DayName>::deserialize(deserializer)?;
        Self::new(names.into_iter().map(|name| name.0)).ok_or_else(|| {
            D::Error::custom("`days` needs at least one day; leave it out for every day")
        })
    }
}

impl PartialSchema for Weekdays {
    fn schema() -> RefOr<Schema> {
        let names = NAMES.map(|(_, name)| name);
        let day = ObjectBuilder::new()
            .schema_type(Type::String)
            .enum_values(Some(names));
        ArrayBuilder::new().items(day).min_items(Some(1)).into()
    }
}

impl ToSchema for Weekdays {}

struct DayName(Weekday);

impl<'de> Deserialize<'de> for DayName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let found = NAMES.into_iter().find(|(_, name)| *name == text);
        found.map(|(day, _)| Self(day)).ok_or_else(|| {
            let shown = crate::error::excerpt(&text);
            D::Error::custom(format!(
                "'{shown}' is no day; the days are mon, tue, wed, thu, fri, sat, sun"
            ))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_as_the_contract_writes_them() {
        let days: Weekdays = serde_json::from_str(r#"["sun","mon","mon"]"#).unwrap();
        assert_eq!(serde_json::to_string(&days).unwrap(), r#"["mon","sun"]"#);
        assert!(days.contains(Weekday::Sunday) && !days.contains(Weekday::Saturday));
        let all = r#"["mon","tue","wed","thu","fri","sat","sun"]"#;
        assert_eq!(serde_json::to_string(&Weekdays::ALL).unwrap(), all);
        for text in [
            "[]",
            r#"["Mon"]"#,
            r#"["monday"]"#,
            r#""mon""#,
            "[1]",
            "null",
        ] {
            assert!(serde_json::from_str::<Weekdays>(text).is_err(), "{text}");
        }
    }

    #[test]
    fn days_are_read_as_people_type_them() {
        for (text, names) in [
            ("mon,tue", "mon tue"),
            ("Sun, monday", "mon sun"),
            ("mon-wed,wed", "mon tue wed"),
            ("sat-mon", "mon sat sun"),
            ("weekdays", "mon tue wed thu fri"),
            ("weekend,thurs", "thu sat sun"),
            ("daily", "mon tue wed thu fri sat sun"),
        ] {
            let days: Weekdays = text.parse().unwrap();
            assert_eq!(days.names().collect::<Vec<_>>().join(" "), names, "{text}");
        }
        for text in ["", "mo", "mon;tue", "mon-", "-", "tues-x", "mon,,tue", "1"] {
            assert!(text.parse::<Weekdays>().is_err(), "{text}");
        }
    }
}
