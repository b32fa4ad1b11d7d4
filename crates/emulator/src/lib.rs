//! Software twins of the Maginon SP-2 plug and the Philips Hue bridge: what a client sees of them, with every fault that was ever
//! reported.
//!
//! * [`PlugConfig`] says what a twin is, [`Fault`] in what it differs from a faithful unit, [`Load`] what hangs on it,
//!   [`HomeNetwork`] what it can join.
//! * [`twin`] is the twin itself, without sockets and without a clock: tests join it with the client's cores and let years pass.
//! * [`server`] puts any number of twins on sockets, and [`Recorder`] keeps what they heard and said.
//! * [`bridge`] has the same for bridges and the bulbs around them.
//!
//! The facts come from the pages on the wire protocols. Where they only guess or contradict each other, the twin takes the
//! likelier side, and a fault takes the other.

pub mod bridge;
mod catalogue;
mod config;
mod load;
mod network;
mod outbox;
pub mod reco;
mod record;
pub mod server;
pub mod twin;
mod wskey;

pub use catalogue::FaultError;
pub use config::{Mode, PlugConfig, PlugConfigError, Profile, SerialNumber, SeriesError};
pub use load::{Draw, Load, LoadError, MainsMoment};
pub use network::{HomeNetwork, HomeNetworkError};
pub use reco::RecoTwin;
pub use reco::fault::PlugFault;
pub use record::Recorder;
pub use twin::Twin;
