use super::*;

/// Returns the local times of the next `count` runs after a local time.
fn next(schedule: &Schedule, clock: &Clock, after: &str, count: usize) -> Vec<String> {
    let after = instant(after.parse().unwrap(), &clock.timezone);
    let step = |time: &Timestamp| next_due(schedule, clock, *time, &id()).unwrap();
    let times = std::iter::successors(after, step).skip(1).take(count);
    times
        .map(|time| {
            time.to_zoned(clock.timezone.clone())
                .strftime("%FT%R%:z")
                .to_string()
        })
        .collect()
}

#[test]
fn on_chosen_days() {
    let weekdays = schedule(r#"{"at":"07:00","days":["mon","fri"]}"#);
    assert_eq!(
        next(&weekdays, &berlin(), "2026-11-20T07:00", 3),
        [
            "2026-11-23T07:00+01:00",
            "2026-11-27T07:00+01:00",
            "2026-11-30T07:00+01:00"
        ]
    );
}

#[test]
fn the_hour_that_does_not_exist_and_the_hour_that_comes_twice() {
    let clock = berlin();
    let half_past_two = schedule(r#"{"at":"02:30"}"#);
    assert_eq!(
        next(&half_past_two, &clock, "2026-03-28T12:00", 2),
        ["2026-03-29T03:00+02:00", "2026-03-30T02:30+02:00"]
    );
    assert_eq!(
        next(&half_past_two, &clock, "2026-10-24T12:00", 2),
        ["2026-10-25T02:30+02:00", "2026-10-26T02:30+01:00"]
    );
    let half_hours = schedule(r#"{"cron":"*/30 * * * *"}"#);
    assert_eq!(
        next(&half_hours, &clock, "2026-03-29T01:00", 3),
        [
            "2026-03-29T01:30+01:00",
            "2026-03-29T03:00+02:00",
            "2026-03-29T03:30+02:00"
        ]
    );
    assert_eq!(
        next(&half_hours, &clock, "2026-10-25T02:00", 5),
        [
            "2026-10-25T02:30+02:00",
            "2026-10-25T02:00+01:00",
            "2026-10-25T02:30+01:00",
            "2026-10-25T03:00+01:00",
            "2026-10-25T03:30+01:00"
        ]
    );
    // Fixed hours come once, and what is due each hour does not come more often.
    let fixed = schedule(r#"{"cron":"*/30 2 * * *"}"#);
    assert_eq!(
        next(&fixed, &clock, "2026-10-24T12:00", 3),
        [
            "2026-10-25T02:00+02:00",
            "2026-10-25T02:30+02:00",
            "2026-10-26T02:00+01:00"
        ]
    );
    let hourly = schedule(r#"{"cron":"15 * * * *"}"#);
    assert_eq!(
        next(&hourly, &clock, "2026-03-29T01:00", 2),
        ["2026-03-29T01:15+01:00", "2026-03-29T03:15+02:00"]
    );
    // From within the second of the two hours.
    let second: Timestamp = "2026-10-25T01:10:00Z".parse().unwrap();
    let due = next_due(&half_past_two, &clock, second, &id())
        .unwrap()
        .unwrap();
    assert_eq!(due.to_string(), "2026-10-26T01:30:00Z");
}

#[test]
fn once_and_never_again() {
    let once = schedule(r#"{"once":"2026-12-24T18:00"}"#);
    assert_eq!(
        next(&once, &berlin(), "2026-01-01T00:00", 2),
        ["2026-12-24T18:00+01:00"]
    );
    let in_gap = schedule(r#"{"once":"2026-03-29T02:30"}"#);
    assert_eq!(
        next(&in_gap, &berlin(), "2026-01-01T00:00", 2),
        ["2026-03-29T03:00+02:00"]
    );
}

#[test]
fn leap_days() {
    let leap = schedule(r#"{"cron":"0 6 29 2 *"}"#);
    assert_eq!(
        next(&leap, &berlin(), "2096-01-01T00:00", 2),
        ["2096-02-29T06:00+01:00", "2104-02-29T06:00+01:00"]
    );
    let daily = schedule(r#"{"at":"06:00"}"#);
    assert_eq!(
        next(&daily, &berlin(), "2028-02-28T06:00", 2),
        ["2028-02-29T06:00+01:00", "2028-03-01T06:00+01:00"]
    );
}

#[test]
fn not_enabled_is_never() {
    let mut daily = schedule(r#"{"at":"06:00"}"#);
    daily.enabled = false;
    assert!(next(&daily, &berlin(), "2026-01-01T00:00", 1).is_empty());
    let (after, until) = (Timestamp::UNIX_EPOCH, "2026-01-01T00:00Z".parse().unwrap());
    assert_eq!(last_due(&daily, &berlin(), after, until, &id()), Ok(None));
}

#[test]
fn what_was_missed() {
    let clock = berlin();
    let daily = schedule(r#"{"at":"07:00"}"#);
    let at = |text: &str| instant(text.parse().unwrap(), &clock.timezone).unwrap();
    let missed =
        |checked: &str, now: &str| last_due(&daily, &clock, at(checked), at(now), &id()).unwrap();
    let seven = Some(at("2026-11-22T07:00"));
    // Of several days only the last.
    assert_eq!(missed("2026-11-01T12:00", "2026-11-22T19:00"), seven);
    assert_eq!(missed("2026-11-22T06:59", "2026-11-22T07:00"), seven);
    assert_eq!(missed("2026-11-22T07:00", "2026-11-23T06:59"), None);
    // A clock that was set back.
    assert_eq!(missed("2026-11-22T07:05", "2026-11-20T12:00"), None);
}

#[test]
fn a_random_window_is_told_in_advance() {
    let clock = berlin();
    let mut daily = schedule(r#"{"at":"07:00"}"#);
    daily.random = "1h".parse().ok();
    let times = next(&daily, &clock, "2026-11-01T00:00", 28);
    assert_eq!(times.len(), 28);
    assert!(times.iter().all(|time| time.contains("T07:")), "{times:?}");
    let mut minutes: Vec<_> = times.iter().map(|time| &time[11..16]).collect();
    minutes.sort_unstable();
    minutes.dedup();
    assert!(minutes.len() > 15, "{minutes:?}");
    // The first six bytes of SHA-256 of the id and the time, reckoned elsewhere: it stays the same in every version.
    assert_eq!(times[0], "2026-11-01T07:20+01:00");
}

#[test]
fn the_sun_needs_a_place() {
    let nowhere = Clock {
        place: None,
        ..berlin()
    };
    let due = |when| next_due(&schedule(when), &nowhere, Timestamp::UNIX_EPOCH, &id());
    let error = due(r#"{"sun":"sunset"}"#).unwrap_err();
    assert_eq!(error.field(), Some("when.sun"));
    assert!(due(r#"{"at":"07:00"}"#).is_ok());
}
