//! MQTT: publishes the plugs of a hub, and obeys commands that come back. A guest of the hub's handle.
//!
//! * [`config`]: settings from `[mqtt]` in `mains.toml`.
//! * [`topic`]: the names of topics.
//! * [`home`]: facts about the plugs and groups of a hub, which discovery announces.
//! * [`discovery`]: Home Assistant discovery; pure functions.

pub mod config;
pub mod discovery;
pub mod home;
pub mod topic;
