//! The process that holds a UDP port.

#[cfg_attr(unix, path = "holder/unix.rs")]
#[cfg_attr(windows, path = "holder/windows.rs")]
mod sockets;

pub(super) use sockets::{bound, holder, own_name};

/// A process that holds a port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PortHolder {
    /// Process id.
    pub pid: u32,
    /// Name of the process.
    pub name: String,
}

impl std::fmt::Display for PortHolder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} (process {})", self.name, self.pid)
    }
}
