//! The local interfaces that a scan can start from.

use std::io;
use std::net::{Ipv4Addr, SocketAddrV4, UdpSocket};

#[cfg_attr(unix, path = "interfaces/unix.rs")]
#[cfg_attr(windows, path = "interfaces/windows.rs")]
mod list;

pub use list::interfaces;

/// One IPv4 address of one local interface.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Interface {
    /// Name, such as `wlan0`.
    pub name: String,
    /// Address of this computer on it.
    pub address: Ipv4Addr,
    /// Address at the other end of a link between two, whose network it is then.
    pub peer: Option<Ipv4Addr>,
    /// Length of the network prefix.
    pub prefix: u8,
    /// Address that reaches all others on it: the last one of the prefix, or the other end of a link between two.
    pub broadcast: Ipv4Addr,
    /// True for loopback.
    pub loopback: bool,
    /// True if it is up.
    pub up: bool,
    /// Index in the system.
    pub index: u32,
}

impl Interface {
    /// Tells whether an address is on this interface's own network.
    pub fn contains(&self, address: Ipv4Addr) -> bool {
        let mask = mask(self.prefix);
        self.peer.unwrap_or(self.address).to_bits() & mask == address.to_bits() & mask
    }

    /// Tells whether an address is that of all on it; a link between two has none.
    pub fn is_broadcast(&self, address: Ipv4Addr) -> bool {
        self.prefix < 31 && self.broadcast == address
    }

    /// Returns the device, to which a socket can be bound: the name without the label of an alias such as `eth0:1`.
    pub fn device(&self) -> &str {
        self.name
            .split_once(':')
            .map_or(&*self.name, |(device, _)| device)
    }
}

/// Reason why a requested interface cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum InterfaceError {
    /// No interface has this name or address.
    #[error("no interface '{wanted}' with an IPv4 address (available: {})", available.join(", "))]
    Unknown {
        /// Requested name or address.
        wanted: String,
        /// Available interfaces.
        available: Vec<String>,
    },
    /// The interface exists but is down.
    #[error("interface '{0}' is down")]
    Down(String),
    /// The system does not list them.
    #[error("cannot list the network interfaces")]
    List(#[source] io::Error),
}

/// Returns the interfaces with these names or addresses; without any, all that are up and not
/// loopback.
///
/// Any address of a loopback network will do, not only the one that is assigned, because all of
/// them can be used.
///
/// # Errors
///
/// [`InterfaceError`] if one does not exist or is down.
pub fn select(wanted: &[String]) -> Result<Vec<Interface>, InterfaceError> {
    select_from(interfaces().map_err(InterfaceError::List)?, wanted)
}

fn select_from(all: Vec<Interface>, wanted: &[String]) -> Result<Vec<Interface>, InterfaceError> {
    if wanted.is_empty() {
        return Ok(all
            .into_iter()
            .filter(|interface| interface.up && !interface.loopback)
            .collect());
    }
    let mut chosen: Vec<Interface> = Vec::new();
    for text in wanted {
        for interface in find(&all, text)? {
            if !chosen.contains(&interface) {
                chosen.push(interface);
            }
        }
    }
    Ok(chosen)
}

fn find(all: &[Interface], wanted: &str) -> Result<Vec<Interface>, InterfaceError> {
    let found: Vec<Interface> = match wanted.parse::<Ipv4Addr>() {
        Ok(address) => find_address(all, address).into_iter().collect(),
        Err(_) => all
            .iter()
            .filter(|interface| interface.name == wanted)
            .cloned()
            .collect(),
    };
    if found.is_empty() {
        let available = all
            .iter()
            .map(|interface| format!("{} {}", interface.name, interface.address))
            .collect();
        return Err(InterfaceError::Unknown {
            wanted: wanted.to_owned(),
            available,
        });
    }
    if found.iter().all(|interface| !interface.up) {
        return Err(InterfaceError::Down(wanted.to_owned()));
    }
    Ok(found)
}

fn find_address(all: &[Interface], address: Ipv4Addr) -> Option<Interface> {
    let exact = all.iter().find(|interface| interface.address == address);
    let loopback = || {
        all.iter()
            .find(|interface| interface.loopback && interface.contains(address))
    };
    exact.or_else(loopback).map(|interface| Interface {
        address,
        ..interface.clone()
    })
}

/// Returns the local address from which the system would reach a target. Sends nothing.
pub fn source_for(target: Ipv4Addr) -> io::Result<Ipv4Addr> {
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0))?;
    // A gateway of plugs can be a broadcast address as well (`--to`).
    socket.set_broadcast(true)?;
    socket.connect(SocketAddrV4::new(target, crate::PORT))?;
    match socket.local_addr()?.ip() {
        std::net::IpAddr::V4(address) => Ok(address),
        std::net::IpAddr::V6(_) => Err(io::ErrorKind::AddrNotAvailable.into()),
    }
}

