//! Options of `mains rule add` and `edit`.

use api::{Period, PowerOn, Rule, RuleView, TimeOfDay};
use clap::ValueEnum;

use crate::commands::documents::options::{KindFields, Pulse, Setting, Watts, given, patch, word};
use crate::commands::documents::{Change, Patch, new_document};
use crate::error::Failure;
use crate::hub_names::HubNames;

/// The kind of a rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, strum::IntoStaticStr)]
#[strum(serialize_all = "snake_case", const_into_str)]
pub(super) enum RuleKindOption {
    /// Switch off when the load draws less than --below for --for; on again at --restore-at, by --test-pulse or by hand
    #[value(alias = "standby_kill")]
    StandbyKill,
    /// Switch off after --after
    #[value(alias = "auto_off")]
    AutoOff,
    /// Switch off when the load draws more than --above for --for; on again by hand only
    #[value(alias = "over_power")]
    OverPower,
    /// Switch on while the load of --leader draws more than --above, otherwise off
    Follow,
    /// Switch on again, after --after, whatever switched it off
    #[value(alias = "keep_on")]
    KeepOn,
    /// Set the relay to --state when the plug returns after a power cut
    #[value(alias = "power_on")]
    PowerOn,
}

/// The settings of a rule beside its name and kind.
#[derive(Debug, Clone, Default, clap::Args)]
pub(super) struct RuleOptions {
    /// Plug to switch
    #[arg(long, value_name = "PLUG")]
    plug: Option<String>,
    /// Power below which the load is in standby, e.g. 10W
    #[arg(long, value_name = "WATTS", allow_hyphen_values = true)]
    below: Option<Watts>,
    /// Power above which the rule acts, e.g. 2kW
    #[arg(long, value_name = "WATTS", allow_hyphen_values = true)]
    above: Option<Watts>,
    /// Time that the power must stay there, e.g. 5m
    #[arg(long = "for", value_name = "DURATION")]
    period: Option<Period>,
    /// Delay, e.g. 2h; for keep-on also `none` (at once)
    #[arg(long, value_name = "DURATION")]
    after: Option<Setting<Period>>,
    /// Plug whose load is followed
    #[arg(long, value_name = "PLUG")]
    leader: Option<String>,
    /// Drop below --above that counts as off; `none` is 0
    #[arg(long, value_name = "WATTS", allow_hyphen_values = true)]
    hysteresis: Option<Setting<Watts>>,
    /// Time that the leader must draw, or stop drawing, before the plug follows; `none` is at once
    #[arg(long, value_name = "DURATION")]
    delay: Option<Setting<Period>>,
    /// Switch on again at this local time, e.g. 07:00; `none` is never
    #[arg(long, value_name = "HH:MM")]
    restore_at: Option<Setting<TimeOfDay>>,
    /// Switch on briefly to test whether the load is needed: interval and length, e.g. 2h,1m; `none` is never
    #[arg(long, value_name = "EVERY,FOR")]
    test_pulse: Option<Setting<Pulse>>,
    /// on, off, or last (the state before the power cut)
    #[arg(long, value_name = "STATE", value_parser = word::<PowerOn>)]
    state: Option<PowerOn>,
}

/// Returns the fields of a kind of rule.
fn fields(kind: &str) -> KindFields {
    let (needed, optional): (&[_], &[_]) = match kind {
        "standby_kill" => (&["below_w", "for"], &["restore_at", "test_pulse"]),
        "auto_off" => (&["after"], &[]),
        "over_power" => (&["above_w", "for"], &[]),
        "follow" => (&["leader", "above_w"], &["hysteresis_w", "delay"]),
        "keep_on" => (&[], &["after"]),
        _ => (&["state"], &[]),
    };
    KindFields { needed, optional }
}

impl RuleOptions {
    /// Returns a new rule.
    pub(super) fn new_rule(
        &self,
        name: &str,
        kind: RuleKindOption,
        enabled: bool,
        names: &HubNames,
    ) -> Result<Rule, Failure> {
        let Some(plug) = &self.plug else {
            return Err(Failure::usage("no plug to switch; pass `--plug`"));
        };
        let kind = kind.into_str();
        let mut rule = self.numbers(names)?;
        fields(kind).check_new(&format!("a rule of kind {kind}"), &rule)?;
        rule.extend(patch([
            ("kind", Some(kind.into())),
            ("name", Some(name.into())),
            ("enabled", Some(enabled.into())),
            ("plug", given(Some(names.find_plug(plug)?))),
        ]));
        new_document(rule)
    }

    /// Returns the given fields of the rule's kind.
    fn numbers(&self, names: &HubNames) -> Result<Patch, Failure> {
        let leader = self.leader.as_deref().map(|leader| names.find_plug(leader));
        Ok(patch([
            ("below_w", given(self.below)),
            ("above_w", given(self.above)),
            ("for", given(self.period)),
            ("after", given(self.after)),
            ("leader", given(leader.transpose()?)),
            ("hysteresis_w", given(self.hysteresis)),
            ("delay", given(self.delay)),
            ("restore_at", given(self.restore_at)),
            ("test_pulse", given(self.test_pulse)),
            ("state", given(self.state)),
        ]))
    }
}

