//! Software twins of orphaned Wi-Fi plugs.

mod behaviour;
mod config;
mod fault;
mod load;
mod network;
pub mod twin;

pub use config::{ConfigError, Mode, PlugConfig, Profile, Serial};
pub use fault::{Fault, FaultError};
pub use load::{Draw, Load, LoadError, Moment};
pub use network::{HomeNetwork, HomeNetworkError};
pub use twin::Twin;
