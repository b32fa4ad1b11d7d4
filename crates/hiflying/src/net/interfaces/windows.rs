//! The system's list of adapters.

use std::io;
use std::net::Ipv4Addr;

use if_addrs::{IfAddr, get_if_addrs};

use super::{Interface, last};

/// Lists every IPv4 address of every interface.
pub fn interfaces() -> io::Result<Vec<Interface>> {
    Ok(get_if_addrs()?.into_iter().filter_map(describe).collect())
}

fn describe(entry: if_addrs::Interface) -> Option<Interface> {
    let up = entry.is_oper_up();
    let IfAddr::V4(address) = entry.addr else {
        return None;
    };
    let (ip, prefix) = (address.ip, address.prefixlen);
    Some(Interface {
        name: entry.name,
        address: ip,
        peer: None,
        prefix,
        broadcast: match prefix {
            31 => Ipv4Addr::from_bits(ip.to_bits() ^ 1),
            _ => last(ip, prefix),
        },
        loopback: ip.is_loopback(),
        up,
        index: entry.index.unwrap_or(0),
    })
}
