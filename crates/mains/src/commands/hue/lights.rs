//! `mains hue lights`: list a bridge's lights.

use hue::BridgeName;

use super::bridge::open;
use super::keys::GivenKey;
use super::show;
use crate::context::Context;
use crate::error::{Exit, Outcome};

/// Options of `mains hue lights`.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
An unreachable light has no power or is too far from the other lights.

Examples:
  mains hue lights 192.168.1.20
  mains --json hue lights 001788fffe010203
    [{\"id\":\"1\",\"name\":\"Desk\",\"unique_id\":\"00:17:88:01:00:bd:c7:b9-0b\",
      \"model\":\"LCT007\",\"reachable\":true}]

Exit codes: 0 listed, 2 not paired, 3 no such bridge, 4 no reply, 5 the bridge refused (the key was removed), 6 unintelligible \
reply.")]
pub(super) struct HueLightsArgs {
    /// Address or id of the bridge
    #[arg(value_name = "BRIDGE")]
    bridge: BridgeName,
}

/// Lists the lights.
pub(super) async fn run(context: &Context, args: HueLightsArgs, given: &GivenKey) -> Outcome {
    let opened = open(context, &args.bridge, given).await?;
    let lights = hue::flow::lights(&opened.client()).await?;
    if context.ui.is_json() {
        context.ui.document(&lights)?;
    } else if lights.is_empty() {
        context.ui.status("the bridge has no lights");
    } else {
        context.ui.data(show::lights(&lights))?;
    }
    Ok(Exit::DONE)
}
