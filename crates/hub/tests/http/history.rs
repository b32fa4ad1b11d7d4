//! History: steps, sums, costs, copies.

use axum::body::Body;
use axum::http::Method;
use axum::http::header::CONTENT_TYPE;
use hub::store::{EnergyState, HistoryStore, Sample, Used};
use jiff::{SignedDuration, Timestamp};
use plugs::Reading;
use serde_json::{Value, json};

use crate::twins::{Plugs, in_network};
use crate::world::{Answer, House, bare, hex, mac, plug};

/// Adds a load of 60 W to a plug's history, one reading per minute.
async fn fill(house: &House, number: u8, from: &str, minutes: i64) {
    let mac = mac(number).parse().unwrap();
    let from: Timestamp = from.parse().unwrap();
    let samples: Vec<Sample> = (0..=minutes)
        .map(|minute| {
            let at = from + SignedDuration::from_mins(minute);
            Sample {
                reading: Reading {
                    plug: mac,
                    at,
                    voltage_v: Some(230.0),
                    current_a: Some(0.26),
                    frequency_hz: Some(50.0),
                    power_w: Some(60.0),
                    energy_wh: Some(minute as u64),
                },
                used: (minute > 0).then(|| Used {
                    since: at - SignedDuration::from_mins(1),
                    energy_wh: 1.0,
                }),
                energy: Some(EnergyState {
                    // A total rises, also from one of these times to another.
                    total_wh: at.as_second() as u64 / 60,
                    counter_wh: Some(minute as u64),
                    at,
                }),
            }
        })
        .collect();
    house.store.append(&samples).await.unwrap();
}

/// Starts a hub with two plugs that no longer reply, so that their history contains only the data of the test.
pub async fn quiet_house() -> House {
    let plugs = Plugs::start(vec![
        plug(1, &["meter-refused"]),
        plug(2, &["meter-refused"]),
    ])
    .await;
    let house = House::open().await;
    house.adopt(2).await;
    plugs.stop().await;
    house
}

fn sum(points: &Value) -> f64 {
    let points = points.as_array().unwrap();
    points
        .iter()
        .map(|point| point["energy_wh"].as_f64().unwrap())
        .sum()
}

#[test]
fn steps_hours_and_days() {
    in_network(async {
        let house = quiet_house().await;
        // Across local midnight, which is at 23:00 in UTC.
        fill(&house, 1, "2026-11-20T22:00:00Z", 120).await;
        let path = format!("/api/v1/plugs/{}/history", hex(1));
        let ask = async |query: &str| house.get(&format!("{path}?{query}")).await.expect(200);
        let hours = ask("from=2026-11-20T22:00:00Z&to=2026-11-21T01:00:00Z&step=1h").await;
        assert_eq!(hours["step_s"], 3600);
        assert_eq!(hours["points"].as_array().unwrap().len(), 3, "{hours}");
        assert_eq!(hours["points"][0]["t"], "2026-11-20T22:00:00Z");
        assert_eq!(hours["points"][0]["power_w"], 60.0);
        assert!(
            (hours["points"][0]["energy_wh"].as_f64().unwrap() - 60.0).abs() < 1e-6,
            "{hours}"
        );
        assert!((sum(&hours["points"]) - 120.0).abs() < 1e-6, "{hours}");
        let days = ask("from=2026-11-20&to=2026-11-21&step=1d").await;
        assert_eq!(days["step_s"], 86_400);
        assert_eq!(days["points"][0]["t"], "2026-11-19T23:00:00Z", "{days}");
        assert_eq!(days["points"][1]["t"], "2026-11-20T23:00:00Z");
        assert!(
            (days["points"][0]["energy_wh"].as_f64().unwrap() - 60.0).abs() < 1e-6,
            "{days}"
        );
        let chosen = ask("from=2026-11-20&to=2026-11-20").await;
        assert_eq!(chosen["step_s"], 60);
        assert_eq!(ask("").await["step_s"], 60);
        assert_eq!(
            ask("from=2020-01-01&to=2020-01-01").await["points"],
            json!([])
        );

        let table = house
            .get(&format!(
                "{path}.csv?from=2026-11-20T22:00:00Z&to=2026-11-20T23:00:00Z&step=1h"
            ))
            .await;
        table.expect(200);
        assert_eq!(table.header("content-type"), "text/csv; charset=utf-8");
        let text = String::from_utf8(table.body).unwrap();
        let mut lines = text.lines();
        assert_eq!(
            lines.next(),
            Some("t,power_w,power_min_w,power_max_w,energy_wh")
        );
        assert_eq!(
            lines.next(),
            Some("2026-11-20T22:00:00Z,60.0,60.0,60.0,60.0")
        );
        let empty = house
            .get(&format!("{path}.csv?from=2020-01-01&to=2020-01-01"))
            .await;
        assert_eq!(String::from_utf8_lossy(&empty.body).lines().count(), 1);
        house.close().await;
    });
}

