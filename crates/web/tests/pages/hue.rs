//! Hue bridges: found, paired, their lights, a takeover with its progress, forgotten.

use std::net::Ipv4Addr;
use std::time::Duration;

use emulator::bridge::server::{self, RoomHandle};
use emulator::bridge::{BridgeConfig, TwinModel};
use tokio::time::{sleep, timeout};

use crate::browser::Browser;
use crate::twins::in_network;
use crate::world::House;

const HALL: Ipv4Addr = Ipv4Addr::new(127, 74, 2, 1);

#[test]
fn a_bridge_from_pairing_to_farewell_by_forms() {
    in_network(async {
        let config = BridgeConfig::new(TwinModel::Round, HALL);
        let id = config.bridge_id().to_string();
        let bulbs = ["near:1".parse().unwrap(), "near".parse().unwrap()];
        let room = RoomHandle::new(vec![config], &bulbs).unwrap();
        let open = server::open(room.clone(), None).unwrap();
        let serving = tokio::spawn(open.run(std::future::pending::<()>()));
        let house = House::open().await;
        let browser = Browser::of(&house.hub).await;
        browser.get("/hue").await.shows(200, "No bridge yet.");
        let address = format!("http://{HALL}");
        browser
            .post("/hue", &[("address", "not an address")])
            .await
            .refuses(400, "address");
        let unpressed = browser.post("/hue", &[("address", &address)]).await;
        unpressed.shows(502, "ress the");
        unpressed.shows(502, &format!("value=\"{address}\""));
        room.press(0);
        let page = format!("/hue/{id}");
        browser
            .post("/hue", &[("address", &address)])
            .await
            .leads_to(&page);
        browser.get("/hue").await.shows(200, &page);
        browser.get(&page).await.shows(200, "Take over a bulb");
        browser
            .get(&format!("{page}/lights"))
            .await
            .shows(200, "<li><div class=\"grow\">");

        let takeovers = format!("{page}/takeovers");
        browser
            .post(&takeovers, &[("via", "auto")])
            .await
            .refuses(400, "nearby_lamps_are_mine");
        browser
            .post(&takeovers, &[("serial", "xyz")])
            .await
            .refuses(400, "serial");
        let started = browser
            .post(&takeovers, &[("nearby_lamps_are_mine", "true")])
            .await;
        let job = started.location.clone().unwrap();
        assert!(job.starts_with(&format!("{takeovers}/t-")), "{job}");
        browser.get(&job).await.shows(200, "Working…");
        browser
            .post(&takeovers, &[("nearby_lamps_are_mine", "true")])
            .await
            .shows(409, "already");
        let ended = timeout(Duration::from_secs(90), async {
            loop {
                let shown = browser.get(&job).await;
                if !shown.html.contains("Working…") {
                    return shown;
                }
                sleep(Duration::from_millis(200)).await;
            }
        });
        ended.await.unwrap().shows(200, "Taken over");
        browser.get(&page).await.shows(200, &job);

        browser.log_in_to_view().await;
        let seen = browser.get(&page).await;
        assert!(!seen.html.contains("Take over a bulb"));
        browser
            .post(&takeovers, &[("serial", "45AF34")])
            .await
            .shows(403, "changes nothing");
        browser.forget();
        browser.log_in().await;
        browser
            .get(&format!("{page}/delete"))
            .await
            .shows(200, "Forget <bdi>");
        browser
            .post(&format!("{page}/delete"), &[])
            .await
            .leads_to("/hue");
        browser.get(&page).await.shows(404, "This is not here");
        house.close().await;
        serving.abort();
    });
}
