//! Rules: switching by the behaviour of plugs instead of the clock.
//!
//! A [`Rule`] is what people write: one plug, and one [`RuleKind`] with its numbers.

mod kind;

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
