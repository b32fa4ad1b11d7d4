//! Software twins of the Philips Hue bridge: what a client sees of one, and the bulbs around it.
//!
//! * [`BridgeConfig`] says what a bridge is, [`BulbSpec`] where a bulb is and whose, [`BridgeFault`] in what a bridge differs
//!   from a faithful one.
//! * [`Room`] is where bridges and bulbs stand together: they share one radio. It has no sockets and no clock, so that tests can let
//!   half an hour pass.
//! * [`server`] puts the bridges of a room on sockets; its [`server::RoomHandle`] is the hand of the person in the room, who
//!   presses buttons and switches bulbs off and on.
//!
//! A bulb that is *near* is near whichever bridge is asked: the person carries it there.
//!
//! What takes 40 s and 10 s with the real one takes 5 s and 1 s here unless the faults `search-time` and `touchlink-time` say
//! otherwise.

mod announce;
mod behaviour;
mod bulb;
mod config;
mod description;
mod events;
mod fault;
mod lights;
mod radio;
mod reply;
mod resources;
mod room;
pub mod server;
#[cfg(test)]
mod tests;
mod touchlink;
mod twin;
mod v1;
mod v2;

pub use behaviour::Mangle;
pub use bulb::{BulbPlace, BulbSpec, BulbSpecError, BulbView};
pub use config::{
    BridgeConfig, BridgeModel, BridgeModelError, InterfaceVersion, InterfaceVersionError, RoomError,
};
pub use fault::BridgeFault;
pub use reply::{BridgeAnswer, BridgeRequest};
pub use room::Room;
pub use touchlink::{TouchlinkLine, TouchlinkSession};
