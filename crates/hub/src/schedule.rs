//! What switches by the clock and the sun.
//!
//! A [`Schedule`] is what people write; [`next_due`] says when it fires next. That is a pure function of the schedule, the
//! time zone, the place and a moment: nothing here reads a clock or sleeps.
//!
//! Local times come from calendars, instants from the time zone's rules, and two rules join them: a local time that does not exist
//! (the clock is set forward over it) fires at the next that does, and one that exists twice fires once, the first time.

mod civil;
mod cron;
mod days;
mod due;
mod model;
mod sun;
mod when;

pub(crate) use civil::instant;
pub use cron::Cron;
pub use days::Days;
pub use due::{Clock, last_due, next_due};
pub use model::Schedule;
pub use when::{LocalTime, Offset, Sun, When};
