//! Every plug in reach, one after the other. One failure does not stop the rest.

use std::net::Ipv4Addr;

use futures_util::StreamExt as _;
use hiflying::command::Wmode;
use hiflying::net::UdpConsole;
use hiflying::session::AtSessionConfig;
use hiflying::settings::Mode;
use plugs::net::{DiscoverEvent, DiscoverOptions, Lan};

use super::guard::Guard;
use super::job::Job;
use super::module;
use super::report::Report;
use super::way::{self, PlugNetwork, Way};
use super::wish::Wish;
use crate::commands::setup::SetupArgs;
use crate::context::Context;
use crate::error::{Exit, Failure, Kind, Outcome};
use crate::wifi::Seen;

/// Somebody to set up.
enum Candidate {
    /// A plug that has opened its own network.
    Fresh(Box<Seen>),
    /// A plug on a network that this computer reaches.
    Station { address: Ipv4Addr, label: String },
}

/// Sets up all of them.
pub(super) async fn run(
    context: &Context,
    args: &SetupArgs,
    guard: &mut Guard,
    wish: &mut Wish,
    way: &mut Way,
) -> Outcome {
    let candidates = guard.run(context, candidates(context, args, way)).await?;
    let count = candidates.len();
    let mut reports = Vec::with_capacity(count);
    for (index, candidate) in candidates.into_iter().enumerate() {
        let prefix = format!("[{}/{count}] ", index + 1);
        let report = one(context, args, guard, wish, way, candidate, prefix.clone()).await;
        context.ui.status(format_args!("{prefix}{}", report.line()));
        let interrupted = guard.is_cut_short();
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
    way: &Way,
) -> Result<Vec<Candidate>, Failure> {
    match way {
        Way::NetworkManager(manager) => {
            let seen = way::plugs_in_reach(&context.ui, manager).await?;
            if seen.is_empty() {
                return Err(way::nothing_in_reach());
            }
            Ok(seen
                .into_iter()
                .map(|seen| Candidate::Fresh(Box::new(seen)))
                .collect())
        }
        Way::Manual => stations(context, args).await,
    }
}

/// Every plug that answers and is a station already.
async fn stations(context: &Context, args: &SetupArgs) -> Result<Vec<Candidate>, Failure> {
    context.ui.status("looking for plugs on the network");
    let anywhere = args.module.unwrap_or(hiflying::ACCESS_POINT_ADDRESS);
    let lan = Lan::open(&module::home_interfaces(context, anywhere)?).await?;
    let mut to = args.to.clone();
    to.extend(args.module);
    let mut events = lan.discover(DiscoverOptions {
        to,
        ..DiscoverOptions::default()
    });
    let mut found: Vec<plugs::Plug> = Vec::new();
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
    let mut candidates = Vec::new();
    for plug in found {
        if is_station(&lan, plug.address).await {
            candidates.push(Candidate::Station {
                address: plug.address,
                label: plug.mac.to_string(),
            });
        }
    }
    if candidates.is_empty() {
        return Err(
            Failure::new(Kind::NotFound, "no plug answers on the network")
                .hint("a plug that is not on a network yet is set up over its own Wi-Fi network"),
        );
    }
    Ok(candidates)
}

/// A fresh plug whose network this computer happens to be on answers too, but is no station.
async fn is_station(lan: &Lan, address: Ipv4Addr) -> bool {
    let Some(port) = lan.port_towards(address) else {
        return false;
    };
    let Ok(mut console) = UdpConsole::open(port, address, AtSessionConfig::default()).await else {
        return false;
    };
    let mode = console.run(&Wmode).await;
    console.close().await;
    matches!(mode, Ok(Mode::Sta | Mode::ApSta))
}

async fn one(
    context: &Context,
    args: &SetupArgs,
    guard: &mut Guard,
    wish: &mut Wish,
    way: &mut Way,
    candidate: Candidate,
    prefix: String,
) -> Report {
    let (given, network, module) = match candidate {
        Candidate::Station { address, label } => (label, None, address),
        Candidate::Fresh(seen) => {
            let given = seen.name();
            let asked = PlugNetwork::with_key(&context.ui, *seen, wish);
            let network = match guard.run(context, asked).await {
                Ok(network) => network,
                Err(failure) => return Report::untouched(given, failure),
            };
            let module = args.module.unwrap_or(hiflying::ACCESS_POINT_ADDRESS);
            (given, Some(network), module)
        }
    };
    context.ui.status(format_args!("{prefix}{given}"));
    let mut job = Job::new(context, wish, way, network, module, prefix);
    job.given = Some(given);
    job.run(guard).await
}

fn summarize(context: &Context, reports: &[Report], count: usize) -> Outcome {
    if context.ui.is_json() {
        context.ui.document(&reports)?;
    } else {
        for report in reports {
            context.ui.data(report.line())?;
        }
    }
    let good = reports
        .iter()
        .filter(|report| report.failure.is_none())
        .count();
    context
        .ui
        .status(format_args!("{good} of {count} plugs are set up"));
    let failed = reports.iter().find_map(|report| report.exit().kind());
    Ok(failed.map_or(Exit::DONE, Exit::with))
}
