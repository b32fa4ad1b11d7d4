//! What can be switched and metered: Reco4life/Maginon plugs today, and how they are found.
//!
//! The crate speaks the protocols of the plugs; how their Wi-Fi modules are configured is the `hiflying` crate's
//! business. The core has no sockets, no clock and no async runtime: bytes and times go in, bytes and events come out.
//!
//! * [`plug`]: a plug and a reading, as every surface of Mains shows them.
//! * [`reco`]: the messages of the Reco4life family, in both directions.

pub mod plug;
pub mod reco;

pub use plug::{FamilyId, Plug, Reading, RelayState};
