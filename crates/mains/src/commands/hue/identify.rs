//! `mains hue identify`: let a light blink.

use hue::BridgeName;

use serde_json::json;

use super::bridge::open;
use super::keys::Given;
use crate::context::Context;
use crate::error::{Exit, Outcome};
use crate::ui::{BOLD, clean, paint};

/// Options of `mains hue identify`.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
The light blinks once, also while it is off. One that the bridge cannot reach does not.

Examples:
  mains hue identify 192.168.1.20 7
  mains hue identify 001788fffe010203 'Desk lamp'
  mains --json hue identify 192.168.1.20 00:17:88:01:00:bd:c7:b9-0b

Exit codes: 0 the bridge has told it to, 2 not paired, or several lights have that name, 3 no such bridge or light, 4 no \
answer, 5 the bridge refuses, 6 an answer that cannot be understood.")]
pub(super) struct HueIdentifyArgs {
    /// Address or id of the bridge
    #[arg(value_name = "BRIDGE")]
    bridge: BridgeName,
    /// Number, name or unique id of the light
    #[arg(value_name = "LIGHT")]
    light: String,
}

/// Lets it blink.
pub(super) async fn run(context: &Context, args: HueIdentifyArgs, given: &Given) -> Outcome {
    let ui = &context.ui;
    let opened = open(context, &args.bridge, given).await?;
    let bridge = opened.bridge();
    let light = hue::flow::identify(&bridge, &args.light).await?;
    if ui.is_json() {
        ui.document(&json!({"bridge": bridge.name, "light": light}))?;
        return Ok(Exit::DONE);
    }
    let name = paint(BOLD, clean(&light.name));
    ui.data(format_args!("{name} (number {}) blinks", light.id))?;
    if light.reachable == Some(false) {
        ui.warn("the bridge cannot reach it now: it blinks only if it has power");
    }
    Ok(Exit::DONE)
}
