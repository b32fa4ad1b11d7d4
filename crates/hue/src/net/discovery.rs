//! Discovery of bridges: by mDNS, by SSDP and, only on request, by the vendor's lookup service on the internet.
//!
//! Whatever replies there is only a candidate. Each is asked for its identity, and dropped if it reports none. No certificate is
//! verified here, and nothing secret is sent.

use std::collections::HashSet;
use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::ops::ControlFlow;
use std::time::Duration;

use tokio::net::UdpSocket;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until, timeout};

use super::config::{LocalInterface, NetworkConfig};
use super::connect::identify_unverified;
use crate::address::{Address, Scheme};
use crate::error::{CloudError, HueError};
use crate::identity::{BridgeId, BridgeIdentity};

mod candidate;
mod cloud;
mod mdns;
mod socket;
mod ssdp;

/// Parses a reply by mDNS, by SSDP, and of the vendor's look-up.
#[cfg(fuzzing)]
pub fn parse_replies(datagram: &[u8], from: Ipv4Addr) -> Vec<Address> {
    let mut addresses = mdns::parse(datagram, from);
    addresses.append(&mut ssdp::parse(datagram, from));
    if let Ok(mut found) = cloud::parse(200, datagram) {
        addresses.append(&mut found);
    }
    addresses
}

/// Maximum number of candidates; limits what forged replies can cause.
const MAX_CANDIDATES: usize = 64;
/// Default time to wait for replies.
const REPLY_TIMEOUT: Duration = Duration::from_secs(3);
/// Times of the queries after the start; datagrams get lost.
const QUERY_TIMES: [Duration; 3] = [
    Duration::ZERO,
    Duration::from_millis(500),
    Duration::from_millis(1500),
];
/// Delay after a socket error, which can repeat at once.
const SOCKET_ERROR_DELAY: Duration = Duration::from_millis(50);
/// Maximum size of a datagram.
const MAX_DATAGRAM: usize = 1 << 16;

/// Options of [`discover`].
#[derive(Debug, Clone, Copy)]
pub struct DiscoveryOptions {
    /// Time to wait for replies.
    pub wait: Duration,
    /// Maximum time in all. A candidate that has not reported its identity by then is dropped.
    pub timeout: Duration,
    /// Asks the vendor's lookup service as well, which learns this network's address by that.
    pub cloud: bool,
}

impl Default for DiscoveryOptions {
    /// Three seconds, on this network only; candidates have as long as one request may take.
    fn default() -> Self {
        Self {
            wait: REPLY_TIMEOUT,
            timeout: Duration::MAX,
            cloud: false,
        }
    }
}

/// A bridge that has reported its identity.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundBridge {
    /// The address, without a scheme if the ports are the default ones.
    pub address: Address,
    /// The public identity.
    pub identity: BridgeIdentity,
}

/// Finds bridges, and calls `found` for each as it replies. A bridge that replies at several addresses is reported once.
///
/// # Errors
///
/// [`HueError::Local`] if no query can be sent from any interface; [`HueError::Cloud`] if the lookup service failed and there is no
/// interface. With one, its failure is returned beside the bridges.
pub async fn discover(
    network: &NetworkConfig,
    options: &DiscoveryOptions,
    mut found: impl FnMut(&FoundBridge) + Send,
) -> Result<(Vec<FoundBridge>, Option<CloudError>), HueError> {
    let mut report = |bridge: &FoundBridge| {
        found(bridge);
        ControlFlow::Continue(())
    };
    let begin = Instant::now();
    let local = search_local(network, DiscoveryPorts::default(), options, &mut report);
    if !options.cloud {
        return Ok((local.await?, None));
    }
    let (local, cloud) = tokio::join!(local, cloud::request(network));
    let mut candidates = BridgeCandidates::new(network, local?);
    match cloud {
        Ok(addresses) => {
            for address in addresses {
                candidates.identify(address);
            }
        }
        Err(error) if network.interfaces.is_empty() => return Err(HueError::Cloud(error)),
        Err(error) => return Ok((candidates.found, Some(error))),
    }
    let left = options.timeout.saturating_sub(begin.elapsed());
    candidates.finish(left, report).await;
    Ok((candidates.found, None))
}

