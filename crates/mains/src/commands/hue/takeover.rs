//! `mains hue takeover`: take over a bulb that belongs to another bridge or to a dimmer.

use clap::ValueEnum;
use hue::{BridgeName, BulbSerial, TakeoverOptions, TakeoverResult, TouchlinkMethod};

use super::bridge::open;
use super::keys::GivenKey;
use super::operator::TerminalOperator;
use super::show;
use crate::console::until_signal;
use crate::context::Context;
use crate::error::{Exit, Failure, Kind, Outcome};

/// Options of `mains hue takeover`.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
A search does not find a bulb that came with a dimmer or that belonged to another bridge. Held close to the bridge, it can be taken \
over all the same (touchlink):

  1. Hold the bulb within 30 cm of the bridge; the nearest one is taken.
  2. Move other lamps more than a metre away, or switch them off: a neighbour's could be taken.
  3. Switch the bulb off for five seconds and on again; newer bulbs can be taken over for half an hour after that.
  4. Run this. The bulb blinks, the bridge searches for it, and its name is printed.

Nothing is repeated automatically: after a capture the next nearest lamp would be taken. For a bulb fresh from the factory, `mains \
hue search` is enough. With --serial the bulb with this printed number joins from any distance.

--via auto uses the method that suits the bridge's model and firmware (rest: since 2015; tcp30000: round bridges before that), and \
the other one if that is not offered, and prints the reason. \"captured\" is null where the bridge does not report whether it took \
a bulb.

Examples:
  mains hue takeover 192.168.1.20
  mains hue takeover 192.168.1.20 --serial 45AF34
  mains --json --yes hue takeover 001788fffe010203
    {\"bridge\":\"001788fffe010203\",\"via\":\"rest\",\"captured\":true,
      \"new_lights\":[{\"id\":\"7\",...}]}

Exit codes: 0 a new light appeared, 2 not paired, not confirmed, or not a serial number, 3 no such bridge, 4 no reply, 5 the \
bridge refused, took nothing over, or no new light appeared, 6 unintelligible reply.")]
pub(super) struct HueTakeoverArgs {
    /// Address or id of the bridge
    #[arg(value_name = "BRIDGE")]
    bridge: BridgeName,
    /// Method to start the touchlink
    #[arg(long, value_enum, value_name = "WAY", default_value_t = TakeoverVia::Auto, conflicts_with = "serial")]
    via: TakeoverVia,
    /// Serial number printed on the bulb (6 digits and letters A to F), for a bulb that is not near
    #[arg(long, value_name = "S")]
    serial: Option<BulbSerial>,
}

/// The method to start the touchlink.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum TakeoverVia {
    /// As model and firmware suggest, then the other method
    Auto,
    /// By the web API
    Rest,
    /// By TCP port 30000
    Tcp30000,
}

impl TakeoverVia {
    fn method(self) -> Option<TouchlinkMethod> {
        match self {
            Self::Auto => None,
            Self::Rest => Some(TouchlinkMethod::Rest),
            Self::Tcp30000 => Some(TouchlinkMethod::Tcp30000),
        }
    }
}

/// Takes the bulb over and waits until it appears.
pub(super) async fn run(context: &Context, args: HueTakeoverArgs, given: &GivenKey) -> Outcome {
    let operator = TerminalOperator::new(&context.ui);
    let options = TakeoverOptions {
        via: args.via.method(),
        serial: args.serial,
        rounds: max_rounds(context),
        ..TakeoverOptions::default()
    };
    let work = async {
        let opened = open(context, &args.bridge, given).await?;
        Ok(hue::flow::takeover(&opened.client(), &operator, &options).await)
    };
    match until_signal(context.bounded(work)).await {
        Ok(result) => conclude(context, &result.map_err(|error| operator.failure(error))?),
        // A repetition would take the next nearest lamp.
        Err(failure) if operator.has_touchlinked() => Err(failure.hint(format!(
            "the touchlink may have captured a bulb; run `mains hue search {}` before the next one",
            args.bridge
        ))),
        Err(failure) => Err(failure),
    }
}

/// Returns the maximum number of touchlinks: a person has to move the bulb closer between two.
pub(super) fn max_rounds(context: &Context) -> u8 {
    match context.ui.can_ask() && !context.ui.agrees() {
        true => 3,
        false => 1,
    }
}

fn conclude(context: &Context, result: &TakeoverResult) -> Outcome {
    let ui = &context.ui;
    if !result.is_success() {
        let message = format!("no new light appeared on bridge {}", result.bridge);
        let failure = Failure::new(Kind::Refused, message)
            .hint("hold the bulb closer than 30 cm, freshly switched on, or give `--serial` for any distance");
        return show::failed_result(context, result, failure);
    }
    if ui.is_json() {
        ui.document(result)?;
    } else if result.new_lights.is_empty() {
        ui.data("a bulb was captured, but the bridge lists no new light")?;
    } else {
        ui.data(show::new_lights(&result.new_lights))?;
    }
    Ok(Exit::DONE)
}
