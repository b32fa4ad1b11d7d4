//! No binding: data leave by the interface to whose address the socket is bound, or that the routes name.

use std::io;
use std::time::Duration;

use socket2::SockRef;

/// Leaves the choice of the device to the system.
pub fn bind_device<'s>(_: impl Into<SockRef<'s>>, _: &str) -> io::Result<()> {
    Ok(())
}

/// Leaves retransmissions to the system.
pub fn limit_retransmission<'s>(_: impl Into<SockRef<'s>>, _: Duration) -> io::Result<()> {
    Ok(())
}
