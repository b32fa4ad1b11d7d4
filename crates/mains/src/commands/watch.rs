//! `mains watch`: what plugs draw, as it changes.

use std::pin::pin;
use std::time::Duration;

use futures_util::StreamExt;
use tokio::time::MissedTickBehavior;

use crate::context::Context;
use crate::error::{Exit, Outcome};
use crate::feed::{self, FollowRequest};
use crate::resolve::{Target, parse};
use crate::shutdown::Signals;
use view::WatchView;

mod board;
mod view;

#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
In a terminal it is a live table, into a pipe a line for each reading. It runs until Ctrl-C (or --timeout).

With a hub (`mains serve`) it shows the hub's readings and relay states at the hub's own interval (`mains hub set`). Without \
one, every plug is metered every two seconds over a connection of its own, and relay states come from a scan; meanwhile other \
`mains` on this computer receive no replies from an SP-2.

Examples:
  mains watch
  mains watch fridge washing-machine
  mains --json watch fridge | jq -r '[.at, .power_w] | @tsv'
    {\"plug\":\"AC:CF:23:12:34:56\",\"at\":\"2026-11-22T12:00:00.123Z\",
      \"voltage_v\":226.94,\"current_a\":0.35,
      \"frequency_hz\":50.07,\"power_w\":78.4,\"energy_wh\":3548}

JSON: a reading a line with the `relay`; a hub adds its `energy_total_wh`, which never goes back.
A plug without a meter has a line for each change of its relay.

Exit codes: 0 ended, 2 a serial number that several plugs have, 3 no such plug, 7 port 48899 taken or no \
interface, 8 the named hub cannot be reached.")]
pub struct WatchArgs {
    /// Name, MAC, serial number or IPv4 address [default: every plug]
    #[arg(value_name = "PLUG", value_parser = parse)]
    plugs: Vec<Target>,
}

/// Interval at which the picture is drawn anew.
const FRAME_INTERVAL: Duration = Duration::from_millis(250);

/// Shows events until a signal, the deadline, or until the output is closed.
pub async fn run(context: &Context, args: WatchArgs) -> Outcome {
    let mut over = pin!(Signals::listen()?.received_before(context.deadline()));
    let mut view = WatchView::open(&context.ui)?;
    let request = FollowRequest {
        targets: &args.plugs,
        meters: true,
        ..FollowRequest::default()
    };
    let opening = async { feed::of_plugs(context, context.hub()?, request).await };
    let mut feed = tokio::select! {
        () = &mut over => return Ok(Exit::DONE),
        feed = opening => feed?,
    };
    let mut frames = tokio::time::interval(FRAME_INTERVAL);
    frames.set_missed_tick_behavior(MissedTickBehavior::Delay);
    while !context.ui.is_closed() {
        tokio::select! {
            () = &mut over => break,
            Some(item) = feed.next() => view.take(item?)?,
            _ = frames.tick() => view.draw()?,
        }
    }
    view.end()?;
    Ok(Exit::DONE)
}
