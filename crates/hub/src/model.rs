//! What the hub keeps, and what its API shows of it.
//!
//! A plug is known by its MAC ([`PlugId`]); everything that people make (groups, schedules, rules, tariffs) is a
//! [`Document`] with an [`Id`] and a revision.

mod cause;
mod day;
mod document;
mod group;
mod id;
mod plug;
mod time_of_day;

pub use cause::Cause;
pub use day::Day;
pub use document::{Collection, Document, Stored};
pub use group::{Group, check_name};
pub use id::{Id, IdError, PlugId, Target};
pub use plug::{Metering, PlugRecord, PlugView, PowerOn};
pub use time_of_day::TimeOfDay;
