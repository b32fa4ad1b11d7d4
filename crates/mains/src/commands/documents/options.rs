//! Types of options: the text on the command line becomes the value that the document has.

use std::str::FromStr;

use api::TestPulse;
use serde::Serialize;
use serde::de::value::Error as ValueError;
use serde::de::{DeserializeOwned, IntoDeserializer};
use serde_json::Value;

use super::Patch;
use crate::error::Failure;

/// Word that clears a setting.
const NONE: &str = "none";

/// Maximum power, far beyond any plug or house: more is a typing error.
const MAX_WATTS: f64 = 1_000_000.0;

/// A setting that can be given a value or, with the word `none`, be cleared.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub(crate) struct Setting<T>(pub(crate) Option<T>);

impl<T: FromStr<Err = String>> FromStr for Setting<T> {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            NONE => Ok(Self(None)),
            _ => text
                .parse()
                .map(|value| Self(Some(value)))
                .map_err(|problem| format!("{problem}; or `none`")),
        }
    }
}

/// Returns a patch with the fields that are given.
pub(crate) fn patch<const N: usize>(fields: [(&str, Option<Value>); N]) -> Patch {
    fields
        .into_iter()
        .filter_map(|(name, value)| Some((name.to_owned(), value?)))
        .collect()
}

/// Returns the JSON of an option, if it is given.
pub(crate) fn given(option: Option<impl Serialize>) -> Option<Value> {
    option.map(|value| serde_json::to_value(value).expect("the value of an option is plain JSON"))
}

/// Reads one of the words that JSON has for a choice.
pub(crate) fn word<T: DeserializeOwned>(text: &str) -> Result<T, String> {
    T::deserialize(text.into_deserializer()).map_err(|error: ValueError| error.to_string())
}

/// The fields of documents of one kind, by their names in JSON.
#[derive(Debug, Clone, Copy)]
pub(crate) struct KindFields {
    /// Fields that the kind must have.
    pub(crate) needed: &'static [&'static str],
    /// Fields that it can have besides.
    pub(crate) optional: &'static [&'static str],
}

impl KindFields {
    /// Refuses fields that the kind does not have, and clearing those that it must have.
    ///
    /// `what` is the document and its kind in words.
    pub(crate) fn check(&self, what: &str, given: &Patch) -> Result<(), Failure> {
        for (field, value) in given {
            let is_needed = self.needed.contains(&field.as_str());
            if !is_needed && !self.optional.contains(&field.as_str()) {
                let options: Vec<String> = self
                    .needed
                    .iter()
                    .chain(self.optional)
                    .map(|field| option(field))
                    .collect();
                return Err(Failure::usage(format!(
                    "`{}` does not apply to {what}",
                    option(field)
                ))
                .hint(format!("its options are {}", options.join(", "))));
            }
            if is_needed && value.is_null() {
                let option = option(field);
                return Err(Failure::usage(format!(
                    "`{option}` cannot be `none` for {what}"
                )));
            }
        }
        Ok(())
    }

    /// As [`KindFields::check`], of a new document, which must have all that the kind needs.
    pub(crate) fn check_new(&self, what: &str, given: &Patch) -> Result<(), Failure> {
        self.check(what, given)?;
        match self
            .needed
            .iter()
            .find(|field| !given.contains_key(**field))
        {
            None => Ok(()),
            Some(missing) => {
                let message = format!("{what} needs `{}`", option(missing));
                Err(Failure::usage(message).hint("`mains help` with the verb shows examples"))
            }
        }
    }
}

/// Returns the option that sets a field: `--below` for `below_w`.
fn option(field: &str) -> String {
    format!("--{}", field.trim_end_matches("_w").replace('_', "-"))
}

/// A power: `10`, `10W`, `1.5kW`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub(crate) struct Watts(f64);

