//! How a bridge makes itself found: the square one and the Pro by mDNS, the round one and the square one by SSDP.
//!
//! Here is what is said; `server::announce` has the sockets.

pub(super) mod mdns;
pub(super) mod ssdp;
