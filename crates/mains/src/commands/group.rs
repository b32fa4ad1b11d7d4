//! `mains group`: groups of plugs, switched together.

use api::text::LocalClock;
use api::{Group, GroupView, RelayCommand};

use super::documents::options::{given, patch};
use super::documents::{Change, DocumentName, Documents, EditArgs, Listed, Patch, cell};
use crate::context::Context;
use crate::error::{Failure, Outcome};
use crate::hub_names::HubNames;
use crate::ui::BOLD;
use crate::ui::table::{Cell, Table};

mod relay;

#[derive(Debug, clap::Args)]
#[command(
    subcommand_value_name = "WHAT",
    subcommand_help_heading = "What",
    after_long_help = "\
The hub (`mains serve`) keeps the groups. NAME is a group's name or id. A schedule accepts a group wherever it accepts a plug.

Examples:
  mains group add lights lamp porch kitchen
  mains group on lights
  mains group list
  mains group edit lights --add hall --take porch
  mains --json group off lights | jq '.[] | select(.confirmed | not)'
  mains group remove lights

JSON: `list` prints an array, `on`, `off` and `toggle` an array with one element for each plug, as `mains on` does; the others \
print one object, as in the hub's API; `remove` prints the removed group.

Exit codes: 0 done, 2 an invalid name or one already in use, 3 no such group or plug, 8 no hub; when switching also 4 no \
reply, 5 refused or not confirmed, 6 unintelligible reply: that of the first plug that failed."
)]
pub struct GroupArgs {
    #[command(subcommand)]
    command: GroupCommand,
}

#[derive(Debug, clap::Subcommand)]
enum GroupCommand {
    /// List the groups and their plugs
    List,
    /// Show a group
    Show(DocumentName),
    /// Switch all plugs of a group on
    On(DocumentName),
    /// Switch all plugs of a group off
    Off(DocumentName),
    /// Toggle each plug of a group
    Toggle(DocumentName),
    /// Create a group
    Add(GroupAddArgs),
    /// Change the plugs or the name of a group
    #[command(after_long_help = EDIT_HELP)]
    Edit(EditArgs<GroupOptions>),
    /// Remove a group; its plugs stay
    Remove(DocumentName),
}

