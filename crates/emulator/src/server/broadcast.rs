//! Broadcasts: one socket for each broadcast address and port, and the twins of its network.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::sync::Arc;

use hiflying::net::Interface;
use tokio::net::UdpSocket;
use tokio::sync::mpsc;

use super::bind;
use super::connection::TwinInput;
use super::driver::{MAX_DATAGRAM, TwinDriver};
use crate::twin::TwinArrival;

/// One broadcast address and port, and the twins of its network.
pub(super) struct BroadcastSocket {
    socket: UdpSocket,
    members: Vec<BroadcastMember>,
}

#[derive(Clone)]
struct BroadcastMember {
    at: SocketAddrV4,
    network: Arc<Interface>,
    inbox: mpsc::Sender<TwinInput>,
}

/// Opens the broadcast address of each network that has twins, and the one of all networks, for each port.
pub(super) fn open(interfaces: &[Interface], drivers: &[TwinDriver]) -> Vec<BroadcastSocket> {
    let networks: Vec<Arc<Interface>> = interfaces
        .iter()
        .filter(|interface| interface.prefix < 31)
        .cloned()
        .map(Arc::new)
        .collect();
    let mut members: BTreeMap<SocketAddrV4, Vec<BroadcastMember>> = BTreeMap::new();
    for driver in drivers {
        for at in driver.udp_addresses() {
            // Several addresses of one interface are one network; the twin receives its broadcast once.
            let mut known = BTreeSet::new();
            for network in networks.iter().filter(|it| it.contains(*at.ip())) {
                let member = BroadcastMember {
                    at,
                    network: Arc::clone(network),
                    inbox: driver.inbox(),
                };
                if known.insert(network.broadcast) {
                    for address in [network.broadcast, Ipv4Addr::BROADCAST] {
                        let address = SocketAddrV4::new(address, at.port());
                        members.entry(address).or_default().push(member.clone());
                    }
                }
            }
        }
    }
    let open = |(address, members)| match bind_broadcast(address) {
        Ok(socket) => Some(BroadcastSocket { socket, members }),
        Err(error) => {
            tracing::warn!(%error, "broadcasts to {address} will not be received");
            None
        }
    };
    members.into_iter().filter_map(open).collect()
}

fn bind_broadcast(address: SocketAddrV4) -> io::Result<UdpSocket> {
    let socket = bind::shared_udp(*address.ip(), address.port())?;
    UdpSocket::from_std(socket.into())
}

impl BroadcastSocket {
    /// Passes on what arrives. Ends only with its task.
    pub(super) async fn run(self) {
        let mut buffer = vec![0; MAX_DATAGRAM];
        loop {
            let (length, from) = match self.socket.recv_from(&mut buffer).await {
                Ok((length, SocketAddr::V4(from))) => (length, from),
                Ok(_) => continue,
                Err(error) => {
                    tracing::debug!(%error, socket = ?self.socket, "broadcast");
                    tokio::task::yield_now().await;
                    continue;
                }
            };
            let bytes: Arc<[u8]> = buffer.get(..length).unwrap_or_default().into();
            let is_near = |member: &&BroadcastMember| member.network.contains(*from.ip());
            for member in self.members.iter().filter(is_near) {
                let arrival = TwinArrival {
                    from,
                    at: member.at,
                    broadcast: true,
                };
                let bytes = Arc::clone(&bytes);
                // A twin that is too busy misses a datagram, as a real device does.
                let _ = member
                    .inbox
                    .try_send(TwinInput::Broadcast { arrival, bytes });
            }
        }
    }
}
