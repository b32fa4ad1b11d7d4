//! From the options of `mains schedule add` and `edit` to the schedule's JSON.

use clap::ValueEnum;
use serde_json::{Map, Value, json};

use crate::commands::documents::names::Names;
use crate::commands::documents::{Change, Document, words};
use crate::error::Failure;

/// What a schedule is made of; what is not given stays as it is.
#[derive(Debug, Clone, Default, clap::Args)]
pub(super) struct Flags {
    /// Plugs and groups to switch, by name or id; repeat or separate with commas
    #[arg(long, value_name = "PLUG|GROUP")]
    targets: Vec<String>,
    /// Action
    #[arg(
        long,
        value_enum,
        value_name = "on|off|toggle",
        hide_possible_values = true
    )]
    action: Option<Action>,
    #[command(flatten)]
    when: When,
    /// Random delay of up to this duration, new for each run, e.g. 20m; `none` is no delay
    #[arg(long, value_name = "DURATION", value_parser = words::or_none(words::period))]
    random: Option<Value>,
    /// Catch up on a run missed while the hub was down, if it is no older than this, e.g. 10m; `none` is never
    #[arg(long, value_name = "DURATION", value_parser = words::or_none(words::period))]
    catch_up: Option<Value>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Action {
    On,
    Off,
    Toggle,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Sun {
    Sunrise,
    Sunset,
}

/// The heading of these options.
const WHEN: &str = "When (one of --at, --sun, --once, --cron)";

#[derive(Debug, Clone, Default, clap::Args)]
struct When {
    /// Local time, e.g. 07:00
    #[arg(long, help_heading = WHEN, value_name = "HH:MM", group = "moment", value_parser = words::time_of_day)]
    at: Option<Value>,
    /// Sunrise or sunset; needs the hub's location
    #[arg(long, help_heading = WHEN,
        value_enum,
        value_name = "sunrise|sunset",
        group = "moment",
        hide_possible_values = true
    )]
    sun: Option<Sun>,
    /// Local date and time of a single run, e.g. 2026-12-24T18:00
    #[arg(long, help_heading = WHEN, value_name = "TIME", group = "moment", value_parser = words::local_time)]
    once: Option<Value>,
    /// Cron expression: minute, hour, day, month, weekday, e.g. '*/30 8-18 * * mon-fri'
    #[arg(long, help_heading = WHEN, value_name = "EXPRESSION", group = "moment")]
    cron: Option<String>,
    /// With --sun: time before (-15m) or after (30m) it
    #[arg(long, help_heading = WHEN, value_name = "±DURATION", allow_hyphen_values = true, value_parser = words::offset)]
    offset: Option<Value>,
    /// With --at and --sun: days, e.g. mon,wed, mon-fri, weekdays, weekend [default: daily]
    #[arg(long, help_heading = WHEN, value_name = "DAYS", value_parser = words::days)]
    days: Option<Value>,
}

impl Change for Flags {
    fn apply(&self, mut body: Document, names: &Names) -> Result<Document, Failure> {
        if !self.targets.is_empty() {
            body.insert("targets".to_owned(), names.targets(&self.targets)?);
        }
        if let Some(when) = self.when.over(body.get("when"))? {
            body.insert("when".to_owned(), when);
        }
        let action = self.action.map(words::choice);
        for (field, value) in [
            ("action", &action),
            ("random", &self.random),
            ("catch_up", &self.catch_up),
        ] {
            if let Some(value) = value {
                body.insert(field.to_owned(), value.clone());
            }
        }
        complete(body)
    }

    fn is_empty(&self) -> bool {
        let when = &self.when;
        self.targets.is_empty()
            && self.action.is_none()
            && when.sun.is_none()
            && when.cron.is_none()
            && [
                &self.random,
                &self.catch_up,
                &when.at,
                &when.once,
                &when.offset,
                &when.days,
            ]
            .iter()
            .all(|given| given.is_none())
    }
}

/// A schedule without one of these can do nothing.
fn complete(body: Document) -> Result<Document, Failure> {
    for (field, missing) in [
        ("targets", "it is not said what to switch: `--targets`"),
        (
            "action",
            "it is not said what to do: `--action on`, `off` or `toggle`",
        ),
        (
            "when",
            "it is not said when: `--at`, `--sun`, `--once` or `--cron`",
        ),
    ] {
        if !body.contains_key(field) {
            return Err(Failure::usage(missing).hint("`mains help schedule add` shows examples"));
        }
    }
    Ok(body)
}

impl When {
    /// Returns the `when` that these options make of an earlier one, or `None` if they say nothing. What a new moment
    /// leaves open (days, offset) stays where it makes sense.
    fn over(&self, old: Option<&Value>) -> Result<Option<Value>, Failure> {
        let old = old.and_then(Value::as_object);
        let mut when = match self.moment() {
            Some((field, value)) => {
                let mut when = Map::new();
                when.insert(field.to_owned(), value);
                let kept: &[&str] = match field {
                    "at" => &["days"],
                    "sun" => &["days", "offset"],
                    _ => &[],
                };
                for (field, value) in old.into_iter().flatten() {
                    if kept.contains(&field.as_str()) {
                        when.insert(field.clone(), value.clone());
                    }
                }
                when
            }
            None if self.offset.is_none() && self.days.is_none() => return Ok(None),
            None => old.cloned().unwrap_or_default(),
        };
        let (at, sun) = (when.contains_key("at"), when.contains_key("sun"));
        if let Some(offset) = &self.offset {
            if !sun {
                return Err(Failure::usage("`--offset` goes with `--sun` only"));
            }
            set_or_clear(&mut when, "offset", offset);
        }
        if let Some(days) = &self.days {
            if !at && !sun {
                return Err(Failure::usage("`--days` goes with `--at` and `--sun` only"));
            }
            set_or_clear(&mut when, "days", days);
        }
        Ok(Some(when.into()))
    }

