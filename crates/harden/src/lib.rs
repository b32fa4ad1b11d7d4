//! Locking a plug down: closing what the settings of its Wi-Fi module leave open.
//!
//! * [`harden`] closes the weaknesses one by one, or restores what stood before. It is an async function over a
//!   [`HardenModule`], which knows no runtime and no socket, so tests run it against an emulated plug in virtual time.
//! * [`record`] keeps the old values, written before anything is changed, and the discovery words that modules were given.
//! * [`LanModule`] is a module on the local network; [`web`] asks its web page for a login.
//!
//! Each change is written, read back, applied by a restart and proven afterwards. What cannot be proven is taken back.

mod flow;
mod lan;
mod module;
pub mod record;
mod weakness;
pub mod web;

pub use flow::{HardenError, HardenOptions, HardenProgress, harden};
pub use lan::LanModule;
pub use module::{HardenModule, OpenedSession};
