//! `mains hue discover`: find the bridges of this network.

use std::collections::HashSet;
use std::time::Duration;

use hue::net::{self, Found, Search};
use hue::{BridgeId, HueError};

use super::bridge::{key_ring, lan, patience};
use super::show::{BridgeView, bridge_row, bridges};
use crate::context::Context;
use crate::error::{Exit, Failure, Outcome};
use crate::resolve::interfaces::none_up;
use api::duration;

/// Options of `mains hue discover`.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
Asks by mDNS (square bridges and the Pro) and by SSDP (round ones), and then each address what it is. A bridge in another \
network is not heard: give its address to the other verbs. The vendor's cloud is asked only with --cloud; it then learns that \
you look, and tells the bridges that reached it from your internet address lately.

Examples:
  mains hue discover
  mains hue discover --wait 10s
  mains --json hue discover | jq -r '.[].address'
    [{\"id\":\"001788fffe010203\",\"address\":\"192.168.1.20\",\"model\":\"BSB002\",\"name\":\"Hue Bridge\",...}]

Exit codes: 0 found (or nothing there), 4 the cloud does not answer, 5 it refuses (asked too often), 7 no interface.")]
pub(super) struct HueDiscoverArgs {
    /// Listen for so long
    #[arg(long, value_name = "D", value_parser = duration::parse, default_value = "3s")]
    wait: Duration,
    /// Ask the vendor's cloud, too (discovery.meethue.com)
    #[arg(long)]
    cloud: bool,
}

/// Looks, and prints what answers.
pub(super) async fn run(context: &Context, args: HueDiscoverArgs) -> Outcome {
    let lan = lan(context)?;
    if lan.interfaces.is_empty() && !args.cloud {
        return Err(none_up());
    }
    let search = Search {
        wait: patience(context, args.wait),
        // What was found by then is told.
        at_most: patience(context, Duration::MAX),
        cloud: args.cloud,
    };
    let paired = paired(context);
    let mut table = bridges(&context.ui);
    let mut printed = Ok(());
    let show = |found: &Found| {
        if context.ui.is_json() || printed.is_err() {
            return;
        }
        let is_paired = found
            .identity
            .id
            .as_ref()
            .is_some_and(|id| paired.contains(id));
        printed = table.row(&bridge_row(&BridgeView::from(found), is_paired));
    };
    let found = net::discover(&lan, &search, show).await?;
    printed?;
    conclude(context, &found)
}

fn conclude(context: &Context, found: &[Found]) -> Outcome {
    if context.ui.is_json() {
        let views: Vec<BridgeView> = found.iter().map(BridgeView::from).collect();
        context.ui.document(&views)?;
    } else if found.is_empty() {
        context.ui.status("no bridge answers");
        context.ui.hint(
            "is this computer on the bridge's network? A bridge whose address you know needs no search: give the address",
        );
    }
    Ok(Exit::DONE)
}

/// The bridges that were paired with. A file that cannot be read is no reason not to search.
fn paired(context: &Context) -> HashSet<BridgeId> {
    let entries = key_ring(context).and_then(|ring| {
        ring.entries()
            .map_err(HueError::from)
            .map_err(Failure::from)
    });
    match entries {
        Ok(entries) => entries.into_iter().map(|entry| entry.id).collect(),
        Err(failure) => {
            context.ui.warn(failure);
            HashSet::new()
        }
    }
}