/// Options of `mains group add`.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
Examples:
  mains group add lights lamp porch kitchen
  mains --json group add lights lamp porch
    {\"id\":\"g-3f9a02c1\",\"name\":\"lights\",\"plugs\":[\"AC:CF:23:12:34:56\",
      \"AC:CF:23:12:34:57\"]}

Exit codes: 0 created, 2 an invalid name or one already in use, 3 no such plug, 8 no hub.")]
struct GroupAddArgs {
    /// Name of the group
    #[arg(value_name = "NAME")]
    name: String,
    /// Plugs, by name, MAC, serial number or IPv4 address
    #[arg(value_name = "PLUG")]
    plugs: Vec<String>,
}

/// Options of `mains group edit` beside the name.
#[derive(Debug, clap::Args)]
struct GroupOptions {
    /// Replace the plugs by these; repeat or separate with commas
    #[arg(long, value_name = "PLUG", conflicts_with_all = ["add", "take"])]
    plugs: Vec<String>,
    /// Add these plugs
    #[arg(long, value_name = "PLUG")]
    add: Vec<String>,
    /// Take these plugs out
    #[arg(long, value_name = "PLUG")]
    take: Vec<String>,
}

/// Text after the help of `mains group edit`.
const EDIT_HELP: &str = "\
Examples:
  mains group edit lights --add hall,cellar --take porch
  mains group edit lights --plugs lamp,kitchen
  mains group edit lights --name \"all lights\"

Exit codes: 0 changed, 1 edited elsewhere at the same time, 2 an invalid name or one already in use, 3 no such group or \
plug, 8 no hub.";

/// Runs the verb.
pub async fn run(context: &Context, args: GroupArgs) -> Outcome {
    context.bounded(dispatch(context, args.command)).await
}

async fn dispatch(context: &Context, command: GroupCommand) -> Outcome {
    let documents = Documents::open(context).await?;
    match command {
        GroupCommand::List => documents.list::<Group>().await,
        GroupCommand::Show(group) => documents.show::<Group>(&group).await,
        GroupCommand::On(group) => {
            relay::switch(context, &documents, &group, RelayCommand::On).await
        }
        GroupCommand::Off(group) => {
            relay::switch(context, &documents, &group, RelayCommand::Off).await
        }
        GroupCommand::Toggle(group) => {
            relay::switch(context, &documents, &group, RelayCommand::Toggle).await
        }
        GroupCommand::Add(args) => {
            let plugs = documents.names.find_plugs(&args.plugs)?;
            let name = args
                .name
                .parse()
                .map_err(|problem: String| Failure::usage(problem))?;
            documents.create(&Group { name, plugs }).await
        }
        GroupCommand::Edit(args) => documents.edit::<Group, _>(&args).await,
        GroupCommand::Remove(group) => documents.remove::<Group>(&group).await,
    }
}

impl Change<Group> for GroupOptions {
    fn patch(&self, current: &GroupView, names: &HubNames) -> Result<Patch, Failure> {
        let plugs = if !self.plugs.is_empty() {
            Some(names.find_plugs(&self.plugs)?)
        } else if self.add.is_empty() && self.take.is_empty() {
            None
        } else {
            let mut plugs = current.document.plugs.clone();
            for plug in names.find_plugs(&self.add)? {
                if !plugs.contains(&plug) {
                    plugs.push(plug);
                }
            }
            let take = names.find_plugs(&self.take)?;
            plugs.retain(|plug| !take.contains(plug));
            Some(plugs)
        };
        Ok(patch([("plugs", given(plugs))]))
    }
}

impl Listed for Group {
    fn table(views: &[GroupView], names: &HubNames, _: &LocalClock) -> String {
        let mut table = Table::new(["NAME", "PLUGS"]);
        for view in views {
            table.row([
                Cell::styled(BOLD, &view.document.name),
                cell(view.members(names)),
            ]);
        }
        table.render()
    }
}

#[cfg(test)]
mod tests {
    use hiflying::Mac;
    use serde_json::{Value, json};

    use super::*;
    use crate::commands::documents::tests::{clock, views};
    use crate::hub_names::tests::names;

    #[test]
    fn plugs_are_added_and_taken() {
        let groups = views::<Group>(json!([
            {"id": "g-00000001", "name": "lights", "plugs": ["accf23000001", "accf23999999"]},
        ]));
        let edit = |plugs: &[&str], add: &[&str], take: &[&str]| {
            let all = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
            let (plugs, add, take) = (all(plugs), all(add), all(take));
            let options = GroupOptions { plugs, add, take };
            options.patch(&groups[0], &names())
        };
        let plugs = |patch: Result<Patch, Failure>| {
            let plugs = patch.unwrap().remove("plugs").unwrap();
            serde_json::from_value::<Vec<Mac>>(plugs).unwrap()
        };
        let ids = |ids: Value| serde_json::from_value::<Vec<Mac>>(ids).unwrap();
        assert_eq!(
            plugs(edit(&[], &["k\u{fc}che", "lamp"], &[])),
            ids(json!(["accf23000001", "accf23999999", "accf23000002"]))
        );
        assert_eq!(
            plugs(edit(&[], &["127.77.0.3"], &["lamp"])),
            ids(json!(["accf23999999", "accf23000003"]))
        );
        assert_eq!(
            plugs(edit(&["lamp,k\u{fc}che"], &[], &[])),
            ids(json!(["accf23000001", "accf23000002"]))
        );
        assert!(edit(&[], &[], &[]).unwrap().is_empty());
        assert!(edit(&[], &["attic"], &[]).is_err());
    }

    #[test]
    fn a_table_of_groups_with_the_names_of_their_plugs() {
        let groups = views::<Group>(json!([
            {"id": "g-00000001", "name": "lights", "plugs": ["accf23000001", "accf23000003"]},
            {"id": "g-00000002", "name": "none", "plugs": []},
        ]));
        assert_eq!(
            anstream::adapter::strip_str(&Group::table(&groups, &names(), &clock())).to_string(),
            "NAME    PLUGS\nlights  lamp, AC:CF:23:00:00:03\nnone    -"
        );
    }
}
