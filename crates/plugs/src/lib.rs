//! What can be switched and metered: Reco4life/Maginon plugs today, and how they are found.
//!
//! The crate speaks the protocols of the plugs; how their Wi-Fi modules are configured is the `hiflying` crate's
//! business. The core has no sockets, no clock and no async runtime: bytes and times go in, bytes and events come out.
//!
//! * [`plug`]: a plug and a reading, as every surface of Mains shows them.
//! * [`family`]: what sets one family apart from another, and the table of them.
//! * [`exchange`]: one order carried out on one plug, without sockets.
//! * [`discovery`]: finding every plug, without sockets.
//! * [`reco`]: the Reco4life family: its messages in both directions, and its exchange over TCP.
//! * `net` (feature `net`): the sockets.
//! * [`module`]: modules that answer, but are no plug that we know.

pub mod discovery;
pub mod exchange;
pub mod family;
pub mod module;
#[cfg(feature = "net")]
pub mod net;
pub mod plug;
pub mod reco;

pub use exchange::{Measurement, Order, Outcome};
pub use family::{FAMILIES, Family};
pub use plug::{FamilyId, Plug, Reading, RelayState};
pub use reco::Minutes;