#[test]
fn steps_are_as_long_as_what_is_kept() {
    in_network(async {
        let house = quiet_house().await;
        fill(&house, 1, "2026-06-01T10:00:00Z", 180).await;
        fill(&house, 1, "2026-11-20T10:00:00Z", 180).await;
        let now: Timestamp = "2026-11-30T00:00:00Z".parse().unwrap();
        house.store.tidy(now).await.unwrap();
        let path = format!("/api/v1/plugs/{}/history", hex(1));
        for (day, asked, step) in [
            ("2026-06-01", "1m", 900),
            ("2026-06-01", "10s", 900),
            ("2026-06-01", "20m", 1_800),
            ("2026-06-01", "1h", 3_600),
            ("2026-11-20", "10s", 60),
            ("2026-11-20", "1m", 60),
        ] {
            let query = format!("from={day}T10:00:00Z&to={day}T12:00:00Z&step={asked}");
            let history = house.get(&format!("{path}?{query}")).await.expect(200);
            assert_eq!(history["step_s"], step, "{query}");
            // What each step used is what its mean power would have: not a quarter-hour's energy in a minute.
            for point in history["points"].as_array().unwrap() {
                let watts = point["energy_wh"].as_f64().unwrap() * 3600.0 / f64::from(step);
                assert!((watts - 60.0).abs() < 1e-6, "{query}: {point}");
            }
        }
        house.close().await;
    });
}

#[test]
fn a_removed_plug_stays_in_past_sums() {
    in_network(async {
        let house = quiet_house().await;
        fill(&house, 1, "2026-11-20T10:00:00Z", 60).await;
        fill(&house, 2, "2026-11-20T10:00:00Z", 120).await;
        let sums = "/api/v1/energy?by=month&from=2026-11-01&to=2026-11-29";
        let total = async || {
            let rows = house.get(sums).await.expect(200);
            (sum(&rows), rows)
        };
        assert!((total().await.0 - 180.0).abs() < 1e-6);
        let plug = format!("/api/v1/plugs/{}", hex(2));
        house.delete(&plug).await.expect(204);
        let (energy_wh, rows) = total().await;
        assert!((energy_wh - 180.0).abs() < 1e-6, "{rows}");
        for row in rows.as_array().unwrap() {
            assert_eq!(
                row["removed"] == true,
                row["mac"] == mac(2).as_str(),
                "{rows}"
            );
        }
        let day = "from=2026-11-20&to=2026-11-20";
        let history = house.get(&format!("{plug}/history?{day}&step=1h")).await;
        assert!((sum(&history.expect(200)["points"]) - 120.0).abs() < 1e-6);
        let export = house.get(&format!("{plug}/export?{day}")).await;
        export.expect(200);
        assert!(String::from_utf8_lossy(&export.body).lines().count() > 120);
        let one = house
            .get(&format!("{sums}&plug={}", hex(2)))
            .await
            .expect(200);
        assert_eq!(one[0]["removed"], true, "{one}");
        house.delete(&plug).await.problem(404, "not_found", None);

        house
            .delete(&format!("{plug}?purge=true"))
            .await
            .expect(204);
        assert!((total().await.0 - 60.0).abs() < 1e-6);
        let gone = house.get(&format!("{plug}/history")).await;
        gone.problem(404, "not_found", None);
        let again = house.delete(&format!("{plug}?purge=true")).await;
        again.problem(404, "not_found", None);
        house.close().await;
    });
}

