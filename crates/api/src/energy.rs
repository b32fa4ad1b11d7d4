//! Energy that plugs used and its cost, by day, week, month or year.

use hiflying::Mac;
use jiff::Timestamp;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::json::{millionths, seconds};

/// The periods into which a report is divided.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    Hash,
    Serialize,
    Deserialize,
    ToSchema,
    strum::EnumString,
    strum::IntoStaticStr,
)]
#[serde(rename_all = "lowercase")]
#[strum(serialize_all = "lowercase", parse_err_ty = String, parse_err_fn = no_period)]
pub enum EnergyPeriod {
    /// Local days: `2026-11-22`.
    Day,
    /// Weeks from Monday on, by their number in ISO 8601: `2026-W48`.
    Week,
    /// Months of local days: `2026-11`.
    Month,
    /// Years of local days: `2026`.
    Year,
}

fn no_period(_: &str) -> String {
    "it is `day`, `week`, `month` or `year`".to_owned()
}

impl EnergyPeriod {
    /// Every period, the shortest first.
    pub const ALL: [Self; 4] = [Self::Day, Self::Week, Self::Month, Self::Year];

    /// Returns its name in JSON.
    pub fn as_str(self) -> &'static str {
        self.into()
    }

    /// Returns the first day of the period that a day belongs to.
    pub fn first_day(self, day: Date) -> Date {
        match self {
            Self::Day => day,
            Self::Week => day.iso_week_date().first_of_week().map_or(day, Date::from),
            Self::Month => day.first_of_month(),
            Self::Year => day.first_of_year(),
        }
    }

    /// Returns the name of the period that begins on a day.
    pub fn period(self, first_day: Date) -> String {
        match self {
            Self::Day => first_day.to_string(),
            Self::Week => {
                let week = first_day.iso_week_date();
                format!("{}-W{:02}", week.year(), week.week())
            }
            Self::Month => first_day.strftime("%Y-%m").to_string(),
            Self::Year => first_day.strftime("%Y").to_string(),
        }
    }
}

/// Energy of the whole house in a quarter-hour.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct HouseQuarter {
    /// Its start.
    #[serde(serialize_with = "seconds")]
    pub t: Timestamp,
    /// Watt-hours.
    #[serde(serialize_with = "millionths")]
    pub energy_wh: f64,
    /// Number of plugs of which there is data: where it is smaller than before and after, that of some is missing.
    pub plugs: u32,
}

/// Energy and cost of one plug in a period.
///
/// Energy without a price, and energy priced in another currency, is a row of its own: the rows of a period always add up.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct EnergyRow {
    /// The plug.
    pub mac: Mac,
    /// `true` if the plug is no longer adopted; omitted otherwise.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    #[schema(required = false)]
    pub removed: bool,
    /// The local day, week, month or year.
    #[schema(examples("2026-11-22", "2026-W47", "2026-11", "2026"))]
    pub period: String,
    /// Watt-hours.
    #[schema(minimum = 0.0)]
    pub energy_wh: f64,
    /// Cost of the energy; null where no tariff has a price.
    #[schema(required)]
    pub cost: Option<f64>,
    /// Currency of the cost.
    #[schema(required)]
    pub currency: Option<String>,
}

/// Energy and cost of all plugs in a period, with the standing charge.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct HouseholdRow {
    /// The local day, week, month or year.
    #[schema(examples("2026-11-22", "2026-W47", "2026-11", "2026"))]
    pub period: String,
    /// Watt-hours.
    #[schema(minimum = 0.0)]
    pub energy_wh: f64,
    /// Cost of the energy; null where no tariff has a price.
    #[schema(required)]
    pub cost: Option<f64>,
    /// Standing charge of the days of the period within the range; null where no tariff has one.
    #[schema(required)]
    pub standing_charge: Option<f64>,
    /// Currency of both.
    #[schema(required)]
    pub currency: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn periods_have_a_first_day_and_a_name() {
        for (day, by, first, name) in [
            ("2026-11-22", EnergyPeriod::Day, "2026-11-22", "2026-11-22"),
            ("2026-11-22", EnergyPeriod::Week, "2026-11-16", "2026-W47"),
            ("2026-11-23", EnergyPeriod::Week, "2026-11-23", "2026-W48"),
            // The first days of 2027 belong to the last week of 2026.
            ("2027-01-03", EnergyPeriod::Week, "2026-12-28", "2026-W53"),
            ("2024-12-31", EnergyPeriod::Week, "2024-12-30", "2025-W01"),
            ("2026-11-22", EnergyPeriod::Month, "2026-11-01", "2026-11"),
            ("2026-11-22", EnergyPeriod::Year, "2026-01-01", "2026"),
        ] {
            let first_day = by.first_day(day.parse().unwrap());
            assert_eq!(first_day.to_string(), first, "{day} {by:?}");
            assert_eq!(by.period(first_day), name, "{day} {by:?}");
        }
    }

    #[test]
    fn periods_are_read_by_their_words() {
        assert_eq!("week".parse(), Ok(EnergyPeriod::Week));
        assert!("Week".parse::<EnergyPeriod>().is_err());
        assert!("".parse::<EnergyPeriod>().is_err());
    }
}
