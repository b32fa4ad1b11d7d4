//! The page of events.

use api::{LogEntry, LogKind, RelayCommand};
use jiff::Timestamp;

use crate::browser::Browser;
use crate::twins::{Plugs, in_network};
use crate::world::{House, at, hex, plug};

#[test]
fn what_happened_stands_there_with_its_cause_and_can_be_chosen() {
    in_network(async {
        let plugs = Plugs::start(vec![plug(1, &[]), plug(2, &["stuck-relay"])]).await;
        let house = House::open().await;
        house.adopt(2).await;
        let browser = Browser::of(&house.hub).await;
        let path = format!("/plugs/{}", hex(1));
        let lamp = [("name", "A <lamp>"), ("metering", "1s"), ("power_on", "")];
        browser.post(&path, &lamp).await;
        let registry = house.hub.registry().clone();
        let mac = |number| emulator::PlugConfig::at(at(number)).mac;
        let on = |number| registry.switch(mac(number), RelayCommand::On, api::Cause::Page);
        assert!(on(1).await.unwrap().confirmed);
        assert!(!on(2).await.unwrap().confirmed);

        // The number of unread problems stands in the navigation of every page.
        browser
            .get("/")
            .await
            .shows(200, "Events, 1 need attention");
        browser.log_in_to_view().await;
        let page = browser.get("/events").await;
        page.shows(200, "A &#60;lamp&#62; turned on.");
        page.shows(200, "By a person on the pages.");
        page.shows(200, "Today, ");
        page.shows(200, "did not turn on, although it accepted the command.");
        // Who may not switch changes nothing, who may has seen them.
        browser
            .get("/")
            .await
            .shows(200, "Events, 1 need attention");
        browser.log_in().await;
        browser.get("/events").await.shows(200, "did not turn on");
        assert!(!browser.get("/").await.html.contains("need attention"));

        let problems = browser.get("/events?kind=problems").await;
        problems.shows(200, "did not turn on");
        assert!(!problems.html.contains("lamp&#62; turned on"));
        let of_plug = browser.get(&format!("/events?plug={}", hex(2))).await;
        assert!(!of_plug.html.contains("lamp&#62; turned on"));
        of_plug.shows(200, "selected");
        browser
            .get("/events?plug=kitchen")
            .await
            .shows(400, "kitchen");
        house.close().await;
        plugs.stop().await;
    });
}

#[test]
fn older_entries_are_pages_of_their_own() {
    in_network(async {
        let house = House::open().await;
        let browser = Browser::of(&house.hub).await;
        for number in 1..=250 {
            let text = format!("event number {number}");
            let entry = LogEntry::new(Timestamp::now(), LogKind::Hub, text);
            house.hub.bus().log(entry);
        }
        let mut path = "/events?kind=other".to_owned();
        for (newest, oldest) in [(250, 151), (150, 51), (50, 1)] {
            let page = browser.get(&path).await;
            page.shows(200, &format!("Event number {newest}."));
            page.shows(200, &format!("Event number {oldest}."));
            assert!(!page.html.contains(&format!("Event number {}.", newest + 1)));
            let older = page.html.split("rel=\"next\" href=\"").nth(1);
            let Some(older) = older else {
                assert_eq!(oldest, 1);
                break;
            };
            path = older.split('"').next().unwrap().replace("&#38;", "&");
            assert!(path.contains("kind=other"), "{path}");
        }
        house.close().await;
    });
}
