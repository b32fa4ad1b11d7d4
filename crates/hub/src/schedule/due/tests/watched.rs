//! A reference that reads the local clock minute by minute for ten years, and switches whenever the clock shows a time for the
//! first time or has jumped over it. It uses none of the code under test.

use jiff::civil::{Weekday, date};

use super::*;

/// A schedule as the reference sees it.
struct Watched {
    when: &'static str,
    /// The minutes of the day.
    minutes: Vec<i64>,
    is_day: fn(Date) -> bool,
}

fn watched(
    when: &'static str,
    minutes: impl IntoIterator<Item = i64>,
    is_day: fn(Date) -> bool,
) -> Watched {
    Watched {
        when,
        minutes: minutes.into_iter().collect(),
        is_day,
    }
}

fn schedules() -> Vec<Watched> {
    let half_hours = (1..5).flat_map(|hour| [hour * 60, hour * 60 + 30]);
    vec![
        watched(r#"{"at":"02:30"}"#, [150], |_| true),
        watched(r#"{"at":"00:00","days":["sun","mon"]}"#, [0], |day| {
            matches!(day.weekday(), Weekday::Sunday | Weekday::Monday)
        }),
        watched(r#"{"at":"23:59","days":["sat"]}"#, [1439], |day| {
            day.weekday() == Weekday::Saturday
        }),
        watched(r#"{"cron":"*/30 1-4 * * *"}"#, half_hours, |_| true),
        watched(r#"{"cron":"15 1,2,3 * * 0"}"#, [75, 135, 195], |day| {
            day.weekday() == Weekday::Sunday
        }),
        watched(r#"{"cron":"5 0 1 * *"}"#, [5], |day| day.day() == 1),
        watched(r#"{"cron":"0 12 29 2 *"}"#, [720], |day| {
            (day.month(), day.day()) == (2, 29)
        }),
        watched(r#"{"cron":"0 6 13 * fri"}"#, [360], |day| {
            day.day() == 13 || day.weekday() == Weekday::Friday
        }),
        watched(r#"{"once":"2011-12-30T07:00"}"#, [420], |day| {
            day == date(2011, 12, 30)
        }),
        watched(r#"{"once":"2028-02-29T02:30"}"#, [150], |day| {
            day == date(2028, 2, 29)
        }),
    ]
}

/// Reads the clock minute by minute; returns the times at which each schedule was switched.
fn watch(
    timezone: &TimeZone,
    schedules: &[Watched],
    from: Timestamp,
    to: Timestamp,
) -> Vec<Vec<Timestamp>> {
    let mut times = vec![Vec::new(); schedules.len()];
    let wanted = by_minute(schedules);
    let mut ahead = offset(timezone, from.as_second());
    let mut seen = from.as_second() / 60 + ahead;
    for second in (from.as_second() + 60..=to.as_second()).step_by(60) {
        // No clock on Earth is set at another time than a quarter-hour.
        if second % 900 == 0 {
            ahead = offset(timezone, second);
        }
        let now = second / 60 + ahead;
        // Set back: all of that was seen before.
        if now <= seen {
            continue;
        }
        for minute in seen + 1..=now {
            for index in &wanted[minute.rem_euclid(1440) as usize] {
                let time = Timestamp::from_second(second).unwrap();
                let day = date(1970, 1, 1) + minute.div_euclid(1440).days();
                // Several that the clock jumped over at once are switched once.
                if (schedules[*index].is_day)(day) && times[*index].last() != Some(&time) {
                    times[*index].push(time);
                }
            }
        }
        seen = now;
    }
    times
}

