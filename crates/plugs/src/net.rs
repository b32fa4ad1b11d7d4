//! The sockets: finding, switching and metering plugs on real networks.
//!
//! A [`Lan`] has one UDP socket for each interface and local port of a family (48899 for a Reco plug), shared by all concurrent
//! operations. A [`PlugHandle`] commands one plug through its [`PlugTask`], which owns the plug's only TCP connection. Decisions
//! are in the sans-IO half ([`crate::discovery`], [`crate::exchange`]); here are sockets and time.

mod connection;
mod discover;
mod driver;
mod error;
mod handle;
mod inbound;
mod labels;
mod listen;
mod network;
mod permit;
mod presence;
mod reports;
mod switching;
mod task;

use std::net::Ipv4Addr;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use futures_util::future::join_all;
use hiflying::DiscoveryWord;
use hiflying::net::{BindError, Interface, UdpPort};
use tokio::net::TcpStream;
use tokio::time::Instant;

use crate::families;
use crate::family::Families;
use network::{LanNetwork, choose, distinct};

pub use crate::discovery::{DiscoverEvent, DiscoverySummary};
pub use discover::DiscoverOptions;
pub use error::ContactError;
pub use handle::{PlugHandle, PlugObserver, PlugTarget, SwitchObserver};
pub use permit::CommandPermit;
pub use reports::PresenceReports;
pub use task::PlugTask;

/// The local networks, and the sockets on them. Clones share them.
///
/// ```no_run
/// use std::time::Duration;
/// use futures_util::StreamExt;
/// use plugs::RelayCommand;
/// use plugs::net::{DiscoverEvent, DiscoverOptions, Lan};
///
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let lan = Lan::open(&hiflying::net::select(&[])?).await?;
/// let mut events = lan.discover(DiscoverOptions::default());
/// while let Some(event) = events.next().await {
///     if let DiscoverEvent::Found(plug) = event {
///         let switched = lan.plug(plug).switch(RelayCommand::Off, Duration::from_secs(5)).await?;
///         println!("{:?}, confirmed: {}", switched.relay, switched.confirmed);
///     }
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct Lan {
    families: Families,
    networks: Arc<RwLock<Networks>>,
    /// Discovery words of modules whose word was changed.
    words: Arc<RwLock<Arc<[DiscoveryWord]>>>,
    /// Asked before each command; without one everything is permitted.
    permit: Option<Arc<dyn CommandPermit>>,
}

type Networks = Arc<[Arc<LanNetwork>]>;

impl Lan {
    /// Opens the sockets on each of these interfaces.
    ///
    /// Where a port is taken, the interface still serves for plugs that reply to the source port; [`Lan::taken`] lists these ports.
    ///
    /// # Errors
    ///
    /// [`BindError`] when there is no interface left on which a socket can be opened.
    pub async fn open(interfaces: &[Interface]) -> Result<Self, BindError> {
        Self::with_families(families::all(), interfaces).await
    }

    /// Opens the sockets on each of these interfaces, to search for members of these families.
    pub async fn with_families(
        families: Families,
        interfaces: &[Interface],
    ) -> Result<Self, BindError> {
        let opened = join_all(distinct(interfaces).into_iter().map(LanNetwork::open)).await;
        let mut networks: Vec<Arc<LanNetwork>> = Vec::new();
        let mut first_error = None;
        for network in opened {
            match network {
                Ok(network) => networks.push(Arc::new(network)),
                Err(error) => {
                    tracing::warn!(%error, "an interface cannot be used");
                    first_error.get_or_insert(error);
                }
            }
        }
        match first_error {
            Some(error) if networks.is_empty() => Err(error),
            _ => Ok(Self {
                families,
                networks: Arc::new(RwLock::new(networks.into())),
                words: Arc::default(),
                permit: None,
            }),
        }
    }

    /// Changes to these interfaces, if they differ from the present ones or a port was taken until now. Returns whether anything
    /// has changed.
    ///
    /// Open sockets stay open. An interface on which no socket can be opened is left out.
    pub async fn renew(&self, interfaces: &[Interface]) -> bool {
        let wanted = distinct(interfaces);
        let before = self.networks();
        let used = before.iter().map(|network| &network.interface);
        let taken = self.taken().len();
        if taken == 0 && wanted.iter().copied().eq(used.clone()) {
            return false;
        }
        let opening = wanted
            .into_iter()
            .map(|interface| renewed(&before, interface));
        let networks: Networks = join_all(opening).await.into_iter().flatten().collect();
        let is_same = taken_of(&networks).len() == taken
            && networks.iter().map(|network| &network.interface).eq(used);
        if !is_same {
            *self
                .networks
                .write()
                .unwrap_or_else(PoisonError::into_inner) = networks;
        }
        !is_same
    }

    /// Opens the sockets on that one of these interfaces that leads to `target`; without any, on the one that the system would
    /// choose.
    ///
    /// # Errors
    ///
    /// [`BindError`] when there is no such interface, or when no socket can be opened on it.
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

