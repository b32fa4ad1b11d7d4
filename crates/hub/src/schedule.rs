//! When schedules fire.
//!
//! [`next_due`] returns when a [`Schedule`](api::Schedule) fires next. That is a pure function of the schedule, the
//! time zone, the place and a moment: nothing here reads a clock or sleeps.
//!
//! Local times come from calendars, instants from the time zone's rules, and two rules join them: a local time that does not exist
//! (the clock is set forward over it) fires at the next that does, and one that exists twice fires once, the first time.

mod civil;
mod due;
mod sun;

pub(crate) use civil::instant;
pub use due::{Clock, last_due, next_due};
