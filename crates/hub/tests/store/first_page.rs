//! Damage of the pages that all others are found by: the first one with the header and the schema, and those at the top of a table.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use api::{Collection, LogEntry, LogKind};
use hub::store::{
    DocumentStore as _, HistoryStore as _, LogQuery, LogStore as _, PlugStore as _,
    SettingStore as _, Sqlite, Store as _, StoredDocument,
};
use sqlx::{Connection as _, SqliteConnection};

use crate::damage::{PAGE, document, filled, garble, query, with_documents, works};
use crate::first;
use crate::fixture::{TestDatabase, mac, names, open, record, t};

/// Checks that everything of [`filled`] is there.
async fn has_everything(store: &Sqlite, what: &str) {
    assert_eq!(
        store.plugs().await.unwrap(),
        [1, 2, 3].map(record),
        "{what}"
    );
    let groups = store.documents(Collection::Groups).await.unwrap();
    assert_eq!(groups, [document()], "{what}");
    let password = store.setting("password").await.unwrap();
    assert_eq!(password.as_deref(), Some("hash"), "{what}");
    assert_eq!(store.energy().await.unwrap()[0].1.total_wh, 3999, "{what}");
    let info = store.info().await.unwrap();
    assert_eq!((info.readings, info.minutes), (3999, 667), "{what}");
    let points = store.history(&query(86_400)).await.unwrap().points;
    assert_eq!(points[0].energy_wh, 3999.0 * 0.125, "{what}");
}

#[tokio::test]
async fn a_first_page_that_is_gone_takes_nothing_with_it() {
    let whole = TestDatabase::new();
    filled(&whole).await;
    let bytes = fs::read(whole.file()).unwrap();
    for (what, first) in [("zeroed", [0; PAGE]), ("overwritten", [0x5a; PAGE])] {
        let place = TestDatabase::new();
        let mut damaged = bytes.clone();
        damaged[..PAGE].copy_from_slice(&first);
        fs::write(place.file(), &damaged).unwrap();
        let opened = open(&place.file()).await;
        let aside = opened.set_aside.expect("it is damaged");
        assert_eq!(fs::read(&aside).unwrap(), damaged, "{what}");
        has_everything(&opened.store, what).await;
        assert_eq!(opened.store.damage()[0].lost, [], "{what}");
        works(&opened.store).await;
        opened.store.close().await;
        let names = names(place.folder.path());
        assert_eq!(names.len(), 2, "no copy is left: {names:?}");
        // The next start finds a sound file.
        has_no_damage(&place).await;
    }
}

async fn has_no_damage(place: &TestDatabase) {
    assert_eq!(place.open().await.set_aside, None);
}

/// Variable with the file that [`the_rescuer`] opens.
const FILE: &str = "MAINS_TEST_RESCUE_FILE";

/// Not a test: the process that is killed.
#[tokio::test]
async fn the_rescuer() {
    if let Ok(file) = std::env::var(FILE) {
        open(Path::new(&file)).await;
    }
}

/// The damaged file stays in its place until the new one is complete.
#[tokio::test]
async fn a_rescue_that_is_killed_loses_nothing() {
    let whole = TestDatabase::new();
    filled(&whole).await;
    let mut bytes = fs::read(whole.file()).unwrap();
    bytes[..PAGE].fill(0);
    let mut killed = 0;
    for round in 0..25 {
        let place = TestDatabase::new();
        fs::write(place.file(), &bytes).unwrap();
        let mut rescuer = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "first_page::the_rescuer"])
            .env(FILE, place.file())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        std::thread::sleep(Duration::from_millis(10 + round * 15));
        // On Unix this is SIGKILL.
        rescuer.kill().unwrap();
        killed += usize::from(!rescuer.wait().unwrap().success());
        let store = place.open().await.store;
        let names = names(place.folder.path());
        let what = format!("round {round}: {names:?}");
        has_everything(&store, &what).await;
        assert_eq!(store.damage().len(), 1, "{what}");
        assert!(
            names
                .iter()
                .all(|name| !name.contains("-new") && !name.contains("-rescued")),
            "{what}"
        );
    }
    assert!(killed > 2, "{killed}");
}

