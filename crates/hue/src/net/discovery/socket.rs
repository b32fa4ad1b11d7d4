//! Sockets that speak to a group on one interface and on no other.

use std::io;
use std::net::{Ipv4Addr, SocketAddrV4};

use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::UdpSocket;

/// A socket on a port of its own, which the answers come to.
pub(super) fn asking(interface: Ipv4Addr, hops: u32) -> io::Result<UdpSocket> {
    let socket = Socket::new(Domain::IPV4, Type::DGRAM, Some(Protocol::UDP))?;
    socket.bind(&SocketAddrV4::new(interface, 0).into())?;
    finish(socket, interface, hops)
}

/// A socket on the port of a group, shared with others on this computer, which hears what is sent to the group.
pub(super) fn listening(
    interface: Ipv4Addr,
    (group, port): (Ipv4Addr, u16),
    hops: u32,
) -> io::Result<UdpSocket> {
    let socket = Socket::new(Domain::IPV4, Type::DGRAM, Some(Protocol::UDP))?;
    socket.set_reuse_address(true)?;
    socket.set_reuse_port(true)?;
    // Else it would hear what others have joined on other interfaces.
    socket.set_multicast_all_v4(false)?;
    socket.bind(&SocketAddrV4::new(group, port).into())?;
    socket.join_multicast_v4(&group, &interface)?;
    finish(socket, interface, hops)
}

fn finish(socket: Socket, interface: Ipv4Addr, hops: u32) -> io::Result<UdpSocket> {
    socket.set_multicast_if_v4(&interface)?;
    socket.set_multicast_ttl_v4(hops)?;
    socket.set_nonblocking(true)?;
    UdpSocket::from_std(socket.into())
}
