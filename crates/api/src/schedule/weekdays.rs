//! Chosen days of the week.

use std::fmt;

use jiff::civil::Weekday;
use serde::de::{Deserializer, Error};
use serde::{Deserialize, Serialize, Serializer};

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

    /// Makes a choice; `None` when it is empty. What is named twice counts once.
    pub fn new(days: impl IntoIterator<Item = Weekday>) -> Option<Self> {
        let bits = days.into_iter().fold(0, |bits, day| bits | bit(day));
        (bits != 0).then_some(Self(bits))
    }

    /// Tells whether a day is among them.
    pub fn contains(self, day: Weekday) -> bool {
        self.0 & bit(day) != 0
    }

    fn names(self) -> impl Iterator<Item = &'static str> {
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

impl Serialize for Weekdays {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.names())
    }
}

impl<'de> Deserialize<'de> for Weekdays {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let names = Vec::<Name>::deserialize(deserializer)?;
        Self::new(names.into_iter().map(|name| name.0)).ok_or_else(|| {
            D::Error::custom("`days` needs at least one day; leave it out for every day")
        })
    }
}

struct Name(Weekday);

impl<'de> Deserialize<'de> for Name {
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
}
