//! The kernel's list of interfaces.

use std::io;
use std::net::Ipv4Addr;

use nix::ifaddrs::{InterfaceAddress, getifaddrs};
use nix::net::if_::{InterfaceFlags, if_nametoindex};
use nix::sys::socket::SockaddrIn;

use super::{Interface, last, mask};

/// Lists every IPv4 address of every interface.
pub fn interfaces() -> io::Result<Vec<Interface>> {
    Ok(getifaddrs()?.filter_map(|entry| describe(&entry)).collect())
}

fn describe(entry: &InterfaceAddress) -> Option<Interface> {
    let address = entry.address.as_ref()?.as_sockaddr_in()?.ip();
    let netmask = entry
        .netmask
        .as_ref()
        .and_then(|mask| mask.as_sockaddr_in())
        .map(SockaddrIn::ip);
    let prefix = netmask.map_or(32, |mask| mask.to_bits().leading_ones());
    let prefix = u8::try_from(prefix).unwrap_or(32);
    // The system has one place for broadcast address and peer, and gives the interface's own address where neither is set.
    let told = entry
        .broadcast
        .as_ref()
        .or(entry.destination.as_ref())
        .and_then(|told| told.as_sockaddr_in())
        .map(SockaddrIn::ip)
        .filter(|told| !told.is_unspecified() && *told != address);
    let name = entry.interface_name.clone();
    let mut interface = Interface {
        address,
        peer: None,
        prefix,
        broadcast: last(address, prefix),
        loopback: entry.flags.contains(InterfaceFlags::IFF_LOOPBACK),
        up: entry.flags.contains(InterfaceFlags::IFF_UP),
        index: 0,
        name,
    };
    interface.index = if_nametoindex(interface.device()).unwrap_or(0);
    interface.peer = told.filter(|told| {
        !interface.contains(*told)
            && (prefix == 32
                || entry.flags.contains(InterfaceFlags::IFF_POINTOPOINT)
                || is_direct(interface.device(), *told, prefix))
    });
    // A broadcast address that was set wrong reaches nobody, so it does not count.
    interface.broadcast = match (prefix, interface.peer) {
        (31, None) => Ipv4Addr::from_bits(address.to_bits() ^ 1),
        (31 | 32, Some(peer)) => peer,
        (_, peer) => last(peer.unwrap_or(address), prefix),
    };
    Some(interface)
}

/// Tells whether the system reaches the network of this address directly by a device.
fn is_direct(device: &str, address: Ipv4Addr, prefix: u8) -> bool {
    let number = |field: Option<&str>| u32::from_str_radix(field?, 16).ok().map(u32::from_be);
    let is_it = |line: &str| {
        let mut fields = line.split_ascii_whitespace();
        let is_here = fields.next() == Some(device);
        let (network, gateway) = (number(fields.next()), number(fields.next()));
        let route_mask = number(fields.nth(4));
        is_here
            && gateway == Some(0)
            && route_mask == Some(mask(prefix))
            && network == Some(address.to_bits() & mask(prefix))
    };
    std::fs::read_to_string("/proc/net/route").is_ok_and(|routes| routes.lines().any(is_it))
}
