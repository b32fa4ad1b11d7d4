//! Random windows, pauses and the sun, checked against plain lists of all times.

use jiff::civil::{Weekday, date};
use proptest::prelude::*;

use super::*;

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn whens() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec![
        r#"{"at":"02:30"}"#,
        r#"{"at":"07:00","days":["sat","sun"]}"#,
        r#"{"sun":"sunset","offset":"-15m"}"#,
        r#"{"cron":"*/20 * * * *"}"#,
        r#"{"cron":"0 1-4 * * *"}"#,
        r#"{"once":"2026-10-25T02:30"}"#,
    ])
}

/// A moment in two weeks around the end of summer time.
fn moments() -> impl Strategy<Value = Timestamp> {
    let begin = at("2026-10-19T00:00Z").as_second();
    (begin..begin + 14 * 86_400).prop_map(|second| Timestamp::from_second(second).unwrap())
}

/// Every time of the schedule around those two weeks, with its delay.
fn list(schedule: &Schedule, clock: &Clock) -> Vec<Timestamp> {
    let mut plain = schedule.clone();
    plain.random = None;
    let (from, to) = (at("2026-10-15T00:00Z"), at("2026-11-20T00:00Z"));
    let id = id();
    let times = Times::new(schedule, clock, &id).unwrap();
    let mut list: Vec<_> = all(&plain, clock, from, to)
        .into_iter()
        .map(|time| time + times.delay(time))
        .collect();
    list.sort_unstable();
    list
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn delayed_times_are_all_met(when in whens(), window_s in 1..43_200_u64, after in moments()) {
        let clock = berlin();
        let mut schedule = schedule(when);
        schedule.random = Some(Period::seconds(window_s));
        let list = list(&schedule, &clock);
        let next = list.iter().copied().find(|time| *time > after);
        prop_assert_eq!(next_due(&schedule, &clock, after, &id()).unwrap(), next);
        // A restart, or the same question a moment before, changes nothing.
        if let Some(next) = next {
            let before = next.checked_sub(SignedDuration::from_secs(1)).unwrap();
            if before >= after {
                prop_assert_eq!(next_due(&schedule, &clock, before, &id()).unwrap(), Some(next));
            }
        }
    }

    #[test]
    fn what_was_missed_is_the_last(
        when in whens(),
        window_s in prop::option::of(1..7_200_u64),
        checked in moments(),
        now in moments(),
    ) {
        let clock = berlin();
        let mut schedule = schedule(when);
        schedule.random = window_s.map(Period::seconds);
        let list = list(&schedule, &clock);
        let expected = list.iter().copied().rev().find(|time| *time <= now);
        let expected = expected.filter(|time| *time > checked);
        prop_assert_eq!(last_due(&schedule, &clock, checked, now, &id()).unwrap(), expected);
    }

    #[test]
    fn every_delay_is_within_the_window(time_s in 0..4_000_000_000_i64, window_s in 1..43_200_u64, id in any::<u32>()) {
        let mut schedule = schedule(r#"{"at":"07:00"}"#);
        schedule.random = Some(Period::seconds(window_s));
        let (clock, id) = (berlin(), format!("s-{id:08x}").parse().unwrap());
        let times = Times::new(&schedule, &clock, &id).unwrap();
        let delay = times.delay(Timestamp::from_second(time_s).unwrap()).as_secs();
        prop_assert!((0..window_s as i64).contains(&delay));
    }
}

#[test]
fn the_sun_of_ten_years_on_chosen_days() {
    let clock = berlin();
    let (from, to) = (at("2026-01-01T00:00Z"), at("2036-01-01T00:00Z"));
    for (json, sun, offset_s) in [
        (
            r#"{"sun":"sunset","offset":"-15m","days":["fri"]}"#,
            SunEvent::Sunset,
            -900,
        ),
        (
            r#"{"sun":"sunrise","offset":"12h","days":["fri"]}"#,
            SunEvent::Sunrise,
            43_200,
        ),
    ] {
        let days = date(2025, 12, 25).series(1.day()).take(3_670);
        let fridays = days.filter(|day| day.weekday() == Weekday::Friday);
        let expected: Vec<_> = fridays
            .filter_map(|day| sun::event(sun, clock.place.unwrap(), day))
            .map(|time| time + SignedDuration::from_secs(offset_s))
            .filter(|time| *time > from && *time <= to)
            .collect();
        assert!(expected.len() >= 521);
        assert_eq!(all(&schedule(json), &clock, from, to), expected);
    }
}

#[test]
fn beyond_the_polar_circle_the_sun_waits_for_its_season() {
    let tromso = clock("Europe/Oslo", 69.65, 18.96);
    let sunset = schedule(r#"{"sun":"sunset"}"#);
    let next = next_due(&sunset, &tromso, at("2026-06-01T00:00Z"), &id()).unwrap();
    let next = next.unwrap().to_zoned(tromso.timezone).date();
    assert!(
        (date(2026, 7, 20)..date(2026, 7, 30)).contains(&next),
        "{next}"
    );
    let pole = clock("UTC", -90.0, 0.0);
    assert_eq!(
        next_due(&sunset, &pole, at("2026-06-01T00:00Z"), &id()),
        Ok(None)
    );
}

/// A sunset after midnight belongs to the evening before; a zone can be a day ahead of its longitude.
#[test]
fn the_day_of_a_sunset_is_that_of_its_noon() {
    let friday = schedule(r#"{"sun":"sunset","days":["fri"]}"#);
    for (clock, after, expected) in [
        (
            clock("Atlantic/Reykjavik", 64.15, -21.94),
            "2026-06-16T00:00Z",
            "2026-06-20T00:0",
        ),
        (
            clock("Pacific/Kiritimati", 1.87, -157.43),
            "2026-06-16T00:00Z",
            "2026-06-19T18:",
        ),
    ] {
        let next = next_due(&friday, &clock, at(after), &id())
            .unwrap()
            .unwrap();
        let local = clock.timezone.to_datetime(next).to_string();
        assert!(local.starts_with(expected), "{local}");
    }
}

#[test]
fn the_ends_of_time_are_no_panic() {
    for when in [
        r#"{"at":"07:00"}"#,
        r#"{"cron":"* * * * *"}"#,
        r#"{"sun":"sunset","offset":"-12h"}"#,
    ] {
        let mut schedule = schedule(when);
        for window in [None, Some(Period::seconds(43_200))] {
            schedule.random = window;
            for moment in [Timestamp::MIN, Timestamp::UNIX_EPOCH, Timestamp::MAX] {
                let _ = next_due(&schedule, &berlin(), moment, &id());
                let _ = last_due(&schedule, &berlin(), Timestamp::MIN, moment, &id());
            }
        }
    }
}
