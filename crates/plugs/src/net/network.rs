//! One local network: its interface and our sockets on it.

use std::collections::HashMap;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use hiflying::PORT;
use hiflying::net::{BindError, Interface, UdpPort, source_for};
use tokio::time::Instant;

use super::inbound::InboundPort;
use crate::family::{Families, Family, Probe, inbound_port};

/// Maximum number of addresses remembered for a network; a device can make up any number.
const MAX_HEARD: usize = 4096;

/// One interface and our sockets on it.
#[derive(Debug)]
pub(super) struct LanNetwork {
    pub(super) interface: Interface,
    /// The socket on port 48899, which the modules of most plugs reply to; then those of other families, opened when a
    /// member is searched for or known.
    sockets: Mutex<Vec<LanSocket>>,
    /// The TCP ports to which plugs connect, opened when a member is searched for or known.
    inbound: Mutex<Vec<InboundPort>>,
    pub(super) heard: HeardAddresses,
    /// Held while a port is opened, so that it is opened once.
    opening: tokio::sync::Mutex<()>,
}

/// The socket for one local port of a family.
#[derive(Debug, Clone)]
pub(super) struct LanSocket {
    pub(super) local_port: u16,
    pub(super) port: UdpPort,
    pub(super) heard: HeardAddresses,
    /// The reason why it is not on that port, so that only devices that reply to the source port are heard.
    pub(super) taken: Option<Arc<BindError>>,
}

/// The addresses from which datagrams came, each with the time of the last one. They tell two networks with the same prefix apart.
#[derive(Debug, Clone, Default)]
pub(super) struct HeardAddresses(Arc<Mutex<HashMap<Ipv4Addr, Instant>>>);

impl HeardAddresses {
    pub(super) fn note(&self, address: Ipv4Addr) {
        let mut heard = locked(&self.0);
        if heard.len() >= MAX_HEARD {
            heard.clear();
        }
        heard.insert(address, Instant::now());
    }

    pub(super) fn last(&self, address: Ipv4Addr) -> Option<Instant> {
        locked(&self.0).get(&address).copied()
    }
}

/// A source of datagrams or reports.
#[derive(Debug)]
pub(super) enum LanSource {
    /// A UDP socket.
    Socket(LanSocket),
    /// A TCP port to which plugs connect.
    Inbound(InboundPort),
}

impl LanNetwork {
    pub(super) async fn open(interface: &Interface) -> Result<Self, BindError> {
        let heard = HeardAddresses::default();
        let socket = LanSocket::open(interface, PORT, heard.clone()).await?;
        Ok(Self {
            interface: interface.clone(),
            sockets: Mutex::new(vec![socket]),
            inbound: Mutex::default(),
            heard,
            opening: tokio::sync::Mutex::default(),
        })
    }

    /// Returns the same sockets under another description of the interface.
    pub(super) fn on(&self, interface: &Interface) -> Self {
        Self {
            interface: interface.clone(),
            sockets: Mutex::new(self.sockets()),
            inbound: Mutex::new(locked(&self.inbound).clone()),
            heard: self.heard.clone(),
            opening: tokio::sync::Mutex::default(),
        }
    }

    /// Returns the sockets that are open.
    pub(super) fn sockets(&self) -> Vec<LanSocket> {
        locked(&self.sockets).clone()
    }

    /// Returns the socket for a local port, if it is open.
    pub(super) fn socket(&self, local_port: u16) -> Option<LanSocket> {
        self.sockets()
            .into_iter()
            .find(|socket| socket.local_port == local_port)
    }

    /// Returns the ports on which members of these families are heard, and opens those that are not open yet.
    pub(super) async fn sources_of(&self, families: &Families) -> Vec<LanSource> {
        let mut sources = Vec::new();
        let mut local_ports = Vec::new();
        for family in families.iter() {
            if !local_ports.contains(&family.local_port()) {
                local_ports.push(family.local_port());
                sources.extend(self.socket_of(family).await.map(LanSource::Socket));
            }
            sources.extend(self.inbound_of(family).await.map(LanSource::Inbound));
        }
        sources
    }

    /// Returns the TCP port to which members of a family connect, and opens it if it is not open yet.
    pub(super) async fn inbound_of(&self, family: &'static dyn Family) -> Option<InboundPort> {
        let local_port = inbound_port(family)?;
        let _opening = self.opening.lock().await;
        let is_it = |port: &&InboundPort| port.local_port == local_port;
        let open = locked(&self.inbound).iter().find(is_it).cloned();
        if let Some(open) = open {
            return Some(open);
        }
        let port = InboundPort::open(family, self.interface.address, local_port).await;
        locked(&self.inbound).push(port.clone());
        Some(port)
    }

    /// Returns the socket that members of a family reply to.
    pub(super) async fn socket_of(&self, family: &dyn Family) -> Option<LanSocket> {
        self.socket_on(family.local_port()).await
    }

    /// Returns the socket for a local port, and opens it if it is not open yet.
    pub(super) async fn socket_on(&self, local_port: u16) -> Option<LanSocket> {
        if let Some(open) = self.socket(local_port) {
            return Some(open);
        }
        let _opening = self.opening.lock().await;
        if let Some(open) = self.socket(local_port) {
            return Some(open);
        }
        match LanSocket::open(&self.interface, local_port, self.heard.clone()).await {
            Ok(socket) => {
                locked(&self.sockets).push(socket.clone());
                Some(socket)
            }
            Err(error) => {
                tracing::debug!(local_port, %error, "no socket for a family of plugs");
                None
            }
        }
    }

    /// Returns the reason why members of this family cannot be heard, except for those that reply to the source port.
    pub(super) fn deaf_to(&self, family: &dyn Family) -> Option<Arc<BindError>> {
        if !family.needs_local_port() {
            return None;
        }
        self.socket(family.local_port())?.taken
    }
}

impl LanSocket {
    async fn open(
        interface: &Interface,
        local_port: u16,
        heard: HeardAddresses,
    ) -> Result<Self, BindError> {
        let (port, taken) =
            UdpPort::bind_number_or_ephemeral(interface.address, local_port).await?;
        Ok(Self {
            local_port,
            port,
            heard,
            taken: taken.map(Arc::new),
        })
    }

    /// Sends a datagram to `address`; returns whether that was possible.
    pub(super) async fn send(&self, probe: &Probe, address: Ipv4Addr) -> bool {
        let to = SocketAddrV4::new(address, probe.port);
        let sent = self.port.send_to(&probe.bytes, to).await;
        if let Err(error) = &sent {
            tracing::debug!(%to, %error, "cannot send a probe");
        }
        sent.is_ok()
    }
}

fn locked<T>(list: &Mutex<T>) -> MutexGuard<'_, T> {
    list.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Returns each address once.
pub(super) fn distinct(interfaces: &[Interface]) -> Vec<&Interface> {
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

/// Returns the interface on whose network `target` is; else the one that the system would choose; else the first.
pub(super) fn choose<'a>(
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
