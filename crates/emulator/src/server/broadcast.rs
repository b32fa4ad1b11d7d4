//! The shared sockets for broadcasts: what arrives there is handed to every twin whose network the sender is in.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use hiflying::net::Interface;
use tokio::net::UdpSocket;
use tokio::sync::mpsc;

use super::bind;
use super::driver::{MOST_BYTES, TwinDriver, TwinInput};

/// One broadcast address and the twins behind it.
pub(super) struct BroadcastSocket {
    address: Ipv4Addr,
    socket: UdpSocket,
    members: Vec<BroadcastMember>,
}

#[derive(Clone)]
struct BroadcastMember {
    at: Ipv4Addr,
    network: Arc<Interface>,
    post: mpsc::Sender<TwinInput>,
}

/// Opens the broadcast address of each network that has twins, and the one for all networks.
pub(super) fn open(interfaces: &[Interface], devices: &[TwinDriver]) -> Vec<BroadcastSocket> {
    let networks: Vec<Arc<Interface>> = interfaces
        .iter()
        .filter(|interface| interface.prefix < 31)
        .cloned()
        .map(Arc::new)
        .collect();
    let mut members: BTreeMap<Ipv4Addr, Vec<BroadcastMember>> = BTreeMap::new();
    for driver in devices {
        for at in driver.addresses() {
            // Several addresses of one interface are one network; the twin hears its broadcast once.
            let mut known = BTreeSet::new();
            for network in networks.iter().filter(|network| network.contains(at)) {
                if known.insert(network.broadcast) {
                    let member = BroadcastMember {
                        at,
                        network: Arc::clone(network),
                        post: driver.post(),
                    };
                    members.entry(network.broadcast).or_default().push(member);
                }
            }
        }
    }
    let all = members.values().flatten().cloned().collect();
    members.insert(Ipv4Addr::BROADCAST, all);
    members
        .into_iter()
        .filter_map(|(address, members)| BroadcastSocket::open(address, members))
        .collect()
}

impl BroadcastSocket {
    fn open(address: Ipv4Addr, members: Vec<BroadcastMember>) -> Option<Self> {
        match bind::broadcast(address) {
            Ok(socket) => Some(Self {
                address,
                socket,
                members,
            }),
            Err(error) => {
                tracing::warn!(%error, "broadcasts to {address} will not be heard");
                None
            }
        }
    }

    /// Hands on what arrives. Ends only with its task.
    pub(super) async fn run(self) {
        let mut buffer = vec![0; MOST_BYTES];
        loop {
            let received = self.socket.recv_from(&mut buffer).await;
            let (length, from) = match received {
                Ok((length, SocketAddr::V4(from))) => (length, from),
                Ok(_) => continue,
                Err(error) => {
                    tracing::debug!(%error, "broadcast socket {}", self.address);
                    tokio::task::yield_now().await;
                    continue;
                }
            };
            let bytes: Arc<[u8]> = buffer.get(..length).unwrap_or_default().into();
            for member in self
                .members
                .iter()
                .filter(|member| member.network.contains(*from.ip()))
            {
                // A twin that is too busy misses a datagram, as a real one does.
                let _ = member.post.try_send(TwinInput::Broadcast {
                    at: member.at,
                    from,
                    bytes: Arc::clone(&bytes),
                });
            }
        }
    }
}
