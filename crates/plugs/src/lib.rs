//! Plugs that can be switched and metered, Reco4life/Maginon plugs and the Orvibo S20 today, and the search for them.
//!
//! The crate implements the protocols of the plugs; the configuration of their Wi-Fi modules is in the `hiflying` crate. The core
//! has no sockets, no clock and no async runtime: bytes and times go in, bytes and events come out.
//!
//! * [`plug`]: a plug and a reading, as all interfaces of Mains show them.
//! * [`family`]: the trait of a family, with everything that distinguishes it from others.
//! * [`families`]: the table of the families.
//! * [`command`]: commands to a plug and their replies.
//! * [`exchange`]: one command carried out on one plug, without sockets.
//! * [`inbound`]: connections that plugs open to us, without sockets.
//! * [`discovery`]: finding every plug, without sockets.
//! * [`duplicates`]: two devices with one MAC.
//! * [`reco`]: the Reco4life family: its messages in both directions, and its exchange over TCP.
//! * [`orvibo`]: the Orvibo S20: its datagrams in both directions, and its exchange over UDP.
//! * `net` (feature `net`): the sockets.
//! * [`module`]: modules that reply, but are not a known plug.

mod clock;
pub mod command;
pub mod discovery;
pub mod duplicates;
pub mod exchange;
pub mod families;
pub mod family;
pub mod inbound;
pub mod module;
#[cfg(feature = "net")]
pub mod net;
pub mod orvibo;
pub mod plug;
pub mod reco;

pub use clock::{now, steady_time};
pub use command::{
    Capability, Measurement, Minutes, MinutesError, PlugCommand, PlugReply, Switched,
};
pub use family::{Families, Family};
pub use plug::{FamilyId, Plug, Reading, RelayCommand, RelayState};
