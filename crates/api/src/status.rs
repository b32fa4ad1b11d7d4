//! Status that the hub adds to schedules and rules: the last run, and the reason for a stop.

use hiflying::Mac;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::id::SwitchTarget;
use crate::json::{each_in_seconds, optional_seconds};

/// The last run of a schedule or a rule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LastRun {
    /// Time of the run.
    pub at: Timestamp,
    /// `on`, `off` or `toggle`.
    pub action: String,
    /// Reason, in one clause.
    pub why: String,
    /// `true` when the relays were read back in the commanded position.
    pub confirmed: bool,
    /// Error message of a run that failed.
    #[schema(required)]
    pub error: Option<String>,
}

/// The stop of a schedule or a rule, which lasts until it is edited.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Halted {
    /// Time since which it does not act.
    pub at: Timestamp,
    /// Reason, in one clause.
    pub why: String,
}

/// Status that the hub adds to a schedule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ScheduleStatus {
    /// Time of the next run; null when there is none.
    #[serde(serialize_with = "optional_seconds")]
    pub next: Option<Timestamp>,
    /// The times of the next three runs, of which `next` is the first; omitted when there is none.
    #[serde(
        default,
        serialize_with = "each_in_seconds",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub upcoming: Vec<Timestamp>,
    /// The last run.
    pub last: Option<LastRun>,
    /// Set when it no longer runs.
    pub halted: Option<Halted>,
    /// Its targets that were removed; omitted when there are none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub missing: Vec<SwitchTarget>,
}

/// Status that the hub adds to a rule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RuleStatus {
    /// The last run.
    pub last: Option<LastRun>,
    /// Set when it no longer acts.
    pub halted: Option<Halted>,
    /// Its plugs that were removed; omitted when there are none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub missing: Vec<Mac>,
    /// Maximum time in seconds in which a rule that protects acts while its plug replies; omitted for other rules.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reacts_within_s: Option<u64>,
}

/// Status that the hub adds to groups: none.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct NoStatus {}

/// Status that the hub adds to a tariff in the response of a change.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct TariffStatus {
    /// The effect of the change on costs of the past; omitted when there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repriced: Option<Repricing>,
}

/// The effect of a change of tariffs on the costs of the past.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Repricing {
    /// Time from which on costs are different.
    pub from: Timestamp,
    /// The costs since then before the change, one for each currency.
    pub before: Vec<Cost>,
    /// The costs since then after the change, one for each currency.
    pub after: Vec<Cost>,
}

/// A cost of energy.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Cost {
    /// The amount.
    pub cost: f64,
    /// Its currency.
    pub currency: String,
}
