//! `mains schedule`: schedules of the hub, which switch by the clock and the sun.

use api::text::{LocalClock, Names};
use api::{RelayCommand, Schedule, ScheduleView};

use super::documents::{DocumentName, Documents, EditArgs, Listed, cell};
use crate::context::Context;
use crate::error::Outcome;
use crate::hub_names::HubNames;
use crate::ui::table::{Cell, Table};
use crate::ui::{BOLD, ON};
use options::ScheduleOptions;

mod options;

#[derive(Debug, clap::Args)]
#[command(
    subcommand_value_name = "WHAT",
    subcommand_help_heading = "What",
    after_long_help = "\
Schedules run in the hub (`mains serve`). NAME is a schedule's name or id. Times are local times at the hub; `next` is the \
next run. A local time that is skipped when the clocks go forward runs at the next one that exists; one that occurs twice \
runs once. A cron expression whose hours begin with `*`, such as `*/30 * * * *`, keeps its rhythm instead.

Examples:
  mains schedule add evening --targets lamp,porch --action on --sun sunset --offset -15m
  mains schedule add morning --targets heater --action on --at 06:30 --days weekdays
  mains schedule list
  mains schedule edit evening --offset -30m --random 20m
  mains schedule disable evening
  mains schedule remove evening
  mains --json schedule list | jq -r '.[] | [.name, .next] | @tsv'

JSON: `list` prints an array, the others one object, as in the hub's API; `remove` prints the removed schedule.

Exit codes: 0 done, 2 invalid options or a name already in use, 3 no such schedule, plug or group, 8 no hub."
)]
pub struct ScheduleArgs {
    #[command(subcommand)]
    command: ScheduleCommand,
}

#[derive(Debug, clap::Subcommand)]
enum ScheduleCommand {
    /// List the schedules and their next runs
    List,
    /// Show a schedule, its next and its last run
    Show(DocumentName),
    /// Create a schedule
    Add(Box<ScheduleAddArgs>),
    /// Change the given settings of a schedule
    #[command(after_long_help = EDIT_HELP)]
    Edit(Box<EditArgs<ScheduleOptions>>),
    /// Remove a schedule
    Remove(DocumentName),
    /// Enable a schedule
    Enable(DocumentName),
    /// Disable a schedule without removing it
    Disable(DocumentName),
}

