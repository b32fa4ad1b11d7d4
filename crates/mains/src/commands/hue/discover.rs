//! `mains hue discover`: find the bridges on this network.

use std::collections::HashSet;
use std::time::Duration;

use hue::net::{self, DiscoveryOptions, FoundBridge};
use hue::{BridgeId, HueError};

use super::bridge::{key_ring, network, time_left};
use super::show::{DiscoveredBridge, bridge_row, bridges};
use crate::context::Context;
use crate::error::{Exit, Failure, Outcome};
use crate::resolve::interfaces::none_up;
use api::duration;

/// Options of `mains hue discover`.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
Searches by mDNS (square bridges and the Pro) and SSDP (round bridges), then asks each address for its identity. A bridge on \
another network is not found: give its address to the other verbs. The vendor's cloud is asked only with --cloud. It learns that \
you are searching, and lists the bridges that have contacted it from your internet address recently.

Examples:
  mains hue discover
  mains hue discover --wait 10s
  mains --json hue discover | jq -r '.[].address'
    [{\"id\":\"001788fffe010203\",\"address\":\"192.168.1.20\",\"model\":\"BSB002\",
      \"name\":\"Hue Bridge\",...}]

A cloud that does not reply is only a warning, unless there is no interface to search from.

Exit codes: 0 found (or nothing there), 7 no interface.")]
pub(super) struct HueDiscoverArgs {
    /// Time to wait for replies
    #[arg(long, value_name = "D", value_parser = duration::parse, default_value = "3s")]
    wait: Duration,
    /// Ask the vendor's cloud as well (discovery.meethue.com)
    #[arg(long)]
    cloud: bool,
}

/// Searches, and prints each bridge as it replies.
pub(super) async fn run(context: &Context, args: HueDiscoverArgs) -> Outcome {
    let network = network(context)?;
    if network.interfaces.is_empty() && !args.cloud {
        return Err(none_up());
    }
    let options = DiscoveryOptions {
        wait: time_left(context, args.wait),
        // The bridges found by then are still printed.
        timeout: time_left(context, Duration::MAX),
        cloud: args.cloud,
    };
    let ui = &context.ui;
    let paired = paired(context);
    let mut table = bridges(ui);
    let mut printed = Ok(());
    let show = |found: &FoundBridge| {
        if ui.is_json() || printed.is_err() {
            return;
        }
        let id = found.identity.id.as_ref();
        let is_paired = id.is_some_and(|id| paired.contains(id));
        printed = table.row(&bridge_row(&DiscoveredBridge::from(found), is_paired));
    };
    let (found, cloud) = net::discover(&network, &options, show).await?;
    printed?;
    if let Some(error) = cloud {
        let failure = Failure::from(HueError::Cloud(error));
        ui.warn(&failure);
    }
    if ui.is_json() {
        let views: Vec<DiscoveredBridge> = found.iter().map(DiscoveredBridge::from).collect();
        ui.document(&views)?;
    } else if found.is_empty() {
        ui.status("no bridge replies");
        ui.hint("check that this computer is on the bridge's network, or give the bridge's address directly");
    }
    Ok(Exit::DONE)
}

/// Returns the paired bridges. A damaged key file is only a warning here.
fn paired(context: &Context) -> HashSet<BridgeId> {
    let bridges = key_ring(context).and_then(|ring| {
        let bridges = ring.bridges();
        bridges.map_err(|error| Failure::from(HueError::from(error)))
    });
    match bridges {
        Ok(bridges) => bridges.into_iter().map(|bridge| bridge.id).collect(),
        Err(failure) => {
            context.ui.warn(failure);
            HashSet::new()
        }
    }
}
