//! Opening sockets, with failures that name the address and the port.

use std::collections::BTreeSet;
use std::io;
use std::net::{Ipv4Addr, SocketAddrV4};

use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::{TcpListener, UdpSocket};

#[cfg_attr(unix, path = "bind/unix.rs")]
#[cfg_attr(windows, path = "bind/windows.rs")]
mod limits;

pub(crate) use limits::allow_many_descriptors;
use limits::allow_rebinding;

/// A failure to serve twins.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// Another program has the port.
    #[error("{protocol} port {port} on {address} is taken by another program")]
    Taken {
        /// `UDP` or `TCP`.
        protocol: &'static str,
        /// The address.
        address: Ipv4Addr,
        /// The port.
        port: u16,
    },
    /// This machine has no such address.
    #[error("{address} is not an address of this machine")]
    NotLocal {
        /// The address.
        address: Ipv4Addr,
    },
    /// Two twins were given one address.
    #[error("two emulated devices cannot both have the address {address}")]
    Twice {
        /// The address.
        address: Ipv4Addr,
    },
    /// Another failure to open a port.
    #[error("cannot open {protocol} port {port} on {address}")]
    Open {
        /// `UDP` or `TCP`.
        protocol: &'static str,
        /// The address.
        address: Ipv4Addr,
        /// The port.
        port: u16,
        /// The error of the system.
        #[source]
        source: io::Error,
    },
    /// The system does not list its network interfaces.
    #[error("cannot list the network interfaces")]
    Interfaces(#[source] io::Error),
}

impl ServerError {
    /// Returns the message with its cause, for logs.
    pub(super) fn with_cause(&self) -> String {
        match std::error::Error::source(self) {
            Some(cause) => format!("{self}: {cause}"),
            None => self.to_string(),
        }
    }
}

/// Refuses addresses of which one is there twice.
pub(crate) fn refuse_duplicates(
    addresses: impl IntoIterator<Item = Ipv4Addr>,
) -> Result<(), ServerError> {
    let mut seen = BTreeSet::new();
    match addresses.into_iter().find(|address| !seen.insert(*address)) {
        Some(address) => Err(ServerError::Twice { address }),
        None => Ok(()),
    }
}

/// Opens the socket that receives what is sent to a twin alone, and from which the twin sends.
pub(super) fn udp(address: Ipv4Addr, port: u16) -> Result<UdpSocket, ServerError> {
    let open = || {
        let socket = Socket::new(Domain::IPV4, Type::DGRAM, Some(Protocol::UDP))?;
        socket.set_nonblocking(true)?;
        socket.bind(&SocketAddrV4::new(address, port).into())?;
        // Only after binding: a second twin on this address must fail, but a client of another maker that wants the port
        // of all addresses and allows sharing need not.
        allow_rebinding(&socket)?;
        UdpSocket::from_std(socket.into())
    };
    open().map_err(|source| explain("UDP", address, port, source))
}

/// Opens a socket for a group or broadcast address, which other programs on this machine may share.
pub(crate) fn shared_udp(address: Ipv4Addr, port: u16) -> io::Result<Socket> {
    let socket = Socket::new(Domain::IPV4, Type::DGRAM, Some(Protocol::UDP))?;
    socket.set_nonblocking(true)?;
    socket.set_reuse_address(true)?;
    socket.bind(&SocketAddrV4::new(address, port).into())?;
    Ok(socket)
}

/// Opens a TCP port.
pub(crate) fn tcp(address: Ipv4Addr, port: u16) -> Result<TcpListener, ServerError> {
    let open = || {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, Some(Protocol::TCP))?;
        socket.set_nonblocking(true)?;
        // Connections of a moment ago must not keep a restarted twin from listening.
        allow_rebinding(&socket)?;
        socket.bind(&SocketAddrV4::new(address, port).into())?;
        socket.listen(16)?;
        TcpListener::from_std(socket.into())
    };
    open().map_err(|source| explain("TCP", address, port, source))
}

fn explain(protocol: &'static str, address: Ipv4Addr, port: u16, source: io::Error) -> ServerError {
    match source.kind() {
        io::ErrorKind::AddrInUse => ServerError::Taken {
            protocol,
            address,
            port,
        },
        io::ErrorKind::AddrNotAvailable => ServerError::NotLocal { address },
        _ => ServerError::Open {
            protocol,
            address,
            port,
            source,
        },
    }
}
