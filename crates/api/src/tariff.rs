//! Prices of a kilowatt-hour over time.

mod prices;

use std::collections::HashSet;
use std::str::FromStr;

use hiflying::Mac;
use jiff::Timestamp;
use jiff::civil::{Date, DateTime, Time};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

pub use prices::{HourPrice, HourPrices};

use crate::document::{Collection, Document};
use crate::error::RequestError;
use crate::local_date::LocalDate;
use crate::name::Name;
use crate::schedule::Weekdays;
use crate::status::TariffStatus;
use crate::time_of_day::TimeOfDay;
use prices::MAX_PRICE;

/// Codes of the currencies in ISO 4217, and of those that were withdrawn in the 2020s, because prices of the past can be in them.
const CURRENCIES: &str = "AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BHD BIF BMD BND BOB BRL BSD BTN BWP BYN BZD CAD CDF CHF CLF \
    CLP CNY COP CRC CUP CVE CZK DJF DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GNF GTQ GYD HKD HNL HTG HUF IDR ILS INR IQD \
    IRR ISK JMD JOD JPY KES KGS KHR KMF KPW KRW KWD KYD KZT LAK LBP LKR LRD LSL LYD MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MYR \
    MZN NAD NGN NIO NOK NPR NZD OMR PAB PEN PGK PHP PKR PLN PYG QAR RON RSD RUB RWF SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC \
    SYP SZL THB TJS TMT TND TOP TRY TTD TWD TZS UAH UGX USD UYU UZS VED VES VND VUV WST XAF XCD XCG XOF XPF YER ZAR ZMW ZWG \
    ANG BGN CUC HRK SLL ZWL";

/// Maximum number of plugs in a tariff.
const MAX_PLUGS: usize = 10_000;

/// Price of a kilowatt-hour, for some plugs or all.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(as = TariffInput)]
pub struct Tariff {
    /// Unique among tariffs.
    pub name: Name,
    /// Currency of its prices, by its code in ISO 4217.
    #[schema(pattern = "^[A-Z]{3}$", examples("EUR"))]
    pub currency: String,
    /// First local day on which it is valid; null is always. It is valid until another for the same plugs takes over.
    #[serde(default)]
    pub valid_from: Option<LocalDate>,
    /// Plugs that it applies to, each once; empty is every plug that no other tariff lists.
    #[serde(default)]
    #[schema(max_items = 10_000)]
    pub plugs: Vec<Mac>,
    /// Charge for the connection of the whole household, whatever is used; only for a tariff without `plugs`.
    #[serde(default)]
    pub standing_charge: Option<StandingCharge>,
    /// The prices.
    #[serde(flatten)]
    pub kind: TariffKind,
}

/// A charge for a time, whatever is used.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct StandingCharge {
    /// The amount in the currency of the tariff.
    #[schema(minimum = 0.0, maximum = 1_000_000_000.0)]
    pub price: f64,
    /// The time that it is for.
    pub per: ChargePeriod,
}

/// The time that a standing charge is for.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    Serialize,
    Deserialize,
    ToSchema,
    strum::EnumString,
    strum::IntoStaticStr,
)]
#[serde(rename_all = "lowercase")]
#[strum(serialize_all = "lowercase")]
pub enum ChargePeriod {
    /// A day.
    Day,
    /// A month, whatever its length.
    Month,
    /// A year.
    Year,
}

impl ChargePeriod {
    /// Returns its word in JSON.
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

impl FromStr for StandingCharge {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let unreadable = || "not a standing charge; write it like `9.90/month`".to_owned();
        let (price, per) = text.split_once('/').ok_or_else(unreadable)?;
        let per = per.parse().map_err(|_| unreadable())?;
        let price = price.parse().map_err(|_| unreadable())?;
        Ok(Self { price, per })
    }
}

impl StandingCharge {
    /// Returns the share of a day.
    pub fn of_day(&self, day: Date) -> f64 {
        let days = match self.per {
            ChargePeriod::Day => 1,
            ChargePeriod::Month => i16::from(day.days_in_month()),
            ChargePeriod::Year => day.days_in_year(),
        };
        self.price / f64::from(days)
    }
}

