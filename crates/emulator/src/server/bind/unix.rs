//! Sockets and descriptors, as the kernel permits them.

use std::io;

use nix::sys::resource::{Resource, getrlimit, setrlimit};
use socket2::Socket;

/// Raises the limit of open files as far as the system permits: thousands of twins need thousands of descriptors.
pub(crate) fn allow_many_descriptors() {
    if let Ok((soft, hard)) = getrlimit(Resource::RLIMIT_NOFILE)
        && soft < hard
        && let Err(error) = setrlimit(Resource::RLIMIT_NOFILE, hard, hard)
    {
        tracing::debug!(%error, "the limit of open files stays at {soft}");
    }
}

/// Lets others bind the port when this socket does not exclude them.
pub(super) fn allow_rebinding(socket: &Socket) -> io::Result<()> {
    socket.set_reuse_address(true)
}
