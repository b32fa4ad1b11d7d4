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
        let mut progress = Vec::new();
        let ended = timeout(Duration::from_secs(90), async {
            loop {
                let shown = browser.get(&job).await;
                progress.push(shown.html.matches("<li><time>").count());
                if !shown.html.contains("Working…") {
                    return shown;
                }
                sleep(Duration::from_millis(200)).await;
            }
        });
        ended.await.unwrap().shows(200, "Taken over");
        // The steps stood there as they came.
        let last = progress.last().copied().unwrap();
        assert!(last > 1 && progress.is_sorted(), "{progress:?}");
        assert!(
            progress.iter().any(|steps| (1..last).contains(steps)),
            "{progress:?}"
        );
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

#[test]
fn a_certificate_is_asked_about_before_it_is_believed() {
    in_network(async {
        let config = BridgeConfig::new(TwinModel::Square, HALL);
        let id = config.bridge_id().to_string();
        let room = RoomHandle::new(vec![config], &[]).unwrap();
        let open = server::open(room.clone(), None).unwrap();
        let serving = tokio::spawn(open.run(std::future::pending::<()>()));
        let house = House::open().await;
        let browser = Browser::of(&house.hub).await;
        room.press(0);
        let address = HALL.to_string();
        let asked = browser.post("/hue", &[("address", &address)]).await;
        asked.shows(
            409,
            "The bridge shows a certificate that it has made itself.",
        );
        asked.shows(409, "Accept and pair");
        let hidden = "name=\"certificate\" value=\"";
        let (_, fingerprint) = asked.html.split_once(hidden).unwrap();
        let (fingerprint, _) = fingerprint.split_once('"').unwrap();
        assert_eq!(fingerprint.len(), 64, "{fingerprint}");
        asked.shows(409, &format!("<span class=\"mono\">{fingerprint}</span>"));
        browser.get("/hue").await.shows(200, "No bridge yet.");
        // Another one is asked about again, and not accepted silently.
        let other = "00".repeat(32);
        let other = [("address", address.as_str()), ("certificate", &other)];
        let asked = browser.post("/hue", &other).await;
        asked.shows(409, &format!("<span class=\"mono\">{fingerprint}</span>"));
        let accepted = [("address", address.as_str()), ("certificate", fingerprint)];
        let page = format!("/hue/{id}");
        browser.post("/hue", &accepted).await.leads_to(&page);
        browser.get(&page).await.shows(200, "Take over a bulb");
        house.close().await;
        serving.abort();
    });
}

#[test]
fn bridges_are_found_on_the_network() {
    in_network(async {
        let house = House::open().await;
        let browser = Browser::of(&house.hub).await;
        let alone = browser.post("/hue/search", &[]).await;
        alone.shows(200, "No bridge has answered.");
        let config = BridgeConfig {
            announce: true,
            ..BridgeConfig::new(TwinModel::Round, HALL)
        };
        let room = RoomHandle::new(vec![config], &[]).unwrap();
        let open = server::open(room.clone(), None).unwrap();
        let serving = tokio::spawn(open.run(std::future::pending::<()>()));
        let found = browser.post("/hue/search", &[]).await;
        found.shows(200, "1 bridge.");
        let address = HALL.to_string();
        let field = format!("name=\"address\" value=\"{address}\"");
        found.shows(200, &field);
        // What a search has found pairs by its button.
        room.press(0);
        let paired = browser.post("/hue", &[("address", &address)]).await;
        assert!(
            paired.location.clone().unwrap().starts_with("/hue/"),
            "{}",
            paired.html
        );
        let found = browser.post("/hue/search", &[]).await;
        found.shows(200, "</svg>Paired</span>");
        house.close().await;
        serving.abort();
    });
}
