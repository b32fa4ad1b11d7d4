//! The kinds of rules, and what their numbers may be.

use hiflying::Mac;
use serde::{Deserialize, Serialize};

use crate::duration::Period;
use crate::error::RequestError;
use crate::plug::PowerOn;
use crate::time_of_day::TimeOfDay;

/// What one plug can carry: 16 A at 250 V.
const MOST_WATTS: f64 = 4_000.0;
/// A relay lasts for some hundred thousand changes; a test every five minutes would wear it out within a year.
const SHORTEST_BETWEEN_TESTS: Period = Period::seconds(10 * 60);
/// Shorter, and the plug may not be metered while it is on.
const SHORTEST_TEST: Period = Period::seconds(10);

/// What a rule does.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum RuleKind {
    /// Off, when the load has drawn less than this for so long. Whoever switches it on again begins a new observation.
    StandbyKill {
        /// Less than this is standby, in watts.
        below_w: f64,
        /// For so long.
        #[serde(rename = "for")]
        period: Period,
        /// On again at this local time, if the rule switched it off.
        #[serde(default)]
        restore_at: Option<TimeOfDay>,
        /// On again for a short while, to see whether it is wanted.
        #[serde(default)]
        test_pulse: Option<TestPulse>,
    },
    /// Off, when it has been on for so long.
    AutoOff {
        /// For so long.
        after: Period,
    },
    /// Off, when the load has drawn more than this for so long; stays off until a person switches it on.
    OverPower {
        /// More than this, in watts.
        above_w: f64,
        /// For so long.
        #[serde(rename = "for")]
        period: Period,
    },
    /// On when another plug's load draws more than this, off when it no longer does.
    Follow {
        /// The other plug.
        leader: Mac,
        /// More than this, in watts.
        above_w: f64,
        /// How far the power must fall below it to count as no longer drawing, in watts; none is 0.
        #[serde(default)]
        hysteresis_w: Option<f64>,
        /// How long the leader must draw, or no longer draw, before the plug follows; none is at once.
        #[serde(default)]
        delay: Option<Period>,
    },
    /// On again, whoever switched it off.
    KeepOn {
        /// After so long; none is at once.
        #[serde(default)]
        after: Option<Period>,
    },
    /// What the relay is to be when the plug is back after an outage.
    PowerOn {
        /// On, off, or what it was before.
        state: PowerOn,
    },
}

/// A short test whether a load that was switched off is wanted again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TestPulse {
    /// So long after it was switched off, and again so long after each test.
    pub every: Period,
    /// On for so long; what it draws then decides.
    #[serde(rename = "for")]
    pub period: Period,
}

impl RuleKind {
    /// Returns its word in JSON.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::StandbyKill { .. } => "standby_kill",
            Self::AutoOff { .. } => "auto_off",
            Self::OverPower { .. } => "over_power",
            Self::Follow { .. } => "follow",
            Self::KeepOn { .. } => "keep_on",
            Self::PowerOn { .. } => "power_on",
        }
    }

    /// Returns the other plug that it watches.
    pub const fn leader(&self) -> Option<Mac> {
        match self {
            Self::Follow { leader, .. } => Some(*leader),
            _ => None,
        }
    }

    /// Says what is wrong with the numbers of a rule for this plug.
    pub(super) fn check(&self, plug: Mac) -> Result<(), RequestError> {
        match self {
            Self::StandbyKill {
                below_w,
                test_pulse,
                ..
            } => {
                check_watts("below_w", *below_w)?;
                test_pulse.as_ref().map_or(Ok(()), TestPulse::check)
            }
            Self::OverPower { above_w, .. } => check_watts("above_w", *above_w),
            Self::Follow {
                leader,
                above_w,
                hysteresis_w,
                ..
            } => {
                check_watts("above_w", *above_w)?;
                if *leader == plug {
                    return Err(RequestError::usage("a plug cannot follow itself").at("leader"));
                }
                match hysteresis_w {
                    Some(hysteresis) if !(0.0..*above_w).contains(hysteresis) => {
                        let message = "the hysteresis must be at least 0 W and less than `above_w`";
                        Err(RequestError::usage(message).at("hysteresis_w"))
                    }
                    _ => Ok(()),
                }
            }
            Self::AutoOff { .. } | Self::KeepOn { .. } | Self::PowerOn { .. } => Ok(()),
        }
    }
}

impl TestPulse {
    fn check(&self) -> Result<(), RequestError> {
        if self.every < SHORTEST_BETWEEN_TESTS {
            let message =
                format!("a relay wears out; test it every {SHORTEST_BETWEEN_TESTS} at most");
            return Err(RequestError::usage(message).at("test_pulse.every"));
        }
        if self.period < SHORTEST_TEST || self.period >= self.every {
            let message = format!(
                "a test takes at least {SHORTEST_TEST}, and less than the time between two"
            );
            return Err(RequestError::usage(message).at("test_pulse.for"));
        }
        Ok(())
    }
}

fn check_watts(field: &'static str, watts: f64) -> Result<(), RequestError> {
    if watts > 0.0 && watts <= MOST_WATTS {
        return Ok(());
    }
    let message = format!("the power must be more than 0 W and at most {MOST_WATTS} W");
    Err(RequestError::usage(message).at(field))
}
