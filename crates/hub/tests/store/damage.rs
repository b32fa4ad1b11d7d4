//! Files that are damaged, foreign, newer, or no files at all.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::Arc;

use api::{Collection, Id, LogEntry, LogKind};
use hub::store::{
    DocumentStore, HistoryQuery, HistoryStep, HistoryStore, LogQuery, LogStore as _, PlugRecord,
    PlugStore, Retention, SettingStore, Sqlite, Store as _, StoreError, StoredDocument,
};
use serde_json::json;
use sqlx::{Connection as _, SqliteConnection};

use crate::fixture::{TestDatabase, mac, ms, names, open, record, sample, t, total};

pub const PAGE: usize = 4096;

/// A store with something of everything, closed.
pub async fn filled(place: &TestDatabase) {
    let store = place.store().await;
    for number in 1..=3 {
        store.save_plug(&record(number)).await.unwrap();
    }
    store
        .save_document(Collection::Groups, &document())
        .await
        .unwrap();
    store.save_setting("password", Some("hash")).await.unwrap();
    let begin = t("2026-11-22T00:00:00Z").as_millisecond();
    let samples: Vec<_> = (1..4000)
        .map(|number| {
            let at = ms(begin + number * 10_000);
            let mut sample = sample(1, at, 60.0, 0.125);
            sample.energy = Some(total(number as u64, number as u64, at));
            sample
        })
        .collect();
    store.append(&samples).await.unwrap();
    store.close().await;
    assert_eq!(names(place.folder.path()), ["mains.sqlite"]);
}

pub fn document() -> StoredDocument {
    StoredDocument {
        id: "g-00000001".parse::<Id>().unwrap(),
        revision: 4,
        body: json!({"name": "lamps", "plugs": []}),
        state: json!(null),
    }
}

pub fn query(step: u32) -> HistoryQuery {
    HistoryQuery {
        plug: mac(1),
        from: t("2026-11-22T00:00:00Z"),
        to: t("2026-11-23T00:00:00Z"),
        step: HistoryStep::Seconds(step),
        edges: Vec::new(),
        limit: 10_000,
    }
}

/// Writes garbage over a page.
pub fn garble(file: &Path, page: usize) {
    let mut bytes = fs::read(file).unwrap();
    let begin = page * PAGE;
    for byte in &mut bytes[begin..begin + PAGE] {
        *byte = fastrand::u8(..);
    }
    fs::write(file, bytes).unwrap();
}

