//! The layer that owns sockets: local interfaces, UDP port 48899 and the drivers of the
//! sans-IO cores.

mod console;
mod datagram;
mod drive;
mod holder;
mod interfaces;
mod join;
mod port;
mod share;

pub use console::{UdpConsole, UdpConsoleError};
pub use datagram::Datagram;
pub use holder::PortHolder;
pub use interfaces::{Interface, InterfaceError, interfaces, same_network, select, source_for};
pub use join::{Resume, join};
pub use port::{BindError, UdpPort};
pub use share::share_ports;
