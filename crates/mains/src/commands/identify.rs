//! `mains identify`: click the relay of a plug, to find out which one it is.

use std::time::Duration;

use api::text::not_switched;
use plugs::{Plug, RelayState};
use serde::Serialize;
use tokio::time::sleep;

use super::targets::mac_or_given;
use crate::context::Context;
use crate::error::{Exit, Failure, Kind, Outcome};
use crate::resolve::{Reach, Target, parse};
use crate::ui::{BOLD, clean, paint};

/// Time between the two clicks, so that they are heard as two.
const CLICK_INTERVAL: Duration = Duration::from_millis(700);

#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
The relay clicks twice and ends as it was. A plug that is on would cut off what it feeds for a moment, so that is asked first; \
one that is off would supply it.

Examples:
  mains identify 192.168.1.107
  mains --yes identify kitchen
  mains --json identify AC:CF:23:12:34:56
    {\"plug\":\"AC:CF:23:12:34:56\",\"relay\":\"off\"}

Exit codes: 0 clicked, 2 it is on and nobody agreed, 3 no such plug, 4 no reply, 5 refused or left in the other position, \
7 port 48899 taken.")]
pub struct IdentifyArgs {
    /// Name, MAC, serial number or IPv4 address
    #[arg(value_name = "PLUG", value_parser = parse)]
    plug: Target,
}

/// The plug whose relay clicked.
#[derive(Serialize)]
struct IdentifiedPlug {
    plug: String,
    relay: RelayState,
}

/// Clicks.
pub async fn run(context: &Context, args: IdentifyArgs) -> Outcome {
    let target = &args.plug;
    let reach = Reach::open(context, std::slice::from_ref(target)).await?;
    let work = async {
        let plug = context.bounded(reach.presence(target)).await?;
        let relay = plug.relay.ok_or_else(|| relay_unknown(&plug))?;
        if !may_click(context, target, relay).await? {
            return Err(Failure::usage("not confirmed; nothing is switched"));
        }
        click(&reach, target, relay).await?;
        Ok(IdentifiedPlug {
            plug: mac_or_given(target, plug.mac),
            relay,
        })
    };
    let identified = reach.alongside(work).await?;
    reach.remember();
    if context.ui.is_json() {
        context.ui.document(&identified)?;
    } else {
        let name = paint(BOLD, clean(target.shown()));
        let relay = identified.relay;
        context.ui.data(format_args!(
            "{name} has clicked twice, and is {relay} as before"
        ))?;
    }
    Ok(Exit::DONE)
}

/// Asks before a plug that is on is switched off for a moment.
pub(super) async fn may_click(
    context: &Context,
    target: &Target,
    relay: RelayState,
) -> Result<bool, Failure> {
    if relay == RelayState::Off {
        return Ok(true);
    }
    let name = clean(target.shown());
    let question = format!("{name} is on. Cut off what it feeds for a moment");
    context.ui.confirm(&question).await
}

/// Moves the relay and back. It goes back also when the first move was not confirmed: the plug may have carried it out.
pub(super) async fn click(
    reach: &Reach<'_>,
    target: &Target,
    relay: RelayState,
) -> Result<(), Failure> {
    let away = move_to(reach, target, relay.toggled()).await;
    sleep(CLICK_INTERVAL).await;
    let back = match move_to(reach, target, relay).await {
        Ok(()) => Ok(()),
        Err(_) => move_to(reach, target, relay).await,
    };
    back.map_err(|failure| failure.about("the plug may be left in the other position"))?;
    away
}

/// Switches a plug; one that does not confirm is a failure.
pub(super) async fn move_to(
    reach: &Reach<'_>,
    target: &Target,
    relay: RelayState,
) -> Result<(), Failure> {
    let outcome = reach.switch(target, relay.into()).await?;
    match outcome.switched.confirmed {
        true => Ok(()),
        false => {
            let name = outcome.plug.name.as_deref().unwrap_or(target.shown());
            Err(not_switched(name, relay.into(), outcome.switched.relay).into())
        }
    }
}

/// Returns the failure of a device that does not report a relay.
pub(super) fn relay_unknown(plug: &Plug) -> Failure {
    let message = format!("the device at {} does not report a relay", plug.address);
    Failure::new(Kind::Refused, message)
        .hint(format!("`mains probe {}` tells what it is", plug.address))
}