/// A bit of the header or the schema is noticed, or it does not matter.
#[tokio::test]
async fn a_bad_bit_in_the_first_page_takes_nothing_with_it() {
    let whole = TestDatabase::new();
    filled(&whole).await;
    let bytes = fs::read(whole.file()).unwrap();
    fastrand::seed(11);
    let header = (0..100).chain([100, 103, 104, 105, 106, 108, 109]);
    let places = header.chain(std::iter::repeat_with(|| fastrand::usize(100..PAGE)).take(100));
    for at in places {
        let place = TestDatabase::new();
        let bit = fastrand::u8(..8);
        let mut damaged = bytes.clone();
        damaged[at] ^= 1 << bit;
        fs::write(place.file(), &damaged).unwrap();
        let opened = open(&place.file()).await;
        let what = format!("byte {at}, bit {bit}, {:?}", opened.set_aside);
        assert!(!opened.read_only, "{what}");
        has_everything(&opened.store, &what).await;
        works(&opened.store).await;
    }
}

/// The table of the versions is what tells whose file it is.
#[tokio::test]
async fn a_damaged_version_takes_nothing_with_it() {
    for sql in [
        "UPDATE _sqlx_migrations SET checksum = x'00' WHERE version = 2",
        "UPDATE _sqlx_migrations SET success = 0 WHERE version = 1",
        "UPDATE _sqlx_migrations SET version = 19 WHERE version = 3",
        "UPDATE _sqlx_migrations SET version = 'x' WHERE version = 3",
    ] {
        let place = TestDatabase::new();
        filled(&place).await;
        let url = place.file().display().to_string();
        let mut connection = SqliteConnection::connect(&url).await.unwrap();
        sqlx::query(sql).execute(&mut connection).await.unwrap();
        connection.close().await.unwrap();
        let opened = open(&place.file()).await;
        assert!(opened.set_aside.is_some(), "{sql}");
        has_everything(&opened.store, sql).await;
    }
}

#[tokio::test]
async fn the_first_page_of_the_first_release_can_be_gone() {
    let place = TestDatabase::new();
    let mut bytes = fs::read(first::file()).unwrap();
    bytes[..PAGE].fill(0);
    fs::write(place.file(), bytes).unwrap();
    let opened = open(&place.file()).await;
    assert!(opened.set_aside.is_some());
    first::has_its_content(&opened.store).await;
    assert_eq!(opened.store.damage()[0].lost, []);
}

/// The log beside the file holds the last edits of a hub that was killed.
#[tokio::test]
async fn the_log_of_a_file_without_its_first_page_is_read() {
    let whole = TestDatabase::new();
    filled(&whole).await;
    let store = whole.store().await;
    let later = StoredDocument {
        id: "g-00000002".parse().unwrap(),
        ..document()
    };
    let saved = store.save_document(Collection::Groups, &later).await;
    saved.unwrap();
    let entry = LogEntry::new(t("2026-11-22T12:00:00Z"), LogKind::Hub, "the hub started");
    let entry = Arc::new(LogEntry { id: 1, ..entry });
    store.append_log(&[entry]).await.unwrap();
    let place = TestDatabase::new();
    for name in names(whole.folder.path()) {
        if !name.ends_with("-shm") {
            fs::copy(
                whole.folder.path().join(&name),
                place.folder.path().join(&name),
            )
            .unwrap();
        }
    }
    let mut bytes = fs::read(place.file()).unwrap();
    bytes[..PAGE].fill(0);
    fs::write(place.file(), bytes).unwrap();
    let opened = open(&place.file()).await;
    assert!(opened.set_aside.is_some());
    let groups = opened.store.documents(Collection::Groups).await.unwrap();
    assert_eq!(groups, [document(), later]);
    let query = LogQuery {
        limit: 10,
        ..LogQuery::default()
    };
    assert_eq!(opened.store.log(&query).await.unwrap().len(), 1);
    assert_eq!(opened.store.damage()[0].lost, []);
}

