//! The sockets by which a bridge is found, on the interface that has its address and on no other.
//!
//! Others on this machine may use the same ports. Where that does not go, the bridge is served unannounced.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::time::Duration;

use tokio::net::UdpSocket;
use tokio::task::JoinSet;
use tokio::time::sleep;

use super::super::announce::{mdns, ssdp};
use super::super::behaviour::BridgeBehaviour;
use super::super::config::{BridgeConfig, TwinModel};
use crate::server::bind;

/// Delays of the announcements at the start; there are two because datagrams get lost.
const ANNOUNCEMENT_DELAYS: [Duration; 2] = [Duration::ZERO, Duration::from_secs(1)];
const MAX_DATAGRAM: usize = 9000;

/// Sockets of a bridge for one multicast group.
#[derive(Debug)]
struct MulticastSockets {
    /// Hears the group.
    group: UdpSocket,
    /// Says, from the bridge's own address.
    own: UdpSocket,
}

/// Announces a bridge and answers searches for it.
#[derive(Debug)]
pub(super) struct Announcer {
    config: BridgeConfig,
    mdns: Option<MulticastSockets>,
    ssdp: Option<MulticastSockets>,
}

/// Tells whether a bridge is found by mDNS, and by SSDP.
pub(in super::super) fn announced(config: &BridgeConfig, quirks: &BridgeBehaviour) -> (bool, bool) {
    let by_mdns = config.model != TwinModel::Round && !quirks.no_mdns;
    let by_ssdp = config.model != TwinModel::Pro && !quirks.no_ssdp;
    (config.announce && by_mdns, config.announce && by_ssdp)
}

impl Announcer {
    /// Opens what the bridge's model and faults leave; warns of what cannot be had.
    pub(super) fn open(config: BridgeConfig, quirks: &BridgeBehaviour) -> Self {
        let (has_mdns, has_ssdp) = announced(&config, quirks);
        let open = |is_wanted: bool, name: &str, group: Ipv4Addr, port: u16| {
            let opened = is_wanted.then(|| MulticastSockets::open(config.listen, group, port))?;
            opened
                .inspect_err(|error| {
                    tracing::warn!(%error, "the bridge at {} cannot be found by {name}", config.listen);
                })
                .ok()
        };
        Self {
            mdns: open(has_mdns, "mDNS", mdns::GROUP, mdns::PORT),
            ssdp: open(has_ssdp, "SSDP", ssdp::GROUP, ssdp::PORT),
            config,
        }
    }

    /// Answers in tasks of their own.
    pub(super) fn serve(self, tasks: &mut JoinSet<()>) {
        if let Some(post) = self.mdns {
            tasks.spawn(serve_mdns(self.config.clone(), post));
        }
        if let Some(post) = self.ssdp {
            tasks.spawn(serve_ssdp(self.config, post));
        }
    }
}

impl MulticastSockets {
    fn open(interface: Ipv4Addr, group: Ipv4Addr, port: u16) -> io::Result<Self> {
        let hearing = bind::shared_udp(group, port)?;
        hearing.join_multicast_v4(&group, &interface)?;
        let own = bind::shared_udp(interface, port)?;
        own.set_multicast_if_v4(&interface)?;
        own.set_multicast_loop_v4(true)?;
        Ok(Self {
            group: UdpSocket::from_std(hearing.into())?,
            own: UdpSocket::from_std(own.into())?,
        })
    }

    /// The next datagram, to the group or to the bridge alone.
    async fn next(&self) -> (Vec<u8>, SocketAddrV4) {
        let (mut one, mut other) = (vec![0; MAX_DATAGRAM], vec![0; MAX_DATAGRAM]);
        loop {
            let (received, buffer) = tokio::select! {
                received = self.group.recv_from(&mut one) => (received, &one),
                received = self.own.recv_from(&mut other) => (received, &other),
            };
            match received {
                Ok((length, SocketAddr::V4(from))) => {
                    return (buffer.get(..length).unwrap_or_default().to_vec(), from);
                }
                Ok(_) => {}
                // An undeliverable reply is reported as an error.
                Err(_) => tokio::task::yield_now().await,
            }
        }
    }

    async fn say(&self, bytes: &[u8], to: SocketAddrV4) {
        if let Err(error) = self.own.send_to(bytes, to).await {
            tracing::debug!(%error, "datagram to {to}");
        }
    }
}

async fn serve_mdns(config: BridgeConfig, post: MulticastSockets) {
    let group = SocketAddrV4::new(mdns::GROUP, mdns::PORT);
    let announce = async {
        let announcement = mdns::announcement(&config).unwrap_or_default();
        for after in ANNOUNCEMENT_DELAYS {
            sleep(after).await;
            post.say(&announcement, group).await;
        }
    };
    let answer = async {
        loop {
            let (datagram, from) = post.next().await;
            if let Some(reply) = mdns::answer(&config, &datagram, from.port()) {
                let to = if reply.is_unicast { from } else { group };
                post.say(&reply.bytes, to).await;
            }
        }
    };
    tokio::join!(announce, answer);
}

async fn serve_ssdp(config: BridgeConfig, post: MulticastSockets) {
    loop {
        let (datagram, from) = post.next().await;
        for answer in ssdp::answers(&config, &datagram) {
            post.say(answer.as_bytes(), from).await;
        }
    }
}
