//! Finding bridges: mDNS, SSDP, and, only when it is asked for, the vendor's look-up in the internet.
//!
//! What answers there is a candidate and no more. Each is asked which bridge it is ([`look`]), and one that does not say so is none.
//! No certificate is judged here, and nothing secret is sent.

use std::collections::HashSet;
use std::io;
use std::net::Ipv4Addr;
use std::ops::ControlFlow;
use std::time::Duration;

use tokio::net::UdpSocket;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until, timeout};

use super::Lan;
use super::connect::look;
use crate::address::{Address, Scheme};
use crate::error::HueError;
use crate::identity::{BridgeId, Identity};

mod cloud;
mod mdns;
mod socket;
mod ssdp;

/// Whatever a network full of forgers answers, no more than this is looked at.
const MOST: usize = 64;
/// When the questions are sent: datagrams get lost.
const SENDINGS: [Duration; 3] = [
    Duration::ZERO,
    Duration::from_millis(500),
    Duration::from_millis(1500),
];

/// How to search.
#[derive(Debug, Clone, Copy)]
pub struct Search {
    /// How long answers are waited for.
    pub wait: Duration,
    /// How long it may take in all. Who has answered and does not say by then which bridge it is, is left out.
    pub at_most: Duration,
    /// Whether the vendor's server in the internet is asked, too. It learns this network's address by that.
    pub cloud: bool,
}

impl Default for Search {
    /// Three seconds, on this network only; who answered is waited for as long as one answer may take.
    fn default() -> Self {
        Self {
            wait: Duration::from_secs(3),
            at_most: Duration::MAX,
            cloud: false,
        }
    }
}

/// A bridge that answered and said which it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Where. Without a scheme where the ports are the usual ones.
    pub address: Address,
    /// What it says of itself.
    pub identity: Identity,
}

/// Finds bridges, and tells of each as it answers. A bridge that answers on several ways is one.
///
/// # Errors
///
/// [`HueError::Local`] when no question can be sent from an interface; [`HueError::Cloud`] when the look-up in the internet was
/// asked for and came to nothing, after everything else was told.
pub async fn discover(
    lan: &Lan,
    search: &Search,
    mut found: impl FnMut(&Found) + Send,
) -> Result<Vec<Found>, HueError> {
    let mut tell = |bridge: &Found| {
        found(bridge);
        ControlFlow::Continue(())
    };
    let begin = Instant::now();
    let near = run(lan, Ports::default(), search, &mut tell);
    if !search.cloud {
        return near.await;
    }
    let (near, far) = tokio::join!(near, cloud::ask(lan));
    let mut looking = Looking::new(lan, near?);
    let far = far.map_err(HueError::Cloud)?;
    far.into_iter().for_each(|address| looking.look_at(address));
    let left = search.at_most.saturating_sub(begin.elapsed());
    looking.finish(left, tell).await;
    Ok(looking.found)
}

/// Finds one bridge by its id, and stops as soon as it answers.
///
/// # Errors
///
/// [`HueError::NoSuchBridge`] when none answers with this id, and as [`discover`].
pub async fn locate(lan: &Lan, id: &BridgeId) -> Result<Found, HueError> {
    let is_meant = |bridge: &Found| bridge.identity.id.as_ref() == Some(id);
    let tell = |bridge: &Found| match is_meant(bridge) {
        true => ControlFlow::Break(()),
        false => ControlFlow::Continue(()),
    };
    let all = run(lan, Ports::default(), &Search::default(), tell).await?;
    let found = all.into_iter().find(is_meant);
    found.ok_or_else(|| HueError::NoSuchBridge(id.clone()))
}

/// Where the questions go to.
#[derive(Debug, Clone, Copy)]
struct Ports {
    mdns: u16,
    ssdp: u16,
}

impl Default for Ports {
    fn default() -> Self {
        Self {
            mdns: mdns::PORT,
            ssdp: ssdp::PORT,
        }
    }
}

/// Asks on every interface, and looks at what answers, until the time is over or `tell` has enough.
async fn run(
    lan: &Lan,
    ports: Ports,
    search: &Search,
    mut tell: impl FnMut(&Found) -> ControlFlow<()>,
) -> Result<Vec<Found>, HueError> {
    let (candidates, mut heard) = mpsc::channel(MOST);
    // The askers end with this function.
    let mut askers = JoinSet::new();
    for (name, address) in &lan.interfaces {
        let sockets = Asker::all(*address, ports).map_err(|source| HueError::Local {
            what: format!("bridges cannot be searched from {name} ({address})"),
            source,
        })?;
        for asker in sockets {
            askers.spawn(asker.run(candidates.clone()));
        }
    }
    drop(candidates);
    let mut looking = Looking::new(lan, Vec::new());
    let begin = Instant::now();
    let until = begin + search.wait;
    loop {
        tokio::select! {
            () = sleep_until(until) => break,
            candidate = heard.recv() => match candidate {
                Some(address) => looking.look_at(address),
                // No socket is left.
                None => break,
            },
            Some(bridge) = looking.next() => {
                if tell(&bridge).is_break() {
                    return Ok(looking.found);
                }
            }
        }
    }
    drop(askers);
    let left = search.at_most.saturating_sub(begin.elapsed());
    looking.finish(left, tell).await;
    Ok(looking.found)
}

