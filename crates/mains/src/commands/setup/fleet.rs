//! Moving the plugs of a network to another one: strongest signal first, one as a proof, then a few at a time, and no further after the
//! first that does not come back. Run again, it leaves alone what is on the new network.

use std::cell::RefCell;
use std::cmp::Reverse;
use std::net::Ipv4Addr;

use futures_util::future::join_all;
use futures_util::stream::{self, StreamExt as _};
use hiflying::command::{Wmode, Wslk, Wslq, Wsssid};
use hiflying::net::UdpConsole;
use hiflying::settings::{LinkStatus, Mode};
use hiflying::{Mac, Ssid};
use plugs::Plug;
use plugs::net::Lan;

use super::all;
use super::args::SetupArgs;
use super::arrival::ArrivalSearch;
use super::interruption::{Interruption, StopRequest};
use super::job::remember;
use super::joining::ModuleJoin;
use super::module;
use super::options::SetupOptions;
use super::report::SetupReport;
use super::steps::StepLog;
use super::wifi_access::WifiAccess;
use crate::context::Context;
use crate::error::{Failure, Kind, Outcome};

/// Maximum number of plugs that move at the same time, after the first.
const MAX_CONCURRENT: usize = 3;
/// Maximum number of plugs that are asked for their network at the same time.
const MAX_QUERIES: usize = 8;

/// A plug on a network.
#[derive(Debug)]
struct StationPlug {
    plug: Plug,
    ssid: Option<Ssid>,
    /// Strength of its signal in percent.
    signal: Option<u8>,
}

/// Moves all plugs that are found.
pub(super) async fn run(
    context: &Context,
    args: &SetupArgs,
    interruption: &mut Interruption,
    options: &SetupOptions,
) -> Outcome {
    let ssid = options.ssid.clone().ok_or_else(|| {
        Failure::usage("the name of the new network is missing").hint("pass it with `--to-ssid`")
    })?;
    let anywhere = args.module.unwrap_or(hiflying::ACCESS_POINT_ADDRESS);
    let found = async {
        let lan = Lan::open(&module::home_interfaces(context, anywhere)?).await?;
        lan.set_words(context.known_words());
        let found = find(context, args, &lan).await?;
        Ok((lan, found))
    };
    let (lan, found) = interruption.run(context, found).await?;
    let (there, mut todo): (Vec<_>, Vec<_>) = found
        .into_iter()
        .partition(|plug| plug.ssid.as_ref() == Some(&ssid));
    todo.sort_by_key(|plug| (Reverse(plug.signal), plug.plug.mac));
    tell_plan(context, &ssid, &there, &todo);
    let fleet = FleetMove {
        context,
        options,
        stop: interruption.stop(),
        ssid,
        lan,
        todo,
        reports: RefCell::default(),
    };
    let ended = interruption.run(context, fleet.run()).await;
    let reports = fleet.into_reports(ended.err(), there);
    all::summarize(context, &reports, reports.len())
}

/// Returns every plug that is on a network, with its name and the strength of its signal.
async fn find(context: &Context, args: &SetupArgs, lan: &Lan) -> Result<Vec<StationPlug>, Failure> {
    let search = all::search(context, args, lan);
    let plugs = context.ui.waiting("waiting for replies", search).await;
    let queries = stream::iter(plugs).map(|plug| query(lan, plug));
    let found: Vec<StationPlug> = queries
        .buffered(MAX_QUERIES)
        .filter_map(std::future::ready)
        .collect()
        .await;
    match found.is_empty() {
        true => Err(all::none_found()),
        false => Ok(found),
    }
}

/// Asks a plug for its network; `None` if its module is no station, or does not reply.
async fn query(lan: &Lan, plug: Plug) -> Option<StationPlug> {
    let port = lan.port_towards(plug.address)?;
    let console = UdpConsole::open(port, plug.address, module::session_config(lan)).await;
    let mut console = console.ok()?;
    let mode = console.run(&Wmode).await;
    let ssid = match console.run(&Wslk).await {
        Ok(LinkStatus::Connected { ssid, .. }) => Some(ssid),
        _ => console.run(&Wsssid).await.ok().flatten(),
    };
    let signal = console.run(&Wslq).await.ok().and_then(|link| link.0);
    console.close().await;
    matches!(mode, Ok(Mode::Sta | Mode::ApSta)).then_some(StationPlug { plug, ssid, signal })
}

fn tell_plan(context: &Context, ssid: &Ssid, there: &[StationPlug], todo: &[StationPlug]) {
    let ui = &context.ui;
    if !there.is_empty() {
        ui.status(format_args!(
            "{} of the plugs are on '{ssid}' already",
            there.len()
        ));
    }
    for plug in todo {
        let signal = plug
            .signal
            .map_or_else(|| "unknown".to_owned(), |signal| format!("{signal} %"));
        ui.status(format_args!(
            "{} at {}: signal {signal}",
            plug.plug.mac, plug.plug.address
        ));
    }
}

