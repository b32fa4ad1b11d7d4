//! Energy that plugs used, and its cost.
//!
//! Pure functions of readings, tariffs and a time zone: nothing here reads a clock, a file or a socket.
//!
//! * [`Lifetime`]: a total that never decreases, even when a plug's own counter does.
//! * `CostReport`: energy and cost by tariff.
//! * [`report`]: energy and cost of plugs by local day, week, month or year; [`household`]: of all, with the standing charge; [`house_quarters`]: of all, by
//!   quarter-hours.

mod costs;
mod house;
mod household;
mod lifetime;
mod report;

pub(crate) use costs::CostReport;
pub use house::house_quarters;
pub use household::household;
pub use lifetime::{Lifetime, Note, Taken};
pub(crate) use lifetime::{can_use, granted};
pub use report::report;
