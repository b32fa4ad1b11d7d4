//! `mains hue search`: search for new lights.

use hue::{BridgeName, BulbSerial};

use super::bridge::open;
use super::keys::GivenKey;
use super::operator::TerminalOperator;
use super::show;
use crate::context::Context;
use crate::error::{Exit, Outcome};

/// Options of `mains hue search`.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
The bridge opens its network for about 40 s; new lights, and lights that were reset, join it. The command waits until the search \
has ended, for two minutes at most. A bulb whose serial number is given (six digits and letters A to F, printed on it) joins from \
anywhere in the house, even if it belongs to another bridge; the bridge takes ten serial numbers at a time.

Examples:
  mains hue search 192.168.1.20
  mains hue search 192.168.1.20 --serial 45AF34 --serial 543636
  mains --json hue search 001788fffe010203
    {\"bridge\":\"001788fffe010203\",\"new_lights\":[{\"id\":\"7\",\"name\":\"Hue Lamp 7\",\"unique_id\":\"00:17:88:…-0b\"}]}

Exit codes: 0 ended, with or without a new light, 2 not paired, or not a serial number, 3 no such bridge, 4 no reply, 5 the \
bridge refused, 6 unintelligible reply.")]
pub(super) struct HueSearchArgs {
    /// Address or id of the bridge
    #[arg(value_name = "BRIDGE")]
    bridge: BridgeName,
    /// Serial number printed on the bulb; repeatable
    #[arg(long = "serial", value_name = "S")]
    serials: Vec<BulbSerial>,
}

/// Searches until the bridge has ended its search.
pub(super) async fn run(context: &Context, args: HueSearchArgs, given: &GivenKey) -> Outcome {
    let ui = &context.ui;
    let opened = open(context, &args.bridge, given).await?;
    let operator = TerminalOperator::new(ui);
    let result = hue::flow::search(&opened.client(), &operator, &args.serials).await;
    let result = result.map_err(|error| operator.failure(error))?;
    if ui.is_json() {
        ui.document(&result)?;
    } else if result.new_lights.is_empty() {
        ui.status("the bridge found no new light");
        ui.hint(match args.serials.is_empty() {
            true => "for a bulb that belongs to another bridge, use `--serial` or `mains hue takeover`",
            false => "check that the bulb is switched on and the serial number is right, or hold it near the bridge and run `mains hue takeover`",
        });
    } else {
        ui.data(show::new_lights(&result.new_lights))?;
    }
    Ok(Exit::DONE)
}
