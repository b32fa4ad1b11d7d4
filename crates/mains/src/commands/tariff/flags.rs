//! From the options of `mains tariff add` and `edit` to the tariff's JSON.
//!
//! [`KINDS`] is the one table of which kind of tariff takes which field. The kind follows from the options: whoever gives a
//! price for the night has a day/night tariff.

use serde_json::{Value, json};

use crate::commands::documents::kinds::{self, Field, Given, Kinds};
use crate::commands::documents::names::Names;
use crate::commands::documents::{Change, Document, words};
use crate::error::Failure;

/// How the price depends on the time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Flat,
    DayNight,
    Hourly,
}

impl kinds::Kind for Kind {
    fn all() -> &'static [Self] {
        &[Self::Flat, Self::DayNight, Self::Hourly]
    }

    fn as_str(self) -> &'static str {
        match self {
            Self::Flat => "flat",
            Self::DayNight => "day_night",
            Self::Hourly => "hourly",
        }
    }
}

const KINDS: Kinds<Kind> = Kinds {
    one: "tariff",
    fields: &[
        Field::new("price", "--price", &[Kind::Flat], &[]),
        Field::new("day", "--day", &[Kind::DayNight], &[]),
        Field::new("night", "--night", &[Kind::DayNight], &[]),
        Field::new("day_begins", "--day-begins", &[Kind::DayNight], &[]),
        Field::new("night_begins", "--night-begins", &[Kind::DayNight], &[]),
        Field::new("days", "--days", &[], &[Kind::DayNight]),
        Field::new("otherwise", "--otherwise", &[], &[Kind::Hourly]),
    ],
};

/// The word for every plug.
const ALL: &str = "all";

/// What a tariff is made of; what is not given stays as it is.
#[derive(Debug, Clone, Default, clap::Args)]
pub(super) struct Flags {
    /// Price per kilowatt-hour at any time
    #[arg(long, value_name = "PRICE", allow_hyphen_values = true, value_parser = words::price)]
    price: Option<Value>,
    /// Price per kilowatt-hour by day
    #[arg(long, value_name = "PRICE", allow_hyphen_values = true, value_parser = words::price)]
    day: Option<Value>,
    /// Price per kilowatt-hour by night
    #[arg(long, value_name = "PRICE", allow_hyphen_values = true, value_parser = words::price)]
    night: Option<Value>,
    /// Local time at which the day price begins
    #[arg(long, value_name = "HH:MM", value_parser = words::time_of_day)]
    day_begins: Option<Value>,
    /// Local time at which the night price begins
    #[arg(long, value_name = "HH:MM", value_parser = words::time_of_day)]
    night_begins: Option<Value>,
    /// Days that have a day price, e.g. weekdays [default: daily]
    #[arg(long, value_name = "DAYS", value_parser = words::days)]
    days: Option<Value>,
    /// Hourly prices, imported by `mains tariff prices`
    #[arg(long, conflicts_with_all = ["price", "day", "night"])]
    hourly: bool,
    /// With --hourly: price of hours without one; `none` leaves their cost unknown
    #[arg(
        long,
        value_name = "PRICE",
        allow_hyphen_values = true,
        value_parser = words::or_none(words::market_price)
    )]
    otherwise: Option<Value>,
    /// Currency, e.g. EUR
    #[arg(long, value_name = "CODE")]
    currency: Option<String>,
    /// First local day on which it applies; `none` is always
    #[arg(long, value_name = "DATE", value_parser = words::or_none(words::date))]
    valid_from: Option<Value>,
    /// Plugs that it applies to; repeat or separate with commas; `all` is every plug
    #[arg(long, value_name = "PLUG")]
    plugs: Vec<String>,
}

impl Flags {
    /// Returns a new tariff.
    pub(super) fn new_tariff(
        &self,
        mut body: Document,
        names: &Names,
    ) -> Result<Document, Failure> {
        let kind = self.kind().ok_or_else(|| {
            let message =
                "it is not said what it costs: `--price`, `--day` and `--night`, or `--hourly`";
            Failure::usage(message).hint("`mains help tariff add` shows examples")
        })?;
        if self.currency.is_none() {
            let failure = Failure::usage("it is not said in which currency: `--currency`");
            return Err(failure.hint("for example `--currency EUR`"));
        }
        KINDS.make(&mut body, kind, self.fields())?;
        body.insert("plugs".to_owned(), json!([]));
        if kind == Kind::Hourly {
            body.insert("prices".to_owned(), json!([]));
        }
        self.put(body, names)
    }

    fn kind(&self) -> Option<Kind> {
        if self.hourly {
            Some(Kind::Hourly)
        } else if self.price.is_some() {
            Some(Kind::Flat)
        } else {
            (self.day.is_some() || self.night.is_some()).then_some(Kind::DayNight)
        }
    }

    /// Puts in what tariffs of all kinds have.
    fn put(&self, mut body: Document, names: &Names) -> Result<Document, Failure> {
        if let Some(currency) = &self.currency {
            body.insert("currency".to_owned(), json!(currency));
        }
        if let Some(date) = &self.valid_from {
            body.insert("valid_from".to_owned(), date.clone());
        }
        match self.plugs.as_slice() {
            [] => {}
            [word] if word == ALL => drop(body.insert("plugs".to_owned(), json!([]))),
            plugs => drop(body.insert("plugs".to_owned(), names.plugs(plugs)?)),
        }
        Ok(body)
    }