/// The rows of a table are in the pages below its first one.
#[tokio::test]
async fn the_top_of_a_table_does_not_take_the_table_with_it() {
    let whole = TestDatabase::new();
    let documents = with_documents(&whole).await;
    let roots = roots(&whole).await;
    for is_first_gone in [false, true] {
        let place = TestDatabase::new();
        fs::copy(whole.file(), place.file()).unwrap();
        garble(&place.file(), roots("documents") - 1);
        if is_first_gone {
            garble(&place.file(), 0);
        }
        let store = open(&place.file()).await.store;
        let kept = store.documents(Collection::Groups).await.unwrap();
        let same = kept.iter().filter(|kept| documents.contains(kept)).count();
        // Some rows are in the page itself, one between each two pages below it.
        assert!((65..80).contains(&same), "{same} of {}", documents.len());
        assert_eq!(store.plugs().await.unwrap(), [record(1)]);
        assert_eq!(store.damage()[0].lost.len(), 1);
    }
    let whole = TestDatabase::new();
    filled(&whole).await;
    let roots = self::roots(&whole).await;
    for table in ["readings", "minutes"] {
        let place = TestDatabase::new();
        fs::copy(whole.file(), place.file()).unwrap();
        garble(&place.file(), roots(table) - 1);
        let store = open(&place.file()).await.store;
        let info = store.info().await.unwrap();
        assert!(
            info.readings > 3900 && info.minutes > 640,
            "{table}: {info:?}"
        );
        assert_eq!(store.plugs().await.unwrap(), [1, 2, 3].map(record));
        assert_eq!(store.recorded().await.unwrap(), [mac(1)]);
    }
}

/// Returns the first page of each table.
async fn roots(place: &TestDatabase) -> impl Fn(&str) -> usize {
    let url = place.file().display().to_string();
    let mut connection = SqliteConnection::connect(&url).await.unwrap();
    let sql = "SELECT name, rootpage FROM sqlite_schema";
    let roots: Vec<(String, i64)> = sqlx::query_as(sql)
        .fetch_all(&mut connection)
        .await
        .unwrap();
    connection.close().await.unwrap();
    move |table| {
        let (_, root) = roots.iter().find(|(name, _)| name == table).unwrap();
        usize::try_from(*root).unwrap()
    }
}

/// Nothing is read out of pages that are not ours.
#[tokio::test]
async fn another_programs_file_without_its_first_page_gives_nothing() {
    let place = TestDatabase::new();
    let url = format!("{}?mode=rwc", place.file().display());
    let mut connection = SqliteConnection::connect(&url).await.unwrap();
    for sql in [
        "PRAGMA auto_vacuum = INCREMENTAL",
        "CREATE TABLE bookmarks (url TEXT PRIMARY KEY) WITHOUT ROWID",
        "CREATE TABLE b (url TEXT PRIMARY KEY) WITHOUT ROWID",
        "CREATE TABLE plugs (mac TEXT PRIMARY KEY) WITHOUT ROWID",
        "INSERT INTO plugs VALUES ('accf23000001')",
    ] {
        sqlx::query(sql).execute(&mut connection).await.unwrap();
    }
    connection.close().await.unwrap();
    let mut bytes = fs::read(place.file()).unwrap();
    bytes[..PAGE].fill(0);
    fs::write(place.file(), &bytes).unwrap();
    let opened = open(&place.file()).await;
    assert_eq!(fs::read(opened.set_aside.unwrap()).unwrap(), bytes);
    assert_eq!(opened.store.plugs().await.unwrap(), []);
    assert_eq!(opened.store.damage()[0].lost[0].table, "all");
}