impl FromStr for Watts {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let lower = text.trim().to_ascii_lowercase();
        let (digits, factor) = match (lower.strip_suffix("kw"), lower.strip_suffix('w')) {
            (Some(digits), _) => (digits, 1000.0),
            (None, Some(digits)) => (digits, 1.0),
            (None, None) => (lower.as_str(), 1.0),
        };
        let watts = number(digits.trim())
            .ok_or("not a power; write it like `10`, `10W` or `1.5kW`")?
            * factor;
        if !(0.0..=MAX_WATTS).contains(&watts) {
            return Err("a power is from 0 W to 1000 kW".to_owned());
        }
        Ok(Self(watts))
    }
}

/// A price per kilowatt-hour: `0.32`. Only a market has prices below zero.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub(crate) struct Price(f64);

impl FromStr for Price {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.parse()? {
            MarketPrice(price) if price < 0.0 => Err("a price cannot be negative".to_owned()),
            MarketPrice(price) => Ok(Self(price)),
        }
    }
}

/// A price per kilowatt-hour on a market: `0.32`, `-0.01`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub(crate) struct MarketPrice(f64);

impl FromStr for MarketPrice {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        number(text)
            .map(Self)
            .ok_or_else(|| "not a price per kilowatt-hour; write it like `0.32`".to_owned())
    }
}

/// Returns a number in plain notation: no `inf`, no `nan`, no `1e300`.
fn number(text: &str) -> Option<f64> {
    let is_plain = text
        .bytes()
        .all(|byte| byte.is_ascii_digit() || matches!(byte, b'.' | b'-' | b'+'));
    let number = text.parse::<f64>().ok().filter(|_| is_plain)?;
    number.is_finite().then_some(number)
}

/// A test pulse: `2h,1m` is a minute every two hours.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub(crate) struct Pulse(TestPulse);

impl FromStr for Pulse {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (every, period) = text
            .split_once(',')
            .ok_or("not an interval and a length; write them like `2h,1m`")?;
        Ok(Self(TestPulse {
            every: every.trim().parse()?,
            period: period.trim().parse()?,
        }))
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Debug;

    use api::Period;
    use serde_json::json;

    use super::*;

    fn all<T: FromStr<Err: Debug> + Serialize>(good: &[(&str, Value)], bad: &[&str]) {
        for (text, expected) in good {
            let read = text.parse::<T>().unwrap();
            assert_eq!(serde_json::to_value(read).unwrap(), *expected, "{text}");
        }
        for text in bad {
            assert!(text.parse::<T>().is_err(), "{text}");
        }
    }

    #[test]
    fn powers() {
        let good = [
            ("10", json!(10.0)),
            ("10W", json!(10.0)),
            ("1.5 kW", json!(1500.0)),
            ("0", json!(0.0)),
        ];
        let bad = ["", "W", "-5", "1,5", "nan", "inf", "1e3", "9999999", "10V"];
        all::<Watts>(&good, &bad);
    }

    #[test]
    fn prices() {
        let bad = ["-0.1", "0,32", "x", "infinity"];
        all::<Price>(&[("0.32", json!(0.32))], &bad);
        all::<MarketPrice>(&[("-0.01", json!(-0.01))], &["", "1e-3"]);
    }

    #[test]
    fn pulses() {
        let good = [("2h, 1m", json!({"every": "2h", "for": "1m"}))];
        all::<Pulse>(&good, &["2h", "2h,", ",1m", "2h,1m,1m"]);
    }

    #[test]
    fn settings_can_be_cleared() {
        let good = [("none", Value::Null), ("60s", json!("1m"))];
        all::<Setting<Period>>(&good, &["None", "x", "5", "0s", "-5m"]);
    }

    proptest::proptest! {
        #[test]
        fn parsing_never_panics(text in "\\PC*|[0-9:.,+-kWhm]{0,12}") {
            let _ = (text.parse::<Watts>(), text.parse::<MarketPrice>(), text.parse::<Pulse>());
        }
    }
}
