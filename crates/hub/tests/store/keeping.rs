//! Plugs, documents and settings; what becomes of a plug's history when it goes or is replaced.

use api::{Collection, Id};
use hub::store::{
    HistoryQuery, HistoryStep, Quarter, Sample, StoreError, StoreInfo, StoredDocument,
};
use serde_json::{Value, json};

use crate::fixture::{bare, mac, ms, reading, record, sample, t, total};
use crate::place::{StorePlace, for_each_store};

for_each_store!(
    plugs_come_back_as_they_were,
    two_plugs_never_have_one_name,
    documents_come_back_as_they_were,
    settings_come_and_go,
    a_forgotten_plug_keeps_its_history_unless_it_is_purged,
    a_replaced_plug_hands_its_history_and_total_on,
    a_reading_counts_once_however_often_it_comes,
    a_total_never_goes_back,
);

async fn plugs_come_back_as_they_were(place: StorePlace) {
    let store = place.store().await;
    let mut plugs = vec![record(1), bare(2), bare(3)];
    for plug in &plugs {
        store.save_plug(plug).await.unwrap();
    }
    plugs[1].name = Some("台所".to_owned());
    plugs[1].revision = 2;
    store.save_plug(&plugs[1]).await.unwrap();
    assert_eq!(store.plugs().await.unwrap(), plugs);
    store.close().await;
    let store = place.store().await;
    assert_eq!(store.plugs().await.unwrap(), plugs);
    store.delete_plug(mac(2), false).await.unwrap();
    plugs.remove(1);
    assert_eq!(store.plugs().await.unwrap(), plugs);
}

async fn two_plugs_never_have_one_name(place: StorePlace) {
    let store = place.store().await;
    store.save_plug(&record(1)).await.unwrap();
    let mut second = record(2);
    second.name = record(1).name;
    let error = store.save_plug(&second).await.unwrap_err();
    assert!(matches!(error, StoreError::Conflict(_)), "{error:?}");
    assert_eq!(store.plugs().await.unwrap(), [record(1)]);
}

async fn documents_come_back_as_they_were(place: StorePlace) {
    let store = place.store().await;
    let id: Id = "s-00000001".parse().unwrap();
    let mut document = StoredDocument {
        id: id.clone(),
        revision: 1,
        body: json!({"name": "evening", "when": {"at": "18:00"}}),
        state: Value::Null,
    };
    let schedules = Collection::Schedules;
    store.save_document(schedules, &document).await.unwrap();
    store
        .save_state(schedules, &id, &json!({"last": 1}))
        .await
        .unwrap();
    document.state = json!({"last": 1});
    assert_eq!(
        store.documents(schedules).await.unwrap(),
        [document.clone()]
    );
    assert_eq!(store.documents(Collection::Rules).await.unwrap(), []);

    document.revision = 3;
    store.save_document(schedules, &document).await.unwrap();
    let older = StoredDocument {
        revision: 2,
        ..document.clone()
    };
    let error = store.save_document(schedules, &older).await.unwrap_err();
    assert!(matches!(error, StoreError::Conflict(_)), "{error:?}");
    assert_eq!(store.documents(schedules).await.unwrap(), [document]);

    store.delete_document(schedules, &id).await.unwrap();
    store.delete_document(schedules, &id).await.unwrap();
    assert_eq!(store.documents(schedules).await.unwrap(), []);
}

async fn settings_come_and_go(place: StorePlace) {
    let store = place.store().await;
    assert_eq!(store.setting("password").await.unwrap(), None);
    store.save_setting("password", Some("one")).await.unwrap();
    store.save_setting("password", Some("two")).await.unwrap();
    assert_eq!(store.setting("password").await.unwrap().unwrap(), "two");
    store.save_setting("password", None).await.unwrap();
    assert_eq!(store.setting("password").await.unwrap(), None);
}

async fn a_forgotten_plug_keeps_its_history_unless_it_is_purged(place: StorePlace) {
    let store = place.store().await;
    let at = t("2026-11-22T12:00:10Z");
    for number in [1, 2] {
        store.save_plug(&record(number)).await.unwrap();
        let mut sample = sample(number, at, 60.0, 0.5);
        sample.energy = Some(total(7, 7, at));
        store.append(&[sample]).await.unwrap();
    }
    store.delete_plug(mac(1), false).await.unwrap();
    store.delete_plug(mac(2), true).await.unwrap();
    assert_eq!(store.plugs().await.unwrap(), []);
    assert_eq!(store.energy().await.unwrap(), [(mac(1), total(7, 7, at))]);
    let quarters = store.quarters(None, ms(0), t("2200-01-01T00:00:00Z")).await;
    let kept = Quarter {
        plug: mac(1),
        t: t("2026-11-22T12:00:00Z"),
        energy_wh: 0.5,
    };
    assert_eq!(quarters.unwrap(), [kept]);
}

