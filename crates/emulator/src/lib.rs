//! Software twins of orphaned plugs and of the Philips Hue bridge, with every fault that was reported of them.
//!
//! * [`Twin`] is a device without sockets and without a clock. A further kind of device is one implementation of it;
//!   [`RecoTwin`] is the Maginon SP-2, made from a [`PlugConfig`] with a [`Load`], [`HomeNetwork`]s and [`PlugFault`]s;
//!   [`OrviboTwin`] is the Orvibo S20, made from an [`OrviboConfig`].
//! * [`server`] serves any number of twins on sockets, and [`RecordWriter`] records their exchanges.
//! * [`RelayTwin`] stands between an app and a real plug and writes a [`transcript`]; [`ReplayTwin`] repeats one.
//! * [`bridge`] has the same for Hue bridges and the bulbs around them, which share one radio.
//!
//! The facts come from the pages on the wire protocols. Where these only guess or contradict each other, the twin takes the
//! likelier side, and a fault takes the other. Bytes are read and written here without the client's codec.

pub mod bridge;
mod catalogue;
mod clock;
mod config;
mod load;
mod network;
pub mod orvibo;
mod outbox;
pub mod reco;
mod record;
mod relay;
mod replay;
pub mod server;
pub mod transcript;
pub mod twin;
mod wskey;

pub use catalogue::FaultError;
pub use config::{Mode, PlugConfig, PlugConfigError, Profile, SerialNumber, mac_after};
pub use load::{Load, LoadError};
pub use network::{HomeNetwork, HomeNetworkError};
pub use orvibo::{OrviboConfig, OrviboFault, OrviboModel, OrviboName, OrviboTwin};
pub use reco::RecoTwin;
pub use reco::fault::PlugFault;
pub use record::RecordWriter;
pub use relay::RelayTwin;
pub use replay::ReplayTwin;
pub use twin::Twin;
