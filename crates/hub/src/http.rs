//! What the hub answers over HTTP.
//!
//! Handlers translate: they read the request, call the hub's handle and write its answer. They know nothing of plugs, and
//! nothing of who may ask: that is [`crate::trust`]'s, which stands around all of them.
//!
//! * [`problem`]: the one shape of an error.
//! * [`stuck`]: the bound on connections whose other end does not read.

pub mod problem;
pub mod stuck;
