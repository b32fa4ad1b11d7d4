//! Options of `mains schedule add` and `edit`.

use api::{
    Cron, LocalDateTime, Offset, Period, RelayCommand, Schedule, ScheduleView, SunEvent, TimeOfDay,
    Weekdays,
};
use serde_json::Value;

use crate::commands::documents::options::{Setting, given, patch, word};
use crate::commands::documents::{Change, Patch, new_document};
use crate::error::Failure;
use crate::hub_names::HubNames;

/// The settings of a schedule beside its name.
#[derive(Debug, Clone, Default, clap::Args)]
pub(super) struct ScheduleOptions {
    /// Plugs and groups to switch, by name or id; repeat or separate with commas
    #[arg(long, value_name = "PLUG|GROUP")]
    targets: Vec<String>,
    /// Action
    #[arg(long, value_name = "on|off|toggle", value_parser = word::<RelayCommand>)]
    action: Option<RelayCommand>,
    #[command(flatten)]
    when: WhenOptions,
    /// Random delay of up to this duration, new for each run, e.g. 20m; `none` is no delay
    #[arg(long, value_name = "DURATION")]
    random: Option<Setting<Period>>,
    /// Catch up on a run missed while the hub was down, if it is no older than this, e.g. 10m; `none` is never
    #[arg(long, value_name = "DURATION")]
    catch_up: Option<Setting<Period>>,
}

/// Heading of the options of a schedule's time.
const WHEN: &str = "When (one of --at, --sun, --once, --cron)";

/// The fields of a schedule's time, of which each kind of time has one.
const KINDS_OF_WHEN: [&str; 4] = ["at", "sun", "once", "cron"];

#[derive(Debug, Clone, Default, clap::Args)]
struct WhenOptions {
    /// Local time, e.g. 07:00
    #[arg(long, help_heading = WHEN, value_name = "HH:MM", group = "moment")]
    at: Option<TimeOfDay>,
    /// Sunrise or sunset; needs the hub's location
    #[arg(long, help_heading = WHEN, value_name = "sunrise|sunset", group = "moment", value_parser = word::<SunEvent>)]
    sun: Option<SunEvent>,
    /// Local date and time of a single run, e.g. 2026-12-24T18:00
    #[arg(long, help_heading = WHEN, value_name = "TIME", group = "moment")]
    once: Option<LocalDateTime>,
    /// Cron expression: minute, hour, day, month, weekday, e.g. '*/30 8-18 * * mon-fri'
    #[arg(long, help_heading = WHEN, value_name = "EXPRESSION", group = "moment")]
    cron: Option<Cron>,
    /// With --sun: time before (-15m) or after (30m) it
    #[arg(long, help_heading = WHEN, value_name = "±DURATION", allow_hyphen_values = true, conflicts_with_all = ["at", "once", "cron"])]
    offset: Option<Offset>,
    /// With --at and --sun: days, e.g. mon,wed, mon-fri, weekdays, weekend [default: daily]
    #[arg(long, help_heading = WHEN, value_name = "DAYS", conflicts_with_all = ["once", "cron"])]
    days: Option<Weekdays>,
}

impl ScheduleOptions {
    /// Returns a new schedule.
    pub(super) fn new_schedule(
        &self,
        name: &str,
        enabled: bool,
        names: &HubNames,
    ) -> Result<Schedule, Failure> {
        let mut schedule = self.fields(names)?;
        for (field, missing) in [
            ("targets", "nothing to switch; pass `--targets`"),
            ("action", "no action; pass `--action on`, `off` or `toggle`"),
            (
                "when",
                "no time; pass `--at`, `--sun`, `--once` or `--cron`",
            ),
        ] {
            if !schedule.contains_key(field) {
                return Err(
                    Failure::usage(missing).hint("`mains help schedule add` shows examples")
                );
            }
        }
        schedule.insert("name".to_owned(), name.into());
        schedule.insert("enabled".to_owned(), enabled.into());
        new_document(schedule)
    }

    fn fields(&self, names: &HubNames) -> Result<Patch, Failure> {
        let targets = match self.targets.as_slice() {
            [] => None,
            targets => Some(names.find_targets(targets)?),
        };
        Ok(patch([
            ("targets", given(targets)),
            ("action", given(self.action)),
            ("when", self.when.patch().map(Value::from)),
            ("random", given(self.random)),
            ("catch_up", given(self.catch_up)),
        ]))
    }
}

impl Change<Schedule> for ScheduleOptions {
    fn patch(&self, _: &ScheduleView, names: &HubNames) -> Result<Patch, Failure> {
        self.fields(names)
    }
}