impl Change<Rule> for RuleOptions {
    fn patch(&self, current: &RuleView, names: &HubNames) -> Result<Patch, Failure> {
        let kind = current.document.kind.as_str();
        let mut rule = self.numbers(names)?;
        fields(kind).check(&format!("a rule of kind {kind}"), &rule)?;
        let plug = self.plug.as_deref().map(|plug| names.find_plug(plug));
        rule.extend(patch([("plug", given(plug.transpose()?))]));
        Ok(rule)
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;
    use serde_json::{Value, json};

    use super::*;
    use crate::hub_names::tests::names;

    #[derive(Parser)]
    struct RuleLine {
        #[arg(long)]
        kind: Option<RuleKindOption>,
        #[command(flatten)]
        options: RuleOptions,
    }

    fn line(text: &str) -> RuleLine {
        RuleLine::try_parse_from(std::iter::once("x").chain(text.split_whitespace())).unwrap()
    }

    fn made(text: &str) -> Result<Rule, Failure> {
        let line = line(text);
        line.options
            .new_rule("x", line.kind.unwrap(), true, &names())
    }

    #[test]
    fn options_make_every_kind_of_rule() {
        for (text, fields) in [
            (
                "--kind standby_kill --plug lamp --below 10W --for 5m --restore-at 7:00 --test-pulse 2h,1m",
                json!({"kind": "standby_kill", "below_w": 10.0, "for": "5m", "restore_at": "07:00",
                       "test_pulse": {"every": "2h", "for": "1m"}}),
            ),
            (
                "--kind auto-off --plug lamp --after 2h",
                json!({"kind": "auto_off", "after": "2h"}),
            ),
            (
                "--kind over-power --plug lamp --above 2kW --for 10s",
                json!({"kind": "over_power", "above_w": 2000.0, "for": "10s"}),
            ),
            (
                "--kind follow --plug lamp --leader k\u{fc}che --above 30 --hysteresis 5 --delay 10s",
                json!({"kind": "follow", "leader": "AC:CF:23:00:00:02", "above_w": 30.0, "hysteresis_w": 5.0, "delay": "10s"}),
            ),
            ("--kind keep-on --plug lamp", json!({"kind": "keep_on"})),
            (
                "--kind power-on --plug lamp --state last",
                json!({"kind": "power_on", "state": "last"}),
            ),
        ] {
            let mut expected = json!({"name": "x", "enabled": true, "plug": "AC:CF:23:00:00:01"});
            let object = expected.as_object_mut().unwrap();
            object.extend(fields.as_object().unwrap().clone());
            let expected: Rule = serde_json::from_value(expected).unwrap();
            assert_eq!(made(text).unwrap(), expected, "{text}");
        }
    }

    #[test]
    fn missing_and_superfluous_options_are_named() {
        for (text, word) in [
            ("--kind auto-off --after 2h", "--plug"),
            ("--kind auto-off --plug lamp", "--after"),
            ("--kind auto-off --plug lamp --after none", "--after"),
            (
                "--kind auto-off --plug lamp --after 2h --below 5",
                "--below",
            ),
            ("--kind standby-kill --plug lamp --for 5m", "--below"),
            ("--kind follow --plug lamp --above 5", "--leader"),
            ("--kind power-on --plug lamp", "--state"),
            ("--kind keep-on --plug lamp --state on", "--state"),
        ] {
            let failure = made(text).unwrap_err();
            assert_eq!(failure.kind(), crate::error::Kind::Usage, "{text}");
            assert!(failure.message().contains(word), "{text}: {failure}");
        }
        assert!(RuleLine::try_parse_from(["x", "--state", "toggle"]).is_err());
    }

    #[test]
    fn an_edit_changes_only_the_given_fields() {
        let rule =
            made("--kind standby-kill --plug lamp --below 10 --for 5m --restore-at 7:00").unwrap();
        let mut json = serde_json::to_value(rule).unwrap();
        json["id"] = json!("r-00000001");
        json["last"] = Value::Null;
        json["halted"] = Value::Null;
        let current: RuleView = serde_json::from_value(json).unwrap();
        let edit = |text: &str| {
            line(text)
                .options
                .patch(&current, &names())
                .map(Value::from)
        };
        assert_eq!(
            edit("--below 12 --restore-at none --plug k\u{fc}che").unwrap(),
            json!({"below_w": 12.0, "restore_at": null, "plug": "AC:CF:23:00:00:02"})
        );
        assert_eq!(edit("").unwrap(), json!({}));
        assert!(edit("--above 5").is_err());
    }
}