/// Checks that the store works after the file was damaged.
pub async fn works(store: &Sqlite) {
    let mut plug = record(9);
    plug.name = None;
    store.save_plug(&plug).await.unwrap();
    assert!(store.plugs().await.unwrap().contains(&plug));
    let at = t("2027-01-01T00:00:10Z");
    store.append(&[sample(9, at, 60.0, 0.125)]).await.unwrap();
    let quarters = store.quarters(Some(mac(9)), ms(0), t("2200-01-01T00:00:00Z"));
    assert_eq!(quarters.await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_new_file_is_its_owners_alone() {
    let place = TestDatabase::new();
    let store = place.store().await;
    store.save_plug(&record(1)).await.unwrap();
    for name in ["mains.sqlite", "mains.sqlite-wal", "mains.sqlite-shm"] {
        let metadata = place.folder.path().join(name).metadata().unwrap();
        assert_eq!(metadata.permissions().mode() & 0o777, 0o600, "{name}");
    }
}

#[tokio::test]
async fn a_file_whose_making_was_cut_short_is_made_again() {
    let place = TestDatabase::new();
    fs::write(place.file(), b"").unwrap();
    works(&place.store().await).await;

    let place = TestDatabase::new();
    let mut connection = SqliteConnection::connect(&format!("{}?mode=rwc", place.file().display()))
        .await
        .unwrap();
    sqlx::query("PRAGMA journal_mode = WAL")
        .execute(&mut connection)
        .await
        .unwrap();
    connection.close().await.unwrap();
    assert!(place.file().metadata().unwrap().len() > 0);
    works(&place.store().await).await;
}

#[tokio::test]
async fn every_page_can_be_damaged() {
    let whole = TestDatabase::new();
    filled(&whole).await;
    let pages = fs::read(whole.file()).unwrap().len() / PAGE;
    assert!(pages > 50, "{pages}");
    let mut set_aside = 0;
    for page in (0..pages).filter(|page| *page < 20 || page % 7 == 0) {
        let place = TestDatabase::new();
        fs::copy(whole.file(), place.file()).unwrap();
        garble(&place.file(), page);
        let damaged = fs::read(place.file()).unwrap();
        let opened = open(&place.file()).await;
        if let Some(aside) = &opened.set_aside {
            set_aside += 1;
            assert_eq!(fs::read(aside).unwrap(), damaged, "page {page}");
        }
        works(&opened.store).await;
    }
    // Only an unused page can be damaged without anybody's noticing.
    assert!(set_aside > 20, "{set_aside}");
}

#[tokio::test]
async fn what_is_whole_is_carried_over() {
    let place = TestDatabase::new();
    filled(&place).await;
    let pages = fs::read(place.file()).unwrap().len() / PAGE;
    // The last pages are history's.
    garble(&place.file(), pages - 2);
    let opened = open(&place.file()).await;
    let aside = opened.set_aside.unwrap();
    let name = aside.file_name().unwrap().to_str().unwrap();
    assert!(name.starts_with("mains.sqlite.damaged-20"), "{name}");
    let store = opened.store;
    assert_eq!(store.plugs().await.unwrap(), [1, 2, 3].map(record));
    let groups = store.documents(Collection::Groups).await.unwrap();
    assert_eq!(groups, [document()]);
    assert_eq!(store.setting("password").await.unwrap().unwrap(), "hash");
    let totals = store.energy().await.unwrap();
    assert_eq!(totals[0].1.total_wh, 3999);
    let energy: f64 = store
        .history(&query(86_400))
        .await
        .unwrap()
        .points
        .iter()
        .map(|point| point.energy_wh)
        .sum();
    assert_eq!(energy, 3999.0 * 0.125);
    // The page has some hundred of the 667 minutes.
    let info = store.info().await.unwrap();
    assert_eq!(info.readings, 3_999);
    assert!((300..667).contains(&info.minutes), "{}", info.minutes);
}

/// The damage is told for as long as the damaged file is there, also after another start.
#[tokio::test]
async fn damage_is_told_until_the_file_is_removed() {
    let place = TestDatabase::new();
    filled(&place).await;
    let pages = fs::read(place.file()).unwrap().len() / PAGE;
    garble(&place.file(), pages - 2);
    let opened = open(&place.file()).await;
    let aside = opened.set_aside.unwrap();
    let told = opened.store.damage();
    assert_eq!(told.len(), 1, "{told:?}");
    let name = aside.file_name().unwrap().to_str();
    assert_eq!(told[0].kept_as.as_deref(), name);
    let tables: Vec<_> = told[0]
        .lost
        .iter()
        .map(|lost| lost.table.as_str())
        .collect();
    assert_eq!(tables, ["minutes"]);
    opened.store.close().await;
    let opened = open(&place.file()).await;
    assert_eq!(opened.set_aside, None);
    assert_eq!(opened.store.damage(), told);
    fs::remove_file(aside).unwrap();
    assert_eq!(opened.store.damage(), []);
}

/// A store with many documents, and settings, over many pages; closed.
pub async fn with_documents(place: &TestDatabase) -> Vec<StoredDocument> {
    let store = place.store().await;
    store.save_plug(&record(1)).await.unwrap();
    store.save_setting("password", Some("hash")).await.unwrap();
    let documents: Vec<_> = (0..80)
        .map(|number| StoredDocument {
            id: format!("g-{number:08x}").parse::<Id>().unwrap(),
            body: json!({"name": format!("group {number}"), "plugs": vec!["accf23123456"; 12]}),
            ..document()
        })
        .collect();
    for document in &documents {
        store
            .save_document(Collection::Groups, document)
            .await
            .unwrap();
    }
    store.close().await;
    documents
}

/// One bit that flips costs the row, or at most the page, that it is in.
#[tokio::test]
async fn one_bad_bit_does_not_drop_everything() {
    let whole = TestDatabase::new();
    let documents = with_documents(&whole).await;
    let bytes = fs::read(whole.file()).unwrap();
    fastrand::seed(7);
    for round in 0..200 {
        let place = TestDatabase::new();
        let mut flipped = bytes.clone();
        let at = fastrand::usize(0..flipped.len());
        flipped[at] ^= 1 << fastrand::u8(..8);
        fs::write(place.file(), flipped).unwrap();
        let opened = open(&place.file()).await;
        let kept = opened.store.documents(Collection::Groups).await.unwrap();
        let same = kept.iter().filter(|kept| documents.contains(kept)).count();
        // A page has 4 KiB, and such a document some 200 bytes.
        assert!(
            same >= documents.len() - 24,
            "round {round}, byte {at}: {same}"
        );
    }
}

#[tokio::test]
async fn damage_that_is_met_later() {
    let place = TestDatabase::new();
    filled(&place).await;
    let store = place.store().await;
    let pages = fs::read(place.file()).unwrap().len() / PAGE;
    for page in 30..pages {
        garble(&place.file(), page);
    }
    let error = store.history(&query(10)).await.unwrap_err();
    assert!(matches!(error, StoreError::Damaged { .. }), "{error:?}");
    assert_eq!(store.plugs().await.unwrap(), [1, 2, 3].map(record));
    works(&store).await;
    let kept = names(place.folder.path());
    let damaged = kept
        .iter()
        .filter(|name| name.contains(".damaged-") && name.ends_with('Z'));
    assert_eq!(damaged.count(), 1, "{kept:?}");
}

#[tokio::test]
async fn what_is_no_database_is_set_aside() {
    for content in [&b"hello"[..], &[0; 10_000], &[0xff; 100]] {
        let place = TestDatabase::new();
        fs::write(place.file(), content).unwrap();
        let opened = open(&place.file()).await;
        assert_eq!(fs::read(opened.set_aside.unwrap()).unwrap(), content);
        works(&opened.store).await;
    }
}

#[tokio::test]
async fn a_file_that_was_cut_off() {
    let whole = TestDatabase::new();
    filled(&whole).await;
    let bytes = fs::read(whole.file()).unwrap();
    for length in [
        1,
        15,
        16,
        99,
        100,
        512,
        PAGE,
        PAGE + 1,
        bytes.len() / 2,
        bytes.len() - PAGE,
    ] {
        let place = TestDatabase::new();
        fs::write(place.file(), &bytes[..length]).unwrap();
        let opened = open(&place.file()).await;
        let aside = opened.set_aside.unwrap_or_else(|| panic!("{length} bytes"));
        assert_eq!(fs::read(aside).unwrap(), &bytes[..length]);
        works(&opened.store).await;
    }
}

#[tokio::test]
async fn a_newer_file_stays_as_it_is() {
    let place = TestDatabase::new();
    filled(&place).await;
    let url = place.file().display().to_string();
    let mut connection = SqliteConnection::connect(&url).await.unwrap();
    let sql = "INSERT INTO _sqlx_migrations VALUES (999, 'later', '2030-01-01', true, x'00', 1)";
    sqlx::query(sql).execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
    let before = fs::read(place.file()).unwrap();
    let error = Sqlite::open(&place.file(), Retention::default())
        .await
        .unwrap_err();
    assert!(
        matches!(error, StoreError::Newer { found: 999, .. }),
        "{error:?}"
    );
    assert!(error.to_string().contains("mains.sqlite"), "{error}");
    assert_eq!(fs::read(place.file()).unwrap(), before);
}

#[tokio::test]
async fn another_programs_file_stays_as_it_is() {
    let place = TestDatabase::new();
    let url = format!("{}?mode=rwc", place.file().display());
    let mut connection = SqliteConnection::connect(&url).await.unwrap();
    sqlx::query("CREATE TABLE bookmarks (url TEXT)")
        .execute(&mut connection)
        .await
        .unwrap();
    connection.close().await.unwrap();
    let before = fs::read(place.file()).unwrap();
    let error = Sqlite::open(&place.file(), Retention::default())
        .await
        .unwrap_err();
    assert!(matches!(error, StoreError::File { .. }), "{error:?}");
    assert_eq!(fs::read(place.file()).unwrap(), before);
    assert_eq!(names(place.folder.path()), ["mains.sqlite"]);
}

#[tokio::test]
async fn what_cannot_be_a_file() {
    let place = TestDatabase::new();
    let folder = place.folder.path();
    let error = Sqlite::open(folder, Retention::default())
        .await
        .unwrap_err();
    assert!(matches!(error, StoreError::File { .. }), "{error:?}");
    let missing = folder.join("nowhere/mains.sqlite");
    let error = Sqlite::open(&missing, Retention::default())
        .await
        .unwrap_err();
    assert!(matches!(error, StoreError::Unavailable { .. }), "{error:?}");
    assert_eq!(names(folder), Vec::<String>::new());
}

/// A flipped bit in a text can leave bytes that are no UTF-8, or a word that is none: only that row is lost.
#[tokio::test]
async fn a_damaged_text_takes_no_other_row_with_it() {
    let place = TestDatabase::new();
    filled(&place).await;
    let store = place.store().await;
    let entries: Vec<_> = (1..=3)
        .map(|id| {
            let at = t("2026-11-22T12:00:00Z");
            let entry = LogEntry::new(at, LogKind::Hub, format!("event {id}"));
            Arc::new(LogEntry { id, ..entry })
        })
        .collect();
    store.append_log(&entries).await.unwrap();
    store.close().await;
    let url = place.file().display().to_string();
    let mut connection = SqliteConnection::connect(&url).await.unwrap();
    for sql in [
        "UPDATE settings SET value = CAST(x'68ff' AS TEXT) WHERE key = 'password'",
        "UPDATE log SET kind = 'hvb' WHERE id = 1",
        "UPDATE log SET text = CAST(x'68ff' AS TEXT) WHERE id = 2",
        "UPDATE plugs SET name = CAST(x'68ff' AS TEXT) WHERE name = 'plug 2'",
        "INSERT INTO series (id, mac) VALUES (99, CAST(x'68ff' AS TEXT))",
    ] {
        sqlx::query(sql).execute(&mut connection).await.unwrap();
    }
    connection.close().await.unwrap();
    let store = place.store().await;
    assert_eq!(store.damage(), []);
    assert_eq!(store.setting("password").await.unwrap(), None);
    assert_eq!(store.setting("password").await.unwrap(), None);
    let damage = store.damage();
    assert_eq!(damage.len(), 1, "{damage:?}");
    assert_eq!(damage[0].lost[0].table, "settings");
    let log = store
        .log(&LogQuery {
            limit: 10,
            ..LogQuery::default()
        })
        .await
        .unwrap();
    let texts: Vec<_> = log.iter().map(|entry| entry.text.as_str()).collect();
    assert_eq!(texts, ["event 3", "h\u{fffd}"]);
    let nameless = PlugRecord {
        name: None,
        ..record(2)
    };
    let plugs = store.plugs().await.unwrap();
    assert_eq!(plugs, [record(1), nameless, record(3)]);
    assert_eq!(store.recorded().await.unwrap(), [mac(1)]);
}

#[tokio::test]
async fn a_row_that_makes_no_sense_is_left_alone() {
    let place = TestDatabase::new();
    filled(&place).await;
    let url = place.file().display().to_string();
    let mut connection = SqliteConnection::connect(&url).await.unwrap();
    for sql in [
        "UPDATE plugs SET family = 'toaster' WHERE name = 'plug 2'",
        "INSERT INTO documents VALUES ('groups', 'g-00000002', 1, '{not json', 'null')",
    ] {
        sqlx::query(sql).execute(&mut connection).await.unwrap();
    }
    connection.close().await.unwrap();
    let store = place.store().await;
    assert_eq!(store.plugs().await.unwrap(), [1, 3].map(record));
    let groups = store.documents(Collection::Groups).await.unwrap();
    assert_eq!(groups, [document()]);
}
