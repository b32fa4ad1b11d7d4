//! `mains hub adopt` and `forget`: the plugs that a hub keeps.

use api::PlugView;
use api::client::Client;
use hiflying::Mac;
use plugs::FamilyId;
use serde::Serialize;

use crate::commands::targets::{TargetOutcome, each_of};
use crate::context::Context;
use crate::error::{Failure, Outcome};
use crate::resolve::{Target, Through, parse};
use crate::ui::{BOLD, clean, paint};

/// Options of `mains hub adopt`.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
The hub offers the plugs that it finds, and leaves them alone until they are adopted. Then it keeps a connection to the plug, \
records its readings and can switch it by schedules and rules. With `adopt = true` in [hub] it adopts every plug it finds.

Examples:
  mains hub adopt --all
  mains hub adopt 192.168.1.107 AC:CF:23:12:34:57
  mains --json hub adopt 192.168.1.107      # an array with the plug as `GET /api/v1/plugs` has it

Exit codes: 0 adopted, now or before, 3 no such plug, 4 no reply, 8 no hub; with several plugs that of the first that failed.")]
pub(super) struct HubAdoptArgs {
    /// Name, MAC, serial number or IPv4 address
    #[arg(value_name = "PLUG", required_unless_present = "all", conflicts_with = "all", value_parser = parse)]
    plugs: Vec<Target>,
    /// Adopt every plug that replies
    #[arg(long)]
    all: bool,
}

/// Runs `mains hub adopt`.
pub(super) async fn run(context: &Context, args: &HubAdoptArgs) -> Outcome {
    let hub = context.need_hub()?;
    let targets = match args.all {
        true => context.bounded(offered(&hub)).await?,
        false => args.plugs.clone(),
    };
    if targets.is_empty() {
        context.ui.status("no new plug replied");
    }
    let through = context.bounded(Through::of(context, hub.clone())).await?;
    let one = async |target: &Target| -> TargetOutcome<PlugView> {
        let work = async {
            let address = match target.address() {
                Some(address) => address,
                None => through.locate(target).await?.address,
            };
            Ok(hub.adopt(address).await?)
        };
        context.bounded(work).await.into()
    };
    each_of(context, &targets, one, |_, view| {
        let name = view.plug.name.clone();
        let name = name.unwrap_or_else(|| view.plug.mac.to_string());
        context.ui.data(format_args!(
            "{} at {} is adopted",
            paint(BOLD, clean(&name)),
            view.plug.address
        ))
    })
    .await
}

/// Returns the plugs that a search of the hub finds and that are not adopted.
async fn offered(hub: &Client) -> Result<Vec<Target>, Failure> {
    let addresses = hub
        .discover(None)
        .await?
        .into_iter()
        .filter(|found| !found.adopted && found.plug.family != FamilyId::MODULE)
        .map(|found| found.plug.address.to_string());
    addresses
        .map(|address| parse(&address).map_err(Failure::failed))
        .collect()
}

/// Options of `mains hub forget`.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
The plug itself is not changed. Its history stays in sums and exports, and continues if it is adopted again; --purge deletes it, \
also of a plug that was forgotten before (by its MAC). Groups, schedules and rules that name it skip it.

Examples:
  mains hub forget \"old heater\"
  mains hub forget AC:CF:23:12:34:56 --purge --yes
  mains hub forget --gone --unnamed --yes      # gone, and never named

Exit codes: 0 forgotten, 2 not confirmed, 3 no such plug, 8 no hub; with several plugs that of the first that failed.")]
pub(super) struct HubForgetArgs {
    /// Name, MAC, serial number or IPv4 address
    #[arg(value_name = "PLUG", required_unless_present_any = ["gone", "unnamed"],
        conflicts_with_all = ["gone", "unnamed"], value_parser = parse)]
    plugs: Vec<Target>,
    /// Forget the plugs that do not reply now, after a question
    #[arg(long)]
    gone: bool,
    /// Forget the plugs without a name, after a question; with --gone only those that do not reply
    #[arg(long)]
    unnamed: bool,
    /// Also delete the history
    #[arg(long)]
    purge: bool,
}

/// A plug that was forgotten.
#[derive(Debug, Serialize)]
struct ForgottenPlug {
    plug: Mac,
    forgotten: bool,
    purged: bool,
}

/// Runs `mains hub forget`.
pub(super) async fn forget(context: &Context, args: &HubForgetArgs) -> Outcome {
    let hub = context.need_hub()?;
    let through = context.bounded(Through::of(context, hub.clone())).await?;
    let targets = match args.plugs.as_slice() {
        [] => context.bounded(unwanted(&hub, args)).await?,
        plugs => plugs.to_vec(),
    };
    ask(context, args, &targets).await?;
    let one = async |target: &Target| -> TargetOutcome<ForgottenPlug> {
        let work = async {
            let plug = match args.purge {
                true => through.recorded_plug(target)?,
                false => through.kept_plug(target)?.plug.mac,
            };
            hub.forget(plug, args.purge).await?;
            Ok(ForgottenPlug {
                plug,
                forgotten: true,
                purged: args.purge,
            })
        };
        context.bounded(work).await.into()
    };
    each_of(context, &targets, one, |target, _| {
        let name = paint(BOLD, clean(target.shown()));
        context.ui.data(format_args!("{name} is forgotten"))
    })
    .await
}

/// Returns the plugs that the options select.
async fn unwanted(hub: &Client, args: &HubForgetArgs) -> Result<Vec<Target>, Failure> {
    let views = hub.plugs().await?.into_iter();
    let views = views.filter(|view| {
        let is_gone = !args.gone || !view.available;
        is_gone && (!args.unnamed || view.plug.name.is_none())
    });
    views
        .map(|view| parse(&view.plug.mac.to_string()).map_err(Failure::failed))
        .collect()
}

/// Asks before plugs are forgotten that were not named, or history is deleted.
async fn ask(context: &Context, args: &HubForgetArgs, targets: &[Target]) -> Result<(), Failure> {
    if targets.is_empty() {
        context.ui.status("no plug to forget");
    }
    if targets.is_empty() || !args.purge && !args.plugs.is_empty() {
        return Ok(());
    }
    let action = match args.purge {
        true => "Delete the history of",
        false => "Forget",
    };
    let names: Vec<_> = targets.iter().map(|target| clean(target.shown())).collect();
    let question = match names.as_slice() {
        [one] => format!("{action} {one}"),
        [.., _] if args.plugs.is_empty() => format!("{action} {} plugs", names.len()),
        _ => format!("{action} {}", names.join(", ")),
    };
    match context.ui.confirm(&question).await? {
        true => Ok(()),
        false => Err(Failure::usage("not confirmed; nothing is forgotten")),
    }
}
