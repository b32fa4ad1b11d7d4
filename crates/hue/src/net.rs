//! Sockets: HTTP and HTTPS to a bridge, certificates, TCP port 30000, and discovery.
//!
//! Only a [`BridgeConnection`] ever sends an application key, and it exists only after the bridge was identified and its
//! certificate verified ([`certificate`]).
//!
//! * [`open`] connects to a bridge as people name it and finds its key. [`connect`] is the same before pairing, without a key.
//! * [`discover`] finds bridges; [`locate`] finds one by its id.

#[cfg_attr(unix, path = "net/binding/unix.rs")]
#[cfg_attr(windows, path = "net/binding/windows.rs")]
mod binding;
pub mod certificate;
mod config;
mod connect;
mod connection;
mod discovery;
mod endpoint;
mod http;
mod open;
mod request_lock;

pub use certificate::{AcceptCertificate, Certificate, CertificateTrust, RootCertificates};
pub use config::{BridgeTimeouts, LocalInterface, NetworkConfig};
pub use connection::BridgeConnection;
#[cfg(fuzzing)]
pub use discovery::parse_replies;
pub use discovery::{DiscoveryOptions, FoundBridge, discover, locate};
pub use open::{PairedConnection, connect, open, remember};

#[cfg(test)]
mod tests;
