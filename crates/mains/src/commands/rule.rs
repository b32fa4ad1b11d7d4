//! `mains rule`: rules of the hub, which switch a plug by what it measures.

use serde_json::json;

use super::documents::{Document, Documents, Edit, One};
use crate::context::Context;
use crate::error::Outcome;
use flags::{Flags, Kind};
use show::Rules;

mod flags;
mod show;

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
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// List the rules and their last actions
    List,
    /// Show a rule, its last action and the reason
    Show(One),
    /// Create a rule
    Add(Box<RuleAddArgs>),
    /// Change the given settings of a rule
    #[command(after_long_help = EDIT_HELP)]
    Edit(Box<Edit<Flags>>),
    /// Remove a rule
    Remove(One),
    /// Enable a rule
    Enable(One),
    /// Disable a rule without removing it
    Disable(One),
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
  mains rule add 'lamp stays dark' --plug lamp --kind power-on --state off
  mains --json rule add iron --plug iron --kind auto-off --after 45m
    {\"id\":\"r-3f9a02c1\",\"name\":\"iron\",\"enabled\":true,\"plug\":\"AC:CF:23:12:34:56\",\"kind\":\"auto_off\",\
\"after\":\"45m\",\"last\":null,…}

Exit codes: 0 created, 2 invalid options or a name already in use, 3 no such plug, 8 no hub.")]
struct RuleAddArgs {
    /// Name of the rule
    #[arg(value_name = "NAME")]
    name: String,
    /// Kind of rule
    #[arg(long, value_enum, value_name = "KIND")]
    kind: Kind,
    #[command(flatten)]
    flags: Flags,
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
    context.bounded(dispatch(context, args.what)).await
}

async fn dispatch(context: &Context, what: What) -> Outcome {
    let documents = Documents::open(context).await?;
    match what {
        What::List => documents.list::<Rules>().await,
        What::Show(one) => documents.show::<Rules>(&one.name).await,
        What::Add(args) => add(&documents, &args).await,
        What::Edit(edit) => documents.edit::<Rules>(&edit).await,
        What::Remove(one) => documents.remove::<Rules>(&one.name).await,
        What::Enable(one) => documents.enable::<Rules>(&one.name, true).await,
        What::Disable(one) => documents.enable::<Rules>(&one.name, false).await,
    }
}

async fn add(documents: &Documents<'_>, args: &RuleAddArgs) -> Outcome {
    let mut new = Document::new();
    new.insert("name".to_owned(), json!(args.name));
    new.insert("enabled".to_owned(), json!(!args.disabled));
    let body = args.flags.new_rule(new, args.kind, &documents.names)?;
    documents.create::<Rules>(&body).await
}
