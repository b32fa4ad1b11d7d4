//! Results of history queries, and removal of old history.

use api::Period;
use hub::store::{HistoryPoint, HistoryQuery, HistoryStep, Retention, Sample, Used};
use jiff::Timestamp;

use crate::fixture::{mac, ms, reading, record, sample, t};
use crate::place::{StorePlace, for_each_store};

const DAY: i64 = 86_400_000;

fn query(from: &str, to: &str, step: u32) -> HistoryQuery {
    HistoryQuery {
        plug: mac(1),
        from: t(from),
        to: t(to),
        step: HistoryStep::Seconds(step),
        edges: Vec::new(),
        limit: 10_000,
    }
}

/// A reading each ten seconds, 60 W and 1/6 Wh each.
fn steady(from: Timestamp, count: i64) -> Vec<Sample> {
    (1..=count)
        .map(|number| {
            sample(
                1,
                ms(from.as_millisecond() + number * 10_000),
                60.0,
                1.0 / 6.0,
            )
        })
        .collect()
}

fn energy(points: &[HistoryPoint]) -> f64 {
    points.iter().map(|point| point.energy_wh).sum()
}

for_each_store!(
    every_step_tells_the_same_story,
    the_unfinished_step_is_in_and_the_limit_holds,
    local_days_are_as_long_as_they_are,
    what_is_old_gets_coarser_and_its_space_comes_back,
    what_two_pasts_used_at_once_is_shared_out_for_both,
);

async fn every_step_tells_the_same_story(place: StorePlace) {
    let store = place.store().await;
    store
        .append(&steady(t("2026-11-22T00:00:00Z"), 8640))
        .await
        .unwrap();
    for step in [
        1, 7, 10, 13, 30, 60, 77, 90, 300, 900, 1000, 3600, 5000, 86_400,
    ] {
        let query = query("2026-11-21T12:00:00Z", "2026-11-23T12:00:00Z", step);
        let query = HistoryQuery {
            limit: 1_000_000,
            ..query
        };
        let points = store.history(&query).await.unwrap().points;
        let energy = energy(&points);
        // A sixth of a watt-hour is 167 milliwatt-hours.
        assert!(
            (energy - 8640.0 * 0.167).abs() < 1e-6,
            "step {step}: {energy}"
        );
        let with_power = points.iter().filter(|point| point.power_w.is_some());
        assert!(with_power.clone().count() as i64 <= 86_400 / i64::from(step.max(10)) + 2);
        for point in with_power {
            assert_eq!(point.power_w, Some(60.0), "step {step}");
            assert_eq!(point.power_min_w, Some(60.0));
            assert_eq!(point.t.as_second() % i64::from(step), 0);
        }
    }
}

async fn the_unfinished_step_is_in_and_the_limit_holds(place: StorePlace) {
    let store = place.store().await;
    store
        .append(&steady(t("2026-11-22T00:00:00Z"), 360))
        .await
        .unwrap();
    let asked = query("2026-11-22T00:05:30Z", "2026-11-22T00:59:30Z", 60);
    let points = store.history(&asked).await.unwrap().points;
    assert_eq!(points.len(), 55);
    assert_eq!(points[0].t, t("2026-11-22T00:05:00Z"));
    assert_eq!(points[54].t, t("2026-11-22T00:59:00Z"));
    let few = HistoryQuery { limit: 10, ..asked };
    assert_eq!(store.history(&few).await.unwrap().points, points[..10]);
    let other = HistoryQuery {
        plug: mac(7),
        ..few
    };
    assert_eq!(store.history(&other).await.unwrap().points, []);
    let empty = query("2026-11-22T00:05:00Z", "2026-11-22T00:05:00Z", 60);
    assert_eq!(store.history(&empty).await.unwrap().points, []);
    let backwards = query("2026-11-22T00:50:00Z", "2026-11-22T00:05:00Z", 60);
    assert_eq!(store.history(&backwards).await.unwrap().points, []);
    // As far as the calendar goes, and at every step.
    for step in [1, 60, 900, 86_400, u32::MAX] {
        let all = HistoryQuery {
            from: Timestamp::MIN,
            to: Timestamp::MAX,
            ..query("2026-11-22T00:00:00Z", "2026-11-22T00:00:00Z", step)
        };
        assert!(
            !store.history(&all).await.unwrap().points.is_empty(),
            "{step}"
        );
    }
}

async fn local_days_are_as_long_as_they_are(place: StorePlace) {
    let store = place.store().await;
    // Berlin, 25 October 2026: clocks go back, the day has 25 hours.
    let edges = [
        "2026-10-23T22:00:00Z",
        "2026-10-24T22:00:00Z",
        "2026-10-25T23:00:00Z",
        "2026-10-26T23:00:00Z",
    ];
    let begin = t(edges[0]).as_millisecond();
    let samples: Vec<_> = (1..=4 * 24)
        .map(|hour| Sample {
            reading: reading(1, ms(begin + hour * 3_600_000), 100.0),
            used: Some(Used {
                since: ms(begin + (hour - 1) * 3_600_000),
                energy_wh: 100.0,
            }),
            energy: None,
        })
        .collect();
    store.append(&samples).await.unwrap();
    let days = HistoryQuery {
        step: HistoryStep::Edges,
        edges: edges.map(t).to_vec(),
        ..query(edges[0], edges[3], 1)
    };
    let points = store.history(&days).await.unwrap().points;
    let told: Vec<_> = points.iter().map(|day| (day.t, day.energy_wh)).collect();
    assert_eq!(
        told,
        [
            (t(edges[0]), 2400.0),
            (t(edges[1]), 2500.0),
            (t(edges[2]), 2400.0)
        ]
    );
    // Edges that no row begins at are told from the readings.
    let odd = HistoryQuery {
        edges: vec![t("2026-10-24T10:00:07Z"), t("2026-10-24T10:30:07Z")],
        ..days.clone()
    };
    let points = store.history(&odd).await.unwrap().points;
    assert_eq!(points.len(), 1);
    assert!((points[0].energy_wh - 50.0).abs() < 0.01, "{points:?}");
    let none = HistoryQuery {
        edges: vec![t(edges[0])],
        ..days
    };
    assert_eq!(store.history(&none).await.unwrap().points, []);
}

