//! Drives a [`Discovery`] with real sockets.

use std::net::Ipv4Addr;
use std::time::Duration;

use futures_util::stream::unfold;
use futures_util::{FutureExt, Stream, StreamExt};
use hiflying::DiscoveryWord;
use tokio::time::{Instant, sleep_until};

use super::labels::LabelledSearch;
use super::listen::{LanArrival, LanListener};
use super::network::LanNetwork;
use super::{DiscoverEvent, Lan, Networks, indices_towards};
use crate::discovery::{Discovery, SearchLink, SearchPlan};

/// Maximum time for which arrivals come before a timer that is due.
const MAX_TIMER_DELAY: Duration = Duration::from_millis(50);

/// The extent of a search for plugs: its duration, and addresses in addition to the local networks.
#[derive(Debug, Clone, Default)]
pub struct DiscoverOptions {
    /// Maximum duration. `None`: [`SEARCH_TIMEOUT`](crate::discovery::SEARCH_TIMEOUT), or
    /// [`SILENT_SEARCH_TIMEOUT`](crate::discovery::SILENT_SEARCH_TIMEOUT) without any reply.
    pub wait: Option<Duration>,
    /// Additional addresses to probe, including broadcast addresses of other networks.
    pub to: Vec<Ipv4Addr>,
    /// Addresses where plugs have been before.
    pub known: Vec<Ipv4Addr>,
    /// Number of plugs to find: the search stops then, and not before.
    pub expect: Option<usize>,
    /// Discovery words in addition to the known ones.
    pub words: Vec<DiscoveryWord>,
    /// `true` to search without end.
    pub watch: bool,
}

impl Lan {
    /// Searches for plugs. The stream ends after [`DiscoverEvent::Done`]; it is idle while it is not polled.
    ///
    /// The name that a plug itself stores comes with a later [`DiscoverEvent::Updated`].
    pub fn discover(
        &self,
        options: DiscoverOptions,
    ) -> impl Stream<Item = DiscoverEvent> + Send + Unpin + use<> {
        let wait = options.wait;
        let begin = LanSearch::begin(self.clone(), options);
        let events = begin.map(|search| {
            unfold(search, |mut search| async move {
                let event = search.next().await?;
                Some((event, search))
            })
        });
        let search = LabelledSearch::new(self.clone(), events.flatten_stream().boxed(), wait);
        let labelled = unfold(search, |mut search| async move {
            let event = search.next().await?;
            Some((event, search))
        });
        Box::pin(labelled)
    }
}

fn link(network: &LanNetwork) -> SearchLink {
    let interface = &network.interface;
    SearchLink {
        address: interface.address,
        prefix: interface.prefix,
        broadcast: Some(interface.broadcast),
    }
}

/// A discovery in progress.
struct LanSearch {
    networks: Networks,
    listener: LanListener,
    discovery: Discovery,
}

impl LanSearch {
    async fn begin(lan: Lan, options: DiscoverOptions) -> Self {
        let words = lan.words();
        let (networks, families) = (lan.networks(), lan.families);
        let mut sources = Vec::new();
        for network in networks.iter() {
            sources.extend(network.sources_of(&families).await);
        }
        let addresses = options.to.iter().chain(&options.known);
        let plan = SearchPlan {
            links: networks.iter().map(|network| link(network)).collect(),
            direct: addresses
                .flat_map(|&address| {
                    let indices = indices_towards(&networks, address);
                    indices.into_iter().map(move |index| (index, address))
                })
                .collect(),
            words: options
                .words
                .into_iter()
                .chain(words.iter().cloned())
                .collect(),
            wait: options.wait,
            expect: options.expect,
            watch: options.watch,
        };
        let (now, wall) = (Instant::now().into_std(), crate::now());
        Self {
            listener: LanListener::on(sources),
            networks,
            discovery: Discovery::new(families, plan, now, wall),
        }
    }

    async fn next(&mut self) -> Option<DiscoverEvent> {
        loop {
            if let Some(event) = self.discovery.poll_event() {
                return Some(event);
            }
            self.send().await;
            let timer = self.discovery.poll_timeout()?;
            // Datagrams that come faster than they are read do not keep the search from ending.
            let now = Instant::now().into_std();
            if timer + MAX_TIMER_DELAY < now {
                self.discovery.handle_timeout(now);
                continue;
            }
            tokio::select! {
                // What has arrived counts, also when the timer is due at the same time.
                biased;
                arrival = self.listener.next() => {
                    let now = Instant::now().into_std();
                    match arrival {
                        LanArrival::Datagram(local_port, datagram) => self
                            .discovery
                            .handle_datagram(now, local_port, datagram.from, &datagram.bytes),
                        LanArrival::Report(plug) => self.discovery.handle_report(now, plug),
                    }
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
