//! `mains hue identify`: make a light blink.

use hue::BridgeName;
use serde_json::json;

use super::bridge::open;
use super::keys::GivenKey;
use crate::context::Context;
use crate::error::{Exit, Outcome};
use crate::ui::{BOLD, clean, paint};

/// Options of `mains hue identify`.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
The light blinks once, even if it is off. An unreachable light does not blink.

Examples:
  mains hue identify 192.168.1.20 7
  mains hue identify 001788fffe010203 \"Desk lamp\"
  mains --json hue identify 192.168.1.20 00:17:88:01:00:bd:c7:b9-0b

Exit codes: 0 the bridge accepted the request, 2 not paired, or several lights have that name, 3 no such bridge or light, 4 no \
reply, 5 the bridge refused, 6 unintelligible reply.")]
pub(super) struct HueIdentifyArgs {
    /// Address or id of the bridge
    #[arg(value_name = "BRIDGE")]
    bridge: BridgeName,
    /// Number, name or unique id of the light
    #[arg(value_name = "LIGHT")]
    light: String,
}

/// Makes the light blink.
pub(super) async fn run(context: &Context, args: HueIdentifyArgs, given: &GivenKey) -> Outcome {
    let ui = &context.ui;
    let opened = open(context, &args.bridge, given).await?;
    let bridge = opened.client();
    let light = hue::flow::identify(&bridge, &args.light).await?;
    if ui.is_json() {
        ui.document(&json!({"bridge": bridge.name, "light": light}))?;
        return Ok(Exit::DONE);
    }
    let name = paint(BOLD, clean(&light.name));
    ui.data(format_args!("{name} (number {}) is blinking", light.id))?;
    if light.reachable == Some(false) {
        ui.warn("the bridge cannot reach this light now; it blinks only if it has power");
    }
    Ok(Exit::DONE)
}
