//! The interface between a twin and what carries its bytes.

use std::fmt;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::time::Instant;

use hiflying::Mac;
use zeroize::Zeroizing;

/// A software twin of one device, without sockets and without a clock: bytes and times go in, bytes come out.
///
/// A driver passes on what arrives, calls [`Twin::handle_timeout`] when [`Twin::poll_timeout`] is due, and after each of these
/// sends everything that [`Twin::poll_transmit`] yields and keeps the TCP ports of [`Twin::tcp_ports`] open.
/// [`crate::server::run`] is such a driver; tests join twins and clients in virtual time.
pub trait Twin: fmt::Debug + Send {
    /// Returns the MAC, which names the device in ready lines and records.
    fn mac(&self) -> Mac;

    /// Returns every address at which the device can ever answer; the first is the one it was given.
    fn addresses(&self) -> Vec<Ipv4Addr>;

    /// Tells whether the device is on the network at an address at present.
    fn is_reachable(&self, at: Ipv4Addr) -> bool;

    /// Tells whether a datagram is heard by its length alone, also where the device is not reachable. The length is a secret, which
    /// records leave out.
    fn overhears(&self, _arrival: TwinArrival) -> bool {
        false
    }

    /// Returns the UDP ports that the device serves, at each address alike.
    fn udp_ports(&self) -> &[u16];

    /// Returns the TCP ports that are open at an address at present.
    fn tcp_ports(&self, _at: Ipv4Addr) -> Vec<TcpPort> {
        Vec::new()
    }

    /// Takes a datagram that reached one of the UDP ports.
    fn handle_datagram(&mut self, now: Instant, arrival: TwinArrival, bytes: &[u8]);

    /// Takes the peer of a TCP connection, before [`Twin::handle_connect`].
    fn handle_peer(&mut self, _id: ConnectionId, _peer: SocketAddrV4) {}

    /// Admits a TCP connection to the twin's end `at`; `false` has it reset.
    fn handle_connect(&mut self, _now: Instant, _id: ConnectionId, _at: SocketAddrV4) -> bool {
        false
    }

    /// Takes the bytes of one read from a TCP connection.
    fn handle_segment(&mut self, _now: Instant, _id: ConnectionId, _bytes: &[u8]) {}

    /// Forgets a TCP connection that the peer closed.
    fn handle_close(&mut self, _now: Instant, _id: ConnectionId) {}

    /// Does what has become due.
    fn handle_timeout(&mut self, now: Instant);

    /// Returns the next thing to send, if its time has come.
    fn poll_transmit(&mut self, now: Instant) -> Option<TwinOutput>;

    /// Returns when [`Twin::handle_timeout`] or [`Twin::poll_transmit`] should be called next.
    fn poll_timeout(&self) -> Option<Instant>;
}

/// Sender and destination of a datagram.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TwinArrival {
    /// The sender.
    pub from: SocketAddrV4,
    /// Address and port of the twin that it reached.
    pub at: SocketAddrV4,
    /// Sent to the whole network, not to `at` alone.
    pub broadcast: bool,
}

/// A TCP port that a twin serves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TcpPort {
    /// The device's commands; without this port the device cannot be served.
    Command(u16),
    /// A web page; a port that cannot be opened, often for want of a privilege, is only a warning.
    Web(u16),
}

impl TcpPort {
    /// Returns the number of the port.
    #[must_use]
    pub fn number(self) -> u16 {
        match self {
            Self::Command(number) | Self::Web(number) => number,
        }
    }
}

/// One TCP connection, numbered by the driver.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConnectionId(pub u64);

/// An action for the driver.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TwinOutput {
    /// Send a datagram.
    Datagram {
        /// Address and UDP port of the twin to send from.
        from: SocketAddrV4,
        /// The receiver.
        to: SocketAddrV4,
        /// The content.
        bytes: Zeroizing<Vec<u8>>,
        /// Contains a key or password, which records leave out.
        secret: bool,
    },
    /// Open a TCP connection, as a plug that dials in does. Once it is open, the driver calls [`Twin::handle_connect`] with the
    /// twin's end of it; a failure is not reported, so that the twin tries again by its own clock.
    Connect {
        /// Address of the twin to connect from.
        from: Ipv4Addr,
        /// The peer.
        to: SocketAddrV4,
    },
    /// Send bytes on a TCP connection.
    Segment {
        /// The connection.
        connection: ConnectionId,
        /// The content.
        bytes: Vec<u8>,
    },
    /// Close a TCP connection.
    Close {
        /// The connection.
        connection: ConnectionId,
    },
    /// Reset a TCP connection.
    Reset {
        /// The connection.
        connection: ConnectionId,
    },
}