#[test]
fn what_makes_no_sense_is_named() {
    in_network(async {
        let house = quiet_house().await;
        let path = format!("/api/v1/plugs/{}/history", hex(1));
        for (query, field) in [
            ("from=yesterday", "from"),
            ("from=2026-11-22T12:00:00Z&to=2026-11-22T12:00:00Z", "from"),
            ("from=2026-11-23&to=2026-11-22", "from"),
            ("from=1969-12-31T00:00:00Z&to=2026-11-22", "from"),
            ("from=1969-01-01&to=2026-11-22", "from"),
            ("to=2201-01-01", "to"),
            ("to=20261122", "to"),
            ("from=2026-01-01&step=1s", "step"),
            ("step=0s", "step"),
            ("step=-1m", "step"),
            ("step=60", "step"),
            ("step=1mo", "step"),
            ("step=36h", "step"),
            ("step=500ms", "step"),
            ("step=1m&step=1m", "step"),
            ("form=2026-11-22", "form"),
        ] {
            for path in [format!("{path}?{query}"), format!("{path}.csv?{query}")] {
                let answer = house.get(&path).await;
                // 20261122 is a date to some.
                if query.contains("20261122") && answer.status.is_success() {
                    continue;
                }
                answer.problem(400, "usage", Some(field));
            }
        }
        for query in [
            "by=hour",
            "by=",
            "plug=kitchen",
            "from=2026-11-23&to=2026-11-22",
            "x=1",
            "by=day&by=day",
            "from=1970-01-01",
        ] {
            let field = query.split('=').next().unwrap();
            let answer = house.get(&format!("/api/v1/energy?{query}")).await;
            answer.problem(400, "usage", Some(field));
        }
        let stranger = house.get("/api/v1/energy?plug=accf23ffffff").await;
        stranger.problem(404, "not_found", None);
        house.close().await;
    });
}

async fn put(house: &House, path: &str, media: &str, body: &str) -> Answer {
    let mut request = bare(Method::PUT, path);
    request
        .headers_mut()
        .insert(CONTENT_TYPE, media.parse().unwrap());
    *request.body_mut() = Body::from(body.to_owned());
    house.ask(request).await
}

#[test]
fn energy_and_what_it_cost() {
    in_network(async {
        let house = quiet_house().await;
        fill(&house, 1, "2026-11-20T22:00:00Z", 120).await;
        fill(&house, 2, "2026-11-20T12:00:00Z", 60).await;
        let (first, second) = (mac(1), mac(2));
        let ask = async |query: &str| {
            house
                .get(&format!("/api/v1/energy?{query}"))
                .await
                .expect(200)
        };
        let free = ask("from=2026-11-01&to=2026-11-30").await;
        let row = |mac: &str, period: &str, wh: f64, cost: Value, currency: Value| json!({"mac": mac, "period": period, "energy_wh": wh, "cost": cost, "currency": currency});
        let null = || Value::Null;
        let mut expected = vec![
            row(&first, "2026-11-20", 60.0, null(), null()),
            row(&second, "2026-11-20", 60.0, null(), null()),
            row(&first, "2026-11-21", 60.0, null(), null()),
        ];
        expected[..2].sort_by_key(|row| row["mac"].as_str().unwrap().to_owned());
        assert_eq!(free, json!(expected));

        let hourly =
            json!({"name": "market", "currency": "SEK", "kind": "hourly", "plugs": [first]});
        let tariff = house.post("/api/v1/tariffs", hourly).await;
        let path = format!("{}/prices", tariff.header("location"));
        let prices = r#"[{"t":"2026-11-20T22:00:00Z","price":2.0}]"#;
        let answer = put(&house, &path, "application/json", prices).await;
        assert_eq!(answer.expect(200)["prices"].as_array().unwrap().len(), 1);
        // The night's last hour, in local time, comes beside it.
        let answer = put(
            &house,
            &path,
            "text/csv; charset=utf-8",
            "time,price\n2026-11-21T00:00,-1\n",
        )
        .await;
        assert_eq!(
            answer.expect(200)["prices"][1],
            json!({"t": "2026-11-20T23:00:00Z", "price": -1.0})
        );
        assert_eq!(answer.header("etag"), "\"3\"");
        let flat = json!({"name": "home", "currency": "EUR", "kind": "flat", "price": 0.5});
        house.post("/api/v1/tariffs", flat).await.expect(201);
        let months = ask("by=month&from=2026-11-01&to=2026-11-30").await;
        let mut expected = vec![
            row(&first, "2026-11", 120.0, json!(0.06), json!("SEK")),
            row(&second, "2026-11", 60.0, json!(0.03), json!("EUR")),
        ];
        expected.sort_by_key(|row| row["mac"].as_str().unwrap().to_owned());
        assert_eq!(months, json!(expected));
        let one = ask(&format!("plug={second}&from=2026-11-20&to=2026-11-20")).await;
        assert_eq!(
            one,
            json!([row(&second, "2026-11-20", 60.0, json!(0.03), json!("EUR"))])
        );

        let replaced = put(
            &house,
            &format!("{path}?replace=true"),
            "application/json",
            "[]",
        )
        .await;
        assert_eq!(replaced.expect(200)["prices"], json!([]));
        house.close().await;
    });
}

