//! Backups, and history as CSV.

use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::PermissionsExt as _;

use hub::store::{
    HistoryQuery, HistoryStep, HistoryStore, PlugStore, Sample, Store, StoreError, csv,
};
use jiff::Timestamp;
use proptest::prelude::*;

use crate::fixture::{TestDatabase, back_up, mac, ms, names, open, record, sample, t};
use crate::place::{StorePlace, for_each_store};

const DAY: i64 = 86_400_000;

fn begin() -> i64 {
    t("2026-11-22T00:00:00Z").as_millisecond()
}

/// Imports a file in December 2026.
async fn imported(
    store: &dyn HistoryStore,
    plug: u8,
    text: &[u8],
) -> Result<csv::ImportCounts, StoreError> {
    csv::import(store, mac(plug), text, t("2026-12-01T00:00:00Z")).await
}

fn samples(count: i64) -> Vec<Sample> {
    (1..=count)
        .map(|number| {
            let mut sample = sample(1, ms(begin() + number * 10_000), 60.5, 0.168);
            if number % 10 == 0 {
                sample.reading.power_w = None;
                sample.reading.voltage_v = None;
            }
            if number % 7 == 0 {
                sample.used = None;
            }
            sample
        })
        .collect()
}

fn end() -> Timestamp {
    t("2200-01-01T00:00:00Z")
}

async fn exported(store: &dyn HistoryStore, number: u8) -> String {
    exported_of_site(store, number, "").await
}

async fn exported_of_site(store: &dyn HistoryStore, number: u8, site: &str) -> String {
    let (mut text, site) = (Vec::new(), site.parse().unwrap());
    csv::export(store, &site, mac(number), (ms(0), end()), &mut text)
        .await
        .unwrap();
    String::from_utf8(text).unwrap()
}

#[tokio::test]
async fn a_backup_is_whole_and_its_owners_alone() {
    let place = TestDatabase::new();
    let store = place.store().await;
    store.save_plug(&record(1)).await.unwrap();
    store.append(&samples(5000)).await.unwrap();
    let copy = place.folder.path().join("copy.sqlite");
    // While everything goes on.
    let (backed_up, appended) = tokio::join!(back_up(&store, &copy), async {
        store.append(&samples(10_000)[5000..]).await
    });
    backed_up.unwrap();
    appended.unwrap();
    let mode = copy.metadata().unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let opened = open(&copy).await;
    assert_eq!(opened.set_aside, None);
    assert_eq!(opened.store.plugs().await.unwrap(), [record(1)]);
    let readings = opened.store.info().await.unwrap().readings;
    assert!([5000, 10_000].contains(&readings), "{readings}");
}

#[tokio::test]
async fn a_backup_overwrites_nothing_and_leaves_nothing_behind() {
    let place = TestDatabase::new();
    let store = place.store().await;
    let copy = place.folder.path().join("copy.sqlite");
    fs::write(&copy, "precious").unwrap();
    let error = back_up(&store, &copy).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AlreadyExists);
    assert_eq!(fs::read(&copy).unwrap(), b"precious");
    let dangling = place.folder.path().join("link");
    std::os::unix::fs::symlink("/nowhere", &dangling).unwrap();
    back_up(&store, &dangling).await.unwrap_err();
    let missing = place.folder.path().join("nowhere/copy.sqlite");
    let error = back_up(&store, &missing).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    let names = names(place.folder.path());
    assert!(
        !names.iter().any(|name| name.starts_with(".mains")),
        "{names:?}"
    );
}

for_each_store!(csv_goes_out_and_comes_in_as_it_was,);

async fn csv_goes_out_and_comes_in_as_it_was(place: StorePlace) {
    let store = place.store().await;
    store.append(&samples(2000)).await.unwrap();
    let text = exported(&*store, 1).await;
    let header = "kind,time,power_w,power_min_w,power_max_w,energy_wh,readings,voltage_v,current_a,frequency_hz,counter_wh,since";
    assert_eq!(text.lines().next().unwrap(), header);

    // Into another store, for another plug.
    let other = place.another();
    let second = other.store().await;
    let counts = imported(&*second, 2, text.as_bytes()).await.unwrap();
    assert_eq!(counts.rows as usize, text.lines().count() - 1);
    assert_eq!(counts.new, counts.rows);
    assert_eq!(exported(&*second, 2).await, text);
    for step in [10, 60, 900, 86_400] {
        let query = |number| HistoryQuery {
            plug: mac(number),
            from: ms(begin()),
            to: ms(begin() + DAY),
            step: HistoryStep::Seconds(step),
            edges: Vec::new(),
            limit: 10_000,
        };
        let points = store.history(&query(1)).await.unwrap().points;
        assert!(!points.is_empty());
        assert_eq!(second.history(&query(2)).await.unwrap().points, points);
    }
    // Twice is once.
    let again = imported(&*second, 2, text.as_bytes()).await.unwrap();
    assert_eq!((again.rows, again.new), (counts.rows, 0));
    assert_eq!(exported(&*second, 2).await, text);
}

