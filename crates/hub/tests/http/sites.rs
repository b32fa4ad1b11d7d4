//! Two sites in one database, each with a hub of its own.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::Request;
use http_body_util::BodyExt as _;
use hub::Hub;
use hub::auth::{AccessControl, protect};
use hub::store::{HistoryStore as _, Postgres, PostgresConfig, Retention, Sample, Used};
use jiff::SignedDuration;
use plugs::Reading;
use serde_json::{Value, json};
use tower::ServiceExt as _;

use crate::needs;
use crate::server::PostgresServer;
use crate::twins::{Plugs, in_network};
use crate::world::{House, hex, mac, plug};

/// The hubs of two sites.
struct TwoSites {
    server: &'static PostgresServer,
    database: String,
    berlin: House<Postgres>,
    hamburg: House<Postgres>,
    plugs: Plugs,
}

impl TwoSites {
    /// Starts both: the first plug belongs to Berlin, the second to Hamburg.
    async fn open() -> Option<Self> {
        let server = needs::met(PostgresServer::shared())?;
        let database = server.database();
        let plugs = Plugs::start(vec![plug(1, &[]), plug(2, &[]), plug(3, &[])]).await;
        let berlin = house(server, &database, "berlin", 1).await;
        let hamburg = house(server, &database, "hamburg", 2).await;
        let sites = Self {
            server,
            database,
            berlin,
            hamburg,
            plugs,
        };
        for (house, number) in [(&sites.berlin, 1), (&sites.hamburg, 2)] {
            let body = json!({"address": format!("127.74.1.{number}")});
            house.post("/api/v1/plugs", body).await.expect(201);
        }
        sites.refresh().await;
        Some(sites)
    }

    async fn refresh(&self) {
        for house in [&self.berlin, &self.hamburg] {
            house.hub.sites().refresh(&house.hub).await.unwrap();
        }
    }

    /// Stores the report of a hub, as it does itself while it is active.
    async fn report(&self, hub: &Hub, seconds_ago: u32) {
        let site = &hub.config().site;
        let report = serde_json::to_string(&hub.site_report().await).unwrap();
        let sql = format!(
            "INSERT INTO site_{site}.hubs (id, url, version, role, seen, reaches, certificate, summary) \
             VALUES ('{site}', 'http://{site}.example:8480', '1', 'active', now() - interval '{seconds_ago} s', true, NULL, '{report}') \
             ON CONFLICT (id) DO UPDATE SET seen = excluded.seen, summary = excluded.summary"
        );
        self.server.execute(&self.database, &sql);
        self.refresh().await;
    }

    async fn end(self) {
        self.berlin.end().await;
        self.hamburg.end().await;
        self.plugs.stop().await;
    }
}

async fn house(server: &PostgresServer, database: &str, site: &str, number: u8) -> House<Postgres> {
    let config = PostgresConfig {
        site: site.parse().unwrap(),
        ..server.config(database)
    };
    let store = Postgres::open(config, Retention::default()).await.unwrap();
    let state = tempfile::tempdir().unwrap();
    let address = [127, 74, 0, number].into();
    House::on_address(store, state, address, |config| {
        config.site = site.parse().unwrap();
    })
    .await
}

/// Adds an hour of 60 W that ends now.
async fn fill(house: &House<Postgres>, number: u8) {
    let now = ::plugs::now();
    let sample = |minute: i64| {
        let at = now - SignedDuration::from_mins(60 - minute);
        Sample {
            reading: Reading {
                plug: mac(number).parse().unwrap(),
                at,
                voltage_v: None,
                current_a: None,
                frequency_hz: None,
                power_w: Some(60.0),
                energy_wh: None,
            },
            used: Some(Used {
                since: at - SignedDuration::from_mins(1),
                energy_wh: 1.0,
            }),
            energy: None,
        }
    };
    let samples: Vec<Sample> = (1..=60).map(sample).collect();
    house.store.append(&samples).await.unwrap();
}

/// Returns the sites of the objects in a list.
fn sites(list: &Value) -> Vec<&str> {
    let objects = list.as_array().unwrap().iter();
    objects
        .map(|object| object["site"].as_str().unwrap())
        .collect()
}

