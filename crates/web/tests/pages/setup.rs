//! Adding plugs, settings, events.

use crate::browser::Browser;
use crate::twins::{Plugs, in_network};
use crate::world::{House, at, mac, plug};

#[test]
fn every_page_is_there_before_the_first_plug() {
    in_network(async {
        let house = House::open().await;
        let browser = Browser::of(&house.hub);
        for (path, text) in [
            ("/", "Your first plug goes here"),
            ("/schedules", "Nothing scheduled"),
            ("/rules", "New rule"),
            ("/groups", "No groups yet"),
            ("/add", "No new plugs"),
            ("/events", "No events yet"),
            ("/settings", "Europe/Berlin"),
        ] {
            let shown = browser.get(path).await;
            shown.shows(200, text);
            assert!(
                !shown.html.contains(" style="),
                "{path}: the policy forbids inline styles"
            );
        }
        house.close().await;
    });
}

#[test]
fn a_plug_is_added_with_its_name() {
    in_network(async {
        let _plugs = Plugs::start(vec![plug(1, &[]), plug(2, &[])]).await;
        let house = House::open().await;
        let browser = Browser::of(&house.hub);
        let (first, second) = (at(1).to_string(), at(2).to_string());
        browser.post("/add/search", &[]).await.leads_to("/add");
        let found = browser.get("/add").await;
        found.shows(200, "2 new plugs.");
        found.shows(200, &first);
        let added = browser
            .post("/add", &[("address", &first), ("name", "Küche")])
            .await;
        assert_eq!(added.status, 303, "{}", added.html);
        let view = house.hub.registry().views().remove(0);
        assert_eq!(view.plug.name.as_deref(), Some("Küche"));

        let wrong = browser
            .post("/add", &[("address", &second), ("name", "a\u{7}b")])
            .await;
        wrong.shows(400, "control characters");
        assert_eq!(
            house.hub.registry().views().len(),
            1,
            "it is not added without its name"
        );
        let nowhere = browser
            .post("/add", &[("address", "kitchen"), ("by_address", "1")])
            .await;
        nowhere.shows(400, "value=\"kitchen\"");
        let group = [("name", "lamps"), ("plugs", &mac(1))];
        browser.post("/groups", &group).await.leads_to("/groups");
        let taken = browser
            .post("/add", &[("address", &second), ("name", "lamps")])
            .await;
        taken.shows(409, "A group is called");
        browser.get("/add").await.shows(200, "Added");
        house.close().await;
    });
}

#[test]
fn tariffs_by_forms() {
    in_network(async {
        let house = House::open().await;
        let browser = Browser::of(&house.hub);
        let path = "/settings/tariffs";
        let flat = [
            ("name", "home"),
            ("currency", "EUR"),
            ("kind", "flat"),
            ("price", "0,32"),
        ];
        for (fields, text) in [
            (
                &[("name", "x"), ("currency", "EUR"), ("price", "")][..],
                "price is missing",
            ),
            (
                &[("name", "x"), ("currency", "EUR"), ("price", "cheap")],
                "ust be a number",
            ),
            (
                &[("name", "x"), ("currency", "a b"), ("price", "1")],
                "three capital letters",
            ),
        ] {
            let refused = browser.post(path, fields).await;
            refused.shows(400, text);
            refused.shows(400, "value=\"x\"");
        }
        browser.post(path, &flat).await.leads_to("/settings");
        browser.get("/settings").await.shows(200, "0.32 EUR");
        let both = [
            ("name", "night"),
            ("currency", "CHF"),
            ("kind", "day_night"),
            ("day", "0.34"),
            ("night", "0.26"),
            ("day_begins", "06:00"),
            ("night_begins", "22:00"),
            ("price", ""),
        ];
        // A plug has one price at a time: the first goes before another one comes.
        browser
            .post(path, &both)
            .await
            .shows(409, "‘home’ is valid at all times for the same plugs");
        let first = house.hub.tariffs().all().remove(0).id;
        browser
            .post(&format!("{path}/{first}/delete"), &[])
            .await
            .leads_to("/settings");
        browser.post(path, &both).await.leads_to("/settings");
        browser.get("/settings").await.shows(200, "0.34 CHF");
        let same_name = [("name", "night"), ("currency", "EUR"), ("price", "0.32")];
        browser.post(path, &same_name).await.shows(409, "‘night’");
        for tariff in house.hub.tariffs().all() {
            browser
                .post(&format!("{path}/{}/delete", tariff.id), &[])
                .await
                .leads_to("/settings");
        }
        assert!(house.hub.tariffs().all().is_empty());
        house.close().await;
    });
}
