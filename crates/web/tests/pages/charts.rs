//! Charts with history: gaps, the band, a day of 25 hours, the sums of the house, and a store that does not answer.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use hub::Guest as _;
use hub::store::{EnergyState, HistoryStore, Sample, Used};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, ToSpan, Zoned};
use plugs::Reading;
use serde_json::json;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use web::Pages;

use crate::browser::Browser;
use crate::keeper_world::Memory;
use crate::twins::{Plugs, in_network};
use crate::world::{House, hex, mac, plug};

/// Adds a reading a minute, and what was used since the one before; none where `power` has none.
async fn fill(
    store: &impl HistoryStore,
    number: u8,
    from: Timestamp,
    minutes: i64,
    power: impl Fn(i64) -> Option<f64>,
) {
    let sample = |minute: i64| {
        let (at, watts) = (from + SignedDuration::from_mins(minute), power(minute)?);
        let used = minute > 0 && power(minute - 1).is_some();
        Some(Sample {
            reading: Reading {
                plug: mac(number).parse().unwrap(),
                at,
                voltage_v: None,
                current_a: None,
                frequency_hz: None,
                power_w: Some(watts),
                energy_wh: None,
            },
            used: used.then(|| Used {
                since: at - SignedDuration::from_mins(1),
                energy_wh: watts / 60.0,
            }),
            energy: None::<EnergyState>,
        })
    };
    let samples: Vec<_> = (0..minutes).filter_map(sample).collect();
    store.append(&samples).await.unwrap();
}

/// A hub with a plug that is no longer there, so that its history is that of the test alone.
async fn quiet_house() -> House {
    let plugs = Plugs::start(vec![plug(1, &["meter-refused"])]).await;
    let house = House::open().await;
    house.adopt(1).await;
    plugs.stop().await;
    house
}

/// Pages whose sums are read in the background.
fn live_pages<S>(house: &House<S>) -> (Browser, CancellationToken) {
    let (pages, cancel) = (Arc::new(Pages::default()), CancellationToken::new());
    let browser = Browser::on(pages.router(&house.hub));
    tokio::spawn(Arc::clone(&pages).run(house.hub.clone(), cancel.clone()));
    (browser, cancel)
}

#[test]
fn a_day_of_25_hours_with_a_gap() {
    in_network(async {
        let house = quiet_house().await;
        // From 02:00 to 02:59 in the first of the two hours of this name there is nothing.
        let power =
            |minute: i64| (!(120..180).contains(&minute)).then_some(80.0 + (minute % 5) as f64);
        let from = "2026-10-24T22:00:00Z".parse().unwrap();
        fill(&*house.store, 1, from, 25 * 60, power).await;
        let path = format!("/plugs/{}?range=day&from=2026-10-25&to=2026-10-25", hex(1));
        let page = Browser::of(&house.hub).await.get(&path).await;
        page.shows(
            200,
            "82.0\u{a0}W on average, between 80.0 and 84.0\u{a0}W; 1.",
        );
        page.shows(200, "No data</li>");
        // 12 steps of five minutes, from the 24th on; the band is around the line.
        page.shows(
            200,
            "<rect class=\"gap\" x=\"24\" y=\"0\" width=\"12\" height=\"100\"/>",
        );
        let power_chart = page.html.split("id=\"power\"").nth(1).unwrap();
        let power_chart = power_chart.split("</svg>").next().unwrap();
        assert!(
            power_chart.contains("viewBox=\"0 0 300 100\""),
            "{power_chart}"
        );
        for class in ["bd", "ln", "ar"] {
            let count = power_chart.matches(&format!("class=\"{class}\"")).count();
            assert_eq!(count, 2, "{class}");
        }
        page.shows(200, "data-start=\"1792879200\"");
        page.shows(200, "data-end=\"1792969200\"");
        for (start, words) in [
            ("2026-10-25T00:00:00+02:00", "00:00 CEST"),
            ("2026-10-25T02:00:00+02:00", "02:00 CEST"),
            ("2026-10-25T02:00:00+01:00", "02:00 CET"),
            ("2026-10-25T23:00:00+01:00", "23:00 CET"),
        ] {
            page.shows(200, &format!("<time datetime=\"{start}\">{words}</time>"));
        }
        let rows = page.html.matches("<time datetime=\"2026-10-25T").count();
        assert_eq!(rows, 25);
        house.close().await;
    });
}

#[test]
fn a_slow_meter_is_no_gap() {
    in_network(async {
        let house = quiet_house().await;
        let from = "2026-11-01T23:00:00Z".parse().unwrap();
        fill(&*house.store, 1, from, 24 * 60, |minute| {
            (minute % 15 == 0).then_some(60.0)
        })
        .await;
        let path = format!("/plugs/{}?range=day&from=2026-11-02", hex(1));
        let gaps = async || {
            let page = Browser::of(&house.hub).await.get(&path).await;
            page.html.matches("<rect class=\"gap\"").count()
        };
        assert!(gaps().await > 90, "metered every second, most is missing");
        let settings = json!({"metering": "15m"});
        let path = format!("/api/v1/plugs/{}", hex(1));
        house.patch(&path, settings).await.expect(200);
        assert_eq!(gaps().await, 0);
        house.close().await;
    });
}

