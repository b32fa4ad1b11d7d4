//! `mains probe`: what a device is and what stands open on it, without changing anything.
//!
//! Three things happen at the same time: TCP ports and the web page, the discovery words and then the AT session on UDP
//! 48899. Each adds to the `Evidence`, so a device that answers half, lies, babbles or hangs gives
//! half a report, within bounded time. Only questions are sent, and the session is left with `AT+Q`.

mod evidence;
mod findings;
mod report;
mod session;
mod web;
mod words;

use std::net::{Ipv4Addr, SocketAddrV4};
use std::time::Duration;

use hiflying::net::UdpPort;
use hiflying::{AtReply, AtRequest, DATA_PORT, DiscoveryWord};
use tokio::net::TcpStream;
use tokio::time::timeout;

use self::evidence::Evidence;
use crate::console::{TcpConsole, UdpSocket};
use crate::context::Context;
use crate::error::Failure;

pub use self::findings::{Finding, Severity};
pub use self::report::Report;

/// Opening a connection on a home network takes milliseconds, on bad Wi-Fi seconds.
const CONNECT_WAIT: Duration = Duration::from_secs(2);
/// The whole probe, where `--timeout` does not say otherwise: a device that answers is done in two seconds.
const USUAL: Duration = Duration::from_secs(20);

/// Looks at one device.
pub async fn run(
    context: &Context,
    address: Ipv4Addr,
    own_words: &[DiscoveryWord],
) -> Result<Report, Failure> {
    let socket = UdpSocket::towards(context, address).await?;
    let words = words_to_ask(own_words);
    let evidence = Evidence::default();
    let work = async {
        tokio::join!(
            look_at_web(address, &evidence),
            look_at_data_port(address, &evidence),
            look_at_module(&socket.port, address, &words, &evidence),
        );
    };
    // Out of time: what is known until then is reported. The session that is cut off sends its AT+Q when dropped.
    let _ = timeout(context.budget(USUAL), work).await;
    let facts = evidence.into_facts();
    if facts.is_anybody() {
        Ok(Report::new(address, &facts))
    } else {
        Err(socket.silence(format!("nothing answers at {address}")))
    }
}

/// The user's words first: they are the likeliest to be answered.
fn words_to_ask(own: &[DiscoveryWord]) -> Vec<DiscoveryWord> {
    let mut words: Vec<DiscoveryWord> = Vec::new();
    for word in own.iter().cloned().chain(words::known()) {
        if !words.contains(&word) {
            words.push(word);
        }
    }
    words
}

async fn is_open(address: Ipv4Addr, port: u16) -> bool {
    let connect = TcpStream::connect(SocketAddrV4::new(address, port));
    matches!(timeout(CONNECT_WAIT, connect).await, Ok(Ok(_)))
}

async fn look_at_web(address: Ipv4Addr, evidence: &Evidence) {
    if is_open(address, web::PORT).await {
        evidence.note(|known| known.http = true);
        let page = web::look(address).await;
        evidence.note(|known| known.web = Some(page));
    }
}

/// The plug's own parser also tells a version, for devices that tell none in the AT session.
async fn look_at_data_port(address: Ipv4Addr, evidence: &Evidence) {
    let connect = TcpConsole::open(SocketAddrV4::new(address, DATA_PORT));
    let Ok(Ok(mut console)) = timeout(CONNECT_WAIT, connect).await else {
        return;
    };
    evidence.note(|known| known.data = true);
    if let Ok(raw) = console.send(&AtRequest::query("VER")).await
        && let AtReply::Ok(Some(version)) = AtReply::parse(&raw)
    {
        let version = version.text().trim().to_owned();
        evidence.note(|known| known.plug_version = Some(version));
    }
    console.close().await;
}

async fn look_at_module(
    port: &UdpPort,
    address: Ipv4Addr,
    words: &[DiscoveryWord],
    evidence: &Evidence,
) {
    words::ask(port, address, words, evidence).await;
    if evidence.look(|known| known.module.is_some()) {
        session::ask(port.clone(), address, words, evidence).await;
    }
}
