//! Rules: switching by the behaviour of plugs instead of the clock.
//!
//! A [`Rule`] is what people write: one plug, and one [`RuleKind`] with its numbers.

mod kind;

use std::time::Duration;

use hiflying::Mac;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

pub use kind::{RuleKind, TestPulse};

use crate::document::{Collection, Document};
use crate::error::RequestError;
use crate::name::Name;
use crate::status::RuleStatus;

/// Switches a plug by the behaviour of plugs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(as = RuleInput)]
pub struct Rule {
    /// Unique among rules.
    pub name: Name,
    /// `false` suspends it.
    #[serde(default = "enabled")]
    pub enabled: bool,
    /// The plug that it switches.
    pub plug: Mac,
    /// The kind: the field `kind`, with its numbers beside it.
    #[serde(flatten)]
    pub kind: RuleKind,
}

impl Rule {
    /// Returns the plugs that it watches or switches, each with the field that names it.
    pub fn plugs(&self) -> impl Iterator<Item = (&'static str, Mac)> {
        let leader = self.kind.leader().map(|leader| ("leader", leader));
        [("plug", self.plug)].into_iter().chain(leader)
    }

    /// Returns the field and the plug whose meter it needs.
    pub fn metered_plug(&self) -> Option<(&'static str, Mac)> {
        match &self.kind {
            RuleKind::StandbyKill { .. } | RuleKind::OverPower { .. } => Some(("plug", self.plug)),
            RuleKind::Follow { leader, .. } => Some(("leader", *leader)),
            RuleKind::AutoOff { .. } | RuleKind::KeepOn { .. } | RuleKind::PowerOn { .. } => None,
        }
    }
}

/// Maximum interval between readings for a rule that protects or follows.
const MAX_PROMPT_INTERVAL: Duration = Duration::from_secs(10);
/// Maximum interval between readings for a rule that saves energy.
const MAX_SAVING_INTERVAL: Duration = Duration::from_secs(60);
/// Minimum interval between readings.
const MIN_INTERVAL: Duration = Duration::from_secs(1);
/// Maximum time that a plug which replies takes for a reading or for a command.
const REPLY_TIMEOUT: Duration = Duration::from_secs(5);

impl Rule {
    /// Returns the plug whose meter it needs, and the maximum interval between readings with which it can keep its time.
    pub fn metering_need(&self) -> Option<(Mac, Duration)> {
        let (_, plug) = self.metered_plug()?;
        let (time, max) = match &self.kind {
            RuleKind::OverPower { period, .. } => (Some(*period), MAX_PROMPT_INTERVAL),
            RuleKind::Follow { delay, .. } => (*delay, MAX_PROMPT_INTERVAL),
            RuleKind::StandbyKill {
                period, test_pulse, ..
            } => {
                let shortest = test_pulse.map_or(*period, |test| test.period.min(*period));
                (Some(shortest), MAX_SAVING_INTERVAL)
            }
            RuleKind::AutoOff { .. } | RuleKind::KeepOn { .. } | RuleKind::PowerOn { .. } => {
                return None;
            }
        };
        // Two readings within its time: one alone could be lost.
        let half = time.map_or(max, |time| time.get() / 2);
        Some((plug, half.clamp(MIN_INTERVAL, max)))
    }

    /// Returns the maximum time in seconds in which a rule that protects acts, if its plug replies and is metered at this interval.
    pub fn reacts_within_s(&self, metering: Duration) -> Option<u64> {
        let RuleKind::OverPower { period, .. } = &self.kind else {
            return None;
        };
        let interval = metering.max(MIN_INTERVAL);
        // The load can rise just after a reading; from the next one on it has to be seen for the whole time.
        let readings = period.get().as_secs_f64() / interval.as_secs_f64();
        let seen = interval.mul_f64(readings.ceil() + 1.0);
        Some((seen + 2 * REPLY_TIMEOUT).as_secs_f64().ceil() as u64)
    }
}

impl Document for Rule {
    const COLLECTION: Collection = Collection::Rules;
    type Status = RuleStatus;

    fn name(&self) -> &str {
        &self.name
    }

    fn check(&self) -> Result<(), RequestError> {
        self.kind.check(self.plug)
    }
}

