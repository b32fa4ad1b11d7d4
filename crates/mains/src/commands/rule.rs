//! `mains rule`: rules of the hub, which switch a plug by what it measures.

use api::text::{LocalClock, Names};
use api::{Rule, RuleView};

use super::documents::{DocumentName, Documents, EditArgs, Listed, cell};
use crate::context::Context;
use crate::error::Outcome;
use crate::hub_names::HubNames;
use crate::ui::BOLD;
use crate::ui::table::{Cell, Table};
use options::{RuleKindOption, RuleOptions};

mod options;

#[derive(Debug, clap::Args)]
#[command(
    subcommand_value_name = "WHAT",
    subcommand_help_heading = "What",
    after_long_help = "\
Rules run in the hub (`mains serve`) and act on its readings. NAME is a rule's name or id. `last` is the last action of a \
rule and its reason. A rule that conflicts with another rule or a schedule is stopped, with an event that gives the reason, \
because switching wears out the relay; edit it, or disable and enable it, to start it again. Switching by hand is never \
blocked.

Examples:
  mains rule add tv --plug tv --kind standby-kill --below 10W --for 5m --restore-at 17:00
  mains rule add iron --plug iron --kind auto-off --after 45m
  mains rule list
  mains rule edit tv --below 12W
  mains rule disable iron
  mains rule remove iron

JSON: `list` prints an array, the others one object, as in the hub's API; `remove` prints the removed rule.

Exit codes: 0 done, 2 invalid options or a name already in use, 3 no such rule or plug, 8 no hub."
)]
pub struct RuleArgs {
    #[command(subcommand)]
    command: RuleCommand,
}

#[derive(Debug, clap::Subcommand)]
enum RuleCommand {
    /// List the rules and their last actions
    List,
    /// Show a rule, its last action and the reason
    Show(DocumentName),
    /// Create a rule
    Add(Box<RuleAddArgs>),
    /// Change the given settings of a rule
    #[command(after_long_help = EDIT_HELP)]
    Edit(Box<EditArgs<RuleOptions>>),
    /// Remove a rule
    Remove(DocumentName),
    /// Enable a rule
    Enable(DocumentName),
    /// Disable a rule without removing it
    Disable(DocumentName),
}

/// Options of `mains rule add`.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
Examples:
  mains rule add tv --plug tv --kind standby-kill --below 10W --for 5m --restore-at 17:00
  mains rule add printer --plug printer --kind standby-kill --below 8W --for 20m --test-pulse 2h,1m
  mains rule add iron --plug iron --kind auto-off --after 45m
  mains rule add heater --plug heater --kind over-power --above 2kW --for 10s
  mains rule add amplifier --plug amplifier --kind follow --leader tv --above 30W --delay 10s
  mains rule add fridge --plug fridge --kind keep-on --after 1m
  mains rule add \"lamp stays dark\" --plug lamp --kind power-on --state off
  mains --json rule add iron --plug iron --kind auto-off --after 45m
    {\"id\":\"r-3f9a02c1\",\"name\":\"iron\",\"enabled\":true,
      \"plug\":\"AC:CF:23:12:34:56\",\"kind\":\"auto_off\",\
\"after\":\"45m\",\"last\":null,…}

Exit codes: 0 created, 2 invalid options or a name already in use, 3 no such plug, 8 no hub.")]
struct RuleAddArgs {
    /// Name of the rule
    #[arg(value_name = "NAME")]
    name: String,
    /// Kind of rule
    #[arg(long, value_enum, value_name = "KIND")]
    kind: RuleKindOption,
    #[command(flatten)]
    options: RuleOptions,
    /// Create it disabled
    #[arg(long)]
    disabled: bool,
}

/// Text after the help of `mains rule edit`.
const EDIT_HELP: &str = "\
Settings that are not given keep their value; the kind cannot change. A rule that the hub stopped runs again after an edit.

Examples:
  mains rule edit tv --below 12W --for 10m
  mains rule edit tv --restore-at none
  mains rule edit tv --name television --plug living-room-tv

Exit codes: 0 changed, 1 edited elsewhere at the same time, 2 invalid options or a name already in use, 3 no such rule or plug, 8 no hub.";

/// Runs the verb.
pub async fn run(context: &Context, args: RuleArgs) -> Outcome {
    context.bounded(dispatch(context, args.command)).await
}

async fn dispatch(context: &Context, command: RuleCommand) -> Outcome {
    let documents = Documents::open(context).await?;
    match command {
        RuleCommand::List => documents.list::<Rule>().await,
        RuleCommand::Show(rule) => documents.show::<Rule>(&rule).await,
        RuleCommand::Add(args) => {
            let RuleAddArgs {
                name,
                kind,
                options,
                disabled,
            } = *args;
            let rule = options.new_rule(&name, kind, !disabled, &documents.names)?;
            documents.create(&rule).await
        }
        RuleCommand::Edit(args) => documents.edit::<Rule, _>(&args).await,
        RuleCommand::Remove(rule) => documents.remove::<Rule>(&rule).await,
        RuleCommand::Enable(rule) => documents.enable::<Rule>(&rule, true).await,
        RuleCommand::Disable(rule) => documents.enable::<Rule>(&rule, false).await,
    }
}

impl Listed for Rule {
    fn table(views: &[RuleView], names: &HubNames, clock: &LocalClock) -> String {
        let mut table = Table::new(["NAME", "PLUG", "DOES", "STATE", "LAST"]);
        for view in views {
            let rule = &view.document;
            table.row([
                Cell::styled(BOLD, &rule.name),
                Cell::plain(names.plug(rule.plug)),
                Cell::plain(rule.kind.sentence(names)),
                cell(view.state_word()),
                Cell::maybe(view.status.last.as_ref().map(|last| last.sentence(clock))),
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
    fn a_table_of_rules_with_their_last_actions() {
        let rules = views::<Rule>(json!([
            {
                "id": "r-00000001", "name": "television", "enabled": true, "plug": "accf23000001", "kind": "standby_kill",
                "below_w": 10.0, "for": "5m", "restore_at": "07:00", "test_pulse": {"every": "2h", "for": "1m"},
                "last": {"at": "2026-11-22T11:00:00Z", "action": "off", "why": "below 10 W for 5m", "confirmed": true, "error": null},
                "halted": null,
            },
            {
                "id": "r-00000002", "name": "warm", "enabled": true, "plug": "accf23000002", "kind": "keep_on", "after": null,
                "last": null, "halted": {"at": "2026-11-22T11:00:00Z", "why": "more than 6 switches a minute"},
            },
            {
                "id": "r-00000003", "name": "off", "enabled": false, "plug": "accf23000003", "kind": "auto_off", "after": "2h",
                "last": null, "halted": null,
            },
        ]));
        let table = Rule::table(&rules, &names(), &clock());
        insta::assert_snapshot!(anstream::adapter::strip_str(&table).to_string(), @r"
            NAME        PLUG               DOES                                                              STATE     LAST
            television  lamp               off below 10 W for 5m, on again at 07:00, tested for 1m every 2h  enabled   today 12:00: off, below 10 W for 5m
            warm        Küche              on again at once                                                  stopped   -
            off         AC:CF:23:00:00:03  off after 2h                                                      disabled  -
            ");
    }
}
