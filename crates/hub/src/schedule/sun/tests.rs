//! Comparison with `almanac.csv`, which has two sources. The rows of the U.S. Naval Observatory are from its table "Rise and Set
//! for the Sun for 2012" of San Francisco (W122 26, N37 46), to the minute. Those of PyEphem 4.2.1 were computed with a horizon of
//! -0:34 and no pressure.

use jiff::ToSpan;
use jiff::civil::date;
use proptest::prelude::*;

use super::*;

const ALMANAC: &str = include_str!("almanac.csv");

fn place(latitude: f64, longitude: f64) -> Place {
    Place {
        latitude,
        longitude,
    }
}

/// Returns the difference between an event and the almanac, in seconds.
fn error_s(found: Option<Timestamp>, expected: &str, row: &csv::StringRecord) -> f64 {
    match (found, expected) {
        (None, "") => 0.0,
        (Some(found), expected) if !expected.is_empty() => {
            let expected: Timestamp = expected.parse().unwrap();
            found.duration_since(expected).as_secs_f64().abs()
        }
        _ => panic!("{found:?} in {row:?}"),
    }
}

#[test]
fn agrees_with_almanacs() {
    let mut reader = csv::Reader::from_reader(ALMANAC.as_bytes());
    let mut compared = 0;
    for row in reader.records() {
        let row = row.unwrap();
        let place = place(row[2].parse().unwrap(), row[3].parse().unwrap());
        let day = row[4].parse().unwrap();
        // The observatory's times are whole minutes.
        let allowed = if &row[0] == "usno" { 40.0 } else { 15.0 };
        for (sun, expected) in [(SunEvent::Sunrise, &row[5]), (SunEvent::Sunset, &row[6])] {
            let error = error_s(event(sun, place, day), expected, &row);
            assert!(error <= allowed, "{error} s: {row:?}");
            compared += 1;
        }
    }
    assert_eq!(compared, 2 * (48 + 99));
}

/// Utqiaġvik, the northernmost town of Alaska. According to PyEphem, its last sunset is on 10 May 2026 at 9:48 UTC, which belongs
/// to the day before, and the next is on 2 August at 10:00; it has sunrises from 22 January until 18 November.
#[test]
fn the_polar_day_and_the_polar_night() {
    let place = place(71.29, -156.79);
    let days = || date(2026, 1, 1).series(1.day()).take(365);
    let sunsets: Vec<_> = days()
        .filter(|day| (3..=9).contains(&day.month()))
        .filter(|day| event(SunEvent::Sunset, place, *day).is_none())
        .collect();
    assert_eq!(sunsets.first(), Some(&date(2026, 5, 10)));
    assert_eq!(sunsets.last(), Some(&date(2026, 7, 31)));
    assert_eq!(sunsets.len(), 83);
    let sunrises: Vec<_> = days()
        .filter(|day| !(3..=9).contains(&day.month()))
        .filter(|day| event(SunEvent::Sunrise, place, *day).is_some())
        .collect();
    assert_eq!(sunrises.first(), Some(&date(2026, 1, 22)));
    assert_eq!(sunrises.last(), Some(&date(2026, 11, 18)));
}

#[test]
fn at_the_poles_it_does_not_happen() {
    for latitude in [90.0, -90.0] {
        for day in date(2026, 1, 1).series(1.day()).take(365) {
            assert_eq!(event(SunEvent::Sunrise, place(latitude, 0.0), day), None);
        }
    }
}

proptest! {
    #[test]
    fn rises_before_noon_and_sets_after(
        latitude in -90.0..=90.0,
        longitude in -180.0..=180.0,
        number in 0..84_000_i64,
    ) {
        let place = place(latitude, longitude);
        let day = date(1970, 1, 1) + number.days();
        let noon = mean_noon(place, day).unwrap();
        let half = SignedDuration::from_mins(12 * 60 + 20);
        if let Some(sunrise) = event(SunEvent::Sunrise, place, day) {
            prop_assert!(sunrise < noon + SignedDuration::from_mins(20) && noon - half < sunrise);
        }
        if let Some(sunset) = event(SunEvent::Sunset, place, day) {
            prop_assert!(noon - SignedDuration::from_mins(20) < sunset && sunset < noon + half);
        }
    }
}