/// Returns the default of `enabled`: a rule acts unless it is disabled.
fn enabled() -> bool {
    true
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::document::read;

    fn rule(fields: Value) -> Result<Rule, String> {
        let mut rule = json!({"name": "television", "plug": "AC:CF:23:12:34:56"});
        let object = rule.as_object_mut().unwrap();
        object.extend(fields.as_object().unwrap().clone());
        let rule: Rule = read(&rule.to_string())?;
        rule.check().map_err(|error| {
            format!("{}: {}", error.field().unwrap_or_default(), error.message())
        })?;
        Ok(rule)
    }

    #[test]
    fn every_kind_is_written_as_it_is_read() {
        for fields in [
            json!({"kind": "standby_kill", "below_w": 10.0, "for": "5m", "restore_at": "07:00",
                   "test_pulse": {"every": "2h", "for": "1m"}}),
            json!({"kind": "standby_kill", "below_w": 10.5, "for": "5m", "restore_at": null, "test_pulse": null}),
            json!({"kind": "auto_off", "after": "2h"}),
            json!({"kind": "over_power", "above_w": 2000.0, "for": "10s"}),
            json!({"kind": "follow", "leader": "AC:CF:23:00:00:01", "above_w": 30.0, "hysteresis_w": 5.0, "delay": "10s"}),
            json!({"kind": "follow", "leader": "AC:CF:23:00:00:01", "above_w": 30.0, "hysteresis_w": null, "delay": null}),
            json!({"kind": "keep_on", "after": "5m"}),
            json!({"kind": "keep_on", "after": null}),
            json!({"kind": "power_on", "state": "last"}),
        ] {
            let mut expected =
                json!({"name": "television", "enabled": true, "plug": "AC:CF:23:12:34:56"});
            expected
                .as_object_mut()
                .unwrap()
                .extend(fields.as_object().unwrap().clone());
            let rule = rule(fields).unwrap();
            assert_eq!(serde_json::to_value(&rule).unwrap(), expected);
        }
    }

    #[test]
    fn a_rule_that_needs_a_meter_says_how_often() {
        for (fields, interval, reaction) in [
            (
                json!({"kind": "over_power", "above_w": 2000, "for": "1s"}),
                Some(1),
                Some(12),
            ),
            (
                json!({"kind": "over_power", "above_w": 2000, "for": "10s"}),
                Some(5),
                Some(25),
            ),
            (
                json!({"kind": "over_power", "above_w": 2000, "for": "1m"}),
                Some(10),
                Some(80),
            ),
            (
                json!({"kind": "standby_kill", "below_w": 10, "for": "5m"}),
                Some(60),
                None,
            ),
            (
                json!({"kind": "standby_kill", "below_w": 10, "for": "5m", "test_pulse": {"every": "2h", "for": "20s"}}),
                Some(10),
                None,
            ),
            (
                json!({"kind": "follow", "leader": "AC:CF:23:00:00:01", "above_w": 30}),
                Some(10),
                None,
            ),
            (json!({"kind": "auto_off", "after": "2h"}), None, None),
        ] {
            let rule = rule(fields.clone()).unwrap();
            let need = rule.metering_need();
            let seconds = need.map(|(_, interval)| interval.as_secs());
            assert_eq!(seconds, interval, "{fields}");
            let within = rule.reacts_within_s(Duration::from_secs(interval.unwrap_or(10)));
            assert_eq!(within, reaction, "{fields}");
        }
    }

    #[test]
    fn what_may_be_left_out() {
        let kill = rule(json!({"kind": "standby_kill", "below_w": 10, "for": "5m"})).unwrap();
        assert!(kill.enabled);
        assert!(matches!(
            kill.kind,
            RuleKind::StandbyKill {
                restore_at: None,
                test_pulse: None,
                ..
            }
        ));
        assert!(
            !rule(json!({"kind": "keep_on", "enabled": false}))
                .unwrap()
                .enabled
        );
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (fields, part) in [
            (json!({}), "kind"),
            (json!({"kind": "explode"}), "explode"),
            (json!({"kind": 7}), ""),
            (json!({"kind": "auto_off"}), "after"),
            (
                json!({"kind": "auto_off", "after": "2h", "below_w": 3}),
                "below_w",
            ),
            (json!({"kind": "keep_on", "colour": "red"}), "colour"),
            (json!({"kind": "auto_off", "after": "7200"}), "unit"),
            (
                json!({"kind": "standby_kill", "below_w": 0, "for": "5m"}),
                "below_w",
            ),
            (
                json!({"kind": "standby_kill", "below_w": -1, "for": "5m"}),
                "below_w",
            ),
            (
                json!({"kind": "standby_kill", "below_w": 1e300, "for": "5m"}),
                "below_w",
            ),
            (
                json!({"kind": "standby_kill", "below_w": 10, "for": "5m", "restore_at": "25:00"}),
                "local time",
            ),
            (
                json!({"kind": "standby_kill", "below_w": 10, "for": "5m", "test_pulse": {"every": "1m", "for": "30s"}}),
                "test_pulse.every",
            ),
            (
                json!({"kind": "standby_kill", "below_w": 10, "for": "5m", "test_pulse": {"every": "1h", "for": "2s"}}),
                "test_pulse.for",
            ),
            (
                json!({"kind": "standby_kill", "below_w": 10, "for": "5m", "test_pulse": {"every": "1h", "for": "1h"}}),
                "test_pulse.for",
            ),
            (
                json!({"kind": "standby_kill", "below_w": 10, "for": "5m", "test_pulse": {"every": "1h", "for": "1m", "x": 1}}),
                "x",
            ),
            (
                json!({"kind": "over_power", "above_w": 5000, "for": "5s"}),
                "above_w",
            ),
            (
                json!({"kind": "follow", "leader": "accf23123456", "above_w": 5}),
                "leader",
            ),
            (
                json!({"kind": "follow", "leader": "kitchen", "above_w": 5}),
                "",
            ),
            (
                json!({"kind": "follow", "leader": "AC:CF:23:00:00:01", "above_w": 5, "hysteresis_w": 5}),
                "hysteresis_w",
            ),
            (
                json!({"kind": "follow", "leader": "AC:CF:23:00:00:01", "above_w": 5, "hysteresis_w": -1}),
                "hysteresis_w",
            ),
            (json!({"kind": "power_on", "state": "toggle"}), "toggle"),
            (json!({"kind": "keep_on", "name": ""}), "name"),
            (json!({"kind": "keep_on", "plug": "kitchen"}), ""),
        ] {
            let problem = rule(fields.clone()).expect_err(&fields.to_string());
            assert!(problem.contains(part), "{fields}: {problem}");
        }
    }

    #[test]
    fn names_every_plug_it_needs() {
        let rule =
            rule(json!({"kind": "follow", "leader": "AC:CF:23:00:00:01", "above_w": 5})).unwrap();
        let fields: Vec<_> = rule.plugs().map(|(field, _)| field).collect();
        assert_eq!(fields, ["plug", "leader"]);
    }
}
