//! The loopback network of one demo, so that several can run at the same time.

use std::net::{Ipv4Addr, UdpSocket};

use hiflying::PORT;

use crate::error::Failure;

/// Prefix length of the network.
pub(super) const PREFIX: u8 = 24;
/// Last bytes of the addresses that plugs can have: in station mode, and of the fresh plug after its setup.
const PLUGS: [u8; 10] = [1, 2, 3, 4, 5, 6, 7, 8, 9, FRESH_AT_HOME];
/// Last byte of the fresh plug's address after its setup.
pub(super) const FRESH_AT_HOME: u8 = 105;
/// Last byte of the address that the commands and the hub use.
const CLIENT: u8 = 254;
/// Last byte of an address for commands in another terminal.
const VISITOR: u8 = 252;
/// Last byte of the address that marks the network as taken.
const CLAIM: u8 = 253;

/// A network 127.77.N.0/24 that no other program uses; free again when dropped or when the process ends.
#[derive(Debug)]
pub(super) struct DemoNetwork {
    number: u8,
    _claim: UdpSocket,
}

impl DemoNetwork {
    /// Takes the first network that is free.
    pub(super) fn claim() -> Result<Self, Failure> {
        let mut networks = (0..=u8::MAX).filter_map(|number| {
            let claim = bind(number, CLAIM)?;
            let is_free = |last: u8| bind(number, last).is_some();
            PLUGS
                .into_iter()
                .chain([CLIENT, VISITOR])
                .all(is_free)
                .then_some(Self {
                    number,
                    _claim: claim,
                })
        });
        networks.next().ok_or_else(|| {
            Failure::local(format!("UDP port {PORT} is taken on all of 127.77.0.0/16"))
                .hint("end the program that has this port on all addresses")
        })
    }

    /// Returns the address that ends in this byte.
    pub(super) fn address(&self, last: u8) -> Ipv4Addr {
        Ipv4Addr::new(127, 77, self.number, last)
    }

    /// Returns the address from which the plugs are contacted.
    pub(super) fn client(&self) -> Ipv4Addr {
        self.address(CLIENT)
    }

    /// Returns an address from which a command in another terminal can contact the plugs.
    pub(super) fn visitor(&self) -> Ipv4Addr {
        self.address(VISITOR)
    }
}

fn bind(number: u8, last: u8) -> Option<UdpSocket> {
    UdpSocket::bind((Ipv4Addr::new(127, 77, number, last), PORT)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_demos_have_two_networks() {
        let (one, other) = (DemoNetwork::claim().unwrap(), DemoNetwork::claim().unwrap());
        assert_ne!(one.client(), other.client());
    }
}
