//! Backups that take the place of the file, by `restore` or by hand, after a clean end or a crash.

use std::fs;
use std::path::Path;

use hub::store::{HistoryStore, PlugStore, SettingStore, Sqlite, Store as _, StoreError, restore};
use sqlx::{Connection as _, SqliteConnection};

use crate::fixture::{TestDatabase, back_up, ms, names, open, record, sample, t};

/// Copies the files of a store as a hub leaves them that is killed now.
fn crash(from: &Path, to: &Path) {
    for suffix in ["", "-wal", "-epoch"] {
        let source = format!("{}{suffix}", from.display());
        if Path::new(&source).exists() {
            fs::copy(source, format!("{}{suffix}", to.display())).unwrap();
        }
    }
}

async fn fill(store: &Sqlite, from: u8, to: u8) {
    for number in from..=to {
        store.save_plug(&record(number)).await.unwrap();
        let at = t("2026-11-22T00:00:00Z").as_millisecond() + i64::from(number) * 10_000;
        store
            .append(&[sample(number, ms(at), 60.0, 0.125)])
            .await
            .unwrap();
    }
}

async fn plugs(store: &Sqlite) -> usize {
    store.plugs().await.unwrap().len()
}

fn aside(folder: &Path, word: &str) -> Vec<String> {
    let names = names(folder).into_iter();
    names.filter(|name| name.contains(word)).collect()
}

/// The way that the help once told, after a crash: the log of the old file was replayed into the backup.
#[tokio::test]
async fn a_backup_put_in_place_by_hand_after_a_crash_is_not_undone() {
    for round in 0..5 {
        let place = TestDatabase::new();
        let store = place.store().await;
        fill(&store, 1, 10 + round).await;
        let copy = place.folder.path().join("copy.sqlite");
        back_up(&store, &copy).await.unwrap();
        fill(&store, 11 + round, 60).await;
        let after = TestDatabase::new();
        crash(&place.file(), &after.file());
        // Without a restore, nothing is lost.
        let crashed = TestDatabase::new();
        crash(&place.file(), &crashed.file());
        let opened = crashed.open().await;
        assert_eq!(plugs(&opened.store).await, 60);
        assert_eq!(aside(crashed.folder.path(), "foreign"), [""; 0]);
        // In place, and by renaming.
        if round % 2 == 0 {
            fs::copy(&copy, after.file()).unwrap();
        } else {
            fs::rename(&copy, after.file()).unwrap();
        }
        let opened = after.open().await;
        assert_eq!(opened.set_aside, None);
        assert_eq!(plugs(&opened.store).await, usize::from(10 + round));
        let readings = opened.store.info().await.unwrap().readings;
        assert_eq!(readings, u64::from(10 + round));
        let kept = aside(after.folder.path(), "foreign");
        assert!(kept.iter().any(|name| name.ends_with("-wal")), "{kept:?}");
        fill(&opened.store, 100, 101).await;
    }
}

#[tokio::test]
async fn a_log_is_known_over_many_crashes() {
    let mut place = TestDatabase::new();
    for number in 1..=20 {
        let store = place.store().await;
        assert_eq!(plugs(&store).await, usize::from(number - 1));
        fill(&store, number, number).await;
        let next = TestDatabase::new();
        crash(&place.file(), &next.file());
        if number % 5 == 0 {
            store.close().await;
            assert_eq!(names(place.folder.path()), ["mains.sqlite"]);
        }
        place = next;
        assert_eq!(aside(place.folder.path(), "foreign"), [""; 0]);
    }
}

#[tokio::test]
async fn a_log_of_an_earlier_version_is_replayed() {
    let place = TestDatabase::new();
    let store = place.store().await;
    fill(&store, 1, 5).await;
    let after = TestDatabase::new();
    crash(&place.file(), &after.file());
    fs::remove_file(format!("{}-epoch", after.file().display())).unwrap();
    assert_eq!(plugs(&after.store().await).await, 5);
}