/// Options of `mains schedule add`.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
Examples:
  mains schedule add evening --targets lamp,porch --action on --sun sunset --offset -15m
  mains schedule add coffee --targets coffee --action on --at 06:30 --days weekdays --catch-up 30m
  mains schedule add \"looks lived in\" --targets lamp --action on --at 19:00 --random 45m
  mains schedule add \"christmas eve\" --targets tree --action on --once 2026-12-24T16:00
  mains schedule add pump --targets pump --action toggle --cron \"*/30 8-18 * * mon-fri\"
  mains --json schedule add night --targets all-lights --action off --at 23:30
    {\"id\":\"s-3f9a02c1\",\"name\":\"night\",\"enabled\":true,\"targets\":[\"g-81d2a7f0\"],
      \"action\":\"off\",
      \"when\":{\"at\":\"23:30\",…},\"next\":\"2026-11-22T22:30:00Z\",…}

Exit codes: 0 created, 2 invalid options or a name already in use, 3 no such plug or group, 8 no hub.")]
struct ScheduleAddArgs {
    /// Name of the schedule
    #[arg(value_name = "NAME")]
    name: String,
    #[command(flatten)]
    options: ScheduleOptions,
    /// Create it disabled
    #[arg(long)]
    disabled: bool,
}

/// Text after the help of `mains schedule edit`.
const EDIT_HELP: &str = "\
Settings that are not given keep their value. A schedule that the hub stopped runs again after an edit.

Examples:
  mains schedule edit evening --offset -30m
  mains schedule edit evening --targets lamp --days mon-fri
  mains schedule edit evening --at 18:00 --random none
  mains schedule edit evening --name dusk

Exit codes: 0 changed, 1 edited elsewhere at the same time, 2 invalid options or a name already in use, 3 no such schedule, plug or group, 8 no hub.";

/// Runs the verb.
pub async fn run(context: &Context, args: ScheduleArgs) -> Outcome {
    context.bounded(dispatch(context, args.command)).await
}

async fn dispatch(context: &Context, command: ScheduleCommand) -> Outcome {
    let documents = Documents::open(context).await?;
    match command {
        ScheduleCommand::List => documents.list::<Schedule>().await,
        ScheduleCommand::Show(schedule) => documents.show::<Schedule>(&schedule).await,
        ScheduleCommand::Add(args) => {
            let ScheduleAddArgs {
                name,
                options,
                disabled,
            } = *args;
            let schedule = options.new_schedule(&name, !disabled, &documents.names)?;
            documents.create(&schedule).await
        }
        ScheduleCommand::Edit(args) => documents.edit::<Schedule, _>(&args).await,
        ScheduleCommand::Remove(schedule) => documents.remove::<Schedule>(&schedule).await,
        ScheduleCommand::Enable(schedule) => documents.enable::<Schedule>(&schedule, true).await,
        ScheduleCommand::Disable(schedule) => documents.enable::<Schedule>(&schedule, false).await,
    }
}

impl Listed for Schedule {
    fn table(views: &[ScheduleView], names: &HubNames, clock: &LocalClock) -> String {
        let mut table = Table::new(["NAME", "DOES", "TARGETS", "WHEN", "NEXT"]);
        for view in views {
            let schedule = &view.document;
            table.row([
                Cell::styled(BOLD, &schedule.name),
                match schedule.action {
                    RelayCommand::On => Cell::styled(ON, "on"),
                    action => Cell::plain(action.as_str()),
                },
                Cell::plain(names.targets(&schedule.targets)),
                Cell::plain(schedule.when.sentence()),
                cell(view.next_sentence(clock)),
            ]);
        }
        table.render()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::commands::documents::tests::{clock, views};
    use crate::hub_names::tests::names;

    #[test]
    fn a_table_of_schedules_with_their_next_runs() {
        let schedules = views::<Schedule>(json!([
            {
                "id": "s-3f9a02c1", "name": "evening", "enabled": true, "targets": ["accf23000001", "g-00000001"],
                "action": "on", "when": {"sun": "sunset", "offset": "-15m", "days": ["mon", "tue", "wed", "thu", "fri"]},
                "random": "10m", "catch_up": null, "next": "2026-11-23T14:45:00Z", "last": null, "halted": null,
            },
            {
                "id": "s-3f9a02c2", "name": "off", "enabled": false, "targets": ["accf23000003"], "action": "off",
                "when": {"at": "23:00"}, "random": null, "catch_up": null, "next": null, "last": null, "halted": null,
            },
            {
                "id": "s-3f9a02c3", "name": "x", "enabled": true, "targets": ["accf23000001"], "action": "toggle",
                "when": {"cron": "0 7 * * *"}, "random": null, "catch_up": null, "next": null, "last": null,
                "halted": {"at": "2026-11-22T11:00:00Z", "why": "conflict"},
            },
        ]));
        let table = Schedule::table(&schedules, &names(), &clock());
        insta::assert_snapshot!(anstream::adapter::strip_str(&table).to_string(), @r#"
            NAME     DOES    TARGETS            WHEN                        NEXT
            evening  on      lamp, Lights       15m before sunset weekdays  tomorrow 15:45
            off      off     AC:CF:23:00:00:03  23:00 daily                 disabled
            x        toggle  lamp               cron 0 7 * * *              stopped
            "#);
    }

    #[test]
    fn a_name_that_would_move_the_cursor_is_not_read() {
        let view = json!({
            "id": "s-3f9a02c3", "name": "x\u{1b}", "enabled": true, "targets": ["accf23000001"], "action": "toggle",
            "when": {"cron": "0 7 * * *"}, "next": null, "last": null, "halted": null,
        });
        let error = serde_json::from_value::<ScheduleView>(view).unwrap_err();
        assert!(error.to_string().contains("control characters"), "{error}");
    }
}
