//! Adding plugs, settings, events.

use crate::browser::Browser;
use crate::twins::{Plugs, in_network};
use crate::world::{House, at, mac, plug};

#[test]
fn every_page_is_there_before_the_first_plug() {
    in_network(async {
        let house = House::open().await;
        let browser = Browser::of(&house.hub).await;
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
        let browser = Browser::of(&house.hub).await;
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
fn the_home_page_holds_its_style() {
    in_network(async {
        let house = House::open().await;
        let browser = Browser::of(&house.hub).await;
        let home = browser.get("/").await;
        home.shows(200, "<style>:root");
        let style = "style-src 'self' 'sha256-";
        assert!(home.policy.contains(style), "{}", home.policy);
        assert!(!home.policy.contains("unsafe"), "{}", home.policy);
        // What the script fetches needs none, and the other pages have a file that is cached.
        for page in [browser.renew("/").await, browser.get("/events").await] {
            assert!(!page.html.contains("<style"), "{}", page.html);
            assert!(page.policy.contains("style-src 'self';"), "{}", page.policy);
            page.shows(200, "<link rel=\"stylesheet\"");
        }
        house.close().await;
    });
}
