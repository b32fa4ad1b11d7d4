//! Sockets and descriptors, as Windows permits them.

use std::io;

use socket2::Socket;

/// Does nothing: there is no such limit.
pub(crate) fn allow_many_descriptors() {}

/// Does nothing: connections of a moment ago do not exclude a listener, and the option would let a second one take the port.
pub(super) fn allow_rebinding(_: &Socket) -> io::Result<()> {
    Ok(())
}
