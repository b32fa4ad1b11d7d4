//! Status that the hub adds to schedules and rules: the last run, and the reason for a stop.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::json::optional_seconds;

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
    /// The last run.
    pub last: Option<LastRun>,
    /// Set when it no longer runs.
    pub halted: Option<Halted>,
}

/// Status that the hub adds to a rule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RuleStatus {
    /// The last run.
    pub last: Option<LastRun>,
    /// Set when it no longer acts.
    pub halted: Option<Halted>,
}

/// Status that the hub adds to groups and tariffs: none.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct NoStatus {}