#[tokio::test]
async fn a_restore_keeps_the_old_file_whole() {
    for is_crashed in [false, true] {
        let place = TestDatabase::new();
        let store = place.store().await;
        fill(&store, 1, 3).await;
        let copies = tempfile::tempdir().unwrap();
        let copy = copies.path().join("copy.sqlite");
        back_up(&store, &copy).await.unwrap();
        fill(&store, 4, 9).await;
        let after = TestDatabase::new();
        if is_crashed {
            crash(&place.file(), &after.file());
        } else {
            store.close().await;
            fs::rename(place.file(), after.file()).unwrap();
        }
        let kept = restore(&after.file(), &copy).await.unwrap().unwrap();
        let opened = after.open().await;
        assert_eq!(plugs(&opened.store).await, 3);
        assert_eq!(aside(after.folder.path(), "foreign"), [""; 0]);
        opened.store.close().await;
        assert_eq!(plugs(&open(&kept).await.store).await, 9);
        // And back again, from the file that was kept.
        restore(&after.file(), &kept).await.unwrap();
        assert_eq!(plugs(&after.store().await).await, 9);
    }
    // Where there is no database yet.
    let (place, empty) = (TestDatabase::new(), TestDatabase::new());
    fill(&place.store().await, 1, 2).await;
    let copy = place.folder.path().join("copy.sqlite");
    back_up(&place.store().await, &copy).await.unwrap();
    assert_eq!(restore(&empty.file(), &copy).await.unwrap(), None);
    assert_eq!(names(empty.folder.path()), ["mains.sqlite"]);
    assert_eq!(plugs(&empty.store().await).await, 2);
}

#[tokio::test]
async fn what_is_no_sound_database_of_mains_replaces_nothing() {
    let place = TestDatabase::new();
    let store = place.store().await;
    fill(&store, 1, 40).await;
    let copy = place.folder.path().join("copy.sqlite");
    back_up(&store, &copy).await.unwrap();
    store.close().await;
    let whole = fs::read(&copy).unwrap();
    let foreign = place.folder.path().join("foreign.sqlite");
    let url = format!("{}?mode=rwc", foreign.display());
    let mut other = SqliteConnection::connect(&url).await.unwrap();
    sqlx::query("CREATE TABLE x (y)")
        .execute(&mut other)
        .await
        .unwrap();
    other.close().await.unwrap();
    let bad = place.folder.path().join("bad.sqlite");
    let mut flipped = whole.clone();
    let middle = flipped.len() / 2 / 4096 * 4096;
    flipped[middle..middle + 64].fill(0xff);
    for content in [
        Vec::new(),
        b"SQLite format 3".to_vec(),
        vec![7; 10_000],
        whole[..whole.len() / 2].to_vec(),
        flipped,
        fs::read(&foreign).unwrap(),
    ] {
        fs::write(&bad, content).unwrap();
        let before = names(place.folder.path());
        let error = restore(&place.file(), &bad).await.unwrap_err();
        assert!(matches!(error, StoreError::File { .. }), "{error:?}");
        assert_eq!(names(place.folder.path()), before);
    }
    for path in [&place.file(), &place.folder.path().join("nowhere")] {
        let error = restore(&place.file(), path).await.unwrap_err();
        assert!(matches!(error, StoreError::File { .. }), "{error:?}");
    }
    assert_eq!(plugs(&place.store().await).await, 40);
}

/// Nothing is acknowledged that goes into a file which is no longer there.
#[tokio::test]
async fn a_file_that_was_removed_or_replaced_while_in_use_takes_nothing() {
    type Change = fn(&Path, &Path);
    let changes: [(&str, Change); 4] = [
        ("removed", |file, _| fs::remove_file(file).unwrap()),
        ("moved over", |file, copy| fs::rename(copy, file).unwrap()),
        ("written over", |file, copy| {
            fs::copy(copy, file).unwrap();
        }),
        ("without its log", |file, _| {
            fs::remove_file(format!("{}-wal", file.display())).unwrap();
        }),
    ];
    for (name, change) in changes {
        let place = TestDatabase::new();
        let store = place.store().await;
        fill(&store, 1, 3).await;
        let copy = place.folder.path().join("copy.sqlite");
        back_up(&store, &copy).await.unwrap();
        change(&place.file(), &copy);
        let replacement = fs::read(place.file()).ok();
        for _ in 0..2 {
            let saved = store.save_plug(&record(9)).await;
            assert!(
                matches!(saved, Err(StoreError::Unavailable { .. })),
                "{name}: {saved:?}"
            );
            let set = store.save_setting("a", Some("b")).await;
            assert!(
                matches!(set, Err(StoreError::Unavailable { .. })),
                "{name}: {set:?}"
            );
            let added = store.append(&[sample(1, ms(1), 1.0, 0.1)]).await;
            assert!(
                matches!(added, Err(StoreError::Unavailable { .. })),
                "{name}: {added:?}"
            );
        }
        // Nor does the log go into another file; into its own it does.
        store.close().await;
        drop(store);
        if name != "without its log" {
            let found = fs::read(place.file()).ok();
            assert!(found == replacement, "{name}: the file was changed");
        }
        // The next start says what is there.
        let opened = place.open().await;
        let there = plugs(&opened.store).await;
        assert!(there == 0 || there == 3, "{name}: {there}");
    }
}
