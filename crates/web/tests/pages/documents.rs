//! Groups, schedules and rules: list, create, edit, pause, delete by plain forms.

use crate::browser::{Browser, Shown};
use crate::twins::{Plugs, in_network};
use crate::world::{House, mac, plug};

/// A name that would be markup, or wrong, if it was not escaped.
const ODD_NAME: &str = "<b>\"مطبخ\"</b> & 🍳";

async fn home() -> (Plugs, House, Browser) {
    let plugs = Plugs::start(vec![plug(1, &[]), plug(2, &[])]).await;
    let house = House::open().await;
    house.adopt(2).await;
    let browser = Browser::of(&house.hub).await;
    (plugs, house, browser)
}

async fn schedule(browser: &Browser, fields: &[(&str, &str)]) -> Shown {
    let mac = mac(1);
    let mut all = vec![("targets", mac.as_str()), ("action", "on")];
    all.extend(fields);
    browser.post("/schedules", &all).await
}

async fn rule(browser: &Browser, fields: &[(&str, &str)]) -> Shown {
    let mac = mac(1);
    let mut all = vec![("plug", mac.as_str())];
    all.extend(fields);
    browser.post("/rules", &all).await
}

#[test]
fn groups_by_forms() {
    in_network(async {
        let (_plugs, house, browser) = home().await;
        browser.get("/groups").await.shows(200, "No groups yet");
        let (first, second) = (mac(1), mac(2));
        let fields = [("name", ODD_NAME), ("plugs", &first), ("plugs", &second)];
        browser.post("/groups", &fields).await.leads_to("/groups");
        let group = house.hub.groups().all().remove(0);
        assert_eq!(&*group.body.name, ODD_NAME);
        assert_eq!(group.body.plugs.len(), 2);
        let list = browser.get("/groups").await;
        list.shows(200, "&#60;b&#62;");
        assert!(!list.html.contains("<b>\"مطبخ"));

        let path = format!("/groups/{}", group.id);
        let taken = browser.post("/groups", &[("name", ODD_NAME)]).await;
        taken.refuses(409, "name");
        let renamed = [("name", "lamps "), ("revision", "1"), ("plugs", &first)];
        browser.post(&path, &renamed).await.leads_to("/groups");
        let stale = [("name", "my lamps"), ("revision", "1"), ("plugs", &second)];
        let refused = browser.post(&path, &stale).await;
        refused.shows(412, "Your text is still here");
        refused.shows(412, "value=\"my lamps\"");
        refused.shows(412, "name=\"revision\" value=\"2\"");
        let meant = [("name", "my lamps"), ("revision", "2"), ("plugs", &second)];
        browser.post(&path, &meant).await.leads_to("/groups");
        assert_eq!(
            &*house.hub.groups().one(&group.id).unwrap().body.name,
            "my lamps"
        );
        browser
            .get(&format!("/groups?edit={}", group.id))
            .await
            .shows(200, "value=\"my lamps\"");
        browser
            .post(&format!("{path}/delete"), &[])
            .await
            .leads_to("/groups");
        assert!(house.hub.groups().all().is_empty());
        browser
            .get(&format!("/groups?edit={}", group.id))
            .await
            .shows(404, "This is not here");
        house.close().await;
    });
}

