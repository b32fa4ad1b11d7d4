//! Keeps contact with every plug.

mod order;

pub use order::{Delayed, Found, PlugChange, Switched, Wanted};