/// Ten years of a rhythm: each minute that the local clock shows counts, also the second time, and none that it does not show.
#[test]
fn a_rhythm_goes_by_elapsed_time() {
    for zone in ["Europe/Berlin", "America/St_Johns", "Australia/Lord_Howe"] {
        let clock = clock(zone, 0.0, 0.0);
        let instant = |year| instant(date(year, 1, 1).at(0, 0, 0, 0), &clock.timezone).unwrap();
        let (from, to) = (instant(2024), instant(2034));
        let every_half_hour = (0..1440).filter(|minute| minute % 30 == 0);
        let odd_hours = (0..1440).filter(|minute| minute % 60 == 10 && minute / 60 % 2 == 0);
        for (when, minutes) in [
            (
                r#"{"cron":"*/30 * * * *"}"#,
                every_half_hour.collect::<Vec<i64>>(),
            ),
            (r#"{"cron":"10 */2 * * *"}"#, odd_hours.collect()),
        ] {
            let seconds = (from.as_second() + 60..=to.as_second()).step_by(60);
            let shown = |second: &i64| second / 60 + offset(&clock.timezone, *second);
            let expected: Vec<Timestamp> = seconds
                .filter(|second| minutes.contains(&shown(second).rem_euclid(1440)))
                .map(|second| Timestamp::from_second(second).unwrap())
                .collect();
            assert_eq!(
                all(&schedule(when), &clock, from, to),
                expected,
                "{zone} {when}"
            );
        }
    }
}

/// Returns the offset of local time from UTC, in minutes.
fn offset(timezone: &TimeZone, second: i64) -> i64 {
    let offset = timezone.to_offset(Timestamp::from_second(second).unwrap());
    i64::from(offset.seconds()) / 60
}

/// Returns the schedules that are due in each minute of the day.
fn by_minute(schedules: &[Watched]) -> Vec<Vec<usize>> {
    let wanting = |minute| {
        let all = schedules.iter().enumerate();
        all.filter(|(_, schedule)| schedule.minutes.contains(&minute))
            .map(|(index, _)| index)
            .collect()
    };
    (0..1440).map(wanting).collect()
}

fn ten_years(zone: &str, from_year: i16) {
    let clock = clock(zone, 0.0, 0.0);
    let new_year = |year| instant(date(year, 1, 1).at(0, 0, 0, 0), &clock.timezone).unwrap();
    let (from, to) = (new_year(from_year), new_year(from_year + 10));
    let schedules = schedules();
    let watched = watch(&clock.timezone, &schedules, from, to);
    for (expected, Watched { when, .. }) in watched.iter().zip(schedules) {
        let schedule = schedule(when);
        assert_eq!(&all(&schedule, &clock, from, to), expected, "{zone} {when}");
        from_any_moment(&schedule, &clock, expected, from, to);
    }
    let count = |index: usize| watched[index].len();
    // The watcher was awake: ten years of days, but for those that do not exist.
    assert!((3651..=3653).contains(&count(0)), "{zone}: {}", count(0));
    assert!((29_100..29_230).contains(&count(3)), "{zone}: {}", count(3));
    assert!((2..=3).contains(&count(6)), "{zone}: {}", count(6));
    assert_eq!(count(8) + count(9), 1, "{zone}");
}

/// Checks the next and the last time from moments throughout the ten years, and around each change of the clock.
fn from_any_moment(
    schedule: &Schedule,
    clock: &Clock,
    expected: &[Timestamp],
    from: Timestamp,
    to: Timestamp,
) {
    let all_over = (from.as_second()..to.as_second()).step_by(86_400 * 37 + 1234);
    let changes = clock
        .timezone
        .following(from)
        .map(|change| change.timestamp().as_second());
    let changes = changes.take_while(|second| *second < to.as_second());
    let around = changes.flat_map(|second| (-4..=4).map(move |step| second + step * 1800));
    for second in all_over.chain(around) {
        let moment = Timestamp::from_second(second).unwrap();
        if moment < from || moment >= to {
            continue;
        }
        let split = expected.partition_point(|time| *time <= moment);
        let (past, coming) = expected.split_at(split);
        let found = next_due(schedule, clock, moment, &id()).unwrap();
        assert_eq!(
            found.filter(|time| *time <= to).as_ref(),
            coming.first(),
            "after {moment}"
        );
        let found = last_due(schedule, clock, from, moment, &id()).unwrap();
        assert_eq!(found.as_ref(), past.last(), "until {moment}");
    }
}

#[test]
fn berlin() {
    ten_years("Europe/Berlin", 2026);
}

#[test]
fn new_york() {
    ten_years("America/New_York", 2026);
}

/// Daylight saving time of half an hour.
#[test]
fn lord_howe() {
    ten_years("Australia/Lord_Howe", 2026);
}

/// An offset of half an hour from full hours, never changed.
#[test]
fn kolkata() {
    ten_years("Asia/Kolkata", 2026);
}

#[test]
fn utc() {
    ten_years("UTC", 2026);
}

/// Daylight saving time all year except Ramadan.
#[test]
fn casablanca() {
    ten_years("Africa/Casablanca", 2026);
}

/// A zone without 30 December 2011.
#[test]
fn apia() {
    ten_years("Pacific/Apia", 2009);
}

/// A zone whose days begin at 01:00 when the clock is set forward.
#[test]
fn sao_paulo() {
    ten_years("America/Sao_Paulo", 2010);
}