async fn a_replaced_plug_hands_its_history_and_total_on(place: StorePlace) {
    let store = place.store().await;
    let (before, after) = (t("2026-11-01T12:00:10Z"), t("2026-11-22T12:00:10Z"));
    let mut old = sample(1, before, 60.0, 0.5);
    old.energy = Some(total(5000, 4000, before));
    // In the old one's last minute, too: both count.
    let mut new = sample(2, ms(before.as_millisecond() + 1), 20.0, 0.25);
    new.energy = Some(total(30, 30, before));
    let mut newer = sample(2, after, 20.0, 0.25);
    newer.energy = Some(total(31, 31, after));
    store.save_plug(&record(1)).await.unwrap();
    store.save_plug(&bare(2)).await.unwrap();
    store.append(&[old, new, newer]).await.unwrap();

    let mut heir = bare(2);
    heir.name = record(1).name;
    store.replace_plug(mac(1), &heir, &[]).await.unwrap();

    assert_eq!(store.plugs().await.unwrap(), [heir]);
    assert_eq!(
        store.energy().await.unwrap(),
        [(mac(2), total(5000, 31, after))]
    );
    let query = |number| HistoryQuery {
        plug: mac(number),
        from: t("2026-11-01T00:00:00Z"),
        to: t("2026-12-01T00:00:00Z"),
        step: HistoryStep::Seconds(86_400),
        edges: Vec::new(),
        limit: 100,
    };
    assert_eq!(store.history(&query(1)).await.unwrap().points, []);
    let points = store.history(&query(2)).await.unwrap().points;
    let days: Vec<_> = points
        .iter()
        .map(|point| (point.t, point.power_w, point.power_max_w, point.energy_wh))
        .collect();
    assert_eq!(
        days,
        [
            (t("2026-11-01T00:00:00Z"), Some(40.0), Some(60.0), 0.75),
            (t("2026-11-22T00:00:00Z"), Some(20.0), Some(20.0), 0.25),
        ]
    );
    let StoreInfo { readings, .. } = store.info().await.unwrap();
    assert_eq!(readings, 3);
}

async fn a_reading_counts_once_however_often_it_comes(place: StorePlace) {
    let store = place.store().await;
    let at = |second: i64| ms(1_795_000_000_000 + second * 10_000);
    let samples: Vec<_> = (0..10)
        .map(|number| sample(1, at(number), 60.0, 0.5))
        .collect();
    store.append(&samples[..4]).await.unwrap();
    store.append(&samples).await.unwrap();
    store
        .append(&[samples[3].clone(), samples[3].clone()])
        .await
        .unwrap();
    let info = store.info().await.unwrap();
    assert_eq!(info.readings, 10);
    let quarters = store.quarters(Some(mac(1)), ms(0), at(1000)).await.unwrap();
    assert_eq!(
        quarters
            .iter()
            .map(|quarter| quarter.energy_wh)
            .sum::<f64>(),
        5.0
    );
}

async fn a_total_never_goes_back(place: StorePlace) {
    let store = place.store().await;
    let at = |second: i64| ms(1_795_000_000_000 + second * 10_000);
    let with = |second, state| Sample {
        reading: reading(1, at(second), 1.0),
        used: None,
        energy: Some(state),
    };
    store
        .append(&[with(1, total(10, 10, at(1))), with(2, total(12, 12, at(2)))])
        .await
        .unwrap();
    store.append(&[with(0, total(9, 9, at(0)))]).await.unwrap();
    assert_eq!(
        store.energy().await.unwrap(),
        [(mac(1), total(12, 12, at(2)))]
    );
    // The counter was reset: the total stands, its reference is new.
    store.append(&[with(3, total(12, 0, at(3)))]).await.unwrap();
    assert_eq!(
        store.energy().await.unwrap(),
        [(mac(1), total(12, 0, at(3)))]
    );
}
