//! `mains probe`: identifies a device and its weaknesses without changing anything.
//!
//! Four checks run at the same time: TCP ports, the web page, the discovery words followed by the AT session on UDP
//! port 48899, and a scan for other devices with the same MAC. Each adds to the `Evidence`, so that a device which replies in part, or with garbage, or not at all gives
//! a partial report within bounded time. Only queries are sent, and the session is closed with `AT+Q`.

mod args;
mod evidence;
mod findings;
mod neighbours;
mod report;
mod session;
mod timing;
mod words;

use std::net::Ipv4Addr;

use harden::web;
use hiflying::net::UdpPort;
use hiflying::{AtReply, AtRequest, DiscoveryWord};
use plugs::Plug;
use tokio::time::timeout;

use self::evidence::Evidence;
use self::report::ProbeReport;
use self::timing::{CONNECT_TIMEOUT, PROBE_TIMEOUT};
use crate::console::{ModuleSocket, TcpConsole, until_signal};
use crate::context::Context;
use crate::error::{Exit, Failure, Outcome};
use crate::resolve::interfaces::TcpRoute;

pub use self::args::ProbeArgs;

/// Runs the verb.
pub async fn run(context: &Context, args: ProbeArgs) -> Outcome {
    let report = until_signal(probe(context, args.address, &args.word)).await?;
    if context.ui.is_json() {
        context.ui.document(&report)?;
    } else {
        context.ui.data(report.sheet())?;
    }
    Ok(Exit::DONE)
}

async fn probe(
    context: &Context,
    address: Ipv4Addr,
    own_words: &[DiscoveryWord],
) -> Result<ProbeReport, Failure> {
    let socket = ModuleSocket::towards(context, address).await?;
    let words = words_to_send(own_words, context.known_words());
    let evidence = Evidence::default();
    let route = TcpRoute::towards(context, address).await;
    let checks = async {
        tokio::join!(
            check_web(&route, &evidence),
            check_data_port(&route, &evidence),
            check_module(&socket.port, address, &words, &evidence),
            neighbours::check(&socket.port, address, &evidence),
        );
    };
    // At the end of the time the facts so far are reported. The session sends its AT+Q when it is dropped.
    let _ = timeout(context.budget(PROBE_TIMEOUT), checks).await;
    if socket.is_deaf()
        && !evidence.has_family()
        && let Some(plug) = heard_by_hub(context, address).await
    {
        evidence.note(|facts| facts.add(plug));
    }
    let facts = evidence.into_facts();
    if facts.has_reply() {
        Ok(ProbeReport::new(address, &facts, own_words))
    } else {
        Err(socket.no_reply(format!("no reply from {address}")))
    }
}

/// Returns the device at an address as the hub hears it: where it has the port, replies arrive there.
async fn heard_by_hub(context: &Context, address: Ipv4Addr) -> Option<Plug> {
    let hub = context.hub().ok()??;
    let search = async { Ok(hub.discover(None).await?) };
    let found = context.bounded(search).await;
    let found = found.inspect_err(|error| tracing::debug!(%error, "the hub does not search"));
    let mut plugs = found.ok()?.into_iter().map(|found| found.plug);
    plugs.find(|plug| plug.address == address)
}

/// Returns the user's words, which are the likeliest to get a reply, then those of factories, then those that plugs were given
/// from here.
fn words_to_send(own: &[DiscoveryWord], given: Vec<DiscoveryWord>) -> Vec<DiscoveryWord> {
    let mut words: Vec<DiscoveryWord> = Vec::new();
    let own = own.iter().cloned();
    for word in own.chain(DiscoveryWord::FACTORY).chain(given) {
        if !words.contains(&word) {
            words.push(word);
        }
    }
    words
}

async fn check_web(route: &TcpRoute, evidence: &Evidence) {
    let connect = route.connect(web::PORT);
    // Closed at once, because a module serves few connections.
    let is_open = matches!(timeout(CONNECT_TIMEOUT, connect).await, Ok(Ok(_)));
    if is_open {
        evidence.note(|facts| facts.http = true);
        let page = web::check(route.address, || route.connect(web::PORT)).await;
        evidence.note(|facts| facts.web = Some(page));
    }
}

/// Checks the data port. The plug's own parser also reports a version, for devices without one in the AT session.
async fn check_data_port(route: &TcpRoute, evidence: &Evidence) {
    let connect = TcpConsole::open(route.clone());
    let Ok(Ok(mut console)) = timeout(CONNECT_TIMEOUT, connect).await else {
        return;
    };
    evidence.note(|facts| facts.data = true);
    if let Ok(raw) = console.send(&AtRequest::query("VER")).await
        && let AtReply::Ok(Some(version)) = AtReply::parse(&raw)
    {
        let version = version.text().trim().to_owned();
        evidence.note(|facts| facts.plug_version = Some(version));
    }
    console.close().await;
}

async fn check_module(
    port: &UdpPort,
    address: Ipv4Addr,
    words: &[DiscoveryWord],
    evidence: &Evidence,
) {
    words::check(port, address, words, evidence).await;
    if evidence.read(|facts| facts.module.is_some()) {
        session::query(port.clone(), address, words, evidence).await;
    }
}