/// The price of a kilowatt-hour.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema, strum::IntoStaticStr)]
#[serde(tag = "kind", rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum TariffKind {
    /// One price at all times.
    Flat {
        /// Price of a kilowatt-hour.
        #[schema(minimum = 0.0, maximum = 1_000_000_000.0)]
        price: f64,
    },
    /// One price by day, another by night, in local time.
    DayNight {
        /// Price by day.
        #[schema(minimum = 0.0, maximum = 1_000_000_000.0)]
        day: f64,
        /// Price by night.
        #[schema(minimum = 0.0, maximum = 1_000_000_000.0)]
        night: f64,
        /// Time at which the day begins.
        #[schema(value_type = String, pattern = "^([01][0-9]|2[0-3]):(00|15|30|45)$", examples("06:00"))]
        day_begins: TimeOfDay,
        /// Time at which the night begins; another time than the day.
        #[schema(value_type = String, pattern = "^([01][0-9]|2[0-3]):(00|15|30|45)$", examples("22:00"))]
        night_begins: TimeOfDay,
        /// Days with a day price; on others the night price applies. Every day unless given.
        #[serde(default)]
        days: Weekdays,
    },
    /// A price for each hour or quarter of an hour.
    Hourly {
        /// The known prices.
        #[serde(default)]
        #[schema(value_type = Vec<HourPrice>, max_items = 200_000)]
        prices: HourPrices,
        /// Price where none of them is valid; null is unknown.
        #[serde(default)]
        #[schema(minimum = 0.0, maximum = 1_000_000_000.0)]
        otherwise: Option<f64>,
    },
}

impl Tariff {
    /// Returns the tariff with additional prices, or with these alone if they `replace` the known ones.
    ///
    /// # Errors
    ///
    /// [`RequestError`] of kind `conflict` for a tariff of another kind; as [`HourPrices::extend`].
    pub fn with_prices(&self, more: &HourPrices, replace: bool) -> Result<Self, RequestError> {
        let mut tariff = self.clone();
        match &mut tariff.kind {
            TariffKind::Hourly { prices, .. } if replace => prices.clone_from(more),
            TariffKind::Hourly { prices, .. } => prices.extend(more.iter())?,
            TariffKind::Flat { .. } | TariffKind::DayNight { .. } => {
                let name = &tariff.name;
                let message = format!("the tariff \u{2018}{name}\u{2019} has no hourly prices");
                return Err(
                    RequestError::conflict(message).hint("use a tariff of the kind `hourly`")
                );
            }
        }
        Ok(tariff)
    }

    /// Returns the price of a kilowatt-hour at a moment, given in local time as well, if it is known. It changes only at
    /// quarter-hours.
    ///
    /// The validity period of the tariff is not checked.
    pub fn price(&self, time: Timestamp, local: DateTime) -> Option<f64> {
        match &self.kind {
            TariffKind::Flat { price } => Some(*price),
            TariffKind::DayNight {
                day,
                night,
                day_begins,
                night_begins,
                days,
            } => {
                let is_day = days.contains(local.date().weekday())
                    && is_between(local.time(), day_begins.get(), night_begins.get());
                Some(if is_day { *day } else { *night })
            }
            TariffKind::Hourly { prices, otherwise } => prices.at(time).or(*otherwise),
        }
    }
}

/// Returns `true` if a time of day lies between two others; the second may be on the next day.
fn is_between(time: Time, from: Time, to: Time) -> bool {
    if from <= to {
        from <= time && time < to
    } else {
        from <= time || time < to
    }
}

impl TariffKind {
    /// Returns its word in JSON.
    pub fn as_str(&self) -> &'static str {
        self.into()
    }
}

impl Document for Tariff {
    const COLLECTION: Collection = Collection::Tariffs;
    type Status = TariffStatus;

    fn name(&self) -> &str {
        &self.name
    }

    fn check(&self) -> Result<(), RequestError> {
        check_currency(&self.currency)?;
        if self.plugs.len() > MAX_PLUGS {
            let message = format!("a tariff has at most {MAX_PLUGS} plugs");
            return Err(RequestError::usage(message).at("plugs"));
        }
        let mut seen = HashSet::new();
        if let Some(twice) = self.plugs.iter().find(|plug| !seen.insert(**plug)) {
            return Err(RequestError::usage(format!("{twice} is listed twice")).at("plugs"));
        }
        if let Some(charge) = &self.standing_charge {
            check_price(charge.price, "standing_charge.price")?;
            if !self.plugs.is_empty() {
                let message = "a tariff for certain plugs has no standing charge";
                return Err(RequestError::usage(message)
                    .hint("set it in the tariff for all plugs")
                    .at("standing_charge"));
            }
        }
        self.kind.check()
    }
}