/// Finds one bridge by its id, and stops as soon as it replies.
///
/// # Errors
///
/// [`HueError::NoSuchBridge`] if no bridge with this id replies, and as [`discover`].
pub async fn locate(network: &NetworkConfig, id: &BridgeId) -> Result<FoundBridge, HueError> {
    let is_wanted = |bridge: &FoundBridge| bridge.identity.id.as_ref() == Some(id);
    let report = |bridge: &FoundBridge| match is_wanted(bridge) {
        true => ControlFlow::Break(()),
        false => ControlFlow::Continue(()),
    };
    let (ports, options) = (DiscoveryPorts::default(), DiscoveryOptions::default());
    let all = search_local(network, ports, &options, report).await?;
    let found = all.into_iter().find(is_wanted);
    found.ok_or_else(|| HueError::NoSuchBridge(id.clone()))
}

/// The ports that the queries are sent to.
#[derive(Debug, Clone, Copy)]
struct DiscoveryPorts {
    mdns: u16,
    ssdp: u16,
}

impl Default for DiscoveryPorts {
    fn default() -> Self {
        Self {
            mdns: mdns::PORT,
            ssdp: ssdp::PORT,
        }
    }
}

/// Sends queries from every interface and identifies what replies, until the time is up or `report` stops it.
async fn search_local(
    network: &NetworkConfig,
    ports: DiscoveryPorts,
    options: &DiscoveryOptions,
    mut report: impl FnMut(&FoundBridge) -> ControlFlow<()>,
) -> Result<Vec<FoundBridge>, HueError> {
    let (sender, mut addresses) = mpsc::channel(MAX_CANDIDATES);
    // Aborted when this function ends.
    let mut queries = JoinSet::new();
    let mut first_error = None;
    for interface in &network.interfaces {
        match DiscoverySocket::open_all(interface, ports) {
            Ok(sockets) => {
                for socket in sockets {
                    queries.spawn(socket.run(sender.clone()));
                }
            }
            Err(source) => {
                let LocalInterface {
                    device, address, ..
                } = interface;
                let what = format!("cannot search for bridges from {device} ({address})");
                tracing::warn!(error = %source, "{what}");
                first_error.get_or_insert(HueError::Local { what, source });
            }
        }
    }
    if let Some(error) = first_error.filter(|_| queries.is_empty()) {
        return Err(error);
    }
    drop(sender);
    let mut candidates = BridgeCandidates::new(network, Vec::new());
    let begin = Instant::now();
    let until = begin + options.wait;
    loop {
        tokio::select! {
            () = sleep_until(until) => break,
            address = addresses.recv() => match address {
                Some(address) => candidates.identify(address),
                // There is no interface.
                None => break,
            },
            Some(bridge) = candidates.next() => {
                if report(&bridge).is_break() {
                    return Ok(candidates.found);
                }
            }
        }
    }
    drop(queries);
    let left = options.timeout.saturating_sub(begin.elapsed());
    candidates.finish(left, report).await;
    Ok(candidates.found)
}

/// The candidates, and the bridges among them.
struct BridgeCandidates<'a> {
    network: &'a NetworkConfig,
    known: HashSet<Address>,
    identifications: JoinSet<Option<FoundBridge>>,
    found: Vec<FoundBridge>,
}

impl<'a> BridgeCandidates<'a> {
    fn new(network: &'a NetworkConfig, found: Vec<FoundBridge>) -> Self {
        Self {
            network,
            known: found.iter().map(|bridge| bridge.address.clone()).collect(),
            identifications: JoinSet::new(),
            found,
        }
    }

