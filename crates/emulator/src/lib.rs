//! Software twins of orphaned Wi-Fi plugs.

mod behaviour;
mod fault;
mod load;

pub use fault::{Fault, FaultError};
pub use load::{Draw, Load, LoadError, Moment};
