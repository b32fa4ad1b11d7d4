//! Requests about plugs, and the responses.

use std::net::Ipv4Addr;

use hiflying::Mac;
use jiff::Timestamp;
use plugs::{RelayCommand, RelayState};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::duration::Period;
use crate::energy::EnergyPeriod;
use crate::error::{ErrorDocument, ProblemDocument};
use crate::json::seconds;
use crate::moment::RangeRequest;

/// Adopts a plug.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AdoptRequest {
    /// The plug's IPv4 address.
    #[schema(value_type = String, format = Ipv4, examples("192.168.1.107"))]
    pub address: Ipv4Addr,
}

/// Searches for devices.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct DiscoverRequest {
    /// Time to wait for replies; `3s` unless given, at most `30s`.
    pub wait: Option<Period>,
}

/// Switches a relay.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SwitchRequest {
    /// On, off, or the other position.
    pub state: RelayCommand,
}

/// Result of a switch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SwitchResponse {
    /// The relay as it was last read.
    #[schema(required)]
    pub relay: Option<RelayState>,
    /// `true` when the relay was read back in the commanded position.
    pub confirmed: bool,
}

/// The error of a relay that was not switched.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RelayProblem {
    /// The error.
    #[serde(flatten)]
    pub problem: ProblemDocument,
    /// `true` when the plug accepted the command and did not carry it out.
    pub accepted: bool,
    /// Always false.
    pub confirmed: bool,
    /// The relay as it was last read.
    #[schema(required)]
    pub relay: Option<RelayState>,
}

/// Result of switching one plug of a group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct GroupRelay {
    /// The plug.
    pub plug: Mac,
    /// The relay as it was last read.
    #[schema(required)]
    pub relay: Option<RelayState>,
    /// `true` when the relay was read back in the commanded position.
    pub confirmed: bool,
    /// The reason why it is not in the commanded position.
    #[schema(required)]
    pub error: Option<ErrorDocument>,
}

/// Sets a plug's own timer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DelayRequest {
    /// Position of the relay afterwards.
    pub state: RelayState,
    /// Delay in minutes.
    #[schema(minimum = 1, maximum = 2000)]
    pub minutes: u16,
}

/// A plug's own timer that was set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DelayResponse {
    /// Position of the relay afterwards.
    pub relay: RelayState,
    /// Delay in minutes.
    pub minutes: u16,
    /// Approximate time of the switch.
    #[serde(serialize_with = "seconds")]
    pub due: Timestamp,
}

/// The version of a plug's firmware.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct VersionResponse {
    /// The plug.
    pub plug: Mac,
    /// Its version text.
    pub version: String,
}

/// Puts a new plug in the place of an old one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ReplaceRequest {
    /// MAC of the new plug: adopted already, or found on the network.
    #[schema(value_type = String, pattern = "^([0-9A-Fa-f]{12}|([0-9A-Fa-f]{2}[:-]){5}[0-9A-Fa-f]{2})$", examples("AC:CF:23:12:34:56"))]
    pub by: Mac,
}

/// Maximum size of an imported file, in bytes.
pub const MAX_IMPORT_BYTES: usize = 128 * 1024 * 1024;

/// Result of an import.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ImportResponse {
    /// Rows in the file.
    pub rows: u64,
    /// Rows that were not there before.
    pub new: u64,
}

/// The requested part of a plug's history.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct HistoryRequest {
    /// The range; the last day unless given.
    #[serde(flatten)]
    pub range: RangeRequest,
    /// Length of a step: whole seconds, from a day on whole local days; chosen for a readable graph unless given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub step: Option<Period>,
}

/// The requested sums of energy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct EnergyRequest {
    /// The range; 30 days or 12 months unless given.
    #[serde(flatten)]
    pub range: RangeRequest,
    /// The periods.
    pub by: EnergyPeriod,
    /// Only these plugs; all if empty.
    #[serde(skip)]
    pub plugs: Vec<Mac>,
}
