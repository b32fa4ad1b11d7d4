//! The naming walk: identify, name, next.

use crate::browser::Browser;
use crate::twins::{Plugs, in_network};
use crate::world::{House, hex, mac, plug};

#[test]
fn all_are_added_and_named_one_by_one() {
    in_network(async {
        let _plugs = Plugs::start(vec![plug(1, &[]), plug(2, &[])]).await;
        let house = House::open().await;
        let browser = Browser::of(&house.hub).await;
        browser.post("/add/search", &[]).await.leads_to("/add");
        browser
            .get("/add")
            .await
            .shows(200, "Add all and name them");
        browser.post("/add/all", &[]).await.leads_to("/add/names");
        assert_eq!(house.hub.registry().views().len(), 2);
        let (first, second) = (hex(1), hex(2));
        let walk = browser.get("/add/names").await;
        walk.shows(200, "1 more without a name.");
        walk.shows(200, &format!("name=\"plug\" value=\"{first}\""));

        // A plug that is off clicks at once; one that is on only after a question.
        let identify = format!("/plugs/{first}/identify");
        let clicked = browser.post(&identify, &[]).await;
        clicked.leads_to(&format!("/add/names?plug={first}"));
        // The page before, which is renewed meanwhile, does not take the note away.
        let here = format!("/add/names?plug={first}");
        let clicked = "It has clicked twice";
        assert!(!browser.renew(&here).await.html.contains(clicked));
        browser.get(&here).await.shows(200, clicked);
        assert!(!browser.get(&here).await.html.contains(clicked));
        let relay = |number| {
            house
                .hub
                .registry()
                .view(mac(number).parse().unwrap())
                .unwrap()
                .plug
                .relay
        };
        assert_eq!(relay(1), Some(plugs::RelayState::Off));
        browser
            .post(&format!("/plugs/{first}/relay"), &[("state", "on")])
            .await;
        browser.post(&identify, &[]).await.leads_to(&identify);
        browser
            .get(&identify)
            .await
            .shows(200, "loses power for a moment");
        let agreed = browser.post(&format!("{identify}?agreed=1"), &[]).await;
        agreed.leads_to(&format!("/add/names?plug={first}"));
        assert_eq!(relay(1), Some(plugs::RelayState::On), "as before");

        for (name, status) in [("", 400), ("a\u{7}b", 400)] {
            let refused = browser
                .post("/add/names", &[("plug", &first), ("name", name)])
                .await;
            refused.refuses(status, "name");
        }
        let named = [("plug", first.as_str()), ("name", "lamp"), ("room", "hall")];
        let next = format!("/add/names?after={first}");
        browser.post("/add/names", &named).await.leads_to(&next);
        let walk = browser.get(&next).await;
        walk.shows(200, "The last one without a name.");
        let taken = [("plug", second.as_str()), ("name", "lamp")];
        browser
            .post("/add/names", &taken)
            .await
            .refuses(409, "name");
        let next = format!("/add/names?after={second}");
        browser.get(&next).await.shows(200, "That was the last one");
        let view = house.hub.registry().view(mac(1).parse().unwrap()).unwrap();
        assert_eq!(
            (view.plug.name.as_deref(), view.room.as_deref()),
            (Some("lamp"), Some("hall"))
        );
        // A plug with a name returns to its page, which has the same button: a link to the question while the plug is on.
        let page = format!("/plugs/{first}");
        let button = format!("<a class=\"btn plain\" href=\"{identify}\" data-dialog>");
        browser.get(&page).await.shows(200, &button);
        // The page shows its timer until it is due.
        let timer = [("state", "off"), ("minutes", "90")];
        browser
            .post(&format!("{page}/delay"), &timer)
            .await
            .leads_to(&page);
        let shown = browser.get(&page).await;
        shown.shows(200, "id=\"pending-timer\"");
        shown.shows(200, "It goes off t");
        browser
            .post(&format!("{identify}?agreed=1"), &[])
            .await
            .leads_to(&format!("/plugs/{first}"));
        house.close().await;
    });
}