#[test]
fn schedules_of_every_kind_by_forms() {
    in_network(async {
        let (_plugs, house, browser) = home().await;
        browser
            .get("/schedules")
            .await
            .shows(200, "Nothing scheduled");
        for (fields, sentence) in [
            (
                &[
                    ("name", "a"),
                    ("at", "07:00"),
                    ("days", "mon"),
                    ("days", "wed"),
                ][..],
                "07:00 mon, wed: ",
            ),
            (&[("name", "b"), ("at", "07:00")], "07:00 daily: "),
            (
                &[
                    ("name", "c"),
                    ("kind", "sun"),
                    ("sun", "sunset"),
                    ("offset", "-15m"),
                    ("at", "07:00"),
                ],
                "15m before sunset daily: ",
            ),
            (
                &[
                    ("name", "d"),
                    ("kind", "once"),
                    ("once", "2199-12-24T18:00"),
                ],
                "Once 2199-12-24 18:00: ",
            ),
            (
                &[
                    ("name", "e"),
                    ("cron", "30 23 * * 1-5"),
                    ("random", "10m"),
                    ("catch_up", "1h"),
                ],
                "Cron 30 23 * * 1-5: ",
            ),
        ] {
            schedule(&browser, fields).await.leads_to("/schedules");
            browser.get("/schedules").await.shows(200, sentence);
        }
        assert_eq!(house.hub.schedules().all().len(), 5);
        for stored in house.hub.schedules().all() {
            let editor = browser.get(&format!("/schedules?edit={}", stored.id)).await;
            editor.shows(200, "class=\"sentence\"");
            assert!(editor.html.contains("checked"), "{}", editor.html);
        }
        house.close().await;
    });
}

#[test]
fn a_schedule_that_is_refused_says_why_at_its_field() {
    in_network(async {
        let (_plugs, house, browser) = home().await;
        for (fields, field) in [
            (&[("name", ""), ("at", "07:00")][..], "name"),
            (&[("name", "a"), ("at", "25:00")], "at"),
            (&[("name", "a"), ("kind", "at"), ("at", "")], "at"),
            (
                &[
                    ("name", "a"),
                    ("kind", "sun"),
                    ("sun", "sunset"),
                    ("offset", "13h"),
                ],
                "offset",
            ),
            (
                &[("name", "a"), ("kind", "once"), ("once", "tomorrow")],
                "once",
            ),
            (
                &[("name", "a"), ("kind", "cron"), ("cron", "99 * * * *")],
                "cron",
            ),
            (
                &[("name", "a"), ("at", "07:00"), ("random", "10")],
                "random",
            ),
            (
                &[("name", "a"), ("at", "07:00"), ("catch_up", "soon")],
                "catch_up",
            ),
            (
                &[("name", "a"), ("at", "07:00"), ("days", "someday")],
                "days",
            ),
        ] {
            let refused = schedule(&browser, fields).await;
            refused.refuses(400, field);
            refused.shows(400, "aria-invalid=\"true\"");
        }
        let nothing = [("name", "a"), ("action", "on"), ("at", "07:00")];
        browser
            .post("/schedules", &nothing)
            .await
            .refuses(400, "targets");
        assert!(house.hub.schedules().all().is_empty());
        house.close().await;
    });
}

#[test]
fn a_schedule_is_previewed_and_paused() {
    in_network(async {
        let (_plugs, house, browser) = home().await;
        let fields = [("name", "a"), ("cron", "0 7 * * *"), ("preview", "1")];
        let preview = schedule(&browser, &fields).await;
        preview.shows(200, "class=\"sentence\"");
        assert_eq!(
            preview.html.matches(" 07:00</time></li>").count(),
            3,
            "{}",
            preview.html
        );
        assert!(house.hub.schedules().all().is_empty());

        schedule(&browser, &fields[..2])
            .await
            .leads_to("/schedules");
        let id = house.hub.schedules().all()[0].id.clone();
        let path = format!("/schedules/{id}/enabled");
        let back = format!("/schedules#{id}");
        browser
            .post(&path, &[("enabled", "false")])
            .await
            .leads_to(&back);
        browser.get("/schedules").await.shows(200, "Paused");
        assert!(!house.hub.schedules().one(&id).unwrap().body.enabled);
        browser
            .post(&path, &[("enabled", "true")])
            .await
            .leads_to(&back);
        assert!(house.hub.schedules().one(&id).unwrap().body.enabled);
        let unknown = browser
            .post("/schedules/s-00000000/enabled", &[("enabled", "true")])
            .await;
        unknown.shows(404, "This is not here");
        house.close().await;
    });
}

