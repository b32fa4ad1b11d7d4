//! Discovery of a bridge: the square one and the Pro by mDNS, the round one and the square one by SSDP.
//!
//! The messages are here; `server::announce` has the sockets.

pub(super) mod mdns;
pub(super) mod ssdp;
