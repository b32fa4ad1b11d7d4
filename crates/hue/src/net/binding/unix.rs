//! Sockets on a device or a group, by name and address.

use std::io;
use std::net::{Ipv4Addr, SocketAddrV4};

use socket2::{SockRef, Socket};

/// Binds a socket to a device, by which alone its data leave then.
pub(super) fn bind_device<'s>(socket: impl Into<SockRef<'s>>, device: &str) -> io::Result<()> {
    socket.into().bind_device(Some(device.as_bytes()))
}

/// Binds a socket to the port of a group, which it shares with other programs.
pub(super) fn bind_group(socket: &Socket, group: Ipv4Addr, port: u16) -> io::Result<()> {
    socket.set_reuse_address(true)?;
    socket.set_reuse_port(true)?;
    // Otherwise it would receive from interfaces on which other programs have joined the group.
    socket.set_multicast_all_v4(false)?;
    socket.bind(&SocketAddrV4::new(group, port).into())
}
