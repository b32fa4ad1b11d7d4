//! Tests by example; against a clock that is read minute by minute for ten years (`watched`); and with random windows, pauses and
//! the sun against plain lists of all times (`listed`).

use super::*;

mod example;
mod listed;
mod watched;

fn schedule(when: &str) -> Schedule {
    use api::Document;

    let json = format!(
        r#"{{"name":"x","targets":["accf23123456"],"action":"on","when":{when},"catch_up":"10m"}}"#
    );
    let schedule: Schedule = serde_json::from_str(&json).unwrap();
    assert_eq!(schedule.check(), Ok(()));
    schedule
}

fn clock(zone: &str, latitude: f64, longitude: f64) -> Clock {
    Clock {
        timezone: TimeZone::get(zone).unwrap(),
        place: Some(Place {
            latitude,
            longitude,
        }),
    }
}

fn berlin() -> Clock {
    clock("Europe/Berlin", 52.52, 13.40)
}

fn id() -> Id {
    "s-00000001".parse().unwrap()
}

/// Returns all times after `from` and until `to`, requested one after the other as the hub does.
fn all(schedule: &Schedule, clock: &Clock, from: Timestamp, to: Timestamp) -> Vec<Timestamp> {
    let step = |time: &Timestamp| next_due(schedule, clock, *time, &id()).unwrap();
    let times = std::iter::successors(Some(from), step).skip(1);
    times.take_while(|time| *time <= to).collect()
}
