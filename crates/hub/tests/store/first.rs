//! A database of the first release, kept for ever: every later one has to open it.
//!
//! `tests/data/first.sqlite` was made by
//! `MAINS_TEST_MAKE_FIRST=1 cargo test -p hub --test store first::make`, which never overwrites it.

use std::fs;
use std::path::PathBuf;

use api::{Collection, Id};
use hub::store::{
    DocumentStore, EnergyState, HistoryQuery, HistoryStep, HistoryStore, PlugRecord, PlugStore,
    Sample, SettingStore, Sqlite, Store, StoreInfo, StoredDocument, Used,
};
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::fixture::{TestDatabase, back_up, bare, mac, ms, reading, record, t, total};

pub fn file() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/data/first.sqlite")
}

const DAY: i64 = 86_400_000;

/// 2026-11-01, four months before [`now`].
fn begin() -> i64 {
    t("2026-11-01T00:00:00Z").as_millisecond()
}

fn now() -> Timestamp {
    t("2027-03-01T00:15:00Z")
}

fn documents() -> Vec<(Collection, StoredDocument)> {
    let document = |id: &str, revision, body, state| StoredDocument {
        id: id.parse::<Id>().unwrap(),
        revision,
        body,
        state,
    };
    vec![
        (
            Collection::Groups,
            document(
                "g-00000001",
                3,
                json!({"name": "lamps", "plugs": ["accf23000001"]}),
                Value::Null,
            ),
        ),
        (
            Collection::Schedules,
            document(
                "s-00000001",
                1,
                json!({"name": "evening", "enabled": true, "targets": ["g-00000001"], "action": "on",
                       "when": {"at": "18:00"}, "random": null, "catch_up": "10m"}),
                json!({"last": {"at": "2027-02-28T17:00:00Z"}}),
            ),
        ),
        (
            Collection::Rules,
            document(
                "r-00000001",
                2,
                json!({"name": "standby", "enabled": true, "plug": "accf23000001", "kind": "standby_kill",
                       "below_w": 10, "for": "5m"}),
                Value::Null,
            ),
        ),
        (
            Collection::Tariffs,
            document(
                "t-00000001",
                1,
                json!({"name": "Strom", "kind": "flat", "currency": "EUR", "price": 0.32}),
                Value::Null,
            ),
        ),
    ]
}

/// A reading every eight days for months, then one every two hours, then a dense last quarter of an hour.
fn samples() -> Vec<Sample> {
    let rare = (1..=14_i64).map(|number| number * 8 * DAY);
    let sparse = (1..=36_i64).map(|number| 117 * DAY + number * 7_200_000);
    let dense = (1..90_i64).map(|number| 120 * DAY + number * 10_000);
    let times = rare.chain(sparse).chain(dense);
    let mut before = 0;
    let mut samples: Vec<_> = times
        .enumerate()
        .map(|(number, at)| {
            let number = number as u64;
            let used = Used {
                since: ms(begin() + before),
                energy_wh: (at - before) as f64 / 60_000.0,
            };
            before = before.max(at);
            Sample {
                reading: reading(1, ms(begin() + at), 60.0 + number as f64 % 10.0),
                used: Some(used).filter(|used| used.energy_wh > 0.0),
                energy: Some(total(100 + number, number % 1000, ms(begin() + at))),
            }
        })
        .collect();
    let last = reading(2, ms(begin() + 1000), 5.0);
    samples.push(Sample {
        reading: last,
        used: None,
        energy: Some(EnergyState {
            counter_wh: None,
            ..total(7, 0, ms(begin() + 1000))
        }),
    });
    samples
}

#[tokio::test]
async fn make() {
    if std::env::var_os("MAINS_TEST_MAKE_FIRST").is_none() {
        return;
    }
    let place = TestDatabase::new();
    let store = place.store().await;
    store.save_plug(&record(1)).await.unwrap();
    store.save_plug(&bare(2)).await.unwrap();
    for (collection, document) in documents() {
        store.save_document(collection, &document).await.unwrap();
    }
    store
        .save_setting("password", Some("$argon2id$…"))
        .await
        .unwrap();
    store.append(&samples()).await.unwrap();
    store.tidy(now()).await.unwrap();
    // Fails when the file exists.
    back_up(&store, &file()).await.unwrap();
}

#[tokio::test]
async fn the_first_release_can_be_opened() {
    let place = TestDatabase::new();
    fs::copy(file(), place.file()).unwrap();
    let store = place.store().await;
    has_its_content(&store).await;
    // And it goes on.
    store.save_plug(&record(3)).await.unwrap();
    store.append(&samples()).await.unwrap();
    store.tidy(now()).await.unwrap();
}

/// Checks that everything that the file holds is there.
pub async fn has_its_content(store: &Sqlite) {
    // It knew neither the mark nor since when a relay stands as it does.
    let first = PlugRecord {
        often_unplugged: false,
        relay_since: None,
        ..record(1)
    };
    assert_eq!(store.plugs().await.unwrap(), [first, bare(2)]);
    for (collection, document) in documents() {
        assert_eq!(store.documents(collection).await.unwrap(), [document]);
    }
    assert_eq!(
        store.setting("password").await.unwrap().unwrap(),
        "$argon2id$…"
    );
    let mut totals = store.energy().await.unwrap();
    totals.sort_by_key(|(mac, _)| mac.octets());
    let expected = samples();
    let last = expected[expected.len() - 2].energy.unwrap();
    assert_eq!(totals[0], (mac(1), last));
    assert_eq!(totals[1].1.counter_wh, None);

    let StoreInfo {
        readings,
        minutes,
        quarters,
        ..
    } = store.info().await.unwrap();
    assert_eq!((readings, minutes, quarters), (125, 2750, 3458));
    let days = store
        .history(&HistoryQuery {
            plug: mac(1),
            from: ms(begin()),
            to: now(),
            step: HistoryStep::Seconds(86_400),
            edges: Vec::new(),
            limit: 1000,
        })
        .await
        .unwrap()
        .points;
    // A watt-hour a minute, also over the days on which the plug was away.
    assert_eq!(days.len(), 121);
    let energy: f64 = days.iter().map(|day| day.energy_wh).sum();
    assert!(
        (energy - (120.0 * 1440.0 + 90.0 * 10.0 / 60.0)).abs() < 1.0,
        "{energy}"
    );
    assert_eq!(days.iter().filter(|day| day.power_w.is_some()).count(), 18);
}
