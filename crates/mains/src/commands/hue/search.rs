//! `mains hue search`: look for new lights.

use hue::{BridgeName, Serial};

use super::bridge::open;
use super::guide::TerminalGuide;
use super::keys::Given;
use super::show;
use crate::context::Context;
use crate::error::{Exit, Outcome};

/// Options of `mains hue search`.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
The bridge opens its network for about 40 s; lights that are new, or were reset, join it. It is waited until the bridge has \
ended, for at most two minutes. A bulb with a serial number (six digits and letters A to F, printed on it) is called by name, \
wherever it is in the house, and comes even if it is bound to something else; the bridge takes ten at a time.

Examples:
  mains hue search 192.168.1.20
  mains hue search 192.168.1.20 --serial 45AF34 --serial 543636
  mains --json hue search 001788fffe010203
    {\"bridge\":\"001788fffe010203\",\"new_lights\":[{\"id\":\"7\",\"name\":\"Hue Lamp 7\",\"unique_id\":\"00:17:88:…-0b\"}]}

Exit codes: 0 ended, whether or not there was a new light, 2 not paired, or no serial number, 3 no such bridge, 4 no answer, \
5 the bridge refuses, 6 an answer that cannot be understood.")]
pub(super) struct HueSearchArgs {
    /// Address or id of the bridge
    #[arg(value_name = "BRIDGE")]
    bridge: BridgeName,
    /// Serial number that is printed on the bulb; repeatable
    #[arg(long = "serial", value_name = "S")]
    serials: Vec<Serial>,
}

/// Looks for them, and waits until the bridge has ended.
pub(super) async fn run(context: &Context, args: HueSearchArgs, given: &Given) -> Outcome {
    let ui = &context.ui;
    let opened = open(context, &args.bridge, given).await?;
    let guide = TerminalGuide::new(ui);
    let searched = hue::flow::search(&opened.bridge(), &guide, &args.serials).await;
    let searched = searched.map_err(|error| guide.failure(error))?;
    if ui.is_json() {
        ui.document(&searched)?;
    } else if searched.new_lights.is_empty() {
        ui.status("the bridge has found no new light");
        ui.hint(match args.serials.is_empty() {
            true => "a bulb that belongs to something else comes by `--serial`, or by `mains hue takeover`",
            false => "is the bulb switched on, and the serial number right? Near the bridge `mains hue takeover` may help",
        });
    } else {
        ui.data(show::new_lights(&searched.new_lights))?;
    }
    Ok(Exit::DONE)
}