#[test]
fn rules_of_every_kind_by_forms() {
    in_network(async {
        let (_plugs, house, browser) = home().await;
        let leader = mac(2);
        for (fields, sentence) in [
            (
                &[
                    ("kind", "standby_kill"),
                    ("below_w", "10,5"),
                    ("for", "5m"),
                    ("restore_at", "17:00"),
                ][..],
                "off below 10.5 W for 5m, on again at 17:00",
            ),
            (&[("kind", "auto_off"), ("after", "2h")], "off after 2h"),
            (
                &[("kind", "over_power"), ("above_w", "2000"), ("for", "10s")],
                "off above 2000 W for 10s",
            ),
            (
                &[
                    ("kind", "follow"),
                    ("leader", &leader),
                    ("above_w", "30"),
                    ("hysteresis_w", ""),
                    ("delay", ""),
                ],
                "draws more than 30 W",
            ),
            (&[("kind", "keep_on"), ("after", "")], "on again at once"),
            (
                &[("kind", "power_on"), ("state", "last")],
                "as before after a power cut",
            ),
        ] {
            let name = ("name", fields[0].1);
            let fields: Vec<(&str, &str)> = fields.iter().copied().chain([name]).collect();
            rule(&browser, &fields).await.leads_to("/rules");
            browser.get("/rules").await.shows(200, sentence);
        }
        for stored in house.hub.rules().all() {
            let editor = browser.get(&format!("/rules?edit={}", stored.id)).await;
            editor.shows(200, "class=\"sentence\"");
            let path = format!("/rules/{}", stored.id);
            browser
                .post(&format!("{path}/delete"), &[])
                .await
                .leads_to("/rules");
        }
        for kind in [
            "standby_kill",
            "auto_off",
            "over_power",
            "follow",
            "keep_on",
            "power_on",
        ] {
            browser
                .get(&format!("/rules?new=1&kind={kind}"))
                .await
                .shows(200, "New rule");
        }
        house.close().await;
    });
}

#[test]
fn a_rule_that_is_refused_says_why_at_its_field() {
    in_network(async {
        let (_plugs, house, browser) = home().await;
        let own = mac(1);
        for (fields, field) in [
            (
                &[("name", ""), ("kind", "auto_off"), ("after", "2h")][..],
                "name",
            ),
            (
                &[
                    ("name", "a"),
                    ("kind", "standby_kill"),
                    ("below_w", "few"),
                    ("for", "5m"),
                ],
                "below_w",
            ),
            (
                &[
                    ("name", "a"),
                    ("kind", "standby_kill"),
                    ("below_w", ""),
                    ("for", "5m"),
                ],
                "below_w",
            ),
            (
                &[
                    ("name", "a"),
                    ("kind", "standby_kill"),
                    ("below_w", "0"),
                    ("for", "5m"),
                ],
                "below_w",
            ),
            (
                &[
                    ("name", "a"),
                    ("kind", "standby_kill"),
                    ("below_w", "10"),
                    ("for", "5"),
                ],
                "for",
            ),
            (
                &[
                    ("name", "a"),
                    ("kind", "standby_kill"),
                    ("below_w", "10"),
                    ("for", "5m"),
                    ("restore_at", "late"),
                ],
                "restore_at",
            ),
            (
                &[
                    ("name", "a"),
                    ("kind", "over_power"),
                    ("above_w", "9000"),
                    ("for", "5s"),
                ],
                "above_w",
            ),
            (
                &[("name", "a"), ("kind", "auto_off"), ("after", "")],
                "after",
            ),
            (
                &[
                    ("name", "a"),
                    ("kind", "follow"),
                    ("leader", &own),
                    ("above_w", "30"),
                ],
                "leader",
            ),
            (
                &[("name", "a"), ("kind", "power_on"), ("state", "")],
                "state",
            ),
        ] {
            rule(&browser, fields).await.refuses(400, field);
        }
        rule(&browser, &[("name", "a"), ("kind", "explode")])
            .await
            .shows(400, "role=\"alert\"");
        assert!(house.hub.rules().all().is_empty());
        house.close().await;
    });
}
