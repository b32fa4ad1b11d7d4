//! A hub on a file: its backup, and a file that refuses a part of a change.

use hub::store::DocumentStore as _;
use serde_json::json;
use sqlx::{Connection as _, SqliteConnection};

use crate::history::quiet_house;
use crate::twins::{Plugs, in_network};
use crate::world::{House, hex, mac, plug};

#[test]
fn a_backup_is_whole_and_leaves_nothing_behind() {
    in_network(async {
        let house = quiet_house().await;
        house
            .post("/api/v1/groups", json!({"name": "kept", "plugs": []}))
            .await
            .expect(201);
        let files = || {
            let entries = std::fs::read_dir(house.state.path()).unwrap();
            let names: Vec<_> = entries.map(|entry| entry.unwrap().file_name()).collect();
            names
        };
        let before = files();
        let copy = house.get("/api/v1/hub/backup").await;
        copy.expect(200);
        assert!(copy.body.starts_with(b"SQLite format 3\0"));
        assert_eq!(copy.header("content-length"), copy.body.len().to_string());
        assert_eq!(files(), before);
        let path = house.state.path().join("copy.sqlite");
        std::fs::write(&path, &copy.body).unwrap();
        let retention = hub::store::Retention {
            readings: "7d".parse().unwrap(),
            minutes: "90d".parse().unwrap(),
        };
        let opened = hub::store::Sqlite::open(&path, retention).await.unwrap();
        assert!(opened.set_aside.is_none());
        let groups = opened
            .store
            .documents(api::Collection::Groups)
            .await
            .unwrap();
        assert_eq!(groups[0].body["name"], "kept");
        opened.store.close().await;
        house.close().await;
    });
}

/// A replacement whose last document cannot be written changes nothing, in memory or on the disk.
#[test]
fn a_replacement_is_whole_or_none() {
    in_network(async {
        let plugs = Plugs::start(vec![plug(1, &[]), plug(2, &[])]).await;
        let house = House::open().await;
        house.adopt(2).await;
        let old = format!("/api/v1/plugs/{}", hex(1));
        house.patch(&old, json!({"name": "lamp"})).await.expect(200);
        let group = json!({"name": "g", "plugs": [mac(1)]});
        house.post("/api/v1/groups", group).await.expect(201);
        let rule = json!({"name": "r", "plug": mac(1), "kind": "auto_off", "after": "1d"});
        house.post("/api/v1/rules", rule).await.expect(201);
        let database = house.state.path().join("mains.sqlite");
        let url = database.display().to_string();
        let mut other = SqliteConnection::connect(&url).await.unwrap();
        let trigger = "CREATE TRIGGER refuse BEFORE UPDATE ON documents WHEN new.collection = 'rules' \
            BEGIN SELECT RAISE(ABORT, 'refused'); END";
        sqlx::query(trigger).execute(&mut other).await.unwrap();
        let replace = format!("{old}/replace");
        let refused = house.post(&replace, json!({"by": mac(2)})).await;
        refused.problem(503, "unavailable", None);
        let same = async || {
            assert_eq!(house.get(&old).await.expect(200)["name"], "lamp");
            for collection in ["groups", "rules"] {
                let path = format!("/api/v1/{collection}");
                let shown = house.get(&path).await.expect(200).to_string();
                assert!(
                    shown.contains(&mac(1)) && !shown.contains(&mac(2)),
                    "{shown}"
                );
            }
        };
        same().await;
        sqlx::query("DROP TRIGGER refuse")
            .execute(&mut other)
            .await
            .unwrap();
        // Two tariffs from the same day would be valid for the new plug.
        for number in 1..=2 {
            let name = format!("t{number}");
            let tariff = json!({"name": name, "currency": "EUR", "plugs": [mac(number)], "kind": "flat", "price": 1});
            house.post("/api/v1/tariffs", tariff).await.expect(201);
        }
        let refused = house.post(&replace, json!({"by": mac(2)})).await;
        refused.problem(409, "conflict", Some("valid_from"));
        same().await;
        other.close().await.unwrap();
        house.close().await;
        plugs.stop().await;
    });
}
