//! Schedules and rules in virtual time.

mod board;
mod rules;
mod schedules;
