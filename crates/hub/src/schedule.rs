//! Times at which schedules fire.
//!
//! [`next_due`] returns the next time at which a [`Schedule`](api::Schedule) fires. It is a pure function of the schedule, the time
//! zone, the place and a moment: nothing here reads a clock or sleeps.
//!
//! Calendars give local times, and the rules of the time zone give instants. Two rules join them: a local time that does not exist
//! (the clock is set forward over it) fires at the next one that does, and one that exists twice fires once, the first time. A cron
//! expression whose hours begin with `*` goes by elapsed time instead: it fires at each moment that matches the local clock.

mod civil;
mod due;
mod fired;
mod sun;

pub(crate) use civil::instant;
pub use due::{Clock, last_due, next_due};
pub(crate) use fired::{FiredTimes, just_before};
pub use sun::event as sun_event;