#[test]
fn the_household_by_week_and_year_with_its_standing_charge() {
    in_network(async {
        let house = quiet_house().await;
        fill(&house, 1, "2026-11-20T12:00:00Z", 60).await;
        fill(&house, 2, "2026-11-16T12:00:00Z", 120).await;
        let tariff = json!({"name": "home", "currency": "EUR", "kind": "flat", "price": 0.5,
            "standing_charge": {"price": 9.0, "per": "month"}});
        house.post("/api/v1/tariffs", tariff).await.expect(201);
        let range = "from=2026-11-16&to=2026-11-22";
        let weeks = house
            .get(&format!("/api/v1/energy/household?by=week&{range}"))
            .await;
        let expected = json!([{"period": "2026-W47", "energy_wh": 180.0, "cost": 0.09, "standing_charge": 2.1, "currency": "EUR"}]);
        assert_eq!(weeks.expect(200), expected);
        let years = house
            .get(&format!("/api/v1/energy?by=year&{range}"))
            .await
            .expect(200);
        assert_eq!(years[0]["period"], "2026");
        assert!((sum(&years) - 180.0).abs() < 1e-6, "{years}");
        let days = house
            .get(&format!("/api/v1/energy/household?{range}"))
            .await
            .expect(200);
        assert_eq!(days.as_array().unwrap().len(), 2, "{days}");
        assert_eq!(days[0]["standing_charge"], 0.3);
        let wrong = house
            .get("/api/v1/energy/household?plug=accf23000001")
            .await;
        wrong.problem(400, "usage", Some("plug"));
        house.close().await;
    });
}

#[test]
fn the_house_by_quarter_hours_with_its_gaps() {
    in_network(async {
        let house = quiet_house().await;
        fill(&house, 1, "2026-11-20T12:00:00Z", 29).await;
        fill(&house, 2, "2026-11-20T12:15:00Z", 29).await;
        let of_day = "/api/v1/energy/quarters?from=2026-11-20&to=2026-11-20";
        let quarters = house.get(of_day).await.expect(200);
        let quarter = |t: &str, energy_wh: f64, plugs: u32| json!({"t": format!("2026-11-20T{t}Z"), "energy_wh": energy_wh, "plugs": plugs});
        assert_eq!(
            quarters,
            json!([
                quarter("12:00:00", 15.0, 1),
                quarter("12:15:00", 29.0, 2),
                quarter("12:30:00", 14.0, 1)
            ])
        );
        // Unless told, it is today, of which nothing is known.
        let today = house.get("/api/v1/energy/quarters").await;
        assert_eq!(today.expect(200), json!([]));
        for (query, field) in [
            ("from=2026-01-01&to=2026-11-20", "from"),
            ("from=2026-11-20&to=2026-11-01", "from"),
            ("by=day", "by"),
        ] {
            let wrong = house.get(&format!("/api/v1/energy/quarters?{query}")).await;
            wrong.problem(400, "usage", Some(field));
        }
        house.close().await;
    });
}

#[test]
fn a_tariff_for_the_past_says_what_it_changes() {
    in_network(async {
        let house = quiet_house().await;
        fill(&house, 1, "2026-11-20T12:00:00Z", 60).await;
        let flat = |name: &str, price: f64| json!({"name": name, "currency": "EUR", "kind": "flat", "price": price});
        let first = house.post("/api/v1/tariffs", flat("home", 0.5)).await;
        assert_eq!(
            first.expect(201)["repriced"],
            json!({"from": "1970-01-01T00:00:00Z", "before": [], "after": [{"cost": 0.03, "currency": "EUR"}]})
        );
        let path = first.header("location").to_owned();
        // The same for the same plugs: the alphabet must not decide.
        let rival = house.post("/api/v1/tariffs", flat("a", 5.0)).await;
        rival.problem(409, "conflict", Some("valid_from"));
        let mut later = flat("later", 1.0);
        later["valid_from"] = json!("2026-11-20");
        let later = house.post("/api/v1/tariffs", later).await;
        assert_eq!(
            later.expect(201)["repriced"],
            json!({"from": "2026-11-19T23:00:00Z", "before": [{"cost": 0.03, "currency": "EUR"}], "after": [{"cost": 0.06, "currency": "EUR"}]})
        );
        let later_path = later.header("location").to_owned();
        let move_back = house
            .patch(&path, json!({"valid_from": "2026-11-20"}))
            .await;
        move_back.problem(409, "conflict", Some("valid_from"));
        // A change that touches no booked energy says nothing.
        let mut future = flat("future", 2.0);
        future["valid_from"] = json!("2199-01-01");
        let future = house.post("/api/v1/tariffs", future).await.expect(201);
        assert_eq!(future["repriced"], Value::Null);
        let same = house
            .patch(&path, json!({"name": "Home"}))
            .await
            .expect(200);
        assert_eq!(same["repriced"], Value::Null);
        assert_eq!(house.get(&path).await.expect(200)["repriced"], Value::Null);
        let removed = house.delete(&later_path).await.expect(200);
        assert_eq!(
            removed["repriced"],
            json!({"from": "2026-11-19T23:00:00Z", "before": [{"cost": 0.06, "currency": "EUR"}], "after": [{"cost": 0.03, "currency": "EUR"}]})
        );
        // One for certain plugs goes beside one for all.
        let mut cellar = flat("cellar", 0.1);
        cellar["plugs"] = json!([mac(1), mac(2)]);
        house
            .post("/api/v1/tariffs", cellar.clone())
            .await
            .expect(201);
        cellar["name"] = json!("attic");
        cellar["plugs"] = json!([mac(2)]);
        let rival = house.post("/api/v1/tariffs", cellar).await;
        rival.problem(409, "conflict", Some("valid_from"));
        house.close().await;
    });
}