async fn what_is_old_gets_coarser_and_its_space_comes_back(place: StorePlace) {
    let retention = Retention {
        readings: Period::seconds(86_400),
        minutes: Period::seconds(3 * 86_400),
    };
    let store = place.store_with(retention).await;
    let begin = t("2026-11-01T00:00:00Z");
    store.append(&steady(begin, 10 * 8640)).await.unwrap();
    let before = store.info().await.unwrap();
    let now = ms(begin.as_millisecond() + 10 * DAY);
    store.tidy(now).await.unwrap();
    store.close().await;

    let store = place.store_with(retention).await;
    let info = store.info().await.unwrap();
    assert_eq!((info.readings, info.minutes), (8641, 3 * 1440 + 1));
    assert_eq!(info.quarters, before.quarters);
    // A server returns the space of whole months only.
    let is_smaller = info.bytes < before.bytes / 2;
    assert!(is_smaller || !place.is_file(), "{info:?} {before:?}");
    // A quarter of an hour of each age: readings, minutes, quarters of an hour.
    for (from, to, step, points, first_energy) in [
        (
            "2026-11-10T12:00:00Z",
            "2026-11-10T12:15:00Z",
            10,
            90,
            0.167,
        ),
        (
            "2026-11-09T12:00:00Z",
            "2026-11-09T12:15:00Z",
            60,
            15,
            1.002,
        ),
        (
            "2026-11-05T12:00:00Z",
            "2026-11-05T12:15:00Z",
            900,
            1,
            15.03,
        ),
    ] {
        let found = store.history(&query(from, to, 10)).await.unwrap();
        assert_eq!(found.step, HistoryStep::Seconds(step), "{from}");
        let found = found.points;
        assert_eq!(found.len(), points, "{from}");
        assert_eq!(found[0].energy_wh, first_energy, "{from}");
        assert!((energy(&found) - 15.03).abs() < 1e-6, "{from}");
    }
    // Over two ages at once, each step has its own energy and no other.
    for (step, coarse) in [(60, 900), (100, 900), (1_200, 1_800)] {
        let across = query("2026-11-07T20:00:00Z", "2026-11-08T04:00:00Z", step);
        let found = store.history(&across).await.unwrap();
        assert_eq!(found.step, HistoryStep::Seconds(coarse), "{step}");
        for point in found.points {
            let watts = point.energy_wh * 3600.0 / f64::from(coarse);
            assert!((watts - 60.12).abs() < 1e-6, "{step}: {point:?}");
        }
    }
    // Over all ages at once, nothing is told twice.
    let all = query("2026-11-01T00:00:00Z", "2026-11-12T00:00:00Z", 10);
    let all = HistoryQuery {
        limit: 1_000_000,
        ..all
    };
    let energy = energy(&store.history(&all).await.unwrap().points);
    assert!((energy - 86_400.0 * 0.167).abs() < 1e-6, "{energy}");
    // Again drops nothing more.
    store.tidy(now).await.unwrap();
    store.close().await;
    let store = place.store_with(retention).await;
    assert_eq!(store.info().await.unwrap().readings, 8641);
}

/// A plug that takes another's place keeps both pasts, and both may have run at once.
async fn what_two_pasts_used_at_once_is_shared_out_for_both(place: StorePlace) {
    let store = place.store().await;
    let begin = t("2026-11-22T00:00:00Z");
    let gap = |plug, minutes: i64, energy_wh| Sample {
        used: Some(Used {
            since: begin,
            energy_wh,
        }),
        ..sample(
            plug,
            ms(begin.as_millisecond() + minutes * 60_000),
            60.0,
            0.0,
        )
    };
    // Readings are whole from here on, so that none of this comes from minutes.
    let first = Sample {
        used: None,
        ..sample(1, begin, 60.0, 0.0)
    };
    let all = [first, gap(2, 20, 20.0), gap(1, 30, 300.0)];
    store.append(&all).await.unwrap();
    store.replace_plug(mac(2), &record(1), &[]).await.unwrap();
    for (to, expected) in [
        ("2026-11-22T00:10:00Z", 110.0),
        ("2026-11-22T00:25:00Z", 270.0),
    ] {
        let points = store
            .history(&query("2026-11-22T00:00:00Z", to, 50))
            .await
            .unwrap()
            .points;
        let energy = energy(&points);
        assert!((energy - expected).abs() < 0.05, "until {to}: {energy}");
    }
}
