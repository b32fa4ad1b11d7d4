//! View-only logins, sessions that end in the middle of an edit, things that were removed in another tab.

use crate::browser::Browser;
use crate::twins::{Plugs, in_network};
use crate::world::{House, hex, mac, plug};

async fn home() -> (Plugs, House, Browser) {
    let plugs = Plugs::start(vec![plug(1, &[])]).await;
    let house = House::open().await;
    house.adopt(1).await;
    let browser = Browser::of(&house.hub).await;
    let mac = mac(1);
    let group = [("name", "lamps"), ("plugs", &mac)];
    browser.post("/groups", &group).await.leads_to("/groups");
    let rule = [
        ("name", "late"),
        ("kind", "auto_off"),
        ("plug", &mac),
        ("after", "2h"),
    ];
    browser.post("/rules", &rule).await.leads_to("/rules");
    let schedule = [
        ("name", "evening"),
        ("targets", &mac),
        ("action", "on"),
        ("at", "18:00"),
    ];
    browser
        .post("/schedules", &schedule)
        .await
        .leads_to("/schedules");
    (plugs, house, browser)
}

#[test]
fn a_view_login_sees_every_page_and_nothing_that_changes() {
    in_network(async {
        let (_plugs, house, browser) = home().await;
        let hub = &house.hub;
        let (group, rule) = (
            hub.groups().all().remove(0).id,
            hub.rules().all().remove(0).id,
        );
        let schedule = hub.schedules().all().remove(0).id;
        browser.log_in_to_view().await;
        let plug = format!("/plugs/{}", hex(1));
        for (path, text) in [
            ("/".to_owned(), "lamps"),
            (plug.clone(), "Device"),
            (format!("{plug}/remove"), "Remove"),
            ("/groups".to_owned(), "lamps"),
            ("/groups?new=1".to_owned(), "lamps"),
            (format!("/groups?edit={group}"), "lamps"),
            (format!("/groups/{group}"), "lamps"),
            (
                format!("/groups/{group}/delete"),
                "Its plugs stay as they are.",
            ),
            ("/schedules?new=1&action=on".to_owned(), "evening"),
            (format!("/schedules?edit={schedule}"), "evening"),
            (format!("/rules?edit={rule}"), "late"),
            ("/rules?new=1&kind=auto_off".to_owned(), "late"),
            ("/add".to_owned(), "On your network"),
            ("/events".to_owned(), "Events"),
            ("/settings".to_owned(), "Time zone"),
        ] {
            let shown = browser.get(&path).await;
            shown.shows(200, text);
            // Only the colours and the own session are for every login to change.
            let forms = shown.html.split("<form").skip(1);
            for form in forms.map(|form| form.split("</form>").next().unwrap()) {
                let is_own = form.contains("/settings/theme\"") || form.contains("/logout\"");
                let is_disabled =
                    form.matches("<button").count() == form.matches(" disabled").count();
                let is_search = form.contains("method=\"get\"");
                assert!(is_own || is_disabled || is_search, "{path}: <form{form}");
            }
        }
        for path in [
            "/groups".to_owned(),
            format!("/groups/{group}"),
            format!("/groups/{group}/delete"),
            format!("/groups/{group}/relay"),
            format!("/schedules/{schedule}/enabled"),
            "/rules".to_owned(),
            "/add".to_owned(),
            "/settings/tokens".to_owned(),
            "/settings/password".to_owned(),
            plug.clone(),
            format!("{plug}/relay"),
            format!("{plug}/remove"),
        ] {
            let refused = browser
                .post(&path, &[("state", "off"), ("name", "x")])
                .await;
            refused.shows(403, "This login sees everything and changes nothing.");
        }
        assert_eq!(&*hub.groups().all().remove(0).body.name, "lamps");
        house.close().await;
    });
}