/// The candidates, and which of them are bridges.
struct Looking<'a> {
    lan: &'a Lan,
    known: HashSet<Address>,
    looks: JoinSet<Option<Found>>,
    found: Vec<Found>,
}

impl<'a> Looking<'a> {
    fn new(lan: &'a Lan, found: Vec<Found>) -> Self {
        Self {
            lan,
            known: found.iter().map(|bridge| bridge.address.clone()).collect(),
            looks: JoinSet::new(),
            found,
        }
    }

    /// Looks at an address, once.
    fn look_at(&mut self, address: Address) {
        if self.known.len() >= MOST || !self.known.insert(address.clone()) {
            return;
        }
        let lan = self.lan.clone();
        self.looks.spawn(async move {
            let (at, identity) = look(&lan, &address).await.ok()?;
            let address = if address.scheme.is_none() {
                address
            } else {
                at
            };
            Some(Found { address, identity })
        });
    }

    /// Returns the next bridge that was not found before; `None` when nothing is looked at now.
    async fn next(&mut self) -> Option<Found> {
        loop {
            let Ok(Some(found)) = self.looks.join_next().await? else {
                continue;
            };
            let is_known = |other: &Found| match (&other.identity.id, &found.identity.id) {
                (Some(one), Some(other)) => one == other,
                _ => other.address.host == found.address.host,
            };
            match self.found.iter_mut().find(|other| is_known(other)) {
                None => {
                    self.found.push(found.clone());
                    return Some(found);
                }
                // On two ways at once: the one with a certificate is kept.
                Some(other) if other.address.scheme == Some(Scheme::Http) => *other = found,
                Some(_) => {}
            }
        }
    }

    /// Waits for what is still looked at; each look has its bounds, and all together have `within`.
    async fn finish(&mut self, within: Duration, mut tell: impl FnMut(&Found) -> ControlFlow<()>) {
        let all = async {
            while let Some(bridge) = self.next().await {
                if tell(&bridge).is_break() {
                    return;
                }
            }
        };
        // What has not said who it is by then, is not waited for.
        let _ = timeout(within, all).await;
    }
}

/// A socket that asks one kind of question.
struct Asker {
    socket: UdpSocket,
    target: (Ipv4Addr, u16),
    questions: Vec<Vec<u8>>,
    read: fn(&[u8], Ipv4Addr) -> Vec<Address>,
}

impl Asker {
    /// Makes the sockets of one interface.
    fn all(interface: Ipv4Addr, ports: Ports) -> io::Result<Vec<Self>> {
        let mdns = |socket| Self {
            socket,
            target: (mdns::GROUP, ports.mdns),
            questions: vec![mdns::query()],
            read: mdns::parse,
        };
        let mut all = vec![
            mdns(socket::asking(interface, mdns::HOPS)?),
            Self {
                socket: socket::asking(interface, ssdp::HOPS)?,
                target: (ssdp::GROUP, ports.ssdp),
                questions: ssdp::searches(),
                read: ssdp::parse,
            },
        ];
        // Some firewalls let answers through on this port only. Where it is taken, the other socket has to do.
        all.extend(
            socket::listening(interface, (mdns::GROUP, ports.mdns), mdns::HOPS)
                .ok()
                .map(mdns),
        );
        Ok(all)
    }

    async fn run(self, candidates: mpsc::Sender<Address>) {
        tokio::join!(self.ask(), self.listen(candidates));
    }

    async fn ask(&self) {
        let begin = Instant::now();
        for after in SENDINGS {
            sleep_until(begin + after).await;
            for question in &self.questions {
                // Sent again anyway.
                let _ = self.socket.send_to(question, self.target).await;
            }
        }
    }

    async fn listen(&self, candidates: mpsc::Sender<Address>) {
        // The largest that a datagram can be.
        let mut buffer = vec![0; 1 << 16];
        loop {
            let Ok((length, from)) = self.socket.recv_from(&mut buffer).await else {
                // What the network said of a question that got nowhere.
                sleep(Duration::from_millis(50)).await;
                continue;
            };
            let std::net::IpAddr::V4(from) = from.ip() else {
                continue;
            };
            let arrived = buffer.get(..length).unwrap_or_default();
            for address in (self.read)(arrived, from) {
                if candidates.send(address).await.is_err() {
                    return;
                }
            }
        }
    }
}

/// Returns the address of a candidate; the usual ports of a bridge are left out, so that one with both is one candidate.
fn candidate(host: Ipv4Addr, scheme: Scheme, port: u16) -> Option<Address> {
    if port == 0 || host.is_unspecified() || host.is_multicast() || host.is_broadcast() {
        return None;
    }
    let is_usual = port == scheme.port();
    Some(Address {
        scheme: (!is_usual).then_some(scheme),
        host: host.to_string(),
        port: (!is_usual).then_some(port),
    })
}

#[cfg(test)]
mod tests;
