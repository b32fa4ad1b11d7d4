//! `mains watch`: what plugs draw, as it changes.

use std::pin::pin;

use futures_util::StreamExt;

use crate::context::Context;
use crate::error::{Exit, Outcome};
use crate::feed::{self, FollowRequest};
use crate::resolve::{Target, parse};
use crate::shutdown::Signals;
use lines::WatchLines;

mod app;
mod board;
mod draw;
mod lines;
mod order;
mod screen;
mod trend;

#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
In a terminal it is a screen: every plug with its power now and over the last minutes, and the sums. Into a pipe, with -q, or \
with TERM=dumb it is a line for each reading. It runs until `q` or Ctrl-C (or --timeout).

Keys of the screen:
  Up Down        select a plug; PageUp, PageDown, Home, End too
  Space, Enter   switch the selected plug on or off, at once and without a question
  /              show only plugs with this text in their name, room, MAC, address, …
  s, S           sort by name, power, energy of today, energy, room; in the opposite direction
  ?              explain the keys, and what is shown
  q              quit

A relay is shown in a new position when the plug has confirmed it. A figure in parentheses is old; it is in no sum.

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

/// Shows events until a key, a signal, the deadline, or until the output is closed.
pub async fn run(context: &Context, args: WatchArgs) -> Outcome {
    let mut over = pin!(Signals::listen()?.received_before(context.deadline()));
    let request = FollowRequest {
        targets: &args.plugs,
        meters: true,
        ..FollowRequest::default()
    };
    let opening = async { feed::of_plugs(context, context.hub()?, request).await };
    let opening = context.ui.waiting("waiting for replies", opening);
    let mut feed = tokio::select! {
        () = &mut over => return Ok(Exit::DONE),
        feed = opening => feed?,
    };
    if context.ui.has_screen() {
        return screen::run(context, feed, over).await;
    }
    let mut lines = WatchLines::new(&context.ui);
    while !context.ui.is_closed() {
        tokio::select! {
            () = &mut over => break,
            Some(item) = feed.events.next() => lines.take(item?)?,
        }
    }
    Ok(Exit::DONE)
}
