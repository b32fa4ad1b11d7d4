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