#[test]
fn the_house_has_its_month_and_its_standby() {
    in_network(async {
        let house = quiet_house().await;
        let tariff = json!({"name": "home", "kind": "flat", "currency": "EUR", "price": 0.5});
        house.post("/api/v1/tariffs", tariff).await.expect(201);
        let (browser, cancel) = live_pages(&house);
        browser.eventually("/", "<dt>Standby</dt><dd>–</dd>").await;
        cancel.cancel();

        let zone = TimeZone::get("Europe/Berlin").unwrap();
        let today = Zoned::now().with_time_zone(zone).date();
        let first = today.checked_sub(8.days()).unwrap();
        let midnight = first.in_tz("Europe/Berlin").unwrap().timestamp();
        // 3 W at night, 100 W by day.
        let power = |minute: i64| Some(if minute % 1440 < 300 { 3.0 } else { 100.0 });
        let minutes = (Timestamp::now().as_second() - midnight.as_second()) / 60;
        fill(&*house.store, 1, midnight, minutes, power).await;
        let (browser, cancel) = live_pages(&house);
        browser
            .eventually("/", "<dt>Standby</dt><dd>3.0\u{a0}W</dd>")
            .await;
        let month = api::EnergyRequest {
            range: api::RangeRequest {
                from: Some(api::Moment::Day(today.first_of_month())),
                to: None,
            },
            by: api::EnergyPeriod::Month,
            plugs: Vec::new(),
        };
        let row = house
            .hub
            .priced_history()
            .energy(&month)
            .await
            .unwrap()
            .remove(0);
        let page = browser.get("/").await;
        page.shows(200, &format!("<dt>{}</dt>", today.strftime("%B")));
        page.shows(
            200,
            &format!(
                "<dd>{:.2}\u{a0}kWh</dd><dd>€{:.2}</dd>",
                row.energy_wh / 1000.0,
                row.cost.unwrap()
            ),
        );
        // At 3 W, the first two quarter-hours of the day are a watt-hour to compare with.
        let began = today.in_tz("Europe/Berlin").unwrap().timestamp();
        let passed = Timestamp::now().duration_since(began);
        let is_compared = page.html.contains("yesterday by now");
        assert_eq!(is_compared, passed >= SignedDuration::from_mins(30));
        cancel.cancel();
        house.close().await;
    });
}

#[test]
fn a_plug_that_is_often_unplugged_is_no_alert() {
    in_network(async {
        let plugs = Plugs::start(vec![plug(1, &[]), plug(2, &[])]).await;
        let house = House::open().await;
        house.adopt(2).await;
        let browser = Browser::of(&house.hub).await;
        let path = format!("/plugs/{}", hex(1));
        let marked = [("often_unplugged", "false"), ("often_unplugged", "true")];
        browser.post(&path, &marked).await.leads_to(&path);
        // A form without the box leaves it as it is.
        let named = [("name", "drill")];
        browser.post(&path, &named).await.leads_to(&path);
        plugs.stop().await;
        let alert = |number| format!("id=\"gone-{}\"", hex(number));
        browser.eventually("/", &alert(2)).await;
        let gone = format!("data-mac=\"{}\" data-available=\"false\"", hex(1));
        browser.eventually("/", &gone).await;
        let home = browser.get("/").await;
        assert!(!home.html.contains(&alert(1)), "{}", home.html);
        assert_eq!(house.hub.log().unread(), 1, "the other one alone");
        let unmarked = [("often_unplugged", "false")];
        browser.post(&path, &unmarked).await.leads_to(&path);
        browser.get("/").await.shows(200, &alert(1));
        house.close().await;
    });
}

#[test]
fn the_home_page_waits_for_no_store() {
    in_network(async {
        let _plugs = Plugs::start(vec![plug(1, &[])]).await;
        let house = House::on_with(Memory::default(), tempfile::tempdir().unwrap(), |_| ()).await;
        house.store.is_stalled.store(true, Ordering::Relaxed);
        house.adopt(1).await;
        let (browser, cancel) = live_pages(&house);
        let energy = timeout(Duration::from_millis(200), browser.get("/energy"));
        assert!(energy.await.is_err(), "the store does not answer");
        let home = timeout(Duration::from_secs(5), browser.get("/")).await;
        let home = home.expect("the home page waits for the store");
        home.shows(200, &format!("data-mac=\"{}\"", hex(1)));
        home.shows(200, "<span data-field=\"energy-today\">–</span>");
        cancel.cancel();
        house.end().await;
    });
}
