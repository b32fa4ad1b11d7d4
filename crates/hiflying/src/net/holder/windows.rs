//! The system's table of sockets and their processes.

use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;

use listeners::{Process, Protocol};

use super::PortHolder;

/// A bound UDP socket of this host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct BoundSocket {
    /// `None` for a wildcard socket.
    pub(crate) address: Option<Ipv4Addr>,
    process: Process,
}

/// Lists the sockets that block this address and port.
pub(crate) fn bound(address: Ipv4Addr, port: u16) -> Vec<BoundSocket> {
    // Without the table the holder stays unknown.
    let all = listeners::get_all().unwrap_or_default();
    all.into_iter()
        .filter(|it| it.protocol == Protocol::UDP && it.socket.port() == port)
        .filter_map(|it| {
            let ip = it.socket.ip().to_canonical();
            let address = match ip {
                _ if ip.is_unspecified() => None,
                IpAddr::V4(address) => Some(address),
                IpAddr::V6(_) => return None,
            };
            Some(BoundSocket {
                address,
                process: it.process,
            })
        })
        .filter(|bound| bound.address.is_none_or(|other| other == address))
        .collect()
}

/// Returns the process behind one of the sockets, if this user may see it.
pub(crate) fn holder(sockets: &[BoundSocket]) -> Option<PortHolder> {
    let bound = sockets.first()?;
    Some(PortHolder {
        pid: bound.process.pid,
        name: bound.process.name.clone(),
    })
}

/// Returns the name of this process as other processes see it.
pub(crate) fn own_name() -> String {
    let path = std::env::current_exe().ok();
    let name = path.as_deref().and_then(Path::file_name);
    name.map_or_else(String::new, |name| name.to_string_lossy().into_owned())
}
