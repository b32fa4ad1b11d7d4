//! The layer that owns sockets: local interfaces, UDP port 48899 and the drivers of the
//! sans-IO cores.

mod console;
mod datagram;
#[cfg_attr(all(unix, not(target_os = "macos")), path = "device/unix.rs")]
#[cfg_attr(target_os = "macos", path = "device/macos.rs")]
#[cfg_attr(windows, path = "device/windows.rs")]
mod device;
mod drive;
mod holder;
mod interfaces;
mod join;
mod port;
mod share;

pub use console::{UdpConsole, UdpConsoleError};
pub use datagram::Datagram;
pub use device::{bind_device, limit_retransmission};
pub use holder::PortHolder;
pub use interfaces::{Interface, InterfaceError, interfaces, same_network, select, source_for};
pub use join::{Resume, join};
pub use port::{BindError, UdpPort};
pub use share::share_ports;
