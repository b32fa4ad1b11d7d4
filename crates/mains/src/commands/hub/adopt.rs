//! `mains hub adopt` and `forget`: the plugs that a hub keeps.

use api::PlugView;
use api::client::Client;
use plugs::FamilyId;
use serde_json::json;

use crate::commands::targets::{TargetOutcome, each_of};
use crate::context::Context;
use crate::error::{Exit, Failure, Outcome};
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
  mains hub forget 'old heater'
  mains hub forget AC:CF:23:12:34:56 --purge --yes

Exit codes: 0 forgotten, 2 not confirmed, 3 no such plug, 8 no hub.")]
pub(super) struct HubForgetArgs {
    /// Name, MAC, serial number or IPv4 address
    #[arg(value_name = "PLUG", value_parser = parse)]
    plug: Target,
    /// Also delete its history
    #[arg(long)]
    purge: bool,
}

/// Runs `mains hub forget`.
pub(super) async fn forget(context: &Context, args: &HubForgetArgs) -> Outcome {
    let hub = context.need_hub()?;
    let through = Through::of(context, hub.clone()).await?;
    let mac = match args.purge {
        true => through.recorded_plug(&args.plug)?,
        false => through.kept_plug(&args.plug)?.plug.mac,
    };
    let given = clean(args.plug.as_given());
    if args.purge
        && !context
            .ui
            .confirm(&format!("Delete the history of {given}"))
            .await?
    {
        return Err(Failure::usage("not confirmed; nothing is deleted"));
    }
    hub.forget(mac, args.purge).await?;
    if context.ui.is_json() {
        context
            .ui
            .document(&json!({"plug": mac, "forgotten": true, "purged": args.purge}))?;
    } else {
        context
            .ui
            .data(format_args!("{} is forgotten", paint(BOLD, given)))?;
    }
    Ok(Exit::DONE)
}
