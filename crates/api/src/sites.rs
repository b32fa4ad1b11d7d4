//! Sites of a database, as the API shows them.

use hiflying::Mac;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::json::{optional_millionths, optional_seconds};
use crate::site::SiteName;

/// Energy and cost by one tariff.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct TariffCost {
    /// Name of the tariff; null for energy without a price.
    #[schema(required)]
    pub tariff: Option<String>,
    /// Watt-hours.
    #[schema(minimum = 0.0)]
    pub energy_wh: f64,
    /// Cost of the energy.
    #[schema(required)]
    pub cost: Option<f64>,
    /// Standing charge of the days that have begun; null where the tariff has none.
    #[schema(required)]
    pub standing_charge: Option<f64>,
    /// Currency of both.
    #[schema(required)]
    pub currency: Option<String>,
}

/// Report of the hub of a site to the hubs of the other sites.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct SiteReport {
    /// Adopted plugs.
    pub plugs: u64,
    /// Adopted plugs that do not reply.
    pub unavailable: u64,
    /// Power of the plugs that reply, in watts.
    pub power_w: Option<f64>,
    /// The time zone of its days.
    pub timezone: Option<String>,
    /// Energy of its local day, in watt-hours.
    pub energy_today_wh: Option<f64>,
    /// Cost of its local day.
    pub today: Vec<TariffCost>,
    /// Cost of its local month.
    pub month: Vec<TariffCost>,
    /// The plugs that do not reply, at most 1,000 of them.
    pub missing: Vec<Mac>,
}

/// A plug that does not reply.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct MissingPlug {
    /// The plug.
    pub mac: Mac,
    /// Its name.
    #[schema(required)]
    pub name: Option<String>,
    /// Its room.
    #[schema(required)]
    pub room: Option<String>,
    /// Time at which it was last seen.
    #[serde(serialize_with = "crate::json::seconds")]
    pub seen: Timestamp,
}

/// A site.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct SiteView {
    /// Its name; empty for one without.
    pub site: SiteName,
    /// Adopted plugs.
    pub plugs: u64,
    /// Adopted plugs that do not reply; all of them while nothing is known of the site.
    pub unavailable: u64,
    /// Power now, in watts; null while it is not known.
    #[serde(serialize_with = "optional_millionths")]
    #[schema(required)]
    pub power_w: Option<f64>,
    /// Energy of the site's local day, in watt-hours; null while it is not known.
    #[serde(serialize_with = "optional_millionths")]
    #[schema(required)]
    pub energy_today_wh: Option<f64>,
    /// Cost of the site's local day, by tariff and currency.
    pub today: Vec<TariffCost>,
    /// Cost of the site's local month, by tariff and currency.
    pub month: Vec<TariffCost>,
    /// Address of its hub; null where none has reported.
    #[schema(required)]
    pub url: Option<String>,
    /// Time of the last report of its hub; null where there is none.
    #[serde(serialize_with = "optional_seconds")]
    #[schema(required)]
    pub seen: Option<Timestamp>,
    /// `true` for the site of the hub that answers.
    pub is_own: bool,
    /// `true` if its hub has not reported for 15 seconds: the site is cut off from the database, or its hub has stopped.
    pub is_stale: bool,
}

/// An object with its site, where there is more than one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct OfSite<T> {
    /// The object.
    #[serde(flatten)]
    pub object: T,
    /// Its site; `None` where there is only one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub site: Option<SiteName>,
}
