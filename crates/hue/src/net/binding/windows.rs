//! Sockets on any address: Windows binds to no device and to no group.

use std::io;
use std::net::{Ipv4Addr, SocketAddrV4};

use socket2::{SockRef, Socket};

/// Leaves the choice of the device to the system.
pub(super) fn bind_device<'s>(_: impl Into<SockRef<'s>>, _: &str) -> io::Result<()> {
    Ok(())
}

/// Binds a socket to the port of a group, which it shares with other programs.
pub(super) fn bind_group(socket: &Socket, _: Ipv4Addr, port: u16) -> io::Result<()> {
    socket.set_reuse_address(true)?;
    socket.bind(&SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, port).into())
}
