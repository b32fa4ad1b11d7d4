//! The log of past events.

use std::sync::Arc;

use api::{Cause, LogEntry, LogKind};
use hub::store::LogQuery;
use jiff::{SignedDuration, Timestamp};
use plugs::RelayState;

use crate::fixture::{mac, t};
use crate::place::{StorePlace, for_each_store};

fn entry(id: u64, at: Timestamp) -> Arc<LogEntry> {
    let entry = LogEntry::new(at, LogKind::Hub, format!("event {id}"));
    Arc::new(LogEntry { id, ..entry })
}

fn all(limit: usize) -> LogQuery {
    LogQuery {
        limit,
        ..LogQuery::default()
    }
}

for_each_store!(
    entries_come_back_as_they_were_after_a_restart,
    it_is_bounded_by_age_and_by_number,
);

async fn entries_come_back_as_they_were_after_a_restart(place: StorePlace) {
    let store = place.store().await;
    let at = t("2026-11-22T12:00:00.123Z");
    let switched = LogEntry::new(at, LogKind::Switch, "Küche turned on")
        .about(mac(1))
        .moved_to(RelayState::On)
        .caused_by(Some(&Cause::Token("laptop".to_owned())));
    let switched = Arc::new(LogEntry { id: 1, ..switched });
    let problem = LogEntry::clone(&entry(2, at)).as_problem(true);
    let entries = [switched, Arc::new(problem)];
    store.append_log(&entries).await.unwrap();
    // A batch that was written, though its outcome got lost, is written again.
    store.append_log(&entries).await.unwrap();
    store.close().await;

    let store = place.store().await;
    let [switched, problem] = entries.map(Arc::unwrap_or_clone);
    let expected = [problem.clone(), switched.clone()];
    assert_eq!(store.log(&all(10)).await.unwrap(), expected);
    assert_eq!(store.last_log_id().await.unwrap(), 2);
    assert_eq!(store.problems_after(1).await.unwrap(), 1);
    assert_eq!(store.problems_after(2).await.unwrap(), 0);
    let query = LogQuery {
        plugs: vec![mac(1)],
        kinds: vec![LogKind::Switch, LogKind::Plug],
        from: Some(at),
        ..all(10)
    };
    assert_eq!(store.log(&query).await.unwrap(), [switched]);
    let query = LogQuery {
        to: Some(at),
        ..all(10)
    };
    assert_eq!(store.log(&query).await.unwrap(), []);
}

async fn it_is_bounded_by_age_and_by_number(place: StorePlace) {
    let store = place.store().await;
    let now = t("2026-11-22T12:00:00Z");
    let old = now - SignedDuration::from_hours(24 * 400);
    store
        .append_log(&[entry(1, old), entry(2, now), entry(3, now)])
        .await
        .unwrap();
    store.tidy(now).await.unwrap();
    let left: Vec<u64> = store
        .log(&all(10))
        .await
        .unwrap()
        .iter()
        .map(|entry| entry.id)
        .collect();
    assert_eq!(left, [3, 2]);

    let many: Vec<_> = (4..=200_010).map(|id| entry(id, now)).collect();
    store.append_log(&many).await.unwrap();
    store.tidy(now).await.unwrap();
    let left = store.log(&all(300_000)).await.unwrap();
    assert_eq!((left.len(), left[0].id), (200_000, 200_010));
    assert_eq!(left.last().unwrap().id, 11);
}
