//! Energy that plugs used and its cost, by day or month.

use std::str::FromStr;

use hiflying::Mac;
use jiff::civil::Date;
use serde::de::{IntoDeserializer, value};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The periods into which a report is divided.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum EnergyPeriod {
    /// Local days: `2026-11-22`.
    Day,
    /// Months of local days: `2026-11`.
    Month,
}

impl FromStr for EnergyPeriod {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let text = text.into_deserializer();
        Self::deserialize(text).map_err(|_: value::Error| "it is `day` or `month`".to_owned())
    }
}

impl EnergyPeriod {
    /// Returns the first day of the period that a day belongs to.
    pub fn first_day(self, day: Date) -> Date {
        match self {
            Self::Day => day,
            Self::Month => day.first_of_month(),
        }
    }

    /// Returns the name of the period that begins on a day.
    pub fn period(self, first_day: Date) -> String {
        match self {
            Self::Day => first_day.to_string(),
            Self::Month => first_day.strftime("%Y-%m").to_string(),
        }
    }
}

/// Energy and cost of one plug in a day or a month.
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
    /// The local day or month.
    #[schema(examples("2026-11-22", "2026-11"))]
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
