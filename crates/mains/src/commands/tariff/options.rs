//! Options of `mains tariff add` and `edit`.

use api::{LocalDate, StandingCharge, Tariff, TariffView, TimeOfDay, Weekdays};
use serde_json::json;

use crate::commands::documents::options::{KindFields, MarketPrice, Price, Setting, given, patch};
use crate::commands::documents::{Change, Patch, new_document};
use crate::error::Failure;
use crate::hub_names::HubNames;

/// Word that stands for every plug.
const ALL: &str = "all";

/// The settings of a tariff beside its name.
#[derive(Debug, Clone, Default, clap::Args)]
pub(super) struct TariffOptions {
    /// Price per kilowatt-hour at any time
    #[arg(long, value_name = "PRICE", allow_hyphen_values = true)]
    price: Option<Price>,
    /// Price per kilowatt-hour by day
    #[arg(long, value_name = "PRICE", allow_hyphen_values = true)]
    day: Option<Price>,
    /// Price per kilowatt-hour by night
    #[arg(long, value_name = "PRICE", allow_hyphen_values = true)]
    night: Option<Price>,
    /// Local time at which the day price begins
    #[arg(long, value_name = "HH:MM")]
    day_begins: Option<TimeOfDay>,
    /// Local time at which the night price begins
    #[arg(long, value_name = "HH:MM")]
    night_begins: Option<TimeOfDay>,
    /// Days that have a day price, e.g. weekdays [default: daily]
    #[arg(long, value_name = "DAYS")]
    days: Option<Weekdays>,
    /// Hourly prices, imported by `mains tariff prices`
    #[arg(long, conflicts_with_all = ["price", "day", "night"])]
    hourly: bool,
    /// With --hourly: price of hours without one; `none` leaves their cost unknown
    #[arg(long, value_name = "PRICE", allow_hyphen_values = true)]
    otherwise: Option<Setting<MarketPrice>>,
    /// Currency, e.g. EUR
    #[arg(long, value_name = "CODE")]
    currency: Option<String>,
    /// First local day on which it applies; `none` is always
    #[arg(long, value_name = "DATE")]
    valid_from: Option<Setting<LocalDate>>,
    /// Charge of the household whatever it uses, e.g. 9.90/month; `none` removes it
    #[arg(long, value_name = "PRICE/day|month|year")]
    standing_charge: Option<Setting<StandingCharge>>,
    /// Plugs that it applies to; repeat or separate with commas; `all` is every plug
    #[arg(long, value_name = "PLUG")]
    plugs: Vec<String>,
}

/// Returns the fields of a kind of tariff.
fn fields(kind: &str) -> KindFields {
    let (needed, optional): (&[_], &[_]) = match kind {
        "flat" => (&["price"], &[]),
        "day_night" => (&["day", "night", "day_begins", "night_begins"], &["days"]),
        _ => (&[], &["otherwise"]),
    };
    KindFields { needed, optional }
}

impl TariffOptions {
    /// Returns a new tariff, whose kind follows from the options.
    pub(super) fn new_tariff(&self, name: &str, names: &HubNames) -> Result<Tariff, Failure> {
        let kind = if self.hourly {
            "hourly"
        } else if self.price.is_some() {
            "flat"
        } else if self.day.is_some() || self.night.is_some() {
            "day_night"
        } else {
            let message = "no price; pass `--price`, `--day` and `--night`, or `--hourly`";
            return Err(Failure::usage(message).hint("`mains help tariff add` shows examples"));
        };
        if self.currency.is_none() {
            let failure = Failure::usage("no currency; pass `--currency`");
            return Err(failure.hint("for example `--currency EUR`"));
        }
        let mut tariff = self.prices();
        fields(kind).check_new(&format!("a tariff of kind {kind}"), &tariff)?;
        tariff.extend(self.common(names)?);
        tariff.extend(patch([
            ("kind", Some(kind.into())),
            ("name", Some(name.into())),
        ]));
        new_document(tariff)
    }

