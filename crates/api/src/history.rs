//! Energy that a plug used, step by step.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::json::{millionths, optional_millionths, seconds};

/// A part of a plug's history.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct History {
    /// Length of a step in seconds: that of the request, or a longer one where no finer data is left. From a day on, a step is that many
    /// local days, whatever their length.
    #[schema(minimum = 1)]
    pub step_s: i64,
    /// The steps with data, in order of time.
    pub points: Vec<HistoryPoint>,
}

/// One step of history. Steps without data do not exist. Figures are rounded to millionths in JSON.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct HistoryPoint {
    /// Start of the step.
    #[serde(serialize_with = "seconds")]
    pub t: Timestamp,
    /// Mean power in watts. Null where the energy is known only from a later reading.
    #[serde(serialize_with = "optional_millionths")]
    #[schema(required)]
    pub power_w: Option<f64>,
    /// Lowest power in watts.
    #[serde(serialize_with = "optional_millionths")]
    #[schema(required)]
    pub power_min_w: Option<f64>,
    /// Highest power in watts.
    #[serde(serialize_with = "optional_millionths")]
    #[schema(required)]
    pub power_max_w: Option<f64>,
    /// Energy used in the step, in watt-hours.
    #[serde(serialize_with = "millionths")]
    #[schema(minimum = 0)]
    pub energy_wh: f64,
}
