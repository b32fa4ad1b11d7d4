//! From the options of `mains rule add` and `edit` to the rule's JSON.
//!
//! [`KINDS`] is the one table of which kind of rule takes which field.

use clap::ValueEnum;
use serde_json::{Value, json};

use crate::commands::documents::kinds::{self, Field, Given, Kinds};
use crate::commands::documents::names::Names;
use crate::commands::documents::{Change, Document, words};
use crate::error::Failure;

/// The kind of a rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Kind {
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

impl kinds::Kind for Kind {
    fn all() -> &'static [Self] {
        Self::value_variants()
    }

    fn as_str(self) -> &'static str {
        match self {
            Self::StandbyKill => "standby_kill",
            Self::AutoOff => "auto_off",
            Self::OverPower => "over_power",
            Self::Follow => "follow",
            Self::KeepOn => "keep_on",
            Self::PowerOn => "power_on",
        }
    }
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum State {
    On,
    Off,
    Last,
}

/// What a rule is made of, beside its kind; what is not given stays as it is.
#[derive(Debug, Clone, Default, clap::Args)]
pub(super) struct Flags {
    /// Plug to switch
    #[arg(long, value_name = "PLUG")]
    plug: Option<String>,
    /// Power below which the load is in standby, e.g. 10W
    #[arg(long, value_name = "WATTS", allow_hyphen_values = true, value_parser = words::watts)]
    below: Option<Value>,
    /// Power above which the rule acts, e.g. 2kW
    #[arg(long, value_name = "WATTS", allow_hyphen_values = true, value_parser = words::watts)]
    above: Option<Value>,
    /// Time that the power must stay there, e.g. 5m
    #[arg(long = "for", value_name = "DURATION", value_parser = words::period)]
    period: Option<Value>,
    /// Delay, e.g. 2h; for keep-on also `none` (at once)
    #[arg(long, value_name = "DURATION", value_parser = words::or_none(words::period))]
    after: Option<Value>,
    /// Plug whose load is followed
    #[arg(long, value_name = "PLUG")]
    leader: Option<String>,
    /// Drop below --above that counts as off; `none` is 0
    #[arg(long, value_name = "WATTS", allow_hyphen_values = true, value_parser = words::or_none(words::watts))]
    hysteresis: Option<Value>,
    /// Time that the leader must draw, or stop drawing, before the plug follows; `none` is at once
    #[arg(long, value_name = "DURATION", value_parser = words::or_none(words::period))]
    delay: Option<Value>,
    /// Switch on again at this local time, e.g. 07:00; `none` is never
    #[arg(long, value_name = "HH:MM", value_parser = words::or_none(words::time_of_day))]
    restore_at: Option<Value>,
    /// Switch on briefly to test whether the load is needed: interval and length, e.g. 2h,1m; `none` is never
    #[arg(long, value_name = "EVERY,FOR", value_parser = words::or_none(words::pulse))]
    test_pulse: Option<Value>,
    /// on, off, or last (the state before the power cut)
    #[arg(long, value_enum, value_name = "STATE", hide_possible_values = true)]
    state: Option<State>,
}

const KINDS: Kinds<Kind> = {
    use Kind::{AutoOff, Follow, KeepOn, OverPower, PowerOn, StandbyKill};
    Kinds {
        one: "rule",
        fields: &[
            Field::new("below_w", "--below", &[StandbyKill], &[]),
            Field::new("above_w", "--above", &[OverPower, Follow], &[]),
            Field::new("for", "--for", &[StandbyKill, OverPower], &[]),
            Field::new("after", "--after", &[AutoOff], &[KeepOn]),
            Field::new("leader", "--leader", &[Follow], &[]),
            Field::new("hysteresis_w", "--hysteresis", &[], &[Follow]),
            Field::new("delay", "--delay", &[], &[Follow]),
            Field::new("restore_at", "--restore-at", &[], &[StandbyKill]),
            Field::new("test_pulse", "--test-pulse", &[], &[StandbyKill]),
            Field::new("state", "--state", &[PowerOn], &[]),
        ],
    }
};

impl Flags {
    /// Returns a new rule.
    pub(super) fn new_rule(
        &self,
        mut body: Document,
        kind: Kind,
        names: &Names,
    ) -> Result<Document, Failure> {
        let Some(plug) = &self.plug else {
            return Err(Failure::usage(
                "it is not said which plug it switches: `--plug`",
            ));
        };
        body.insert("plug".to_owned(), json!(names.plug(plug)?));
        KINDS.make(&mut body, kind, self.fields(names)?)?;
        Ok(body)
    }