    /// Returns the given fields of the tariff's kind.
    fn prices(&self) -> Patch {
        patch([
            ("price", given(self.price)),
            ("day", given(self.day)),
            ("night", given(self.night)),
            ("day_begins", given(self.day_begins)),
            ("night_begins", given(self.night_begins)),
            ("days", given(self.days)),
            ("otherwise", given(self.otherwise)),
        ])
    }

    /// Returns the given fields that all tariffs have.
    fn common(&self, names: &HubNames) -> Result<Patch, Failure> {
        let plugs = match self.plugs.as_slice() {
            [] => None,
            [word] if word == ALL => Some(json!([])),
            plugs => given(Some(names.find_plugs(plugs)?)),
        };
        Ok(patch([
            ("currency", given(self.currency.as_ref())),
            ("valid_from", given(self.valid_from)),
            ("standing_charge", given(self.standing_charge)),
            ("plugs", plugs),
        ]))
    }
}

impl Change<Tariff> for TariffOptions {
    fn patch(&self, current: &TariffView, names: &HubNames) -> Result<Patch, Failure> {
        let kind = current.document.kind.as_str();
        if self.hourly && kind != "hourly" {
            return Err(
                Failure::usage(format!("the tariff is of kind {kind}, not hourly"))
                    .hint("add another tariff for hourly prices"),
            );
        }
        let mut tariff = self.prices();
        fields(kind).check(&format!("a tariff of kind {kind}"), &tariff)?;
        tariff.extend(self.common(names)?);
        Ok(tariff)
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;
    use serde_json::Value;

    use super::*;
    use crate::hub_names::tests::names;

    #[derive(Parser)]
    struct TariffLine {
        #[command(flatten)]
        options: TariffOptions,
    }

    fn line(text: &str) -> TariffOptions {
        TariffLine::try_parse_from(std::iter::once("x").chain(text.split_whitespace()))
            .unwrap()
            .options
    }

    fn made(text: &str) -> Result<Tariff, Failure> {
        line(text).new_tariff("x", &names())
    }

    #[test]
    fn the_kind_follows_from_the_options() {
        for (text, expected) in [
            (
                "--price 0.32 --currency EUR",
                json!({"name": "x", "kind": "flat", "currency": "EUR", "price": 0.32}),
            ),
            (
                "--day 0.34 --night 0.26 --day-begins 6:00 --night-begins 22:00 --days weekdays --currency CHF \
                 --valid-from 2027-01-01 --plugs lamp,k\u{fc}che",
                json!({
                    "name": "x", "kind": "day_night", "currency": "CHF", "valid_from": "2027-01-01",
                    "plugs": ["accf23000001", "accf23000002"], "day": 0.34, "night": 0.26, "day_begins": "06:00",
                    "night_begins": "22:00", "days": ["mon", "tue", "wed", "thu", "fri"],
                }),
            ),
            (
                "--hourly --otherwise 0.3 --currency EUR",
                json!({"name": "x", "kind": "hourly", "currency": "EUR", "otherwise": 0.3}),
            ),
        ] {
            let expected: Tariff = serde_json::from_value(expected).unwrap();
            assert_eq!(made(text).unwrap(), expected, "{text}");
        }
    }

    #[test]
    fn missing_and_superfluous_options_are_named() {
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
        assert!(TariffLine::try_parse_from(["x", "--price", "-0.3"]).is_err());
        assert!(TariffLine::try_parse_from(["x", "--price", "0.3", "--hourly"]).is_err());
    }

    #[test]
    fn an_edit_changes_only_the_given_fields() {
        let current: TariffView = serde_json::from_value(json!({
            "id": "t-00000001", "name": "x", "kind": "flat", "currency": "EUR", "price": 0.32, "plugs": [], "valid_from": null,
        }))
        .unwrap();
        let edit = |text: &str| line(text).patch(&current, &names()).map(Value::from);
        assert_eq!(
            edit("--price 0.35 --plugs all --valid-from none").unwrap(),
            json!({"price": 0.35, "plugs": [], "valid_from": null})
        );
        assert_eq!(edit("").unwrap(), json!({}));
        assert!(edit("--night 0.2").is_err());
        assert!(edit("--hourly").is_err());
    }
}
