//! By its name.

use std::io;
use std::time::Duration;

use socket2::SockRef;

/// Binds a socket to a device, by which alone its data leave then.
///
/// # Errors
///
/// Any error of the system, such as a missing privilege.
pub fn bind_device<'s>(socket: impl Into<SockRef<'s>>, device: &str) -> io::Result<()> {
    socket.into().bind_device(Some(device.as_bytes()))
}

/// Gives up bytes that the other end of a TCP connection does not acknowledge within a time, also when the socket is closed by then.
pub fn limit_retransmission<'s>(socket: impl Into<SockRef<'s>>, limit: Duration) -> io::Result<()> {
    socket.into().set_tcp_user_timeout(Some(limit))
}