    fn moment(&self) -> Option<(&'static str, Value)> {
        let cron = self.cron.as_ref().map(|cron| json!(cron));
        [
            ("at", self.at.clone()),
            ("sun", self.sun.map(words::choice)),
            ("once", self.once.clone()),
            ("cron", cron),
        ]
        .into_iter()
        .find_map(|(field, value)| Some((field, value?)))
    }
}

fn set_or_clear(when: &mut Map<String, Value>, field: &str, value: &Value) {
    match value {
        Value::Null => drop(when.remove(field)),
        value => drop(when.insert(field.to_owned(), value.clone())),
    }
}

#[cfg(test)]
mod tests {
    use api::Document as _;
    use clap::Parser;

    use super::*;
    use crate::commands::documents::names::tests::names;
    use crate::error::Kind;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        flags: Flags,
    }

    fn flags(line: &str) -> Flags {
        Line::try_parse_from(std::iter::once("x").chain(line.split_whitespace()))
            .unwrap()
            .flags
    }

    fn apply(old: Value, line: &str) -> Result<Value, Failure> {
        let old = old.as_object().unwrap().clone();
        flags(line).apply(old, &names()).map(Value::from)
    }

    #[test]
    fn a_new_schedule() {
        let body = apply(
            json!({"name": "evening"}),
            "--targets lamp,lights --action on --sun sunset --offset -15m --days mon,tue --random 10m --catch-up 1h",
        );
        let expected = json!({
            "name": "evening", "targets": ["AC:CF:23:00:00:01", "g-00000001"], "action": "on",
            "when": {"sun": "sunset", "offset": "-15m", "days": ["mon", "tue"]}, "random": "10m", "catch_up": "1h",
        });
        assert_eq!(body.unwrap(), expected);
        let when = |line: &str| {
            let line = format!("--targets lamp --action off {line}");
            let body = apply(json!({"name": "x", "enabled": true}), &line).unwrap();
            let read: api::Schedule = serde_json::from_value(body.clone()).unwrap();
            assert_eq!(read.check(), Ok(()), "{line}");
            body["when"].clone()
        };
        assert_eq!(when("--at 7:00"), json!({"at": "07:00"}));
        assert_eq!(
            when("--once 2026-12-24T18:00"),
            json!({"once": "2026-12-24T18:00"})
        );
        assert_eq!(when("--cron @daily"), json!({"cron": "@daily"}));
        assert_eq!(when("--sun sunrise --offset 0m"), json!({"sun": "sunrise"}));
    }

    #[test]
    fn says_what_is_missing_or_makes_no_sense() {
        for (line, word) in [
            ("", "--targets"),
            ("--targets lamp --at 7:00", "--action"),
            ("--targets lamp --action on", "--at"),
            (
                "--targets lamp --action on --at 7:00 --offset 5m",
                "--offset",
            ),
            ("--targets lamp --action on --cron x --days mon", "--days"),
            ("--targets lamp --action on --days mon", "--days"),
        ] {
            let failure = apply(json!({}), line).unwrap_err();
            assert_eq!(failure.kind(), Kind::Usage, "{line}");
            assert!(failure.message().contains(word), "{line}: {failure}");
        }
        assert!(Line::try_parse_from(["x", "--at", "7:00", "--sun", "sunset"]).is_err());
        assert!(Line::try_parse_from(["x", "--action", "blink"]).is_err());
    }

    #[test]
    fn an_edit_changes_only_what_it_names() {
        let old = json!({
            "name": "evening", "enabled": true, "targets": ["AC:CF:23:00:00:01"], "action": "on", "later": 1,
            "when": {"sun": "sunset", "offset": "-15m", "days": ["mon"]}, "random": "10m", "catch_up": null,
        });
        let edit = |line: &str| apply(old.clone(), line).unwrap();
        let with = |field: &str, value: Value| {
            let mut body = old.clone();
            body[field] = value;
            body
        };
        assert_eq!(edit(""), old);
        assert!(flags("").is_empty() && !flags("--days mon").is_empty());
        assert_eq!(edit("--random none"), with("random", Value::Null));
        assert_eq!(
            edit("--offset 30m"),
            with(
                "when",
                json!({"sun": "sunset", "offset": "30m", "days": ["mon"]})
            )
        );
        assert_eq!(
            edit("--sun sunrise"),
            with(
                "when",
                json!({"sun": "sunrise", "offset": "-15m", "days": ["mon"]})
            )
        );
        assert_eq!(
            edit("--at 22:00"),
            with("when", json!({"at": "22:00", "days": ["mon"]}))
        );
        assert_eq!(edit("--cron x"), with("when", json!({"cron": "x"})));
    }
}
