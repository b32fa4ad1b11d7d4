//! Other devices on the network that reply with the MAC of the device.

use std::net::Ipv4Addr;

use hiflying::net::{UdpPort, interfaces};
use plugs::families;
use tokio::sync::broadcast::error::RecvError;
use tokio::time::{Instant, interval, sleep_until};

use super::evidence::Evidence;
use super::timing::{NEIGHBOUR_SCAN_TIMEOUT, WORD_INTERVAL};
use super::words;

/// Maximum number of devices that are noted.
const MAX_NEIGHBOURS: usize = 1_000;

/// Scans the network of the socket, and notes all devices but the one at `target`.
pub(super) async fn check(port: &UdpPort, target: Ipv4Addr, evidence: &Evidence) {
    let interfaces = interfaces().unwrap_or_else(|error| {
        tracing::debug!(%error, "the network is not scanned");
        Vec::new()
    });
    let mut own = interfaces.into_iter();
    let Some(own) = own.find(|own| own.address == port.address() && own.peer.is_none()) else {
        return;
    };
    let mut replies = port.subscribe();
    let end = Instant::now() + NEIGHBOUR_SCAN_TIMEOUT;
    let mut tick = interval(WORD_INTERVAL);
    loop {
        let datagram = tokio::select! {
            () = sleep_until(end) => return,
            _ = tick.tick() => {
                words::scan(port, own.broadcast).await;
                continue;
            }
            reply = replies.recv() => match reply {
                Ok(datagram) => datagram,
                Err(RecvError::Lagged(_)) => continue,
                Err(RecvError::Closed) => return,
            },
        };
        let from = *datagram.from.ip();
        let seen = plugs::now();
        let plug = families::all()
            .iter()
            .find_map(|family| family.parse_report(from, &datagram.bytes, seen));
        if let Some(plug) = plug.filter(|_| from != target) {
            evidence.note(|facts| {
                if facts.neighbours.len() < MAX_NEIGHBOURS {
                    facts.neighbours.insert((plug.mac, from));
                }
            });
        }
    }
}
