//! The kinds of rules, and the bounds of their numbers.

use hiflying::Mac;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::duration::Period;
use crate::error::RequestError;
use crate::plug::PowerOn;
use crate::time_of_day::TimeOfDay;

/// Maximum power of a plug: 16 A at 250 V.
const MAX_WATTS: f64 = 4_000.0;
/// Minimum time between two tests. A relay lasts for some hundred thousand changes; a test every five minutes would wear it out
/// within a year.
const MIN_TEST_INTERVAL: Period = Period::seconds(10 * 60);
/// Minimum length of a test. In less time the plug may not be metered while it is on.
const MIN_TEST: Period = Period::seconds(10);

/// The kind of a rule and its numbers.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, ToSchema, strum::IntoStaticStr)]
#[serde(tag = "kind", rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum RuleKind {
    /// Switches off when the load has drawn less than `below_w` for a time. Switching on again starts a new observation.
    StandbyKill {
        /// Upper bound of standby, in watts.
        #[schema(exclusive_minimum = 0.0, maximum = 4000.0)]
        below_w: f64,
        /// Time for which the load must draw less.
        #[serde(rename = "for")]
        period: Period,
        /// Local time at which the plug is switched on again, if the rule switched it off.
        #[serde(default)]
        restore_at: Option<TimeOfDay>,
        /// Switches on for a short while now and then, to see whether the load is wanted.
        #[serde(default)]
        test_pulse: Option<TestPulse>,
    },
    /// Switches off when the relay has been on for a time.
    AutoOff {
        /// Time for which the relay may be on.
        after: Period,
    },
    /// Switches off when the load has drawn more than `above_w` for a time; stays off until a person switches it on.
    OverPower {
        /// Upper bound of the allowed power, in watts.
        #[schema(exclusive_minimum = 0.0, maximum = 4000.0)]
        above_w: f64,
        /// Time for which the load may draw more.
        #[serde(rename = "for")]
        period: Period,
    },
    /// Switches on when another plug's load draws more than `above_w`, and off when it no longer does.
    Follow {
        /// The other plug.
        leader: Mac,
        /// Power that the leader's load must exceed, in watts.
        #[schema(exclusive_minimum = 0.0, maximum = 4000.0)]
        above_w: f64,
        /// Distance below `above_w` to which the power must fall to switch off, in watts; null is 0.
        #[serde(default)]
        #[schema(minimum = 0.0)]
        hysteresis_w: Option<f64>,
        /// Time for which the leader must draw, or no longer draw; null is at once.
        #[serde(default)]
        delay: Option<Period>,
    },
    /// Switches on again whenever the plug was switched off.
    KeepOn {
        /// Delay before it switches on; null is at once.
        #[serde(default)]
        after: Option<Period>,
    },
    /// Sets the relay when the plug is back after an outage.
    PowerOn {
        /// On, off, or the position before the outage.
        state: PowerOn,
    },
}

/// A short test whether a load that was switched off is wanted again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TestPulse {
    /// Time between switching off and the test, and between two tests; at least ten minutes.
    pub every: Period,
    /// Length of the test: at least ten seconds, and less than `every`. What the load draws then decides.
    #[serde(rename = "for")]
    pub period: Period,
}

impl RuleKind {
    /// Returns its word in JSON.
    pub fn as_str(&self) -> &'static str {
        self.into()
    }

    /// Returns the other plug that it watches.
    pub const fn leader(&self) -> Option<Mac> {
        match self {
            Self::Follow { leader, .. } => Some(*leader),
            _ => None,
        }
    }

    /// Checks the numbers of a rule for this plug.
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
        if self.every < MIN_TEST_INTERVAL {
            let message = format!("a relay wears out; test it every {MIN_TEST_INTERVAL} at most");
            return Err(RequestError::usage(message).at("test_pulse.every"));
        }
        if self.period < MIN_TEST || self.period >= self.every {
            let message =
                format!("a test takes at least {MIN_TEST}, and less than the time between two");
            return Err(RequestError::usage(message).at("test_pulse.for"));
        }
        Ok(())
    }
}

fn check_watts(field: &'static str, watts: f64) -> Result<(), RequestError> {
    if watts > 0.0 && watts <= MAX_WATTS {
        return Ok(());
    }
    let message = format!("the power must be more than 0 W and at most {MAX_WATTS} W");
    Err(RequestError::usage(message).at(field))
}
