//! `mains schedule`: schedules of the hub, which switch by the clock and the sun.

use serde_json::json;

use super::documents::{Change, Document, Documents, Edit, One};
use crate::context::Context;
use crate::error::Outcome;
use flags::Flags;
use show::Schedules;

mod flags;
mod show;

#[derive(Debug, clap::Args)]
#[command(
    subcommand_value_name = "WHAT",
    subcommand_help_heading = "What",
    after_long_help = "\
Schedules run in the hub (`mains serve`). NAME is a schedule's name or id. Times are local times at the hub; `next` is the \
next run. A local time that is skipped when the clocks go forward runs at the next one that exists; one that occurs twice \
runs once.

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
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// List the schedules and their next runs
    List,
    /// Show a schedule, its next and its last run
    Show(One),
    /// Create a schedule
    Add(Box<ScheduleAddArgs>),
    /// Change the given settings of a schedule
    #[command(after_long_help = EDIT_HELP)]
    Edit(Box<Edit<Flags>>),
    /// Remove a schedule
    Remove(One),
    /// Enable a schedule
    Enable(One),
    /// Disable a schedule without removing it
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

Exit codes: 0 created, 2 invalid options or a name already in use, 3 no such plug or group, 8 no hub.")]
struct ScheduleAddArgs {
    /// Name of the schedule
    #[arg(value_name = "NAME")]
    name: String,
    #[command(flatten)]
    flags: Flags,
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
