//! The address of a candidate.

use std::net::Ipv4Addr;

use crate::address::{Address, Scheme};

/// Returns the address of a candidate. The default ports are left out, so that a bridge with both is one candidate.
pub(super) fn candidate(host: Ipv4Addr, scheme: Scheme, port: u16) -> Option<Address> {
    if port == 0 || host.is_unspecified() || host.is_multicast() || host.is_broadcast() {
        return None;
    }
    let is_default = port == scheme.port();
    Some(Address {
        scheme: (!is_default).then_some(scheme),
        host: host.to_string(),
        port: (!is_default).then_some(port),
    })
}
