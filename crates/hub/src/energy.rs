//! What plugs used, and what it cost.
//!
//! Pure functions of readings, tariffs and a time zone: nothing here reads a clock, a file or a socket.
//!
//! * [`Lifetime`]: a total that never goes back, whatever a plug's own counter does.
//! * [`Tariff`]: what a kilowatt-hour costs: always the same, by day and night, or by the hour ([`HourPrices`]).
//! * [`report`]: energy and cost by local day or month.

mod lifetime;
mod prices;
mod report;
mod tariff;

pub use lifetime::{Lifetime, Note, Taken};
pub use prices::{HourPrice, HourPrices};
pub use report::{By, EnergyRow, report};
pub use tariff::{Prices, Tariff};
