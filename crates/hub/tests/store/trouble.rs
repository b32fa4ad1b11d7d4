//! A full disk, a file that is locked, one that cannot be written.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use api::Collection;
use hub::recorder::Recorder;
use hub::store::{DocumentStore, HistoryStore, PlugStore, Sample, SettingStore, Store, StoreError};
use sqlx::{Connection as _, SqliteConnection};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::fixture::{TestDatabase, back_up, in_namespace, mac, ms, open, record, sample, t};

const FULL: &str = "MAINS_TEST_FULL_DISK";
const READ_ONLY: &str = "MAINS_TEST_READ_ONLY";

fn samples(first: i64, count: i64) -> Vec<Sample> {
    let begin = t("2026-11-22T00:00:00Z").as_millisecond();
    (first..first + count)
        .map(|number| sample(1, ms(begin + number * 10_000), 60.0, 0.125))
        .collect()
}

fn is_unavailable<T: std::fmt::Debug>(result: Result<T, StoreError>) -> bool {
    matches!(result, Err(StoreError::Unavailable { .. }))
}

#[test]
fn a_full_disk() {
    let place = TestDatabase::new();
    let mount = "mount -t tmpfs -o size=4m tmpfs .";
    in_namespace("trouble::on_a_full_disk", mount, place.folder.path(), FULL);
}

/// Not a test by itself: runs where [`a_full_disk`] has made a small one.
#[tokio::test]
async fn on_a_full_disk() {
    let Ok(folder) = std::env::var(FULL) else {
        return;
    };
    let folder = PathBuf::from(folder);
    let file = folder.join("mains.sqlite");
    let filler = folder.join("filler");
    let store = open(&file).await.store;
    store.save_plug(&record(1)).await.unwrap();
    fs::write(&filler, vec![1; 2_600_000]).unwrap();
    let mut written = 0;
    let error = loop {
        match store.append(&samples(written, 500)).await {
            Ok(()) => written += 500,
            Err(error) => break error,
        }
        assert!(written < 1_000_000, "it is never full");
    };
    assert!(matches!(error, StoreError::Unavailable { .. }), "{error:?}");
    assert!(error.to_string().contains("mains.sqlite"), "{error}");
    // Reading goes on, and nothing of the batch that failed is there.
    assert_eq!(store.plugs().await.unwrap(), [record(1)]);
    assert_eq!(store.info().await.unwrap().readings, written as u64);
    // A backup needs no room on that disk.
    let elsewhere = tempfile::tempdir_in("/var/tmp").unwrap();
    let copy = elsewhere.path().join("copy.sqlite");
    back_up(&store, &copy).await.unwrap();
    let copied = open(&copy).await.store.info().await.unwrap();
    assert_eq!(copied.readings, written as u64);
    // Whether an edit still finds a place or not, it says the truth.
    let mut plug = record(1);
    plug.room = Some("hall".repeat(10_000));
    let saved = store.save_plug(&plug).await;
    let expected = if saved.is_ok() { plug } else { record(1) };
    assert_eq!(
        store.plugs().await.unwrap(),
        std::slice::from_ref(&expected)
    );

    fs::remove_file(&filler).unwrap();
    store.append(&samples(written, 500)).await.unwrap();
    store.save_plug(&record(2)).await.unwrap();
    store.close().await;

    // A hub that starts on a full disk knows its plugs.
    fill(&filler);
    let opened = open(&file).await;
    assert_eq!(opened.set_aside, None);
    assert_eq!(opened.store.plugs().await.unwrap(), [expected, record(2)]);
    assert_eq!(
        opened.store.info().await.unwrap().readings,
        written as u64 + 500
    );
    assert!(is_unavailable(
        opened.store.append(&samples(written + 500, 5_000)).await
    ));
    opened.store.close().await;
    fs::remove_file(&filler).unwrap();
    let store = open(&file).await.store;
    store.append(&samples(written + 500, 500)).await.unwrap();
}

/// Leaves not a byte.
fn fill(file: &Path) {
    let mut file = fs::File::create(file).unwrap();
    for size in [4096, 1] {
        while std::io::Write::write(&mut file, &vec![1; size]).is_ok_and(|written| written > 0) {}
    }
}

