//! Opening sockets, with failures that name the address and the port.

use std::collections::BTreeSet;
use std::io;
use std::net::{Ipv4Addr, SocketAddrV4};

use nix::sys::resource::{Resource, getrlimit, setrlimit};
use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::{TcpListener, UdpSocket};

use super::ServerError;
use crate::config::PlugConfig;

/// Thousands of twins need thousands of descriptors: takes as many as the system grants.
pub(crate) fn allow_many_descriptors() {
    if let Ok((soft, hard)) = getrlimit(Resource::RLIMIT_NOFILE)
        && soft < hard
        && let Err(error) = setrlimit(Resource::RLIMIT_NOFILE, hard, hard)
    {
        tracing::debug!(%error, "the limit of open files stays at {soft}");
    }
}

pub(super) fn refuse_twice(configs: &[PlugConfig]) -> Result<(), ServerError> {
    let mut seen = BTreeSet::new();
    for config in configs {
        let home = config.home_address.filter(|home| *home != config.listen);
        for address in std::iter::once(config.listen).chain(home) {
            if !seen.insert(address) {
                return Err(ServerError::Twice { address });
            }
        }
    }
    Ok(())
}

/// The socket for what is sent to a twin alone, and from which it sends.
pub(super) fn udp(address: Ipv4Addr) -> Result<UdpSocket, ServerError> {
    let port = hiflying::PORT;
    let open = || {
        let socket = Socket::new(Domain::IPV4, Type::DGRAM, Some(Protocol::UDP))?;
        socket.set_nonblocking(true)?;
        socket.bind(&SocketAddrV4::new(address, port).into())?;
        // Only after binding: a second twin on this address must fail, but a client of another maker that wants port 48899
        // of all addresses and allows sharing need not.
        socket.set_reuse_address(true)?;
        UdpSocket::from_std(socket.into())
    };
    open().map_err(|source| explain("UDP", address, port, source))
}

/// A socket for what is sent to everybody; other emulators on this machine may have one as well.
pub(super) fn broadcast(address: Ipv4Addr) -> io::Result<UdpSocket> {
    let socket = Socket::new(Domain::IPV4, Type::DGRAM, Some(Protocol::UDP))?;
    socket.set_nonblocking(true)?;
    socket.set_reuse_address(true)?;
    socket.bind(&SocketAddrV4::new(address, hiflying::PORT).into())?;
    UdpSocket::from_std(socket.into())
}

pub(crate) fn tcp(address: Ipv4Addr, port: u16) -> Result<TcpListener, ServerError> {
    let open = || {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, Some(Protocol::TCP))?;
        socket.set_nonblocking(true)?;
        // Connections of a moment ago must not keep a restarted twin from listening.
        socket.set_reuse_address(true)?;
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
