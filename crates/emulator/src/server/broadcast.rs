//! The shared sockets for broadcasts: what arrives there is handed to every twin whose network the sender is in.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use hiflying::net::Interface;
use tokio::net::UdpSocket;
use tokio::sync::mpsc;

use super::bind;
use super::device::{Device, Input, MOST_BYTES};

/// One broadcast address and the twins behind it.
pub(super) struct Station {
    address: Ipv4Addr,
    socket: UdpSocket,
    members: Vec<Member>,
}

#[derive(Clone)]
struct Member {
    at: Ipv4Addr,
    network: Arc<Interface>,
    post: mpsc::Sender<Input>,
}

/// Opens the broadcast address of each network that has twins, and the one for all networks.
pub(super) fn open(interfaces: &[Interface], devices: &[Device]) -> Vec<Station> {
    let networks: Vec<Arc<Interface>> = interfaces
        .iter()
        .filter(|interface| interface.prefix < 31)
        .cloned()
        .map(Arc::new)
        .collect();
    let mut members: BTreeMap<Ipv4Addr, Vec<Member>> = BTreeMap::new();
    for device in devices {
        for at in device.addresses() {
            // Several addresses of one interface are one network; the twin hears its broadcast once.
            let mut known = BTreeSet::new();
            for network in networks.iter().filter(|network| network.contains(at)) {
                if known.insert(network.broadcast) {
                    let member = Member {
                        at,
                        network: Arc::clone(network),
                        post: device.post(),
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
        .filter_map(|(address, members)| Station::open(address, members))
        .collect()
}

impl Station {
    fn open(address: Ipv4Addr, members: Vec<Member>) -> Option<Self> {
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
                let _ = member.post.try_send(Input::Broadcast {
                    at: member.at,
                    from,
                    bytes: Arc::clone(&bytes),
                });
            }
        }
    }
}
