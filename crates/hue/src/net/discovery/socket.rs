//! Sockets that send to a multicast group from one interface only.

use std::io;
use std::net::{Ipv4Addr, SocketAddrV4};

use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::UdpSocket;

use crate::net::binding::{bind_device, bind_group};
use crate::net::config::LocalInterface;

/// Opens a socket on a port of its own, to which the replies are sent.
pub(super) fn unicast(interface: &LocalInterface, hops: u32) -> io::Result<UdpSocket> {
    let socket = Socket::new(Domain::IPV4, Type::DGRAM, Some(Protocol::UDP))?;
    socket.bind(&SocketAddrV4::new(interface.address, 0).into())?;
    finish(socket, interface, hops)
}

/// Opens a socket on the port of a group, shared with other programs, which receives what is sent to the group.
pub(super) fn multicast(
    interface: &LocalInterface,
    (group, port): (Ipv4Addr, u16),
    hops: u32,
) -> io::Result<UdpSocket> {
    let socket = Socket::new(Domain::IPV4, Type::DGRAM, Some(Protocol::UDP))?;
    bind_group(&socket, group, port)?;
    socket.join_multicast_v4(&group, &interface.address)?;
    finish(socket, interface, hops)
}

fn finish(socket: Socket, interface: &LocalInterface, hops: u32) -> io::Result<UdpSocket> {
    socket.set_multicast_if_v4(&interface.address)?;
    if !interface.address.is_loopback()
        && let Err(error) = bind_device(&socket, &interface.device)
    {
        tracing::debug!(device = interface.device, %error, "the socket is not bound to its device");
    }
    socket.set_multicast_ttl_v4(hops)?;
    socket.set_nonblocking(true)?;
    UdpSocket::from_std(socket.into())
}
