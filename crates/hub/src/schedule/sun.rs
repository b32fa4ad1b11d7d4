//! When the sun rises and sets.
//!
//! The upper limb on a level horizon with the usual refraction, as in almanacs. The equations are good to about a minute
//! between the polar circles; the weather of the day moves the real event by as much.

use chrono::NaiveDate;
use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use sunrise::{Coordinates, SolarDay, SolarEvent};

use super::Sun;
use crate::config::Place;

/// Seconds in which the sun moves on by a degree of longitude.
const SECONDS_PER_DEGREE: f64 = 240.0;

/// Returns when the sun rises or sets on a day of a place, that is, before or after its noon of that date. `None` where it
/// stays up or down.
pub(super) fn event(sun: Sun, place: Place, day: Date) -> Option<Timestamp> {
    let coordinates = Coordinates::new(place.latitude, place.longitude)?;
    let day = NaiveDate::from_ymd_opt(
        day.year().into(),
        day.month().try_into().ok()?,
        day.day().try_into().ok()?,
    )?;
    let event = match sun {
        Sun::Sunrise => SolarEvent::Sunrise,
        Sun::Sunset => SolarEvent::Sunset,
    };
    let time = SolarDay::new(coordinates, day).event_time(event)?;
    Timestamp::from_second(time.timestamp()).ok()
}

/// Returns the local time of the mean sun's noon: what calendars there call the day on which an event falls.
pub(super) fn noon(place: Place, day: Date, timezone: &TimeZone) -> Option<DateTime> {
    let noon = TimeZone::UTC.to_timestamp(day.at(12, 0, 0, 0)).ok()?;
    let east = SignedDuration::try_from_secs_f64(place.longitude * SECONDS_PER_DEGREE).ok()?;
    Some(timezone.to_datetime(noon.checked_sub(east).ok()?))
}
