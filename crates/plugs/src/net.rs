//! The sockets: finding, switching and metering plugs on real networks.
//!
//! A [`Lan`] has one UDP socket for each interface and local port of a family (48899 for a Reco plug), shared by all that
//! goes on at the same time. TCP connections live as long as one exchange, or as long as a [`Link`] keeps one. All decisions are in the sans-IO half
//! ([`crate::discovery`], [`crate::exchange`]); here are only sockets and time.

mod contact;
mod conversation;
mod discover;
mod error;
mod link;
mod listen;
mod presence;
mod sighting;
mod switch;

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use hiflying::net::{BindError, Interface, UdpPort, source_for};
use tokio::time::Instant;

use crate::Plug;
use crate::family::FAMILIES;

pub use crate::discovery::{Event as DiscoverEvent, Summary};
pub use discover::DiscoverOptions;
pub use error::ContactError;
pub use link::Link;
pub use sighting::Sightings;
pub use switch::Switched;

/// The local networks, and the sockets on them. Clones share them.
///
/// ```no_run
/// use std::time::Duration;
/// use futures_util::StreamExt;
/// use plugs::RelayState;
/// use plugs::net::{DiscoverEvent, DiscoverOptions, Lan};
///
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let lan = Lan::open(&hiflying::net::select(&[])?).await?;
/// let mut events = lan.discover(DiscoverOptions::default());
/// while let Some(event) = events.next().await {
///     if let DiscoverEvent::Found(plug) = event {
///         let switched = lan.switch(&plug, RelayState::Off, Duration::from_secs(5)).await?;
///         println!("{}: {:?}, confirmed: {}", plug.mac, switched.relay, switched.confirmed);
///     }
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct Lan {
    networks: Arc<[Network]>,
    taken: Arc<[Arc<BindError>]>,
}

/// One interface and our sockets on it.
#[derive(Debug, Clone)]
struct Network {
    interface: Interface,
    sockets: Vec<Socket>,
}

/// The socket for one local port of a family.
#[derive(Debug, Clone)]
struct Socket {
    local_port: u16,
    port: UdpPort,
    /// Why it is not on that port, so that only devices that answer the source port are heard.
    taken: Option<Arc<BindError>>,
}

impl Lan {
    /// Opens the sockets on each of these interfaces.
    ///
    /// Where a port is taken, the interface still serves for plugs that answer the source port; [`Lan::taken`] tells.
    ///
    /// # Errors
    ///
    /// [`BindError`] when there is no interface left on which a socket can be opened.
    pub async fn open(interfaces: &[Interface]) -> Result<Self, BindError> {
        let opened = join_all(distinct(interfaces).into_iter().map(Network::open)).await;
        let mut networks: Vec<Network> = Vec::new();
        let mut first_error = None;
        for network in opened {
            match network {
                Ok(network) => networks.push(network),
                Err(error) => {
                    tracing::warn!(%error, "an interface cannot be used");
                    first_error.get_or_insert(error);
                }
            }
        }
        match first_error {
            Some(error) if networks.is_empty() => Err(error),
            _ => Ok(Self::on(networks)),
        }
    }

    /// Returns the sockets on these interfaces, when they are others than now or a port could not be had until now. `None`
    /// when nothing would be different.
    ///
    /// What is open stays open. An interface on which no socket can be opened is left out.
    pub async fn renewed(&self, interfaces: &[Interface]) -> Option<Self> {
        let wanted = distinct(interfaces);
        if self.taken.is_empty() && wanted.iter().copied().eq(self.interfaces()) {
            return None;
        }
        let opening = wanted.into_iter().map(|interface| self.renew(interface));
        let networks = join_all(opening).await.into_iter().flatten().collect();
        let renewed = Self::on(networks);
        let is_same =
            renewed.taken.len() == self.taken.len() && renewed.interfaces().eq(self.interfaces());
        (!is_same).then_some(renewed)
    }

    async fn renew(&self, interface: &Interface) -> Option<Network> {
        let mut networks = self.networks.iter();
        let open = networks.find(|network| network.interface.address == interface.address);
        if let Some(open) = open.filter(|open| open.is_whole()) {
            return Some(Network {
                interface: interface.clone(),
                sockets: open.sockets.clone(),
            });
        }
        let opened = Network::open(interface).await;
        opened
            .inspect_err(|error| tracing::debug!(%error, "an interface cannot be used"))
            .ok()
    }

    fn interfaces(&self) -> impl Iterator<Item = &Interface> {
        self.networks.iter().map(|network| &network.interface)
    }

    fn on(networks: Vec<Network>) -> Self {
        let sockets = networks.iter().flat_map(|network| &network.sockets);
        Self {
            taken: sockets.filter_map(|socket| socket.taken.clone()).collect(),
            networks: networks.into(),
        }
    }

