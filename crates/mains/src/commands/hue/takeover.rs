//! `mains hue takeover`: take over a bulb that belongs to something else.

use clap::ValueEnum;
use hue::{BridgeName, Serial, Takeover, TakeoverOptions, Via};

use super::bridge::open;
use super::guide::TerminalGuide;
use super::keys::Given;
use super::show;
use crate::console::until_signal;
use crate::context::Context;
use crate::error::{Exit, Failure, Kind, Outcome};

/// Options of `mains hue takeover`.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
A bulb that came with a dimmer, or that another bridge had, is not found by a search. Held close to the bridge it can be taken \
over all the same (touchlink):

  1. Bring the bulb within 30 cm of the bridge; the nearest one is taken.
  2. Take other lamps more than a metre away, or switch them off: a neighbour's could be taken.
  3. Switch the bulb off for five seconds and on again; newer ones can be taken for half an hour after that.
  4. Run this. The bulb blinks, the bridge looks for it, and its name is told.

Nothing is repeated by itself: after a capture the next nearest lamp would be taken. A bulb that is fresh from the factory \
needs only `mains hue search`. With --serial the bulb is called by the number that is printed on it, and need not be close.

--via auto asks the bridge in the way that its model and firmware know (rest: since 2015; tcp30000: round bridges before \
that), and tries the other one, with the reason, where that is not offered. \"captured\" is null where the bridge cannot say \
whether it took a bulb.

Examples:
  mains hue takeover 192.168.1.20
  mains hue takeover 192.168.1.20 --serial 45AF34
  mains --json --yes hue takeover 001788fffe010203
    {\"bridge\":\"001788fffe010203\",\"via\":\"rest\",\"captured\":true,\"new_lights\":[{\"id\":\"7\",...}]}

Exit codes: 0 a new light appeared, 2 not paired, not agreed to, or no serial number, 3 no such bridge, 4 no answer, 5 the \
bridge refused, took nothing over, or no new light appeared, 6 an answer that cannot be understood.")]
pub(super) struct HueTakeoverArgs {
    /// Address or id of the bridge
    #[arg(value_name = "BRIDGE")]
    bridge: BridgeName,
    /// How the bridge is asked
    #[arg(long, value_enum, value_name = "WAY", default_value_t = Way::Auto, conflicts_with = "serial")]
    via: Way,
    /// Serial number that is printed on the bulb (6 digits and letters A to F), instead of bringing it close
    #[arg(long, value_name = "S")]
    serial: Option<Serial>,
}

/// How the bridge is asked to take a bulb over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Way {
    /// As its model and firmware know, then the other way
    Auto,
    /// By its web interface
    Rest,
    /// By TCP port 30000
    Tcp30000,
}

impl Way {
    fn via(self) -> Option<Via> {
        match self {
            Self::Auto => None,
            Self::Rest => Some(Via::Rest),
            Self::Tcp30000 => Some(Via::Tcp30000),
        }
    }
}

/// Has the bridge take it over, and waits until it appears.
pub(super) async fn run(context: &Context, args: HueTakeoverArgs, given: &Given) -> Outcome {
    let guide = TerminalGuide::new(&context.ui);
    let options = TakeoverOptions {
        via: args.via.via(),
        serial: args.serial,
        plain_first: false,
        rounds: rounds(context),
    };
    let work = async {
        let opened = open(context, &args.bridge, given).await?;
        Ok(hue::flow::takeover(&opened.bridge(), &guide, &options).await)
    };
    match until_signal(context.bounded(work)).await {
        Ok(takeover) => conclude(context, &takeover.map_err(|error| guide.failure(error))?),
        // Given again, it would take the next nearest lamp.
        Err(failure) if guide.has_touchlinked() => Err(failure.hint(format!(
            "the touchlink was begun, and may have captured a bulb: look for it with `mains hue search {}` before the next one",
            args.bridge
        ))),
        Err(failure) => Err(failure),
    }
}

/// How many touchlinks there may be at most: somebody has to bring the bulb closer between two.
pub(super) fn rounds(context: &Context) -> u8 {
    match context.ui.can_ask() && !context.ui.agrees() {
        true => 3,
        false => 1,
    }
}

fn conclude(context: &Context, takeover: &Takeover) -> Outcome {
    let ui = &context.ui;
    if !takeover.is_success() {
        let message = format!("bridge {}: no new light appeared", takeover.bridge);
        let failure = Failure::new(Kind::Refused, message)
            .hint("closer than 30 cm, and switched off and on a moment ago? `--serial` needs no closeness");
        return show::unconfirmed(context, takeover, failure);
    }
    if ui.is_json() {
        ui.document(takeover)?;
    } else if takeover.new_lights.is_empty() {
        ui.data("a bulb was captured; no light is new in the bridge's list")?;
    } else {
        ui.data(show::new_lights(&takeover.new_lights))?;
    }
    Ok(Exit::DONE)
}
