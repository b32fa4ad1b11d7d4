//! Schedules and rules in virtual time.

mod fixture;
mod rules;
mod schedules;
