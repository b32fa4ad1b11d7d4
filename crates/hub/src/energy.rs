//! Energy that plugs used, and its cost.
//!
//! Pure functions of readings, tariffs and a time zone: nothing here reads a clock, a file or a socket.
//!
//! * [`Lifetime`]: a total that never decreases, even when a plug's own counter does.
//! * [`report`]: energy and cost by local day or month.

mod lifetime;
mod report;

pub use lifetime::{Lifetime, Note, Taken};
pub use report::report;
