//! The settings of everything that uses the network.

use std::net::Ipv4Addr;
use std::time::Duration;

use super::certificate::RootCertificates;
use crate::tcp30000;

/// The network around this computer, and the timeouts on it.
#[derive(Debug, Clone)]
pub struct NetworkConfig {
    /// The interfaces to search on. A connection to an address on the network of one of them leaves by it, all others by the
    /// system's routes.
    pub interfaces: Vec<LocalInterface>,
    /// The timeouts.
    pub timeouts: BridgeTimeouts,
    /// The port of [`tcp30000`]; emulated bridges may need another.
    pub touchlink_port: u16,
    /// The roots that sign the certificates of bridges.
    pub roots: RootCertificates,
}

/// One address of this computer on one of its networks.
#[derive(Debug, Clone)]
pub struct LocalInterface {
    /// The device.
    pub device: String,
    /// The address.
    pub address: Ipv4Addr,
    /// Length of the network prefix.
    pub prefix: u8,
}

impl NetworkConfig {
    /// Returns the devices on whose networks `host` is, if it is an address; several can have the same network.
    pub(super) fn devices_towards(&self, host: &str) -> Vec<String> {
        let Ok(host) = host.parse::<Ipv4Addr>() else {
            return Vec::new();
        };
        let is_near = |interface: &&LocalInterface| {
            let shift = 32 - u32::from(interface.prefix.min(32));
            let difference = interface.address.to_bits() ^ host.to_bits();
            !host.is_loopback() && difference.checked_shr(shift).unwrap_or(0) == 0
        };
        let near = self.interfaces.iter().filter(is_near);
        near.map(|interface| interface.device.clone()).collect()
    }
}

impl Default for NetworkConfig {
    /// No interface, the default timeouts and port, the vendor's roots.
    fn default() -> Self {
        Self {
            interfaces: Vec::new(),
            timeouts: BridgeTimeouts::default(),
            touchlink_port: tcp30000::PORT,
            roots: RootCertificates::default(),
        }
    }
}

/// Timeouts of one request.
#[derive(Debug, Clone, Copy)]
pub struct BridgeTimeouts {
    /// A TCP connection, including name resolution.
    pub connect: Duration,
    /// One reply, from the TLS handshake to its last byte.
    pub reply: Duration,
    /// Time during which an overloaded bridge (429, 503) is asked again.
    pub busy: Duration,
}

impl Default for BridgeTimeouts {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(3),
            // A bridge that searches for lights needs a second or two.
            reply: Duration::from_secs(10),
            busy: Duration::from_secs(30),
        }
    }
}