/// A move in progress.
struct FleetMove<'a> {
    context: &'a Context,
    options: &'a SetupOptions,
    stop: StopRequest,
    ssid: Ssid,
    lan: Lan,
    /// The plugs to move, in order.
    todo: Vec<StationPlug>,
    /// The plugs that were tried; `None` while one is under way.
    reports: RefCell<Vec<Option<SetupReport>>>,
}

impl<'a> FleetMove<'a> {
    /// Moves one plug, then the others in batches, until one fails.
    async fn run(&self) -> Result<(), Failure> {
        let (first, rest) = self.todo.split_at(self.todo.len().min(1));
        for batch in std::iter::once(first).chain(rest.chunks(MAX_CONCURRENT)) {
            let begin = self.reports.borrow().len();
            let slots = begin..begin + batch.len();
            self.reports.borrow_mut().resize_with(slots.end, || None);
            let moves = batch.iter().zip(slots).map(async |(plug, slot)| {
                let report = self.move_one(&plug.plug, slot).await;
                let is_good = report.failure.is_none();
                if let Some(place) = self.reports.borrow_mut().get_mut(slot) {
                    *place = Some(report);
                }
                is_good
            });
            if join_all(moves).await.contains(&false) {
                break;
            }
        }
        Ok(())
    }

    async fn move_one(&self, plug: &Plug, place: usize) -> SetupReport {
        let ui = &self.context.ui;
        let prefix = format!("[{}/{}] ", place + 1, self.todo.len());
        ui.status(format_args!("{prefix}{}", plug.mac));
        let mut steps = StepLog::new(ui, prefix.clone());
        let outcome = self.join_and_confirm(plug, &mut steps).await;
        let report = self.report(plug, outcome, steps);
        ui.status(format_args!("{prefix}{}", report.line()));
        report
    }

    async fn join_and_confirm(
        &self,
        plug: &Plug,
        steps: &mut StepLog<'a>,
    ) -> Result<Ipv4Addr, Failure> {
        let join = ModuleJoin {
            context: self.context,
            options: self.options,
            access: &mut WifiAccess::Manual,
            network: None,
            module: plug.address,
            steps,
            mac: &mut None,
        };
        let joined = join
            .run(&self.stop, self.lan.clone(), &self.ssid, None)
            .await;
        let joined = joined.map_err(|failed| failed.failure)?;
        if joined.mac != plug.mac {
            let message = format!(
                "{} replied at {} instead of {}",
                joined.mac, plug.address, plug.mac
            );
            return Err(Failure::new(Kind::BadAnswer, message));
        }
        let mut to = self.options.to.clone();
        to.push(plug.address);
        let search = ArrivalSearch {
            context: self.context,
            mac: plug.mac,
            ssid: &self.ssid,
            module: plug.address,
            to,
        };
        match search.run_on(&self.lan, self.options.wait).await {
            Ok(arrived) => {
                let seen = format!("{} replies at {}", arrived.mac, arrived.address);
                steps.succeeded("seen", seen);
                remember(self.context, self.options, &arrived)?;
                Ok(arrived.address)
            }
            Err(failure) => {
                steps.failed("seen", failure.to_string());
                Err(failure.hint(
                    "the others were left where they are; if the plug does not appear, hold its button until its light changes, and set it up again",
                ))
            }
        }
    }

    fn report(
        &self,
        plug: &Plug,
        outcome: Result<Ipv4Addr, Failure>,
        steps: StepLog<'_>,
    ) -> SetupReport {
        SetupReport {
            given: None,
            mac: Some(plug.mac),
            ssid: Some(self.ssid.clone()),
            address: outcome.as_ref().ok().copied(),
            confirmed: outcome.is_ok(),
            failure: outcome.err(),
            steps: steps.into_steps(),
        }
    }

    /// Returns the reports in the order of the attempts: `ended` is why some are still under way. Untouched plugs come last.
    fn into_reports(self, ended: Option<Failure>, there: Vec<StationPlug>) -> Vec<SetupReport> {
        let ssid = self.ssid;
        let untouched = |mac: Mac, address: Option<Ipv4Addr>, failure| SetupReport {
            given: None,
            mac: Some(mac),
            ssid: Some(ssid.clone()),
            address,
            confirmed: address.is_some(),
            failure,
            steps: Vec::new(),
        };
        let tried = self.reports.into_inner();
        let waiting = self.todo.iter().skip(tried.len());
        let waiting: Vec<SetupReport> = waiting
            .map(|plug| untouched(plug.plug.mac, None, None))
            .collect();
        let there = there
            .iter()
            .map(|plug| untouched(plug.plug.mac, Some(plug.plug.address), None));
        let tried = tried.into_iter().zip(&self.todo).map(|(report, plug)| {
            report.unwrap_or_else(|| untouched(plug.plug.mac, None, ended.clone()))
        });
        tried.chain(waiting).chain(there).collect()
    }
}
