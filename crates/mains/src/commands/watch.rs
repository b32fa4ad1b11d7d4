//! `mains watch`: what plugs draw, as it changes.

use std::pin::pin;
use std::time::Duration;

use futures_util::FutureExt;
use tokio::sync::mpsc;
use tokio::time::MissedTickBehavior;

use crate::context::Context;
use crate::error::{Exit, Failure, Kind, Outcome};
use crate::resolve::{Target, parse};
use crate::shutdown::Signals;
use news::News;
use view::WatchView;

mod board;
mod direct;
mod news;
mod through;
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
    {\"plug\":\"AC:CF:23:12:34:56\",\"at\":\"2026-11-22T12:00:00.123Z\",\"voltage_v\":226.94,\"current_a\":0.35,
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

/// Maximum number of news items that wait to be shown.
const MAX_WAITING: usize = 256;
/// Interval at which the picture is drawn anew.
const FRAME_INTERVAL: Duration = Duration::from_millis(250);

/// Shows news until a signal, the deadline, or until nobody reads any more.
pub async fn run(context: &Context, args: WatchArgs) -> Outcome {
    let mut over = pin!(Signals::listen()?.received_before(context.deadline()));
    let (sender, mut news) = mpsc::channel(MAX_WAITING);
    let mut source = pin!(listen(context, &args.plugs, sender).fuse());
    let mut view = WatchView::open(&context.ui)?;
    let mut frames = tokio::time::interval(FRAME_INTERVAL);
    frames.set_missed_tick_behavior(MissedTickBehavior::Delay);
    while !context.ui.is_closed() {
        tokio::select! {
            () = &mut over => break,
            Some(item) = news.recv() => view.take(item)?,
            // It ends when it fails; nothing but that ends it.
            result = &mut source => {
                result?;
                break;
            }
            _ = frames.tick() => view.draw()?,
        }
    }
    view.end()?;
    Ok(Exit::DONE)
}

/// Listens to the hub that was named or runs here, else to the plugs themselves.
async fn listen(
    context: &Context,
    targets: &[Target],
    news: mpsc::Sender<News>,
) -> Result<(), Failure> {
    let Some(hub) = context.hub()? else {
        return direct::listen(context, targets, news).await;
    };
    match through::Watched::open(context, &hub, targets).await {
        Ok(watched) => watched.listen(news).await,
        Err(failure) if failure.kind() == Kind::Unavailable && !context.names_hub() => {
            context
                .ui
                .status(format_args!("{failure}; the plugs are asked from here"));
            direct::listen(context, targets, news).await
        }
        Err(failure) => Err(failure),
    }
}
