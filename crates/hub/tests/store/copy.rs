//! A copy of everything from one kind of database into the other.

use std::sync::Arc;

use api::{Collection, Id, LogEntry, LogKind};
use hub::store::{
    CopiedStore, CopyError, DocumentStore as _, HistoryStore as _, LogQuery, LogStore as _,
    PlugStore as _, Postgres, Retention, SettingStore as _, Sqlite, StoredDocument, Tier, copy,
};
use jiff::Timestamp;
use serde_json::json;

use crate::fixture::{TestDatabase, bare, mac, ms, record, sample, t, total};
use crate::needs;
use crate::server::PostgresServer;

const DAY: i64 = 86_400_000;

/// Something of everything: a removed plug with history, readings with gaps, rows of more than one step, an old month.
async fn fill(store: &Sqlite) {
    let begin = t("2026-10-20T00:00:00Z").as_millisecond();
    store.save_plug(&record(1)).await.unwrap();
    store.save_plug(&bare(2)).await.unwrap();
    let steady = (0..12_000).map(|number| sample(1, ms(begin + number * 10_000), 60.3, 0.168));
    let rare = (0..30).map(|day| sample(3, ms(begin + day * DAY), 7.7, 0.05));
    let mut samples: Vec<_> = steady.chain(rare).collect();
    samples[5].reading.power_w = None;
    samples[6].used = None;
    samples[7].energy = Some(total(5000, 4000, ms(begin)));
    store.append(&samples).await.unwrap();
    let document = StoredDocument {
        id: "g-00000001".parse::<Id>().unwrap(),
        revision: 3,
        body: json!({"name": "lamps\u{0}", "plugs": ["accf23000001"]}),
        state: json!({"last": 1}),
    };
    let groups = Collection::Groups;
    store.save_document(groups, &document).await.unwrap();
    store.save_setting("password", Some("hash")).await.unwrap();
    let entries: Vec<_> = (1..=10_010)
        .map(|id| {
            let entry = LogEntry::new(ms(begin), LogKind::Hub, format!("event {id}"));
            Arc::new(LogEntry { id, ..entry })
        })
        .collect();
    store.append_log(&entries).await.unwrap();
}

/// Returns all that two stores could differ in.
async fn everything(store: &dyn CopiedStore) -> String {
    let mut all = format!(
        "{:?} {:?} {:?} {:?}",
        store.plugs().await.unwrap(),
        store.documents(Collection::Groups).await.unwrap(),
        store.energy().await.unwrap(),
        store.settings().await.unwrap(),
    );
    for number in [1, 3] {
        for tier in [Tier::Readings, Tier::Minutes, Tier::Quarters] {
            let rows = store.rows(
                mac(number),
                tier,
                Timestamp::MIN,
                Timestamp::MAX,
                usize::MAX,
            );
            all += &format!("{:?}", rows.await.unwrap());
        }
    }
    let query = LogQuery {
        limit: usize::MAX,
        ..LogQuery::default()
    };
    all + &format!("{:?}", store.log(&query).await.unwrap())
}

#[tokio::test]
async fn everything_goes_over_and_back() {
    let Some(server) = needs::met(PostgresServer::shared()) else {
        return;
    };
    let (old, back) = (TestDatabase::new(), TestDatabase::new());
    let file = old.store().await;
    fill(&file).await;
    let config = server.config(&server.database());
    let postgres = Postgres::open(config, Retention::default()).await.unwrap();
    let count = copy(&file, &postgres).await.unwrap();
    assert!(count > 24_000, "{count}");
    // Again copies nothing twice.
    assert_eq!(copy(&file, &postgres).await.unwrap(), count);
    assert!(everything(&file).await == everything(&postgres).await);
    let second = back.store().await;
    assert_eq!(copy(&postgres, &second).await.unwrap(), count);
    assert!(everything(&file).await == everything(&second).await);
    // And it goes on: the next plug has a series of its own.
    let next = [sample(4, t("2026-12-01T00:00:00Z"), 1.0, 0.1)];
    postgres.append(&next).await.unwrap();
    assert_eq!(postgres.recorded().await.unwrap().len(), 3);
}

#[tokio::test]
async fn a_database_with_something_else_in_it_is_told() {
    let (old, new) = (TestDatabase::new(), TestDatabase::new());
    let (from, to) = (old.store().await, new.store().await);
    let at = t("2026-11-22T12:00:00Z");
    from.append(&[sample(1, at, 60.0, 0.5)]).await.unwrap();
    to.append(&[sample(1, at, 61.0, 0.5)]).await.unwrap();
    let error = copy(&from, &to).await.unwrap_err();
    let CopyError::Different(what) = &error else {
        panic!("{error:?}");
    };
    assert!(what.contains("readings"), "{error}");
    to.delete_plug(mac(1), true).await.unwrap();
    copy(&from, &to).await.unwrap();
}