impl WhenOptions {
    /// Returns the patch of a schedule's time. Another kind of time clears the fields that it does not have, and keeps days
    /// and offset where it has them.
    fn patch(&self) -> Option<Patch> {
        let mut when = patch([
            ("at", given(self.at)),
            ("sun", given(self.sun)),
            ("once", given(self.once)),
            ("cron", given(self.cron.clone())),
            ("offset", given(self.offset)),
            ("days", given(self.days)),
        ]);
        if KINDS_OF_WHEN.iter().any(|kind| when.contains_key(*kind)) {
            let mut clear = Vec::from(KINDS_OF_WHEN);
            if self.sun.is_none() {
                clear.push("offset");
                if self.at.is_none() {
                    clear.push("days");
                }
            }
            for field in clear {
                when.entry(field).or_insert(Value::Null);
            }
        }
        (!when.is_empty()).then_some(when)
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;
    use serde_json::json;

    use super::*;
    use crate::error::Kind;
    use crate::hub_names::tests::names;

    #[derive(Parser)]
    struct ScheduleLine {
        #[command(flatten)]
        options: ScheduleOptions,
    }

    fn line(text: &str) -> Result<ScheduleOptions, clap::Error> {
        let words = std::iter::once("x").chain(text.split_whitespace());
        Ok(ScheduleLine::try_parse_from(words)?.options)
    }

    fn made(text: &str) -> Result<Schedule, Failure> {
        line(text).unwrap().new_schedule("evening", true, &names())
    }

    #[test]
    fn options_make_a_schedule() {
        let schedule = made(
            "--targets lamp,lights --action on --sun sunset --offset -15m --days mon,tue --random 10m --catch-up 1h",
        );
        let expected = json!({
            "name": "evening", "targets": ["accf23000001", "g-00000001"], "action": "on",
            "when": {"sun": "sunset", "offset": "-15m", "days": ["mon", "tue"]}, "random": "10m", "catch_up": "1h",
        });
        let expected: Schedule = serde_json::from_value(expected).unwrap();
        assert_eq!(schedule.unwrap(), expected);
        for (text, when) in [
            ("--at 7:00", json!({"at": "07:00"})),
            (
                "--once 2026-12-24T18:00",
                json!({"once": "2026-12-24T18:00"}),
            ),
            ("--cron @daily", json!({"cron": "@daily"})),
            ("--sun sunrise --offset 0m", json!({"sun": "sunrise"})),
        ] {
            let schedule = made(&format!("--targets lamp --action off {text}")).unwrap();
            assert_eq!(
                schedule.when,
                serde_json::from_value(when).unwrap(),
                "{text}"
            );
        }
    }

    #[test]
    fn missing_and_contradictory_options_are_named() {
        for (text, word) in [
            ("", "--targets"),
            ("--targets lamp --at 7:00", "--action"),
            ("--targets lamp --action on", "--at"),
        ] {
            let failure = made(text).unwrap_err();
            assert_eq!(failure.kind(), Kind::Usage, "{text}");
            assert!(failure.message().contains(word), "{text}: {failure}");
        }
        let failure = made("--targets lamp --action on --days mon").unwrap_err();
        assert_eq!(failure.kind(), Kind::Usage);
        for (text, word) in [
            ("--at 7:00 --offset 5m", "--offset"),
            ("--cron @daily --days mon", "--days"),
            ("--at 7:00 --sun sunset", "--sun"),
            ("--action blink", "--action"),
        ] {
            let error = line(text).unwrap_err().to_string();
            assert!(error.contains(word), "{text}: {error}");
        }
    }

    #[test]
    fn an_edit_changes_only_the_given_fields() {
        let edit = |text: &str| Value::from(line(text).unwrap().fields(&names()).unwrap());
        assert_eq!(edit(""), json!({}));
        assert_eq!(edit("--random none"), json!({"random": null}));
        assert_eq!(edit("--offset 30m"), json!({"when": {"offset": "30m"}}));
        // Merged into the present time, these keep days and offset where the new time has them.
        assert_eq!(
            edit("--sun sunrise"),
            json!({"when": {"sun": "sunrise", "at": null, "once": null, "cron": null}})
        );
        assert_eq!(
            edit("--at 22:00"),
            json!({"when": {"at": "22:00", "sun": null, "once": null, "cron": null, "offset": null}})
        );
        assert_eq!(
            edit("--cron @daily"),
            json!({"when": {"cron": "@daily", "at": null, "sun": null, "once": null, "offset": null, "days": null}})
        );
    }
}
