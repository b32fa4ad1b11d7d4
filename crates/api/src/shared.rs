//! The hubs of a site that share its database: their roles, the lease, and the hubs that there are.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Role of a hub among those that share a database.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    Serialize,
    Deserialize,
    ToSchema,
    strum::Display,
    strum::EnumString,
    strum::IntoStaticStr,
)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case", parse_err_ty = String, parse_err_fn = no_role)]
pub enum HubRole {
    /// It has the plugs: it scans, meters, switches, runs schedules and rules.
    Active,
    /// It waits to take over, and passes requests on to the active hub.
    Standby,
}

impl HubRole {
    /// Returns the word for it.
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

fn no_role(_: &str) -> String {
    "one of `active` and `standby`".to_owned()
}

/// The lease by which one of the hubs that share a database is the active one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct HubLease {
    /// Id of the active hub; null when it has ended and no other has taken over yet.
    #[schema(required)]
    pub holder: Option<String>,
    /// The fencing number, which rises with each change of the holder.
    pub number: u64,
    /// Time at which it runs out unless it is renewed, by the database's clock.
    pub until: Timestamp,
}

/// A hub that shares the database.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct HubEntry {
    /// Its id, which stays the same for a state directory.
    pub id: String,
    /// URL at which the other hubs reach it.
    pub url: String,
    /// Its version of Mains.
    pub version: String,
    /// Its role when it was last seen.
    pub role: HubRole,
    /// Time of its last heartbeat, by the database's clock.
    pub seen: Timestamp,
    /// Seconds since then; above 5 the hub is not running, or cannot reach the database.
    pub lag_s: f64,
    /// True if it reaches plugs; null if it has not tried.
    #[schema(required)]
    pub reaches: Option<bool>,
}
