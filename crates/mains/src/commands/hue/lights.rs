//! `mains hue lights`: what a bridge has.

use hue::BridgeName;

use super::bridge::open;
use super::keys::Given;
use super::show;
use crate::context::Context;
use crate::error::{Exit, Outcome};

/// Options of `mains hue lights`.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
A light that cannot be reached is without power, or too far from the others.

Examples:
  mains hue lights 192.168.1.20
  mains --json hue lights 001788fffe010203
    [{\"id\":\"1\",\"name\":\"Desk\",\"unique_id\":\"00:17:88:01:00:bd:c7:b9-0b\",\"model\":\"LCT007\",\"reachable\":true}]

Exit codes: 0 listed, 2 not paired, 3 no such bridge, 4 no answer, 5 the bridge refuses (the key was removed), 6 an answer \
that cannot be understood.")]
pub(super) struct HueLightsArgs {
    /// Address or id of the bridge
    #[arg(value_name = "BRIDGE")]
    bridge: BridgeName,
}

/// Lists them.
pub(super) async fn run(context: &Context, args: HueLightsArgs, given: &Given) -> Outcome {
    let opened = open(context, &args.bridge, given).await?;
    let lights = hue::flow::lights(&opened.bridge()).await?;
    if context.ui.is_json() {
        context.ui.document(&lights)?;
    } else if lights.is_empty() {
        context.ui.status("the bridge has no lights");
    } else {
        context.ui.data(show::lights(&lights))?;
    }
    Ok(Exit::DONE)
}
