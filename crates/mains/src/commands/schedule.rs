//! `mains schedule`: what the hub switches by the clock and by the sun.

use serde_json::json;

use super::documents::{Change, Document, Documents, Edit, One};
use crate::context::Context;
use crate::error::Outcome;
use flags::Flags;
use show::Schedules;

mod flags;
mod show;

/// Options of `mains schedule`.
#[derive(Debug, clap::Args)]
#[command(
    subcommand_value_name = "WHAT",
    subcommand_help_heading = "What",
    after_long_help = "\
Schedules live in the hub (`mains serve`) and switch whether or not anybody is logged in. A NAME is a schedule's name or \
id. Times are local where the hub is; `next` is the coming run, as the hub will keep it. A local time that a change to \
summer time skips happens at the next that exists; one that comes twice happens once.

Examples:
  mains schedule add evening --targets lamp,porch --action on --sun sunset --offset -15m
  mains schedule add morning --targets heater --action on --at 06:30 --days weekdays
  mains schedule list
  mains schedule edit evening --offset -30m --random 20m
  mains schedule disable evening
  mains schedule remove evening
  mains --json schedule list | jq -r '.[] | [.name, .next] | @tsv'

JSON: `list` is an array, the others are one object, as the hub has it; `remove` prints what was removed.

Exit codes: 0 done, 2 options that make no sense or a name that is taken, 3 no such schedule, plug or group, 8 no hub."
)]
pub struct ScheduleArgs {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// List the schedules, each with its next run
    List,
    /// Show all about one: what, when, the next run, the last and why
    Show(One),
    /// Make a new one
    Add(Box<ScheduleAddArgs>),
    /// Change what is named, and nothing else
    #[command(after_long_help = EDIT_HELP)]
    Edit(Box<Edit<Flags>>),
    /// Remove one
    Remove(One),
    /// Let one switch again
    Enable(One),
    /// Keep one, but do not let it switch
    Disable(One),
}

/// Options of `mains schedule add`.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
Examples:
  mains schedule add evening --targets lamp,porch --action on --sun sunset --offset -15m
  mains schedule add coffee --targets coffee --action on --at 06:30 --days weekdays --catch-up 30m
  mains schedule add 'looks lived in' --targets lamp --action on --at 19:00 --random 45m
  mains schedule add 'christmas eve' --targets tree --action on --once 2026-12-24T16:00
  mains schedule add pump --targets pump --action toggle --cron '*/30 8-18 * * mon-fri'
  mains --json schedule add night --targets all-lights --action off --at 23:30
    {\"id\":\"s-3f9a02c1\",\"name\":\"night\",\"enabled\":true,\"targets\":[\"g-81d2a7f0\"],\"action\":\"off\",
      \"when\":{\"at\":\"23:30\",…},\"next\":\"2026-11-22T22:30:00Z\",…}

Exit codes: 0 made, 2 options that make no sense or a name that is taken, 3 no such plug or group, 8 no hub.")]
struct ScheduleAddArgs {
    /// What to call it
    #[arg(value_name = "NAME")]
    name: String,
    #[command(flatten)]
    flags: Flags,
    /// Do not let it switch yet
    #[arg(long)]
    disabled: bool,
}

/// After the help of `edit`.
const EDIT_HELP: &str = "\
What is not named stays as it is. A schedule that the hub had stopped acts again after an edit.

Examples:
  mains schedule edit evening --offset -30m
  mains schedule edit evening --targets lamp --days mon-fri
  mains schedule edit evening --at 18:00 --random none
  mains schedule edit evening --name dusk

Exit codes: 0 changed, 1 somebody else has changed it meanwhile, 2 options that make no sense or a name that is taken, \
3 no such schedule, plug or group, 8 no hub.";

/// Does it.
pub async fn run(context: &Context, args: ScheduleArgs) -> Outcome {
    context.bounded(dispatch(context, args.what)).await
}

async fn dispatch(context: &Context, what: What) -> Outcome {
    let documents = Documents::open(context).await?;
    match what {
        What::List => documents.list::<Schedules>().await,
        What::Show(one) => documents.show::<Schedules>(&one.name).await,
        What::Add(args) => add(&documents, &args).await,
        What::Edit(edit) => documents.edit::<Schedules>(&edit).await,
        What::Remove(one) => documents.remove::<Schedules>(&one.name).await,
        What::Enable(one) => documents.enable::<Schedules>(&one.name, true).await,
        What::Disable(one) => documents.enable::<Schedules>(&one.name, false).await,
    }
}

async fn add(documents: &Documents<'_>, args: &ScheduleAddArgs) -> Outcome {
    let mut new = Document::new();
    new.insert("name".to_owned(), json!(args.name));
    new.insert("enabled".to_owned(), json!(!args.disabled));
    let body = args.flags.apply(new, &documents.names)?;
    documents.create::<Schedules>(&body).await
}