    /// Returns the fields that are given.
    fn fields(&self, names: &Names) -> Result<Given, Failure> {
        let leader = match &self.leader {
            Some(leader) => Some(("leader", json!(names.plug(leader)?))),
            None => None,
        };
        let plain = self.plain_fields().into_iter();
        Ok(plain
            .filter_map(|(name, value)| Some((name, value?)))
            .chain(leader)
            .collect())
    }

    /// Those for which no name has to be found.
    fn plain_fields(&self) -> [(&'static str, Option<Value>); 9] {
        [
            ("below_w", self.below.clone()),
            ("above_w", self.above.clone()),
            ("for", self.period.clone()),
            ("after", self.after.clone()),
            ("hysteresis_w", self.hysteresis.clone()),
            ("delay", self.delay.clone()),
            ("restore_at", self.restore_at.clone()),
            ("test_pulse", self.test_pulse.clone()),
            ("state", self.state.map(words::choice)),
        ]
    }
}

impl Change for Flags {
    fn is_empty(&self) -> bool {
        self.plug.is_none()
            && self.leader.is_none()
            && self.plain_fields().iter().all(|(_, value)| value.is_none())
    }

    fn apply(&self, mut body: Document, names: &Names) -> Result<Document, Failure> {
        if let Some(plug) = &self.plug {
            body.insert("plug".to_owned(), json!(names.plug(plug)?));
        }
        KINDS.change(&mut body, self.fields(names)?)?;
        Ok(body)
    }
}

#[cfg(test)]
mod tests {
    use api::Document as _;
    use clap::Parser;

    use super::*;
    use crate::commands::documents::names::tests::names;

    #[derive(Parser)]
    struct Line {
        #[arg(long)]
        kind: Option<Kind>,
        #[command(flatten)]
        flags: Flags,
    }

    fn line(text: &str) -> Line {
        Line::try_parse_from(std::iter::once("x").chain(text.split_whitespace())).unwrap()
    }

    fn made(text: &str) -> Result<Value, Failure> {
        let line = line(text);
        let named = json!({"name": "x", "enabled": true})
            .as_object()
            .unwrap()
            .clone();
        line.flags
            .new_rule(named, line.kind.unwrap(), &names())
            .map(Value::from)
    }

    #[test]
    fn every_kind_is_one_that_the_hub_takes() {
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
            let rule = made(text).unwrap();
            assert_eq!(rule, expected);
            let read: api::Rule = serde_json::from_value(rule).unwrap();
            assert_eq!(read.check(), Ok(()), "{text}");
        }
    }

    #[test]
    fn says_what_is_missing_or_has_no_meaning() {
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
    }

    #[test]
    fn an_edit_changes_only_what_it_names() {
        let old =
            made("--kind standby-kill --plug lamp --below 10 --for 5m --restore-at 7:00").unwrap();
        let edit = |text: &str| {
            let old = old.as_object().unwrap().clone();
            line(text).flags.apply(old, &names()).map(Value::from)
        };
        let mut expected = old.clone();
        expected["below_w"] = json!(12.0);
        expected["restore_at"] = Value::Null;
        expected["plug"] = json!("AC:CF:23:00:00:02");
        assert_eq!(
            edit("--below 12 --restore-at none --plug k\u{fc}che").unwrap(),
            expected
        );
        assert!(edit("--above 5").is_err());
        assert!(line("").flags.is_empty());
        for given in ["--leader lamp", "--state on", "--plug lamp", "--delay none"] {
            assert!(!line(given).flags.is_empty(), "{given}");
        }
        let newer = json!({"kind": "dance", "plug": "AC:CF:23:00:00:01"})
            .as_object()
            .unwrap()
            .clone();
        let newer = line("--for 5m").flags.apply(newer, &names()).unwrap();
        assert_eq!(newer["for"], "5m");
    }

    #[test]
    fn every_option_has_its_field() {
        let names_of: Vec<_> = line("")
            .flags
            .plain_fields()
            .iter()
            .map(|(name, _)| *name)
            .collect();
        for field in KINDS.fields {
            assert!(
                field.name == "leader" || names_of.contains(&field.name),
                "{}",
                field.name
            );
        }
    }
}
