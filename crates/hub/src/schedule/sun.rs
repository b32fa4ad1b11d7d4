//! Times of sunrise and sunset.
//!
//! The sun's position is that of J. Meeus, Astronomical Algorithms, chapter 25 (low accuracy, 0.01°), at the moment of the event
//! itself. Rising and setting refer to the upper limb on a level horizon with the usual refraction, as in almanacs: the centre is
//! 50 minutes of arc below. The error is a few seconds, and a minute or two beyond the polar circles.

use api::SunEvent;
use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use crate::config::Place;

/// Seconds in which the sun moves by one degree.
const SECONDS_PER_DEGREE: f64 = 240.0;
/// Altitude of the sun's centre at sunrise and sunset, in degrees.
const ALTITUDE: f64 = -50.0 / 60.0;
/// The epoch J2000: 2000-01-01T12:00Z.
const J2000: Timestamp = Timestamp::constant(946_728_000, 0);
const SECONDS_PER_CENTURY: f64 = 36_525.0 * 86_400.0;
/// Number of iterations. Each leaves a hundredth of the error, unless the sun just grazes the horizon.
const ROUNDS: usize = 6;

/// Returns the time of sunrise or sunset on a day of a place, that is, before or after its noon of that date. `None` where the sun
/// stays up or down.
pub fn event(sun: SunEvent, place: Place, day: Date) -> Option<Timestamp> {
    let noon = mean_noon(place, day)?;
    let mut offset = 0.0;
    let mut is_real = false;
    for _ in 0..ROUNDS {
        let position = Position::at(after(noon, offset)?);
        let cosine = position.cosine_of_hour_angle(place.latitude);
        is_real = (-1.0..=1.0).contains(&cosine);
        // Near the day on which it first stays up, noon can look as if it did while evening does not.
        let hour_angle = cosine.clamp(-1.0, 1.0).acos().to_degrees();
        let from_noon = match sun {
            SunEvent::Sunrise => -hour_angle,
            SunEvent::Sunset => hour_angle,
        };
        offset = (from_noon - position.equation_of_time) * SECONDS_PER_DEGREE;
    }
    let event = after(noon, offset).filter(|_| is_real)?;
    Timestamp::from_second(event.as_second()).ok()
}

/// Returns the local time of the mean sun's noon, whose date calendars there assign to the event.
pub(super) fn noon(place: Place, day: Date, timezone: &TimeZone) -> Option<DateTime> {
    Some(timezone.to_datetime(mean_noon(place, day)?))
}

fn mean_noon(place: Place, day: Date) -> Option<Timestamp> {
    let greenwich = TimeZone::UTC.to_timestamp(day.at(12, 0, 0, 0)).ok()?;
    after(greenwich, -place.longitude * SECONDS_PER_DEGREE)
}

fn after(time: Timestamp, seconds: f64) -> Option<Timestamp> {
    let span = SignedDuration::try_from_secs_f64(seconds).ok()?;
    time.checked_add(span).ok()
}

/// The position of the sun.
struct Position {
    /// Declination in degrees north of the equator.
    declination: f64,
    /// Lead of the real sun over the mean sun, in degrees.
    equation_of_time: f64,
}

impl Position {
    fn at(time: Timestamp) -> Self {
        let t = time.duration_since(J2000).as_secs_f64() / SECONDS_PER_CENTURY;
        let mean_longitude = 280.466_46 + 36_000.769_83 * t + 0.000_303_2 * t * t;
        let anomaly = 357.529_11 + 35_999.050_29 * t - 0.000_153_7 * t * t;
        let centre = (1.914_602 - 0.004_817 * t) * sin(anomaly)
            + (0.019_993 - 0.000_101 * t) * sin(2.0 * anomaly)
            + 0.000_289 * sin(3.0 * anomaly);
        // Aberration and nutation, which turns with the moon's node.
        let node = 125.04 - 1_934.136 * t;
        let longitude = mean_longitude + centre - 0.005_69 - 0.004_78 * sin(node);
        let obliquity = 23.439_291 - 0.013_004_2 * t + 0.002_56 * cos(node);
        let ascension = (cos(obliquity) * sin(longitude)).atan2(cos(longitude));
        let ahead = mean_longitude - 0.005_718_3 - ascension.to_degrees();
        Self {
            declination: (sin(obliquity) * sin(longitude)).asin().to_degrees(),
            equation_of_time: (ahead + 180.0).rem_euclid(360.0) - 180.0,
        }
    }

    /// Returns the cosine of the angle between noon and the event; below -1 the sun stays up, above 1 it stays down.
    fn cosine_of_hour_angle(&self, latitude: f64) -> f64 {
        let height = sin(ALTITUDE) - sin(latitude) * sin(self.declination);
        height / (cos(latitude) * cos(self.declination))
    }
}

fn sin(degrees: f64) -> f64 {
    degrees.to_radians().sin()
}

fn cos(degrees: f64) -> f64 {
    degrees.to_radians().cos()
}

#[cfg(test)]
mod tests;