    /// Returns the fields of a kind that are given.
    fn fields(&self) -> Given {
        [
            ("price", &self.price),
            ("day", &self.day),
            ("night", &self.night),
            ("day_begins", &self.day_begins),
            ("night_begins", &self.night_begins),
            ("days", &self.days),
            ("otherwise", &self.otherwise),
        ]
        .into_iter()
        .filter_map(|(name, value)| Some((name, value.clone()?)))
        .collect()
    }
}

impl Change for Flags {
    fn is_empty(&self) -> bool {
        self.fields().is_empty()
            && self.currency.is_none()
            && self.valid_from.is_none()
            && self.plugs.is_empty()
    }

    fn apply(&self, mut body: Document, names: &Names) -> Result<Document, Failure> {
        match KINDS.change(&mut body, self.fields())? {
            Some(kind) if self.hourly && kind != Kind::Hourly => {
                let kind = kinds::Kind::as_str(kind);
                let message = format!("the tariff is of the kind {kind}, not hourly");
                Err(Failure::usage(message).hint("add a tariff of its own for it"))
            }
            _ => self.put(body, names),
        }
    }
}

#[cfg(test)]
mod tests {
    use api::Document as _;
    use clap::Parser;

    use super::*;
    use crate::commands::documents::names::tests::names;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        flags: Flags,
    }

    fn flags(text: &str) -> Flags {
        Line::try_parse_from(std::iter::once("x").chain(text.split_whitespace()))
            .unwrap()
            .flags
    }

    fn made(text: &str) -> Result<Value, Failure> {
        let named = json!({"name": "x"}).as_object().unwrap().clone();
        flags(text).new_tariff(named, &names()).map(Value::from)
    }

    #[test]
    fn the_kind_follows_from_the_options() {
        for (text, expected) in [
            (
                "--price 0.32 --currency EUR",
                json!({"name": "x", "kind": "flat", "currency": "EUR", "plugs": [], "price": 0.32}),
            ),
            (
                "--day 0.34 --night 0.26 --day-begins 6:00 --night-begins 22:00 --days weekdays --currency CHF \
                 --valid-from 2027-01-01 --plugs lamp,k\u{fc}che",
                json!({
                    "name": "x", "kind": "day_night", "currency": "CHF", "valid_from": "2027-01-01",
                    "plugs": ["AC:CF:23:00:00:01", "AC:CF:23:00:00:02"], "day": 0.34, "night": 0.26, "day_begins": "06:00",
                    "night_begins": "22:00", "days": ["mon", "tue", "wed", "thu", "fri"],
                }),
            ),
            (
                "--hourly --otherwise 0.3 --currency EUR",
                json!({"name": "x", "kind": "hourly", "currency": "EUR", "plugs": [], "prices": [], "otherwise": 0.3}),
            ),
        ] {
            let tariff = made(text).unwrap();
            assert_eq!(tariff, expected);
            let read: api::Tariff = serde_json::from_value(tariff).unwrap();
            assert_eq!(read.check(), Ok(()), "{text}");
        }
    }

    #[test]
    fn says_what_is_missing_or_has_no_meaning() {
        for (text, word) in [
            ("--currency EUR", "--price"),
            ("--price 0.3", "--currency"),
            ("--day 0.3 --currency EUR", "--night"),
            (
                "--day 0.3 --night 0.2 --day-begins 6:00 --currency EUR",
                "--night-begins",
            ),
            ("--price 0.3 --night 0.2 --currency EUR", "--night"),
            ("--hourly --days mon --currency EUR", "--days"),
            ("--price 0.3 --otherwise 0.2 --currency EUR", "--otherwise"),
            ("--price 0.3 --currency EUR --plugs lmap", "lmap"),
        ] {
            let failure = made(text).unwrap_err();
            assert!(failure.message().contains(word), "{text}: {failure}");
        }
        assert!(Line::try_parse_from(["x", "--price", "-0.3"]).is_err());
        assert!(Line::try_parse_from(["x", "--price", "0.3", "--hourly"]).is_err());
    }

    #[test]
    fn an_edit_changes_only_what_it_names() {
        let old = made("--price 0.32 --currency EUR --plugs lamp").unwrap();
        let edit = |text: &str| {
            let old = old.as_object().unwrap().clone();
            flags(text).apply(old, &names()).map(Value::from)
        };
        let mut expected = old.clone();
        expected["price"] = json!(0.35);
        expected["plugs"] = json!([]);
        assert_eq!(edit("--price 0.35 --plugs all").unwrap(), expected);
        assert!(edit("--night 0.2").is_err());
        assert!(edit("--hourly").is_err());
        assert!(flags("").is_empty());
        for given in [
            "--price 1",
            "--currency EUR",
            "--valid-from none",
            "--plugs all",
            "--otherwise none",
        ] {
            assert!(!flags(given).is_empty(), "{given}");
        }
    }
}