/// Names the interfaces of this computer that are up and have the same network, for an advice; `None` without such.
pub fn same_network() -> Option<String> {
    describe_same(&select(&[]).ok()?)
}

fn describe_same(interfaces: &[Interface]) -> Option<String> {
    let is_twin = |one: &Interface, other: &Interface| {
        one.device() != other.device() && one.prefix == other.prefix && one.contains(other.address)
    };
    let first = interfaces
        .iter()
        .find(|one| interfaces.iter().any(|other| is_twin(one, other)))?;
    let network = Ipv4Addr::from_bits(first.address.to_bits() & mask(first.prefix));
    let names: Vec<&str> = std::iter::once(first)
        .chain(interfaces.iter().filter(|other| is_twin(first, other)))
        .map(Interface::device)
        .collect();
    Some(format!(
        "{} have the same network {network}/{}",
        names.join(" and "),
        first.prefix
    ))
}

fn mask(prefix: u8) -> u32 {
    u32::MAX
        .checked_shl(32 - u32::from(prefix.min(32)))
        .unwrap_or(0)
}

fn last(address: Ipv4Addr, prefix: u8) -> Ipv4Addr {
    Ipv4Addr::from_bits(address.to_bits() | !mask(prefix))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn interface(name: &str, address: [u8; 4], prefix: u8, loopback: bool, up: bool) -> Interface {
        let address = address.into();
        Interface {
            name: name.into(),
            address,
            peer: None,
            prefix,
            broadcast: last(address, prefix),
            loopback,
            up,
            index: 1,
        }
    }

    fn some() -> Vec<Interface> {
        vec![
            interface("lo", [127, 0, 0, 1], 8, true, true),
            interface("eth0", [192, 168, 1, 5], 24, false, true),
            interface("eth0", [10, 0, 0, 5], 8, false, true),
            interface("wlan0", [10, 9, 0, 5], 16, false, false),
        ]
    }

    fn chosen(wanted: &[&str]) -> Result<Vec<String>, String> {
        let wanted: Vec<String> = wanted.iter().map(|&text| text.to_owned()).collect();
        select_from(some(), &wanted)
            .map(|list| {
                list.iter()
                    .map(|interface| interface.address.to_string())
                    .collect()
            })
            .map_err(|error| error.to_string())
    }

    #[test]
    fn by_name_and_by_address() {
        assert_eq!(chosen(&[]).unwrap(), ["192.168.1.5", "10.0.0.5"]);
        assert_eq!(
            chosen(&["eth0", "10.0.0.5"]).unwrap(),
            ["192.168.1.5", "10.0.0.5"]
        );
        assert_eq!(chosen(&["lo"]).unwrap(), ["127.0.0.1"]);
        assert_eq!(chosen(&["127.0.0.9"]).unwrap(), ["127.0.0.9"]);
        assert!(chosen(&["wlan0"]).unwrap_err().contains("down"));
        assert!(
            chosen(&["192.168.1.6"])
                .unwrap_err()
                .contains("eth0 192.168.1.5")
        );
        assert!(
            chosen(&["tun0"])
                .unwrap_err()
                .contains("no interface 'tun0'")
        );
    }

    #[test]
    fn interfaces_of_one_network() {
        assert_eq!(describe_same(&some()), None);
        let mut twins = some();
        twins.push(interface("wlan1", [192, 168, 1, 6], 24, false, true));
        twins.push(interface("eth0:1", [192, 168, 1, 7], 24, false, true));
        assert_eq!(
            describe_same(&twins).as_deref(),
            Some("eth0 and wlan1 have the same network 192.168.1.0/24")
        );
    }

    #[test]
    fn last_address_of_a_prefix() {
        assert_eq!(
            last(Ipv4Addr::new(127, 0, 0, 1), 8),
            Ipv4Addr::new(127, 255, 255, 255)
        );
        assert_eq!(
            last(Ipv4Addr::new(10, 1, 2, 3), 32),
            Ipv4Addr::new(10, 1, 2, 3)
        );
        assert_eq!(last(Ipv4Addr::new(10, 1, 2, 3), 0), Ipv4Addr::BROADCAST);
        assert_eq!(
            last(Ipv4Addr::new(10, 1, 2, 3), 23),
            Ipv4Addr::new(10, 1, 3, 255)
        );
    }

    #[test]
    fn this_host_has_a_loopback() {
        let lo = select(&["127.0.0.1".to_owned()]).unwrap().remove(0);
        assert!(lo.loopback && lo.up);
        assert_eq!(
            (lo.prefix, lo.broadcast),
            (8, Ipv4Addr::new(127, 255, 255, 255))
        );
        assert_eq!(
            source_for(Ipv4Addr::new(127, 0, 0, 77)).unwrap(),
            Ipv4Addr::LOCALHOST
        );
    }
}
