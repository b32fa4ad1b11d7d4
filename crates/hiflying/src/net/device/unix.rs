//! By its name.

use std::io;

use socket2::SockRef;

/// Binds a socket to a device, by which alone its data leave then.
///
/// # Errors
///
/// Any error of the system, such as a missing privilege.
pub fn bind_device<'s>(socket: impl Into<SockRef<'s>>, device: &str) -> io::Result<()> {
    socket.into().bind_device(Some(device.as_bytes()))
}
