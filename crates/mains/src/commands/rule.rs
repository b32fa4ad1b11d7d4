//! `mains rule`: what the hub switches by what a plug does.

use serde_json::json;

use super::documents::{Document, Documents, Edit, One};
use crate::context::Context;
use crate::error::Outcome;
use flags::{Flags, Kind};
use show::Rules;

mod flags;
mod show;

/// Options of `mains rule`.
#[derive(Debug, clap::Args)]
#[command(
    subcommand_value_name = "WHAT",
    subcommand_help_heading = "What",
    after_long_help = "\
Rules live in the hub (`mains serve`) and act on what it meters and sees. A NAME is a rule's name or id. `last` tells what \
a rule last did and why. A rule that fights another, or a schedule, is stopped with an event that says so, because a relay \
wears out; it acts again after an edit, or after being disabled and enabled. What people switch is never blocked.

Examples:
  mains rule add tv --plug tv --kind standby-kill --below 10W --for 5m --restore-at 17:00
  mains rule add iron --plug iron --kind auto-off --after 45m
  mains rule list
  mains rule edit tv --below 12W
  mains rule disable iron
  mains rule remove iron

JSON: `list` is an array, the others are one object, as the hub has it; `remove` prints what was removed.

Exit codes: 0 done, 2 options that make no sense or a name that is taken, 3 no such rule or plug, 8 no hub."
)]
pub struct RuleArgs {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// List the rules, each with what it last did
    List,
    /// Show all about one: what it does, what it last did and why
    Show(One),
    /// Make a new one
    Add(Box<RuleAddArgs>),
    /// Change what is named, and nothing else
    #[command(after_long_help = EDIT_HELP)]
    Edit(Box<Edit<Flags>>),
    /// Remove one
    Remove(One),
    /// Let one act again
    Enable(One),
    /// Keep one, but do not let it act
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
    {\"id\":\"r-3f9a02c1\",\"name\":\"iron\",\"enabled\":true,\"plug\":\"accf23123456\",\"kind\":\"auto_off\",\
\"after\":\"45m\",\"last\":null,…}

Exit codes: 0 made, 2 options that make no sense or a name that is taken, 3 no such plug, 8 no hub.")]
struct RuleAddArgs {
    /// What to call it
    #[arg(value_name = "NAME")]
    name: String,
    /// What it does
    #[arg(long, value_enum, value_name = "KIND")]
    kind: Kind,
    #[command(flatten)]
    flags: Flags,
    /// Do not let it act yet
    #[arg(long)]
    disabled: bool,
}

/// After the help of `edit`.
const EDIT_HELP: &str = "\
What is not named stays as it is, and so does the kind. A rule that the hub had stopped acts again after an edit.

Examples:
  mains rule edit tv --below 12W --for 10m
  mains rule edit tv --restore-at none
  mains rule edit tv --name television --plug living-room-tv

Exit codes: 0 changed, 1 somebody else has changed it meanwhile, 2 options that make no sense or a name that is taken, \
3 no such rule or plug, 8 no hub.";

/// Does it.
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
