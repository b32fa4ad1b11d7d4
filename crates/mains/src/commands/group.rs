//! `mains group`: groups of plugs, switched together.

use api::Collection;
use serde_json::{Value, json};

use super::documents::names::Names;
use super::documents::people::{self, Clock, Line, text};
use super::documents::{Change, Document, Documents, Edit, One, Shown};
use crate::context::Context;
use crate::error::{Failure, Outcome};
use crate::ui::BOLD;
use crate::ui::table::{Cell, Column, Table};

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
  mains group remove lights
  mains --json group off lights | jq '.[] | select(.confirmed | not)'

JSON: `list` prints an array, `on`, `off` and `toggle` an array with one element for each plug, as `mains on` does; the others \
print one object, as in the hub's API; `remove` prints the removed group.

Exit codes: 0 done, 2 an invalid name or one already in use, 3 no such group or plug, 8 no hub; when switching also 4 no \
reply, 5 refused or not confirmed, 6 unintelligible reply: that of the first plug that failed."
)]
pub struct GroupArgs {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// List the groups and their plugs
    List,
    /// Show a group
    Show(One),
    /// Switch all plugs of a group on
    On(One),
    /// Switch all plugs of a group off
    Off(One),
    /// Toggle each plug of a group
    Toggle(One),
    /// Create a group
    Add(GroupAddArgs),
    /// Change the plugs or the name of a group
    #[command(after_long_help = EDIT_HELP)]
    Edit(Edit<Plugs>),
    /// Remove a group; its plugs stay
    Remove(One),
}

/// Options of `mains group add`.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
Examples:
  mains group add lights lamp porch kitchen
  mains --json group add lights lamp porch
    {\"id\":\"g-3f9a02c1\",\"name\":\"lights\",\"plugs\":[\"AC:CF:23:12:34:56\",\"AC:CF:23:12:34:57\"]}

Exit codes: 0 created, 2 an invalid name or one already in use, 3 no such plug, 8 no hub.")]
struct GroupAddArgs {
    /// Name of the group
    #[arg(value_name = "NAME")]
    name: String,
    /// Plugs, by name, MAC, serial number or IPv4 address
    #[arg(value_name = "PLUG")]
    plugs: Vec<String>,
}

/// What `mains group edit` changes beside the name.
#[derive(Debug, clap::Args)]
struct Plugs {
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
  mains group edit lights --name 'all lights'

Exit codes: 0 changed, 1 edited elsewhere at the same time, 2 an invalid name or one already in use, 3 no such group or \
plug, 8 no hub.";

/// Runs the verb.
pub async fn run(context: &Context, args: GroupArgs) -> Outcome {
    context.bounded(dispatch(context, args.what)).await
}

async fn dispatch(context: &Context, what: What) -> Outcome {
    let documents = Documents::open(context).await?;
    match what {
        What::List => documents.list::<Groups>().await,
        What::Show(one) => documents.show::<Groups>(&one.name).await,
        What::On(one) => relay::switch(context, &documents, &one.name, "on").await,
        What::Off(one) => relay::switch(context, &documents, &one.name, "off").await,
        What::Toggle(one) => relay::switch(context, &documents, &one.name, "toggle").await,
        What::Add(args) => add(&documents, &args).await,
        What::Edit(edit) => documents.edit::<Groups>(&edit).await,
        What::Remove(one) => documents.remove::<Groups>(&one.name).await,
    }
}

async fn add(documents: &Documents<'_>, args: &GroupAddArgs) -> Outcome {
    let mut body = Document::new();
    body.insert("name".to_owned(), json!(args.name));
    body.insert("plugs".to_owned(), documents.names.plugs(&args.plugs)?);
    documents.create::<Groups>(&body).await
}

impl Change for Plugs {
    fn is_empty(&self) -> bool {
        self.plugs.is_empty() && self.add.is_empty() && self.take.is_empty()
    }

    /// The group keeps the plugs that it has, unless all are named anew.
    fn apply(&self, mut group: Document, names: &Names) -> Result<Document, Failure> {
        let plugs = if self.plugs.is_empty() {
            let has = group.get("plugs").cloned().unwrap_or_else(|| json!([]));
            let (add, take) = (names.plugs(&self.add)?, names.plugs(&self.take)?);
            let all = |list: Value| list.as_array().cloned().unwrap_or_default();
            let (mut plugs, take) = (all(has), all(take));
            for plug in all(add) {
                if !plugs.contains(&plug) {
                    plugs.push(plug);
                }
            }
            plugs.retain(|plug| !take.contains(plug));
            plugs.into()
        } else {
            names.plugs(&self.plugs)?
        };
        group.insert("plugs".to_owned(), plugs);
        Ok(group)
    }
}

/// How groups are shown.
#[derive(Debug)]
struct Groups;

impl Shown for Groups {
    const COLLECTION: Collection = Collection::Groups;

    fn table(documents: &[Document], names: &Names, _clock: &Clock) -> String {
        let mut table = Table::new([Column::text("NAME", 0), Column::text("PLUGS", 0)]);
        for document in documents {
            table.row([
                Cell::styled(BOLD, text(document, "name")),
                Cell::maybe(plugs(document, names)),
            ]);
        }
        table.render()
    }

    fn details(document: &Document, names: &Names, _clock: &Clock) -> Vec<Line> {
        let mut lines = people::heading(document);
        lines.push(Line::maybe("plugs", plugs(document, names)));
        lines
    }
}

fn plugs(group: &Document, names: &Names) -> Option<String> {
    let plugs = names.list(group.get("plugs").unwrap_or(&Value::Null));
    (!plugs.is_empty()).then_some(plugs)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::documents::names::tests::names;
    use crate::commands::documents::people::tests::{clock, document};

    fn options(plugs: &[&str], add: &[&str], take: &[&str]) -> Plugs {
        let all = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
        Plugs {
            plugs: all(plugs),
            add: all(add),
            take: all(take),
        }
    }

    #[test]
    fn plugs_are_added_and_taken() {
        let group = document(json!({"name": "lights", "plugs": ["accf23000001", "accf23999999"]}));
        let edited =
            |options: Plugs| options.apply(group.clone(), &names()).unwrap()["plugs"].clone();
        assert_eq!(
            edited(options(&[], &["k\u{fc}che", "lamp"], &[])),
            json!(["accf23000001", "accf23999999", "accf23000002"])
        );
        assert_eq!(
            edited(options(&[], &["127.77.0.3"], &["lamp"])),
            json!(["accf23999999", "accf23000003"])
        );
        assert_eq!(
            edited(options(&["lamp,k\u{fc}che"], &[], &[])),
            json!(["accf23000001", "accf23000002"])
        );
        let unknown = options(&[], &["attic"], &[]);
        assert!(unknown.apply(group.clone(), &names()).is_err());
    }

    #[test]
    fn shown_with_the_names_of_its_plugs() {
        let empty = document(json!({"name": "none", "plugs": []}));
        let lights = document(
            json!({"id": "g-1", "name": "lights", "plugs": ["accf23000001", "accf23000003"]}),
        );
        let table = Groups::table(&[lights, empty], &names(), &clock());
        assert_eq!(
            anstream::adapter::strip_str(&table).to_string(),
            "NAME    PLUGS\nlights  lamp, AC:CF:23:00:00:03\nnone    -"
        );
    }
}