#[test]
fn a_disk_that_cannot_be_written() {
    for (name, mount) in [
        ("the file", "mount --bind -o ro mains.sqlite mains.sqlite"),
        (
            "its folder",
            "mount --bind . . && mount -o remount,bind,ro . && cd \"$PWD\"",
        ),
    ] {
        for is_closed in [true, false] {
            let place = TestDatabase::new();
            prepare(&place.file(), is_closed);
            let folder = place.folder.path();
            if in_namespace(
                "trouble::on_a_disk_that_cannot_be_written",
                mount,
                folder,
                READ_ONLY,
            ) {
                eprintln!("{name} read-only, closed before: {is_closed}");
            }
        }
    }
}

/// Makes a store with things in it, which was closed or whose process ended just so.
fn prepare(file: &Path, is_closed: bool) {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let copies = tempfile::tempdir().unwrap();
        let source = copies.path().join("mains.sqlite");
        let store = open(&source).await.store;
        store.save_plug(&record(1)).await.unwrap();
        store.append(&samples(0, 100)).await.unwrap();
        if is_closed {
            store.close().await;
        }
        for suffix in ["", "-wal", "-shm"] {
            let source = format!("{}{suffix}", source.display());
            if Path::new(&source).exists() {
                fs::copy(source, format!("{}{suffix}", file.display())).unwrap();
            }
        }
    });
}

/// Not a test by itself: runs where [`a_disk_that_cannot_be_written`] has made one.
#[tokio::test]
async fn on_a_disk_that_cannot_be_written() {
    let Ok(folder) = std::env::var(READ_ONLY) else {
        return;
    };
    let opened = open(&Path::new(&folder).join("mains.sqlite")).await;
    assert!(opened.read_only);
    assert_eq!(opened.set_aside, None);
    let store = opened.store;
    assert_eq!(store.plugs().await.unwrap(), [record(1)]);
    assert_eq!(store.info().await.unwrap().readings, 100);
    let quarters = store.quarters(Some(mac(1)), ms(0), t("2200-01-01T00:00:00Z"));
    assert_eq!(quarters.await.unwrap().len(), 3);
    assert!(is_unavailable(store.save_plug(&record(2)).await));
    assert!(is_unavailable(store.save_setting("a", Some("b")).await));
    assert!(is_unavailable(store.append(&samples(100, 1)).await));
    assert!(is_unavailable(store.tidy(t("2027-11-22T00:00:00Z")).await));
    // A backup is how one gets away from such a disk.
    let elsewhere = tempfile::tempdir().unwrap();
    let copy = elsewhere.path().join("copy.sqlite");
    back_up(&store, &copy).await.unwrap();
    assert_eq!(open(&copy).await.store.plugs().await.unwrap(), [record(1)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_locked_file_costs_history_nothing() {
    let place = TestDatabase::new();
    let store = Arc::new(place.store().await);
    store.save_plug(&record(1)).await.unwrap();
    let (sender, receiver) = mpsc::channel(1000);
    let (cancel, tracker) = (CancellationToken::new(), TaskTracker::new());
    let recorder = Recorder::start(
        Arc::<hub::store::Sqlite>::clone(&store),
        receiver,
        None,
        cancel.clone(),
        &tracker,
    );
    let url = place.file().display().to_string();
    let mut other = SqliteConnection::connect(&url).await.unwrap();
    sqlx::query("BEGIN EXCLUSIVE")
        .execute(&mut other)
        .await
        .unwrap();
    for sample in samples(0, 100) {
        sender.send(sample).await.unwrap();
    }
    // An edit fails and says so; what is there can be read.
    assert!(is_unavailable(store.save_setting("a", Some("b")).await));
    assert_eq!(store.plugs().await.unwrap(), [record(1)]);
    assert_eq!(store.documents(Collection::Rules).await.unwrap(), []);
    let failing = async {
        while recorder.status().last_error.is_none() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), failing)
        .await
        .unwrap();
    let status = recorder.status();
    assert_eq!((status.buffered, status.written), (100, 0));

    sqlx::query("ROLLBACK").execute(&mut other).await.unwrap();
    tracker.close();
    cancel.cancel();
    tokio::time::timeout(Duration::from_secs(5), tracker.wait())
        .await
        .unwrap();
    let status = recorder.status();
    assert_eq!(
        (status.buffered, status.written, status.dropped),
        (0, 100, 0)
    );
    assert_eq!(store.info().await.unwrap().readings, 100);
}