#[test]
fn what_was_typed_is_there_after_the_login() {
    in_network(async {
        let (_plugs, house, browser) = home().await;
        let hub = &house.hub;
        let id = hub.schedules().all().remove(0).id;
        let (plug, target) = (format!("/plugs/{}", hex(1)), mac(1));
        let schedule = [
            ("name", "my evening"),
            ("revision", "1"),
            ("targets", target.as_str()),
            ("action", "off"),
            ("at", "19:30"),
        ];
        for (path, fields) in [
            ("/schedules".to_owned(), &schedule[..]),
            (format!("/schedules/{id}"), &schedule),
            ("/groups".to_owned(), &[("name", "my evening")]),
            (
                "/rules".to_owned(),
                &[
                    ("name", "my evening"),
                    ("kind", "auto_off"),
                    ("after", "9h"),
                ],
            ),
            (
                plug.clone(),
                &[("name", "my evening"), ("room", "hall"), ("revision", "1")],
            ),
            (
                "/add".to_owned(),
                &[
                    ("address", "127.74.1.9"),
                    ("name", "my evening"),
                    ("by_address", "1"),
                ],
            ),
        ] {
            browser.lose_session();
            let refused = browser.post(&path, fields).await;
            assert_eq!(refused.status, 303, "{}", refused.html);
            let again = browser.get_after_login(&refused).await;
            again.shows(200, "value=\"my evening\"");
            again.shows(200, "What you typed is still here");
        }
        let documents = (
            hub.schedules().all().len(),
            hub.groups().all().len(),
            hub.rules().all().len(),
        );
        assert_eq!(
            documents,
            (1, 1, 1),
            "nothing is saved before a person says so"
        );
        assert_eq!(&*hub.schedules().one(&id).unwrap().body.name, "evening");
        assert_eq!(hub.registry().views()[0].plug.name, None);
        // A form without a text leads to its page.
        browser.lose_session();
        let switched = browser
            .post(&format!("{plug}/relay"), &[("state", "off")])
            .await;
        switched.leads_to(&format!("/login?next={plug}"));
        // Nothing is kept for one who never had a session.
        let stranger = Browser::of(hub).await;
        stranger.forget();
        let refused = stranger.post("/groups", &[("name", "x")]).await;
        refused.leads_to("/login?next=/groups");
        house.close().await;
    });
}

#[test]
fn what_was_removed_elsewhere_keeps_its_text() {
    in_network(async {
        let (_plugs, house, browser) = home().await;
        let hub = &house.hub;
        let id = hub.groups().all().remove(0).id;
        let path = format!("/groups/{id}");
        let asked = browser.get(&format!("{path}/delete")).await;
        asked.shows(200, "Delete <bdi>lamps</bdi>?");
        assert_eq!(hub.groups().all().len(), 1, "a question removes nothing");
        browser
            .post(&format!("{path}/delete"), &[])
            .await
            .leads_to("/groups");
        let lost = browser
            .post(&path, &[("name", "my lamps"), ("revision", "1")])
            .await;
        lost.shows(404, "was removed elsewhere meanwhile");
        lost.shows(404, "value=\"my lamps\"");
        lost.shows(404, "action=\"/groups\"");
        browser
            .post("/groups", &[("name", "my lamps")])
            .await
            .leads_to("/groups");
        browser
            .get(&format!("{path}/delete"))
            .await
            .shows(404, "This is not here");
        house.close().await;
    });
}

#[test]
fn a_refusal_before_the_page_is_a_page_for_browsers_alone() {
    in_network(async {
        let (_plugs, house, browser) = home().await;
        let wrong = browser
            .send(axum::http::Method::POST, "/login", "text/plain", "x")
            .await;
        wrong.shows(400, "<h1>This cannot be used</h1>");
        let api = browser.get("/api/v1/plugs/accf23999999").await;
        assert_eq!(
            (api.status, api.content_type.as_str()),
            (404, "application/problem+json")
        );
        house.close().await;
    });
}