/// As with two homes that have the same name for their site.
#[tokio::test]
async fn the_database_of_another_home_is_left_as_it_is() {
    let (old, new) = (TestDatabase::new(), TestDatabase::new());
    let (from, to) = (old.store().await, new.store().await);
    let log = |home: &str, count: u64| -> Vec<_> {
        let entry = |id| {
            let at = t("2026-11-22T12:00:00Z");
            let entry = LogEntry::new(at, LogKind::Hub, format!("event {id} of {home}"));
            Arc::new(LogEntry { id, ..entry })
        };
        (1..=count).map(entry).collect()
    };
    from.append_log(&log("one", 50)).await.unwrap();
    from.save_plug(&record(1)).await.unwrap();
    to.append_log(&log("the other", 5)).await.unwrap();
    to.save_plug(&record(2)).await.unwrap();
    let before = everything(&to).await;
    let error = copy(&from, &to).await.unwrap_err();
    assert!(matches!(error, CopyError::Different(_)), "{error:?}");
    assert_eq!(everything(&to).await, before);
}

/// A copy to PostgreSQL that is killed at several moments, while the home goes on in between.
#[tokio::test]
async fn a_copy_that_is_interrupted_is_repeated_after_the_home_has_gone_on() {
    let Some(server) = needs::met(PostgresServer::shared()) else {
        return;
    };
    let old = TestDatabase::new();
    let file = old.store().await;
    fill(&file).await;
    let config = server.config(&server.database());
    let begin = t("2026-11-20T00:00:00Z").as_millisecond();
    for round in 0..8_i64 {
        let postgres = Postgres::open(config.clone(), Retention::default())
            .await
            .unwrap();
        // Not at the same moment each time, and the connections go with it, as those of a process that is killed.
        let limit = std::time::Duration::from_millis(40 + 90 * u64::try_from(round).unwrap());
        let _ = tokio::time::timeout(limit, copy(&file, &postgres)).await;
        drop(postgres);
        // The same minute and quarter of an hour get more readings, and a plug, a document, a setting and the log change.
        let next = sample(1, ms(begin + round * 5_000), 60.0, 0.2);
        file.append(&[next]).await.unwrap();
        let mut plug = record(1);
        plug.name = Some(format!("name {round}"));
        plug.revision = 2 + u64::try_from(round).unwrap();
        file.save_plug(&plug).await.unwrap();
        let number = Some(round.to_string());
        file.save_setting("number", number.as_deref())
            .await
            .unwrap();
        let entry = LogEntry::new(ms(begin), LogKind::Hub, format!("round {round}"));
        let id = file.last_log_id().await.unwrap() + 1;
        file.append_log(&[Arc::new(LogEntry { id, ..entry })])
            .await
            .unwrap();
    }
    file.save_setting("number", None).await.unwrap();
    file.delete_plug(mac(2), false).await.unwrap();
    file.delete_plug(mac(3), true).await.unwrap();
    let postgres = Postgres::open(config, Retention::default()).await.unwrap();
    let count = copy(&file, &postgres).await.unwrap();
    assert!(count > 24_000, "{count}");
    assert!(everything(&file).await == everything(&postgres).await);
    // A hub that used the new database has written to its log: what it has is not removed.
    let entry = LogEntry::new(ms(begin), LogKind::Hub, "the hub started");
    let id = postgres.last_log_id().await.unwrap() + 1;
    postgres
        .append_log(&[Arc::new(LogEntry { id, ..entry })])
        .await
        .unwrap();
    let before = everything(&postgres).await;
    let error = copy(&file, &postgres).await.unwrap_err();
    assert!(
        matches!(&error, CopyError::Different(what) if what.contains("log")),
        "{error}"
    );
    assert!(everything(&postgres).await == before);
}

/// The way of docs/postgresql.md.
#[tokio::test]
async fn a_dump_of_the_database_is_restored_whole() {
    let Some(server) = needs::met(PostgresServer::shared()) else {
        return;
    };
    let old = TestDatabase::new();
    let file = old.store().await;
    fill(&file).await;
    let (name, restored) = (server.database(), server.database());
    let config = server.config(&name);
    let postgres = Postgres::open(config, Retention::default()).await.unwrap();
    copy(&file, &postgres).await.unwrap();
    let dump = old.folder.path().join("mains.dump");
    let dump = dump.to_str().unwrap();
    server.tool("pg_dump", &["--format=custom", "--file", dump, &name]);
    server.tool("pg_restore", &["--dbname", &restored, dump]);
    let config = server.config(&restored);
    let copied = Postgres::open(config, Retention::default()).await.unwrap();
    assert!(everything(&postgres).await == everything(&copied).await);
    // And it goes on.
    let next = [sample(4, t("2026-12-01T00:00:00Z"), 1.0, 0.1)];
    copied.append(&next).await.unwrap();
    assert_eq!(copied.recorded().await.unwrap().len(), 3);
}
