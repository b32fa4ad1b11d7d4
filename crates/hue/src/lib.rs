//! The Philips Hue bridge, and bulbs that it does not find by itself.
//!
//! The core has no sockets and no clock; the protocol's facts and their evidence are in `docs/protocol/hue.md`.
//!
//! * [`identity`]: which bridge answers at an address, and what it can do.
//! * [`reply`]: what a bridge answers, and what its errors mean.
//! * [`tcp30000`]: the old way to take a bulb over, a line protocol without a key.

pub mod identity;
pub mod reply;
pub mod tcp30000;

pub use identity::{ApiVersion, BridgeId, Identity, Model};
pub use reply::{ApiError, BadReply, Meaning};
