//! Setup of every plug in range, one after the other. One failure does not stop the rest.

use std::net::Ipv4Addr;

use futures_util::StreamExt as _;
use plugs::Plug;
use plugs::net::{DiscoverEvent, DiscoverOptions, Lan};

use super::args::SetupArgs;
use super::interruption::Interruption;
use super::job::SetupJob;
use super::module;
use super::options::SetupOptions;
use super::report::SetupReport;
use super::wifi_access::{self, PlugNetwork, WifiAccess};
use crate::context::Context;
use crate::error::{Exit, Failure, Kind, Outcome};
use crate::wifi::Seen;

/// A plug to set up.
enum SetupCandidate {
    /// A plug that has opened its own network.
    Fresh(Box<Seen>),
    /// A plug on a network that this computer reaches.
    Station { address: Ipv4Addr, label: String },
}

/// Sets up all plugs in range.
pub(super) async fn run(
    context: &Context,
    args: &SetupArgs,
    interruption: &mut Interruption,
    options: &mut SetupOptions,
    access: &mut WifiAccess,
) -> Outcome {
    let has_key = options.plug_key.is_some();
    let candidates = interruption
        .run(context, candidates(context, args, access, has_key))
        .await?;
    let count = candidates.len();
    let mut reports = Vec::with_capacity(count);
    for (index, candidate) in candidates.into_iter().enumerate() {
        let prefix = format!("[{}/{count}] ", index + 1);
        let report = one(
            context,
            args,
            interruption,
            options,
            access,
            candidate,
            prefix.clone(),
        )
        .await;
        context.ui.status(format_args!("{prefix}{}", report.line()));
        let interrupted = interruption.is_interrupted();
        reports.push(report);
        if interrupted {
            break;
        }
    }
    summarize(context, &reports, count)
}

async fn candidates(
    context: &Context,
    args: &SetupArgs,
    access: &WifiAccess,
    has_key: bool,
) -> Result<Vec<SetupCandidate>, Failure> {
    match access {
        WifiAccess::NetworkManager(manager) => {
            let seen = wifi_access::plug_networks(&context.ui, manager, has_key).await?;
            if seen.is_empty() {
                return Err(wifi_access::no_plug_network(manager));
            }
            Ok(seen
                .into_iter()
                .map(|seen| SetupCandidate::Fresh(Box::new(seen)))
                .collect())
        }
        WifiAccess::Manual => {
            let search = stations(context, args);
            context.ui.waiting("waiting for replies", search).await
        }
    }
}

/// Returns every plug that replies and is already a station.
async fn stations(context: &Context, args: &SetupArgs) -> Result<Vec<SetupCandidate>, Failure> {
    let anywhere = args.module.unwrap_or(hiflying::ACCESS_POINT_ADDRESS);
    let lan = Lan::open(&module::home_interfaces(context, anywhere)?).await?;
    lan.set_words(context.known_words());
    let mut candidates = Vec::new();
    for plug in search(context, args, &lan).await {
        // A fresh plug whose own network this computer is on replies too, but is not a station.
        if module::is_station(&lan, plug.address).await {
            candidates.push(SetupCandidate::Station {
                address: plug.address,
                label: plug.mac.to_string(),
            });
        }
    }
    match candidates.is_empty() {
        true => Err(none_found()),
        false => Ok(candidates),
    }
}

/// Returns the failure of a search without any plug that is a station.
pub(super) fn none_found() -> Failure {
    Failure::new(Kind::NotFound, "no plug found on the network")
        .hint("set up a plug that is not on a network yet over its own Wi-Fi network")
}

/// Returns every plug that replies, by MAC.
pub(super) async fn search(context: &Context, args: &SetupArgs, lan: &Lan) -> Vec<Plug> {
    context.ui.status("looking for plugs on the network");
    let mut to = args.to.clone();
    to.extend(args.module);
    let mut events = lan.discover(DiscoverOptions {
        to,
        ..DiscoverOptions::default()
    });
    let mut found: Vec<Plug> = Vec::new();
    while let Some(event) = events.next().await {
        let (DiscoverEvent::Found(plug) | DiscoverEvent::Updated(plug)) = event else {
            continue;
        };
        match found.iter_mut().find(|known| known.mac == plug.mac) {
            Some(known) => *known = plug,
            None => found.push(plug),
        }
    }
    found.sort_by_key(|plug| plug.mac);
    found
}

async fn one(
    context: &Context,
    args: &SetupArgs,
    interruption: &mut Interruption,
    options: &mut SetupOptions,
    access: &mut WifiAccess,
    candidate: SetupCandidate,
    prefix: String,
) -> SetupReport {
    let (given, network, module) = match candidate {
        SetupCandidate::Station { address, label } => (label, None, address),
        SetupCandidate::Fresh(seen) => {
            let given = seen.name();
            let asked = PlugNetwork::with_key(&context.ui, *seen, options);
            let network = match interruption.run(context, asked).await {
                Ok(network) => network,
                Err(failure) => return SetupReport::untouched(given, failure),
            };
            let module = args.module.unwrap_or(hiflying::ACCESS_POINT_ADDRESS);
            (given, Some(network), module)
        }
    };
    context.ui.status(format_args!("{prefix}{given}"));
    let mut job = SetupJob::new(context, options, access, network, module, prefix);
    job.given = Some(given);
    job.run(interruption).await
}

/// Prints the results.
pub(super) fn summarize(context: &Context, reports: &[SetupReport], count: usize) -> Outcome {
    if context.ui.is_json() {
        context.ui.document(&reports)?;
    } else {
        for report in reports {
            context.ui.data(report.line())?;
        }
    }
    // One that was left where it is has neither failed nor moved.
    let is_good = |report: &&SetupReport| {
        report.failure.is_none() && (report.confirmed || !report.steps.is_empty())
    };
    let good = reports.iter().filter(is_good).count();
    context
        .ui
        .status(format_args!("{good} of {count} plugs set up"));
    let failed = reports.iter().find_map(|report| report.exit().kind());
    Ok(failed.map_or(Exit::DONE, Exit::with))
}
