//! From what the user calls a plug to the plug itself.

pub use target::{Target, device_address, parse};

mod target;