#[test]
fn prices_that_make_no_sense() {
    in_network(async {
        let house = House::open().await;
        let hourly = json!({"name": "market", "currency": "SEK", "kind": "hourly"});
        let tariff = house.post("/api/v1/tariffs", hourly).await;
        let path = format!("{}/prices", tariff.header("location"));
        for (media, body, status) in [
            (
                "application/json",
                r#"[{"t":"2026-11-20T22:00:01Z","price":2.0}]"#,
                400,
            ),
            (
                "application/json",
                r#"[{"t":"1969-11-20T22:00:00Z","price":2.0}]"#,
                400,
            ),
            (
                "application/json",
                r#"[{"t":"2026-11-20T22:00:00Z","price":"2"}]"#,
                400,
            ),
            (
                "application/json",
                r#"{"t":"2026-11-20T22:00:00Z","price":2}"#,
                400,
            ),
            ("application/json", "", 400),
            ("text/csv", "", 400),
            ("text/csv", "time,price\nnoon,1\n", 400),
            ("text/csv", "time,price\n2026-11-20T22:00:00Z,NaN\n", 400),
            ("text/csv", "when;what\n", 400),
            ("text/plain", "time,price\n", 415),
        ] {
            let answer = put(&house, &path, media, body).await;
            assert_eq!(answer.expect(status)["kind"], "usage", "{media} {body}");
        }
        assert_eq!(
            house.get(tariff.header("location")).await.header("etag"),
            "\"1\""
        );
        let flat = json!({"name": "home", "currency": "EUR", "valid_from": "2026-01-01", "kind": "flat", "price": 0.5});
        let flat = house.post("/api/v1/tariffs", flat).await;
        let path = format!("{}/prices", flat.header("location"));
        put(&house, &path, "application/json", "[]")
            .await
            .problem(409, "conflict", None);
        house.close().await;
    });
}

#[test]
fn a_history_goes_out_and_in_again() {
    in_network(async {
        let house = quiet_house().await;
        fill(&house, 1, "2026-11-20T22:00:00Z", 60).await;
        let exported = house.get(&format!("/api/v1/plugs/{}/export", hex(1))).await;
        exported.expect(200);
        let rows = String::from_utf8_lossy(&exported.body).lines().count() as u64 - 1;
        let import = async |body: Vec<u8>, media: &str| {
            let mut request = bare(Method::POST, &format!("/api/v1/plugs/{}/import", hex(2)));
            request
                .headers_mut()
                .insert(CONTENT_TYPE, media.parse().unwrap());
            *request.body_mut() = Body::from(body);
            house.ask(request).await
        };
        let first = import(exported.body.clone(), "text/csv").await.expect(200);
        assert_eq!(first, json!({"rows": rows, "new": rows}));
        let again = import(exported.body.clone(), "text/csv").await.expect(200);
        assert_eq!(again, json!({"rows": rows, "new": 0}));
        let copy = house.get(&format!("/api/v1/plugs/{}/export", hex(2))).await;
        assert_eq!(copy.body, exported.body);
        import(b"time,price\n".to_vec(), "text/csv")
            .await
            .problem(400, "usage", None);
        import(exported.body.clone(), "application/json")
            .await
            .expect(415);
        house.close().await;
    });
}