    /// Starts to identify the bridge at an address, once for each address.
    fn identify(&mut self, address: Address) {
        if self.known.len() >= MAX_CANDIDATES || !self.known.insert(address.clone()) {
            return;
        }
        let network = self.network.clone();
        self.identifications.spawn(async move {
            let identified = identify_unverified(&network, &address).await;
            let (with_scheme, identity) = identified.ok()?;
            let address = match address.scheme {
                None => address,
                Some(_) => with_scheme,
            };
            Some(FoundBridge { address, identity })
        });
    }

    /// Returns the next new bridge, or `None` when no identification is running.
    async fn next(&mut self) -> Option<FoundBridge> {
        loop {
            let Ok(Some(new)) = self.identifications.join_next().await? else {
                continue;
            };
            let is_same = |other: &FoundBridge| match (&other.identity.id, &new.identity.id) {
                (Some(one), Some(other)) => one == other,
                _ => other.address.host == new.address.host,
            };
            match self.found.iter_mut().find(|other| is_same(other)) {
                None => {
                    self.found.push(new.clone());
                    return Some(new);
                }
                // Found at two addresses: the one with a certificate is kept.
                Some(other) if other.address.scheme == Some(Scheme::Http) => *other = new,
                Some(_) => {}
            }
        }
    }

    /// Waits for the running identifications. Each has its timeouts, and all together have `within`.
    async fn finish(
        &mut self,
        within: Duration,
        mut report: impl FnMut(&FoundBridge) -> ControlFlow<()>,
    ) {
        let all = async {
            while let Some(bridge) = self.next().await {
                if report(&bridge).is_break() {
                    return;
                }
            }
        };
        // What is not identified by then is dropped.
        let _ = timeout(within, all).await;
    }
}

/// A socket with the queries of one protocol.
struct DiscoverySocket {
    socket: UdpSocket,
    target: (Ipv4Addr, u16),
    queries: Vec<Vec<u8>>,
    parse: fn(&[u8], Ipv4Addr) -> Vec<Address>,
}

impl DiscoverySocket {
    /// Opens the sockets of one interface.
    fn open_all(interface: &LocalInterface, ports: DiscoveryPorts) -> io::Result<Vec<Self>> {
        let mdns = |socket| Self {
            socket,
            target: (mdns::GROUP, ports.mdns),
            queries: vec![mdns::query()],
            parse: mdns::parse,
        };
        let ssdp = |socket| Self {
            socket,
            target: (ssdp::GROUP, ports.ssdp),
            queries: ssdp::queries(),
            parse: ssdp::parse,
        };
        let mut all = vec![
            mdns(socket::unicast(interface, mdns::HOPS)?),
            ssdp(socket::unicast(interface, ssdp::HOPS)?),
        ];
        // Some firewalls let replies through on this port only. If it is taken, the other socket has to do.
        let shared = socket::multicast(interface, (mdns::GROUP, ports.mdns), mdns::HOPS);
        all.extend(shared.ok().map(mdns));
        Ok(all)
    }

    async fn run(self, candidates: mpsc::Sender<Address>) {
        tokio::join!(self.send_queries(), self.receive(candidates));
    }

    async fn send_queries(&self) {
        let begin = Instant::now();
        for after in QUERY_TIMES {
            sleep_until(begin + after).await;
            for query in &self.queries {
                // A query that fails is sent again.
                let _ = self.socket.send_to(query, self.target).await;
            }
        }
    }

    async fn receive(&self, candidates: mpsc::Sender<Address>) {
        let mut datagram = Vec::with_capacity(MAX_DATAGRAM);
        loop {
            datagram.clear();
            let from = match self.socket.recv_buf_from(&mut datagram).await {
                Ok((_, from)) => from,
                // For example an ICMP error in reply to a query.
                Err(_) => {
                    sleep(SOCKET_ERROR_DELAY).await;
                    continue;
                }
            };
            let IpAddr::V4(from) = from.ip() else {
                continue;
            };
            for address in (self.parse)(&datagram, from) {
                if candidates.send(address).await.is_err() {
                    return;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