    /// Lets plugs be commanded only while a permit is valid.
    #[must_use]
    pub fn permitted_by(mut self, permit: Arc<dyn CommandPermit>) -> Self {
        self.permit = Some(permit);
        self
    }

    /// Returns `true` if plugs may be commanded at this moment.
    pub fn may_command(&self) -> bool {
        self.permit.as_ref().is_none_or(|permit| permit.is_valid())
    }

    /// Returns the time after which a command that was sent must not arrive any longer.
    fn max_delivery(&self) -> Option<Duration> {
        self.permit.as_ref()?.max_delivery()
    }

    /// Returns the families whose members are searched for.
    pub fn families(&self) -> &Families {
        &self.families
    }

    /// Sets the discovery words that are sent in addition to the well-known ones, to modules whose word was changed.
    pub fn set_words(&self, words: Vec<DiscoveryWord>) {
        *self.words.write().unwrap_or_else(PoisonError::into_inner) = words.into();
    }

    /// Returns the words of [`Lan::set_words`].
    pub fn words(&self) -> Arc<[DiscoveryWord]> {
        Arc::clone(&self.words.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Opens a TCP connection to a device, from the interface that leads there.
    pub async fn connect(&self, address: Ipv4Addr, port: u16) -> std::io::Result<TcpStream> {
        driver::connect(self, address, port).await
    }

    /// Returns the reasons why plugs that reply only to port 48899 are not heard on some interface.
    pub fn taken(&self) -> Vec<Arc<BindError>> {
        taken_of(&self.networks())
    }

    /// Returns the socket on UDP port 48899 that leads to `address`, for AT commands to a module while this lives: there can be
    /// only one such socket for each of our addresses.
    pub fn port_towards(&self, address: Ipv4Addr) -> Option<UdpPort> {
        Some(self.network(address)?.socket(hiflying::PORT)?.port)
    }

    fn networks(&self) -> Networks {
        let networks = self.networks.read().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(&networks)
    }

    /// Returns the network that leads to `address`.
    fn network(&self, address: Ipv4Addr) -> Option<Arc<LanNetwork>> {
        self.networks_towards(address).into_iter().next()
    }

    /// Returns the network on which `address` was heard last, or else all that may lead there.
    fn networks_towards(&self, address: Ipv4Addr) -> Vec<Arc<LanNetwork>> {
        let networks = self.networks();
        let near: Vec<_> = indices_towards(&networks, address)
            .into_iter()
            .filter_map(|index| networks.get(index).cloned())
            .collect();
        let heard = |network: &&Arc<LanNetwork>| network.heard.last(address);
        match near
            .iter()
            .max_by_key(heard)
            .filter(|it| heard(it).is_some())
        {
            Some(network) => vec![Arc::clone(network)],
            None => near,
        }
    }

    /// Returns the interface that leads to `address`.
    pub fn interface_towards(&self, address: Ipv4Addr) -> Option<Interface> {
        Some(self.network(address)?.interface.clone())
    }

    /// Returns the device by which a connection to `address` leaves, if it is on a network of ours. The system would choose
    /// between two with the same network.
    fn device_towards(&self, address: Ipv4Addr) -> Option<String> {
        let network = self.network(address)?;
        let interface = &network.interface;
        let is_near = interface.contains(address) && !interface.loopback;
        is_near.then(|| interface.device().to_owned())
    }
}

/// Returns the network of an interface, with the sockets that are already open there.
async fn renewed(before: &Networks, interface: &Interface) -> Option<Arc<LanNetwork>> {
    let mut networks = before.iter();
    let open = networks.find(|network| network.interface.address == interface.address);
    if let Some(open) = open.filter(|open| open.sockets().iter().all(|one| one.taken.is_none())) {
        return Some(Arc::new(open.on(interface)));
    }
    let opened = LanNetwork::open(interface).await;
    opened
        .inspect_err(|error| tracing::debug!(%error, "an interface cannot be used"))
        .ok()
        .map(Arc::new)
}

fn taken_of(networks: &Networks) -> Vec<Arc<BindError>> {
    networks
        .iter()
        .filter_map(|network| network.socket(hiflying::PORT)?.taken)
        .collect()
}

/// Returns the indices of all networks with `address`; without any, that of the one which leads there.
fn indices_towards(networks: &Networks, address: Ipv4Addr) -> Vec<usize> {
    let interfaces = networks.iter().map(|network| &network.interface);
    let chosen = choose(interfaces, address).map(|chosen| chosen.address);
    let is_near = |network: &LanNetwork| {
        network.interface.contains(address) || Some(network.interface.address) == chosen
    };
    let numbered = networks.iter().enumerate();
    numbered
        .filter_map(|(index, network)| is_near(network).then_some(index))
        .collect()
}

/// Returns the end of a budget; a year from now if the budget overflows the clock.
fn end_of(budget: Duration) -> Instant {
    const YEAR: Duration = Duration::from_secs(365 * 24 * 3600);
    let now = Instant::now();
    now.checked_add(budget).unwrap_or(now + YEAR)
}
