//! The AT session on UDP port 48899 as a state machine without sockets or clock.

mod config;

pub use config::SessionConfig;
