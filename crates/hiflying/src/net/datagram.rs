//! A received datagram.

use std::net::SocketAddrV4;
use std::sync::Arc;

use zeroize::Zeroizing;

/// One received datagram. Cloning is cheap.
#[derive(Debug, Clone)]
pub struct Datagram {
    /// Sender.
    pub from: SocketAddrV4,
    /// Payload. It can hold a Wi-Fi key, so it is wiped when the last clone is dropped.
    pub bytes: Arc<Zeroizing<Vec<u8>>>,
}