impl TariffKind {
    fn check(&self) -> Result<(), RequestError> {
        match self {
            Self::Flat { price } => check_price(*price, "price"),
            Self::DayNight {
                day,
                night,
                day_begins,
                night_begins,
                ..
            } => {
                check_price(*day, "day")?;
                check_price(*night, "night")?;
                check_quarter(*day_begins, "day_begins")?;
                check_quarter(*night_begins, "night_begins")?;
                if day_begins == night_begins {
                    let message = "day and night cannot begin at the same time";
                    return Err(RequestError::usage(message)
                        .hint("one price for the whole day is the kind `flat`")
                        .at("night_begins"));
                }
                Ok(())
            }
            Self::Hourly { otherwise, .. } => {
                otherwise.map_or(Ok(()), |price| check_price(price, "otherwise"))
            }
        }
    }
}

fn check_currency(currency: &str) -> Result<(), RequestError> {
    let is_code = currency.len() == 3 && currency.bytes().all(|byte| byte.is_ascii_uppercase());
    let message = if !is_code {
        "a currency is written as its code of three capital letters".to_owned()
    } else if !CURRENCIES.split_whitespace().any(|code| code == currency) {
        format!("{currency} is no currency of ISO 4217")
    } else {
        return Ok(());
    };
    Err(RequestError::usage(message)
        .hint("for example EUR, GBP or CHF")
        .at("currency"))
}

fn check_price(price: f64, field: &str) -> Result<(), RequestError> {
    if price < 0.0 {
        let message = format!("the price {price} is negative");
        return Err(RequestError::usage(message)
            .hint("only the kind `hourly` has negative prices, as the market does")
            .at(field));
    }
    if price.is_nan() || price > MAX_PRICE {
        return Err(
            RequestError::usage(format!("{price} is not a price of a kilowatt-hour")).at(field),
        );
    }
    Ok(())
}

