//! The hub: keeps contact with every plug, records their energy, and switches by clock, sun and rules.
//!
//! [`run`] runs a [`Hub`]. The command line starts it and calls it over HTTP, as every other client does.
//!
//! * [`automation`]: runs schedules and rules.
//! * [`backups`]: scheduled backups.
//! * [`bridges`]: Hue bridges, and bulbs that they take over.
//! * [`config`]: settings from `mains.toml`.
//! * [`registry`]: keeps contact with every plug; the only module that opens sockets to plugs.
//! * [`energy`]: energy and cost of plugs.
//! * `history`: history, sums and exports, with their defaults and limits.
//! * `harden`: locking plugs down.
//! * [`rule`]: decisions of rules.
//! * [`schedule`]: times of schedules.
//! * [`store`]: persistent state, behind traits that SQLite implements.
//! * [`recorder`]: writes readings to the store, without delaying anything else.
//! * [`log`]: writes the log of past events to the store.
//! * [`sites`]: the sites in the hub's database.
//! * [`state_lock`]: exclusive use of a state directory.
//! * [`repository`]: collections of documents, in memory and in the store.
//! * [`event`]: the event bus, with the latest 4,096 events for subscribers that resume.
//! * [`guest`]: parts that work on the hub's handle without being known to it.
//! * [`http`]: the HTTP API. [`auth`]: access control. [`server`]: connections.
//!
//! * [`lease`]: which of the hubs that share a database acts. `standby`: what the others do.
//!
//! Commands go down to the one task that owns a plug; events come up by broadcast; state is read from a snapshot.

mod assemble;
pub mod auth;
pub mod automation;
pub mod backups;
pub mod bridges;
mod check;
pub mod config;
mod context;
mod documents;
pub mod energy;
pub mod event;
pub mod guest;
mod harden;
mod history;
pub mod http;
mod hub;
pub mod lease;
pub mod log;
mod pinned;
pub mod recorder;
pub mod registry;
mod replacement;
pub mod repository;
pub mod rule;
mod run;
pub mod schedule;
pub mod server;
pub mod sites;
mod standby;
pub mod state_lock;
pub mod store;

pub use check::check;
pub use config::Config;
pub use documents::HubDocument;
pub use event::{EventBus, EventId, PublishedEvent};
pub use guest::{Guest, InlineStyle, LoginPage, LoginProblem, PathAccess, RefusalPage};
pub use history::SiteHistory;
pub use hub::{Hub, Parts};
pub use registry::Registry;
pub use repository::Repository;
pub use run::{HubReady, keep_password, run};
