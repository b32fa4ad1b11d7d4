//! MQTT: publishes the plugs of a hub, and obeys commands that come back. A guest of the hub's handle.
//!
//! * [`config`]: settings from `[mqtt]` in `mains.toml`.
//! * [`topic`]: the names of topics.
//! * [`home`]: facts about the plugs and groups of a hub, which discovery announces.
//! * [`discovery`]: Home Assistant discovery; pure functions.
//! * [`MqttBridge`]: the guest. `bridge` keeps a connection, `connection` is one of them; `mirror` turns the hub into messages,
//!   `outbox` holds the newest of each topic, `ledger` the topics that hold a message at the broker, `command` and `executor` what
//!   comes back.
//! * `link`, `transport`, `session`, `protocol`: from the address of a broker to packets. `protocol` is without I/O.
//! * [`check`]: the steps of `mains mqtt check`.

mod backoff;
mod bridge;
pub mod check;
mod command;
pub mod config;
mod connection;
pub mod discovery;
pub mod error;
mod executor;
mod firmware;
pub mod home;
mod ledger;
mod link;
mod log_limit;
mod mirror;
mod outbox;
mod protocol;
mod session;
pub mod status;
pub mod topic;
mod transport;

#[cfg(fuzzing)]
pub use command::parse_payload;
#[cfg(fuzzing)]
pub use protocol::packet::parse_packet;

pub use bridge::MqttBridge;
pub use config::MqttConfig;
