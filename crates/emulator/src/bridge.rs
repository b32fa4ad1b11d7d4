//! Software twins of the Philips Hue bridge, and the bulbs around them.
//!
//! * [`BridgeConfig`] describes a bridge, [`BulbSpec`] place and owner of a bulb, [`BridgeFault`] a deviation from a faithful
//!   bridge.
//! * [`Room`] holds the bridges and bulbs that share one radio. It has no sockets and no clock, so that tests can let half an
//!   hour pass.
//! * [`server`] serves the bridges of a room on sockets; its [`server::RoomHandle`] presses buttons and switches bulbs off
//!   and on, as the person in the room does.
//!
//! A bulb that is *near* is near whichever bridge is asked: the person carries it there.
//!
//! A search takes 5 s and touchlink 1 s, instead of the real 40 s and 10 s, unless the faults `search-time` and
//! `touchlink-time` set another duration.

mod announce;
mod behaviour;
mod bulb;
mod clock;
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
    BridgeConfig, InterfaceVersion, InterfaceVersionError, RoomError, TwinModel, TwinModelError,
};
pub use fault::BridgeFault;
pub use reply::{BridgeAnswer, RoomRequest};
pub use room::Room;
pub use touchlink::{TouchlinkLine, TouchlinkSession};