#[test]
fn lists_hold_the_objects_of_all_sites_or_of_one() {
    in_network(async {
        let Some(world) = TwoSites::open().await else {
            return;
        };
        let (berlin, hamburg) = (&world.berlin, &world.hamburg);
        let group = json!({"name": "lights", "plugs": [mac(2)]});
        let group = hamburg.post("/api/v1/groups", group).await.expect(201);
        fill(berlin, 1).await;
        fill(hamburg, 2).await;

        let plugs = berlin.get("/api/v1/plugs").await.expect(200);
        assert_eq!(sites(&plugs), ["berlin", "hamburg"]);
        let there = berlin.get("/api/v1/plugs?site=hamburg").await.expect(200);
        assert_eq!((&there[0]["mac"], sites(&there).len()), (&json!(mac(2)), 1));
        assert_eq!(there[0]["reading"]["power_w"], 60.0);
        let path = format!("/api/v1/plugs/{}", hex(2));
        assert_eq!(berlin.get(&path).await.expect(200), there[0]);
        let here = berlin.get("/api/v1/plugs?site=berlin").await.expect(200);
        assert_eq!(sites(&here), ["berlin"]);

        let groups = berlin.get("/api/v1/groups").await.expect(200);
        assert_eq!(
            (&groups[0]["id"], sites(&groups)),
            (&group["id"], vec!["hamburg"])
        );
        let path = format!("/api/v1/groups/{}", group["id"].as_str().unwrap());
        assert_eq!(berlin.get(&path).await.expect(200), groups[0]);
        assert_eq!(berlin.get("/api/v1/rules").await.expect(200), json!([]));

        // An entry waits for its batch before another site can read it.
        let written = tokio::time::timeout(Duration::from_secs(10), async {
            loop {
                let log = berlin.get("/api/v1/log?site=hamburg&limit=1").await;
                let log = log.expect(200);
                if log != json!([]) {
                    break log;
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        });
        assert_eq!(sites(&written.await.unwrap()), ["hamburg"]);
        let problem = berlin.get("/api/v1/log?before=1000").await;
        problem.problem(400, "usage", Some("before"));
        let problem = berlin.get("/api/v1/plugs?site=munich").await;
        problem.problem(404, "not_found", Some("site"));
        world.end().await;
    });
}

#[test]
fn energy_is_told_by_site_and_exports_carry_it() {
    in_network(async {
        let Some(world) = TwoSites::open().await else {
            return;
        };
        let (berlin, hamburg) = (&world.berlin, &world.hamburg);
        let tariff = json!({"name": "port", "kind": "flat", "price": 0.5, "currency": "CHF"});
        hamburg.post("/api/v1/tariffs", tariff).await.expect(201);
        fill(berlin, 1).await;
        fill(hamburg, 2).await;
        let months = berlin.get("/api/v1/energy?by=year").await.expect(200);
        let rows = months.as_array().unwrap().iter();
        let of = |site: &str| {
            let rows = rows.clone().filter(|row| row["site"] == site);
            let wh: f64 = rows
                .clone()
                .map(|row| row["energy_wh"].as_f64().unwrap())
                .sum();
            (wh, rows.clone().next().unwrap()["currency"].clone())
        };
        assert_eq!(of("berlin"), (60.0, Value::Null));
        assert_eq!(of("hamburg"), (60.0, json!("CHF")));
        let only = format!("/api/v1/energy?by=year&plug={}", hex(2));
        assert_eq!(sites(&berlin.get(&only).await.expect(200))[0], "hamburg");
        let only = format!("/api/v1/energy?plug={}", hex(9));
        berlin.get(&only).await.problem(404, "not_found", None);
        let house = berlin
            .get("/api/v1/energy/household?by=year&site=hamburg")
            .await;
        assert_eq!(house.expect(200)[0]["cost"], 0.03);

        let text = async |path: String| {
            let answer = berlin.get(&path).await;
            String::from_utf8(answer.body).unwrap()
        };
        let csv = text(format!("/api/v1/plugs/{}/history.csv?step=1h", hex(2))).await;
        let lines: Vec<&str> = csv.lines().collect();
        assert!(lines[0].ends_with(",energy_wh,site"), "{csv}");
        assert!(lines.len() > 1 && lines[1].ends_with(",hamburg"), "{csv}");
        let csv = text(format!("/api/v1/plugs/{}/export", hex(1))).await;
        assert!(csv.lines().nth(1).unwrap().ends_with(",berlin"), "{csv}");
        world.end().await;
    });
}

#[test]
fn what_belongs_to_another_site_is_changed_there_alone() {
    in_network(async {
        let Some(world) = TwoSites::open().await else {
            return;
        };
        let (berlin, hamburg) = (&world.berlin, &world.hamburg);
        world.report(&hamburg.hub, 0).await;
        let path = format!("/api/v1/plugs/{}/relay", hex(2));
        let problem = berlin.put(&path, json!({"state": "on"})).await;
        let problem = problem.problem(409, "conflict", None);
        let hint = problem["hint"].as_str().unwrap();
        assert!(hint.contains("http://hamburg.example:8480"), "{problem}");
        let group = json!({"name": "lights", "plugs": [mac(2)]});
        let group = hamburg.post("/api/v1/groups", group).await.expect(201);
        let path = format!("/api/v1/groups/{}", group["id"].as_str().unwrap());
        berlin.delete(&path).await.problem(409, "conflict", None);
        hamburg.get(&path).await.expect(200);
        // A plug of another site that is heard here is not taken.
        let body = json!({"address": "127.74.1.2"});
        let problem = berlin.post("/api/v1/plugs", body).await;
        let problem = problem.problem(409, "conflict", None);
        assert!(problem["title"].is_string());
        let found = berlin
            .post("/api/v1/discover", json!({"wait": "1s"}))
            .await
            .expect(200);
        let of = |number| {
            let mut found = found.as_array().unwrap().iter();
            found.find(|found| found["mac"] == mac(number)).unwrap()
        };
        assert_eq!(
            (&of(2)["adopted"], &of(2)["site"]),
            (&json!(false), &json!("hamburg"))
        );
        assert_eq!(of(3).get("site"), None);
        let log = berlin
            .get("/api/v1/log?site=berlin&problems=true")
            .await
            .expect(200);
        let text = log[0]["text"].as_str().unwrap();
        assert!(
            text.contains("hamburg") && text.contains("not adopted"),
            "{log}"
        );
        // Removed there, it is free.
        let path = format!("/api/v1/plugs/{}", hex(2));
        hamburg.delete(&path).await.expect(204);
        world.end().await;
    });
}

#[test]
fn a_site_that_is_not_heard_is_shown_as_such() {
    in_network(async {
        let Some(world) = TwoSites::open().await else {
            return;
        };
        let (berlin, hamburg) = (&world.berlin, &world.hamburg);
        fill(hamburg, 2).await;
        let unknown = berlin.get("/api/v1/sites").await.expect(200);
        assert_eq!(sites(&unknown), ["berlin", "hamburg"]);
        assert_eq!(
            (&unknown[0]["plugs"], &unknown[0]["is_stale"]),
            (&json!(1), &json!(false))
        );
        assert_eq!(unknown[1]["is_stale"], true);

        world.report(&hamburg.hub, 0).await;
        let fresh = berlin.get("/api/v1/sites").await.expect(200);
        let own = hamburg.get("/api/v1/sites").await.expect(200);
        for field in [
            "site",
            "plugs",
            "unavailable",
            "power_w",
            "energy_today_wh",
            "month",
        ] {
            assert_eq!(fresh[1][field], own[0][field], "{field}");
        }
        assert_eq!(fresh[1]["is_stale"], false);
        let there = berlin.get("/api/v1/plugs?site=hamburg").await.expect(200);
        assert_eq!(there[0]["available"], true);

        world.report(&hamburg.hub, 16).await;
        let stale = berlin.get("/api/v1/sites").await.expect(200);
        assert_eq!(
            (&stale[1]["power_w"], &stale[1]["unavailable"]),
            (&Value::Null, &json!(1))
        );
        let there = berlin.get("/api/v1/plugs?site=hamburg").await.expect(200);
        assert_eq!(there[0]["available"], false);
        world.end().await;
    });
}

/// A browser at Berlin's hub that logs in with a password for Hamburg.
#[test]
fn a_login_that_is_bound_to_a_site_sees_that_one_alone() {
    in_network(async {
        let Some(world) = TwoSites::open().await else {
            return;
        };
        let hub = &world.berlin.hub;
        let settings = Arc::clone(hub.store()) as _;
        let listen = "127.0.0.1:8480".parse().unwrap();
        let auth = AccessControl::load(
            settings,
            hub.config(),
            listen,
            Vec::new(),
            hub.bus().clone(),
            hub.lease().clone(),
        );
        let router = protect(hub::http::router(hub.clone()), auth.await.unwrap());
        let ask = async |method: &str, path: &str, header: (&str, &str), body: Value| {
            let request = Request::builder()
                .method(method)
                .uri(path)
                .header("host", "127.0.0.1:8480")
                .header("content-type", "application/json")
                .header(header.0, header.1)
                .body(Body::from(body.to_string()));
            let response = router.clone().oneshot(request.unwrap()).await.unwrap();
            let (parts, body) = response.into_parts();
            let body = body.collect().await.unwrap().to_bytes();
            let json = serde_json::from_slice(&body).unwrap_or(Value::Null);
            (parts.status.as_u16(), parts.headers, json)
        };
        let token = std::fs::read_to_string(hub.config().state.join("admin-token")).unwrap();
        let admin = format!("Bearer {}", token.trim());
        let admin = ("authorization", admin.as_str());
        let password = "a long enough secret";
        let body = json!({"password": password, "sites": ["hamburg"]});
        assert_eq!(ask("PUT", "/api/v1/password", admin, body).await.0, 204);
        let body = json!({"password": password});
        let (_, headers, _) = ask("POST", "/api/v1/login", ("x-none", ""), body).await;
        let cookie = headers["set-cookie"].to_str().unwrap();
        let login = ("cookie", cookie.split(';').next().unwrap());
        for path in ["/api/v1/plugs", "/api/v1/sites"] {
            let (status, _, list) = ask("GET", path, login, Value::Null).await;
            assert_eq!((status, sites(&list)), (200, vec!["hamburg"]), "{path}");
            assert_eq!(
                sites(&ask("GET", path, admin, Value::Null).await.2).len(),
                2
            );
        }
        let own = format!("/api/v1/plugs/{}", hex(1));
        for (method, path) in [
            ("GET", "/api/v1/plugs?site=berlin"),
            ("GET", own.as_str()),
            ("GET", "/api/v1/hub"),
            ("GET", "/api/v1/events"),
            ("PATCH", own.as_str()),
        ] {
            let (status, _, problem) = ask(method, path, login, json!({"name": "x"})).await;
            assert!(
                matches!(status, 403 | 404),
                "{method} {path}: {status} {problem}"
            );
        }
        world.end().await;
    });
}

#[test]
fn a_hub_that_is_alone_answers_as_ever() {
    in_network(async {
        let plugs = Plugs::start(vec![plug(1, &[])]).await;
        let house = House::open().await;
        let empty = house.get("/api/v1/sites").await.expect(200);
        for field in ["power_w", "energy_today_wh"] {
            let figure = empty[0][field].as_f64().unwrap();
            assert!(figure == 0.0 && figure.is_sign_positive(), "{empty}");
        }
        house.adopt(1).await;
        let listed = house.get("/api/v1/plugs").await.expect(200);
        assert_eq!(listed[0].get("site"), None, "{listed}");
        let path = format!("/api/v1/plugs/{}", hex(1));
        assert_eq!(house.get(&path).await.expect(200).get("site"), None);
        let sites = house.get("/api/v1/sites").await.expect(200);
        assert_eq!(
            (&sites[0]["site"], sites.as_array().unwrap().len()),
            (&json!(""), 1)
        );
        assert_eq!(sites[0]["plugs"], 1);
        house.get("/api/v1/plugs?site=").await.expect(200);
        house.end().await;
        plugs.stop().await;
    });
}
