//! By its index.

use std::io;
use std::num::NonZeroU32;
use std::time::Duration;

use nix::net::if_::if_nametoindex;
use socket2::SockRef;

/// Binds a socket to a device, by which alone its data leave then.
///
/// # Errors
///
/// Any error of the system, such as a device that does not exist.
pub fn bind_device<'s>(socket: impl Into<SockRef<'s>>, device: &str) -> io::Result<()> {
    let index = if_nametoindex(device)?;
    socket
        .into()
        .bind_device_by_index_v4(NonZeroU32::new(index))
}

/// Leaves retransmissions to the system.
pub fn limit_retransmission<'s>(_: impl Into<SockRef<'s>>, _: Duration) -> io::Result<()> {
    Ok(())
}