/// Checks that a time falls on a quarter-hour: energy is stored by quarter-hours, so prices within one could not be told apart.
fn check_quarter(time: TimeOfDay, field: &str) -> Result<(), RequestError> {
    if time.get().minute() % 15 != 0 || time.get().second() != 0 {
        let message = format!("price times must fall on a quarter hour; got {time}");
        return Err(RequestError::usage(message).at(field));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use jiff::tz::TimeZone;

    use super::*;

    const FLAT: &str = r#"{"name":"home","currency":"EUR","valid_from":"2026-01-01","plugs":["AC:CF:23:12:34:56"],"standing_charge":null,"kind":"flat","price":0.32}"#;
    const DAY_NIGHT: &str = r#"{"name":"two","currency":"CHF","valid_from":null,"plugs":[],"standing_charge":null,"kind":"day_night","day":0.3,"night":0.2,"day_begins":"06:00","night_begins":"22:00","days":["mon","tue","wed","thu","fri"]}"#;
    const HOURLY: &str = r#"{"name":"market","currency":"EUR","valid_from":null,"plugs":[],"standing_charge":null,"kind":"hourly","prices":[{"t":"2026-11-22T00:00:00Z","price":-0.01}],"otherwise":0.3}"#;

    fn read(json: &str) -> Tariff {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn the_json_of_each_kind() {
        for json in [FLAT, DAY_NIGHT, HOURLY] {
            let tariff = read(json);
            assert_eq!(tariff.check(), Ok(()));
            assert_eq!(serde_json::to_string(&tariff).unwrap(), json);
        }
        let least = read(r#"{"name":"x","currency":"SEK","kind":"hourly"}"#);
        assert_eq!(least.check(), Ok(()));
        assert!(least.plugs.is_empty() && least.valid_from.is_none());
        for (json, from, to) in [
            (FLAT, "\"flat\"", "\"free\""),
            (FLAT, "\"price\"", "\"prise\""),
            (FLAT, "\"price\":0.32", "\"price\":0.32,\"night\":0.2"),
            (FLAT, "0.32", "\"0.32\""),
            (FLAT, ",\"kind\":\"flat\"", ""),
            (FLAT, "2026-01-01", "2026-01-32"),
            (FLAT, "home", ""),
            (FLAT, "2026-01-01", "1969-12-31"),
            (DAY_NIGHT, "06:00", "6"),
            (DAY_NIGHT, "\"fri\"", "\"friday\""),
            (HOURLY, "2026-11-22T00:00:00Z", "2026-11-22T00:07:00Z"),
            (HOURLY, "\"t\"", "\"time\""),
        ] {
            let json = json.replacen(from, to, 1);
            assert!(crate::document::read::<Tariff>(&json).is_err(), "{json}");
        }
    }

    #[test]
    fn what_is_wrong_is_said_at_its_field() {
        for (json, from, to, field) in [
            (FLAT, "EUR", "", "currency"),
            (FLAT, "EUR", "E R", "currency"),
            (FLAT, "EUR", "Euro", "currency"),
            (FLAT, "EUR", "eur", "currency"),
            (FLAT, "EUR", "€", "currency"),
            (FLAT, "EUR", "EUF", "currency"),
            (FLAT, "EUR", "XXX", "currency"),
            (FLAT, "0.32", "-0.32", "price"),
            (FLAT, "0.32", "1e300", "price"),
            (
                FLAT,
                "\"AC:CF:23:12:34:56\"",
                "\"AC:CF:23:12:34:56\",\"ACCF23123456\"",
                "plugs",
            ),
            (DAY_NIGHT, "0.3", "-0.3", "day"),
            (DAY_NIGHT, "0.2", "-0.2", "night"),
            (DAY_NIGHT, "06:00", "06:10", "day_begins"),
            (DAY_NIGHT, "06:00", "22:00", "night_begins"),
            (HOURLY, "0.3}", "-0.3}", "otherwise"),
        ] {
            let error = read(&json.replacen(from, to, 1)).check().unwrap_err();
            assert_eq!(error.field(), Some(field), "{to}");
        }
    }

    #[test]
    fn a_standing_charge_is_shared_out_among_the_days() {
        let typed = "9.90/month".parse::<StandingCharge>().unwrap();
        assert_eq!((typed.price, typed.per), (9.9, ChargePeriod::Month));
        for text in ["", "9.90", "9.90/week", "/month", "9,90/month"] {
            assert!(text.parse::<StandingCharge>().is_err(), "{text}");
        }
        let charge = |json: &str| serde_json::from_str::<StandingCharge>(json).unwrap();
        for (json, day, expected) in [
            (r#"{"price":0.5,"per":"day"}"#, "2026-11-22", 0.5),
            (r#"{"price":9.0,"per":"month"}"#, "2026-11-22", 0.3),
            (r#"{"price":29.0,"per":"month"}"#, "2028-02-01", 1.0),
            (r#"{"price":36.5,"per":"year"}"#, "2026-11-22", 0.1),
        ] {
            let day = day.parse().unwrap();
            assert!(
                (charge(json).of_day(day) - expected).abs() < 1e-12,
                "{json}"
            );
        }
        let with = |json: &str| {
            FLAT.replace(
                "\"standing_charge\":null",
                &format!("\"standing_charge\":{json}"),
            )
        };
        let tariff = read(&with(r#"{"price":9,"per":"month"}"#));
        assert_eq!(tariff.check().unwrap_err().field(), Some("standing_charge"));
        let all = Tariff {
            plugs: Vec::new(),
            ..tariff
        };
        assert_eq!(all.check(), Ok(()));
        let charge = Some(StandingCharge {
            price: -1.0,
            per: ChargePeriod::Day,
        });
        let negative = Tariff {
            standing_charge: charge,
            ..all
        };
        assert_eq!(
            negative.check().unwrap_err().field(),
            Some("standing_charge.price")
        );
    }

    #[test]
    fn the_price_at_a_time() {
        let berlin = TimeZone::get("Europe/Berlin").unwrap();
        let price = |json: &str, time: &str| {
            let time: Timestamp = time.parse().unwrap();
            read(json).price(time, berlin.to_datetime(time))
        };
        assert_eq!(price(FLAT, "2026-11-22T12:00Z"), Some(0.32));
        // A Friday and a Saturday.
        for (time, expected) in [
            ("2026-11-20T05:59:59+01:00", 0.2),
            ("2026-11-20T06:00+01:00", 0.3),
            ("2026-11-20T21:59:59+01:00", 0.3),
            ("2026-11-20T22:00+01:00", 0.2),
            ("2026-11-21T12:00+01:00", 0.2),
            ("2026-06-19T06:00+02:00", 0.3),
        ] {
            assert_eq!(price(DAY_NIGHT, time), Some(expected), "{time}");
        }
        // A day that ends after midnight.
        let late = DAY_NIGHT
            .replace("06:00", "20:00")
            .replace("22:00", "02:00");
        assert_eq!(price(&late, "2026-11-20T01:59+01:00"), Some(0.3));
        assert_eq!(price(&late, "2026-11-20T02:00+01:00"), Some(0.2));
        assert_eq!(price(&late, "2026-11-20T20:00+01:00"), Some(0.3));
        assert_eq!(price(HOURLY, "2026-11-22T00:59:59Z"), Some(-0.01));
        assert_eq!(price(HOURLY, "2026-11-22T01:00Z"), Some(0.3));
        assert_eq!(
            price(&HOURLY.replace("0.3}", "null}"), "2026-11-22T01:00Z"),
            None
        );
    }
}
