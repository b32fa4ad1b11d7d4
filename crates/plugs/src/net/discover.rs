//! Drives a [`Discovery`] with real sockets.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use futures_util::Stream;
use futures_util::stream::unfold;
use hiflying::DiscoveryWord;
use jiff::Timestamp;
use tokio::time::{Instant, sleep_until};

use super::listen::Listener;
use super::{DiscoverEvent, Lan, Network};
use crate::discovery::{Discovery, Link, Options};

/// For how long to look for plugs, and where beside the local networks.
#[derive(Debug, Clone, Default)]
pub struct DiscoverOptions {
    /// The longest time. `None`: [`WAIT`](crate::discovery::WAIT), or
    /// [`SILENT_WAIT`](crate::discovery::SILENT_WAIT) when nobody answers.
    pub wait: Option<Duration>,
    /// Addresses to ask as well, also broadcast addresses of other networks.
    pub to: Vec<Ipv4Addr>,
    /// Addresses where plugs have been before.
    pub known: Vec<Ipv4Addr>,
    /// Stop when so many have been found, and not before.
    pub expect: Option<usize>,
    /// Discovery words beside the known ones.
    pub words: Vec<DiscoveryWord>,
    /// Never stop.
    pub watch: bool,
}

impl Lan {
    /// Looks for plugs. The stream ends after [`DiscoverEvent::Done`]; it is idle while nobody polls it.
    pub fn discover(
        &self,
        options: DiscoverOptions,
    ) -> impl Stream<Item = DiscoverEvent> + Send + Unpin + use<> {
        let links = self.networks.iter().map(link).collect();
        let addresses = options.to.iter().chain(&options.known);
        let direct = addresses
            .filter_map(|&address| Some((self.network_towards(address)?, address)))
            .collect();
        let options = Options {
            links,
            direct,
            words: options.words,
            wait: options.wait,
            expect: options.expect,
            watch: options.watch,
        };
        let search = Search {
            listener: Listener::on(self.networks.iter()),
            networks: Arc::clone(&self.networks),
            discovery: Discovery::new(options, Instant::now().into_std(), Timestamp::now()),
        };
        Box::pin(unfold(search, |mut search| async move {
            let event = search.next().await?;
            Some((event, search))
        }))
    }
}

fn link(network: &Network) -> Link {
    let interface = &network.interface;
    Link {
        address: interface.address,
        prefix: interface.prefix,
        broadcast: Some(interface.broadcast),
    }
}

/// A discovery under way.
struct Search {
    networks: Arc<[Network]>,
    listener: Listener,
    discovery: Discovery,
}

impl Search {
    async fn next(&mut self) -> Option<DiscoverEvent> {
        loop {
            if let Some(event) = self.discovery.poll_event() {
                return Some(event);
            }
            self.send().await;
            let timer = self.discovery.poll_timeout()?;
            tokio::select! {
                // What has arrived counts, also when the timer is due at the same time.
                biased;
                (local_port, datagram) = self.listener.next() => {
                    let now = Instant::now().into_std();
                    self.discovery.handle_datagram(now, local_port, datagram.from, &datagram.bytes);
                }
                () = sleep_until(timer.into()) => {
                    self.discovery.handle_timeout(Instant::now().into_std());
                }
            }
        }
    }

    async fn send(&mut self) {
        while let Some(transmit) = self.discovery.poll_transmit() {
            let network = self.networks.get(transmit.link);
            let Some(socket) = network.and_then(|network| network.socket(transmit.local_port))
            else {
                continue;
            };
            // As good as lost on the way; and one address without a route must not end the search.
            if let Err(error) = socket.port.send_to(&transmit.bytes, transmit.to).await {
                tracing::debug!(to = %transmit.to, %error, "cannot send a probe");
            }
        }
    }
}