    /// Opens the sockets on that one of these interfaces that leads to `target`; without any, the one that the system
    /// would take.
    ///
    /// # Errors
    ///
    /// [`BindError`] when there is none, or when no socket can be opened on it.
    pub async fn towards(target: Ipv4Addr, interfaces: &[Interface]) -> Result<Self, BindError> {
        let error = |source| BindError::Io {
            address: target,
            port: hiflying::PORT,
            source,
        };
        let interface = match choose(interfaces.iter(), target) {
            Some(interface) => interface.clone(),
            None => {
                let all = hiflying::net::interfaces().map_err(error)?;
                let no_route = || error(std::io::ErrorKind::NetworkUnreachable.into());
                choose(all.iter(), target).cloned().ok_or_else(no_route)?
            }
        };
        Self::open(&[interface]).await
    }

    /// Returns the ports that could not be had. Plugs that answer only there are not heard.
    pub fn taken(&self) -> &[Arc<BindError>] {
        &self.taken
    }

    /// Returns the socket on UDP port 48899 that leads to `address`, to talk AT with a module while this lives: there
    /// can be only one such socket for each of our addresses.
    pub fn port_towards(&self, address: Ipv4Addr) -> Option<&UdpPort> {
        Some(&self.network(address)?.socket(hiflying::PORT)?.port)
    }

    /// Returns the network that leads to `address`.
    fn network(&self, address: Ipv4Addr) -> Option<&Network> {
        self.networks.get(self.network_towards(address)?)
    }

    /// Returns the index of the network that leads to `address`.
    fn network_towards(&self, address: Ipv4Addr) -> Option<usize> {
        let interfaces = self.networks.iter().map(|network| &network.interface);
        let chosen = choose(interfaces, address)?.address;
        self.networks
            .iter()
            .position(|network| network.interface.address == chosen)
    }
}

impl Network {
    /// Tells whether it has every port that it should have.
    fn is_whole(&self) -> bool {
        self.sockets.iter().all(|socket| socket.taken.is_none())
    }

    async fn open(interface: &Interface) -> Result<Self, BindError> {
        let mut sockets: Vec<Socket> = Vec::new();
        for family in FAMILIES {
            let local_port = family.local_port();
            if sockets.iter().any(|socket| socket.local_port == local_port) {
                continue;
            }
            let (port, taken) =
                UdpPort::bind_number_or_ephemeral(interface.address, local_port).await?;
            sockets.push(Socket {
                local_port,
                port,
                taken: taken.map(Arc::new),
            });
        }
        Ok(Self {
            interface: interface.clone(),
            sockets,
        })
    }

    fn socket(&self, local_port: u16) -> Option<&Socket> {
        self.sockets
            .iter()
            .find(|socket| socket.local_port == local_port)
    }
}

/// Each address once.
fn distinct(interfaces: &[Interface]) -> Vec<&Interface> {
    let mut distinct: Vec<&Interface> = Vec::new();
    for interface in interfaces {
        if distinct
            .iter()
            .all(|other| other.address != interface.address)
        {
            distinct.push(interface);
        }
    }
    distinct
}

/// The end of a budget; of one that is longer than time itself, a year from now.
fn end_of(budget: Duration) -> Instant {
    const YEAR: Duration = Duration::from_secs(365 * 24 * 3600);
    let now = Instant::now();
    now.checked_add(budget).unwrap_or(now + YEAR)
}

/// The interface whose own network `target` is on; else the one that the system would take; else the first.
fn choose<'a>(
    interfaces: impl Iterator<Item = &'a Interface> + Clone,
    target: Ipv4Addr,
) -> Option<&'a Interface> {
    let mut near = interfaces
        .clone()
        .filter(|interface| interface.contains(target));
    let by_route = || {
        let source = source_for(target).ok()?;
        interfaces
            .clone()
            .find(|interface| interface.address == source)
    };
    near.next()
        .or_else(by_route)
        .or_else(|| interfaces.clone().next())
}

/// Who is meant: a plug that has been found, or whatever is at an address.
#[derive(Debug, Clone)]
pub enum Target {
    /// Whoever answers there.
    Address(Ipv4Addr),
    /// This plug, at the address where it was found.
    Plug(Box<Plug>),
}

impl Target {
    /// Returns the address.
    pub fn address(&self) -> Ipv4Addr {
        match self {
            Self::Address(address) => *address,
            Self::Plug(plug) => plug.address,
        }
    }
}

impl From<Ipv4Addr> for Target {
    fn from(address: Ipv4Addr) -> Self {
        Self::Address(address)
    }
}

impl From<Plug> for Target {
    fn from(plug: Plug) -> Self {
        Self::Plug(Box::new(plug))
    }
}

impl From<&Plug> for Target {
    fn from(plug: &Plug) -> Self {
        plug.clone().into()
    }
}
