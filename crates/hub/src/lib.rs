//! The hub: keeps contact with every plug, remembers what each used, and switches by the clock, by the sun and by rules.
//!
//! It is a library with one running thing, the [`Hub`]; the command line starts it and talks to it over HTTP like
//! everybody else. It knows nothing of the command line.
//!
//! * [`automation`]: lets schedules and rules act.
//! * [`bridges`]: Hue bridges, and bulbs that they take over.
//! * [`config`]: what the owner decides in `mains.toml`.
//! * [`registry`]: keeps contact with every plug; nobody else opens a socket to one.
//! * [`energy`]: what plugs used, and what it cost.
//! * [`rule`]: what switches by what a plug does.
//! * [`schedule`]: what switches by the clock and the sun.
//! * [`store`]: what outlives the process. A trait, and SQLite behind it.
//! * [`recorder`]: takes readings into the store, off the path of everything else.
//! * [`state_lock`]: exclusive use of a state directory.
//! * [`repository`]: the documents that people make, in memory and in the store.
//! * [`event`]: news, for everybody who listens, and the last thousands of them for who was away.
//! * [`http`]: what is answered over HTTP. [`auth`]: to whom. [`server`]: over which connections.
//!
//! Commands go down to the one task that owns a plug; events come up by broadcast; state is read from a snapshot.

pub mod auth;
pub mod automation;
pub mod bridges;
pub mod config;
mod documents;
pub mod energy;
pub mod event;
pub mod http;
mod hub;
pub mod recorder;
pub mod registry;
pub mod repository;
pub mod rule;
mod run;
pub mod schedule;
pub mod server;
pub mod state_lock;
pub mod store;

pub use config::Config;
pub use documents::HubDocument;
pub use event::{EventBus, EventId, PublishedEvent};
pub use hub::{Hub, Parts};
pub use registry::Registry;
pub use repository::Repository;
pub use run::{HubReady, run};