#[tokio::test]
async fn a_wrong_line_is_named_and_nothing_is_imported() {
    let place = TestDatabase::new();
    let store = place.store().await;
    store.append(&samples(20)).await.unwrap();
    let good = exported(&store, 1).await;
    let with = |line: &str| format!("{good}{line}\n");
    let number = good.lines().count() + 1;
    for (line, word) in [
        ("reading,yesterday,1,,,,,,,,,", "time"),
        ("reading,1969-12-31T23:59:59Z,1,,,,,,,,,", "1970"),
        ("reading,2190-01-01T00:00:00Z,1,,,,,,,,,", "ahead"),
        ("quarter,2027-12-03T00:00:00Z,1,1,1,1,1,,,,,", "ahead"),
        (
            "quarter,2026-11-22T00:00:00Z,1,1,1,5000000,1,,,,,",
            "energy_wh",
        ),
        ("minute,2026-11-22T00:00:00Z,1,1,1,5001,1,,,,,", "energy_wh"),
        ("reading,2026-11-22T00:00:00Z,5001,,,,,,,,,", "power_w"),
        ("reading,2026-11-22T00:00:00Z,1,,,,,2300,,,,", "voltage_v"),
        (
            "reading,2026-11-22T00:00:00Z,1,,,2502,,,,,,2026-11-21T23:30:00Z",
            "energy_wh",
        ),
        ("reading,2026-11-22T00:00:00Z,NaN,,,,,,,,,", "power_w"),
        ("reading,2026-11-22T00:00:00Z,1e300,,,,,,,,,", "power_w"),
        ("reading,2026-11-22T00:00:00Z,1,,,1,,,,,,", "since"),
        (
            "reading,2026-11-22T00:00:00Z,1,,,-1,,,,,,2026-11-21T00:00:00Z",
            "negative",
        ),
        (
            "reading,2026-11-22T00:00:00Z,1,,,1,,,,,,2026-11-22T00:00:00Z",
            "since",
        ),
        ("reading,2026-11-22T00:00:00Z,1,,,,,,,,-3,", "counter_wh"),
        ("reading,2026-11-22T00:00:00Z,1,0,,,,,,,,", "power_min_w"),
        ("minute,2026-11-22T00:00:01Z,1,1,1,1,1,,,,,", "multiple"),
        ("minute,2026-11-22T00:00:00Z,1,1,1,,1,,,,,", "energy_wh"),
        ("quarter,2026-11-22T00:01:00Z,1,1,1,1,1,,,,,", "multiple"),
        ("quarter,2026-11-22T00:00:00Z,5,1,2,1,1,,,,,", "extremes"),
        ("quarter,2026-11-22T00:00:00Z,1,1,1,1,,,,,,", "readings"),
        (
            "quarter,2026-11-22T00:00:00Z,1,1,1,1,99999999,,,,,",
            "readings",
        ),
        ("hour,2026-11-22T00:00:00Z,1,1,1,1,1,,,,,", "hour"),
        ("reading,2026-11-22T00:00:00Z", "fields"),
    ] {
        let error = imported(&store, 3, with(line).as_bytes())
            .await
            .unwrap_err();
        let text = error.to_string();
        assert!(
            text.contains(&format!("line {number}")) || text.contains(&format!("line: {number}")),
            "{line}: {text}"
        );
        assert!(text.contains(word), "{line}: {text}");
        assert_eq!(exported(&store, 3).await.lines().count(), 1);
    }
    for text in ["", "{}", "a,b\n1,2\n", "\u{0}\u{1}\u{2}"] {
        let counts = imported(&store, 3, text.as_bytes()).await;
        assert!(counts.is_err(), "{text:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes_are_refused_or_read(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let place = TestDatabase::new();
            let store = place.store().await;
            let mut text = b"kind,time,power_w,power_min_w,power_max_w,energy_wh,readings,voltage_v,current_a,frequency_hz,counter_wh,since\n".to_vec();
            text.extend(&bytes);
            let _ = imported(&store, 1, &text).await;
            let _ = imported(&store, 1, &bytes).await;
        });
    }
}
