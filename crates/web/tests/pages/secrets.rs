//! Tokens, passwords and backups in the settings.

use std::num::NonZeroU32;

use api::{Period, Scope};
use axum::http::Method;
use hub::config::BackupConfig;
use hub::store::PostgresConfig;

use crate::browser::Browser;
use crate::twins::in_network;
use crate::world::House;

#[test]
fn a_token_is_made_shown_once_and_deleted() {
    in_network(async {
        let house = House::open().await;
        let browser = Browser::of(&house.hub).await;
        for (fields, field) in [
            (&[("name", ""), ("scope", "read")][..], "name"),
            (&[("name", "hall"), ("scope", "all")], "scope"),
            (
                &[("name", "hall"), ("scope", "read"), ("expires", "soon")],
                "expires",
            ),
            (
                &[
                    ("name", "hall"),
                    ("scope", "read"),
                    ("expires", "2020-01-01"),
                ],
                "expires",
            ),
        ] {
            browser
                .post("/settings/tokens", fields)
                .await
                .refuses(400, field);
        }
        let fields = [
            ("name", "<b>hall</b>"),
            ("scope", "switch"),
            ("expires", "2199-12-31"),
        ];
        let made = browser.post("/settings/tokens", &fields).await;
        made.shows(200, "&#60;b&#62;hall");
        let secret = made
            .html
            .split("mains_")
            .nth(1)
            .unwrap()
            .split('<')
            .next()
            .unwrap();
        let secret = format!("mains_{secret}");
        browser
            .post("/settings/tokens", &fields)
            .await
            .refuses(409, "name");
        let listed = browser.get("/settings").await;
        listed.shows(
            200,
            "Never used, made in a browser that a link had logged in",
        );
        listed.shows(200, "Sees and switches");
        assert!(!listed.html.contains(&secret));
        let bearer = format!("Bearer {secret}");
        assert_eq!(browser.asks_as(&bearer, "/api/v1/plugs").await, 200);
        let tokens: serde_json::Value =
            serde_json::from_str(&browser.get("/api/v1/tokens").await.html).unwrap();
        let token = tokens
            .as_array()
            .unwrap()
            .iter()
            .find(|token| token["name"] == "<b>hall</b>");
        let token = token.unwrap();
        assert_eq!(
            token["expires"], "2199-12-31T23:00:00Z",
            "the end of the day of the home"
        );
        let path = format!("/settings/tokens/{}/delete", token["id"].as_str().unwrap());
        browser.get(&path).await.shows(200, "refused from then on");
        browser.post(&path, &[]).await.leads_to("/settings");
        assert_eq!(browser.asks_as(&bearer, "/api/v1/plugs").await, 401);
        browser.get(&path).await.shows(404, "This is not here");
        house.close().await;
    });
}

#[test]
fn passwords_are_set_changed_and_removed() {
    in_network(async {
        let house = House::open().await;
        let browser = Browser::of(&house.hub).await;
        let path = "/settings/password";
        browser.get("/settings").await.shows(200, "None is set.");
        for password in ["", "short"] {
            let fields = [("scope", "admin"), ("password", password)];
            browser.post(path, &fields).await.refuses(400, "password");
        }
        let owner = "a long enough secret";
        browser
            .post(path, &[("scope", "admin"), ("password", owner)])
            .await
            .leads_to("/settings");
        let same = browser
            .post(path, &[("scope", "read"), ("password", owner)])
            .await;
        same.shows(400, "must differ");
        assert!(!same.html.contains(owner), "a password is not sent back");
        let view = [("scope", "read"), ("password", "another long secret")];
        browser.post(path, &view).await.leads_to("/settings");
        let question = browser.get("/settings/view-password/delete").await;
        question.shows(200, "Remove <bdi>the view-only password</bdi>?");

        // Who logged in with the password is asked for it.
        browser.forget();
        browser
            .post("/login", &[("password", owner), ("next", "/settings")])
            .await
            .leads_to("/settings");
        browser.get("/settings").await.shows(200, "Password now");
        let new = [
            ("scope", "admin"),
            ("password", "a third long secret"),
            ("current", "wrong"),
        ];
        browser.post(path, &new).await.refuses(403, "current");
        let new = [new[0], new[1], ("current", owner)];
        browser.post(path, &new).await.leads_to("/settings");
        let removal = "/settings/view-password/delete";
        browser.get(removal).await.shows(200, "Password now");
        browser
            .post(removal, &[])
            .await
            .shows(403, "password is wrong");
        let current = [("current", "a third long secret")];
        browser.post(removal, &current).await.leads_to("/settings");
        browser.forget();
        let gone = browser.post("/login", &view).await;
        gone.shows(401, "That password is not right.");
        house.close().await;
    });
}

#[test]
fn a_backup_is_made_and_listed() {
    in_network(async {
        let house = House::open_with(|config| {
            config.backup = Some(BackupConfig {
                every: Period::seconds(86_400),
                directory: config.state.join("copies"),
                keep: NonZeroU32::MIN,
            });
        })
        .await;
        let browser = Browser::of(&house.hub).await;
        browser.get("/settings").await.shows(200, "None yet.");
        browser
            .post("/settings/backup", &[])
            .await
            .leads_to("/settings#backup");
        let listed = browser.get("/settings").await;
        listed.shows(200, "1 backup</summary>");
        listed.shows(200, "every 1d, the last 1 are kept");
        std::fs::remove_dir_all(house.state.path().join("copies")).unwrap();
        std::fs::write(house.state.path().join("copies"), "no directory").unwrap();
        let failed = browser.post("/settings/backup", &[]).await;
        failed.shows(503, "The backup failed");
        browser.get("/settings").await.shows(200, "copies/mains-");
        house.close().await;
    });
}

#[test]
fn a_database_on_a_server_is_backed_up_by_its_own_tools() {
    in_network(async {
        let house = House::open_with(|config| {
            config.postgres = Some(PostgresConfig {
                url: "postgres://hub@db.example/mains".parse().unwrap(),
                password: None,
                ca_file: None,
                site: config.site.clone(),
            });
        })
        .await;
        let browser = Browser::of(&house.hub).await;
        let settings = browser.get("/settings").await;
        settings.shows(200, "<dd>postgres://hub@db.example/mains</dd>");
        settings.shows(200, "pg_dump");
        // These are for the file, and refused here.
        for refused in ["/api/v1/hub/backup", "backup = ", "mains hub restore"] {
            assert!(!settings.html.contains(refused), "{refused}");
        }
        house.close().await;
    });
}

#[test]
fn a_view_login_makes_no_token_of_more_than_it_may() {
    in_network(async {
        let house = House::open().await;
        let browser = Browser::of(&house.hub).await;
        browser.log_in_to_view().await;
        let body = format!(r#"{{"name":"x","scope":"{}"}}"#, Scope::Admin);
        let refused = browser
            .send(Method::POST, "/api/v1/tokens", "application/json", &body)
            .await;
        assert_eq!(
            (refused.status, refused.content_type.as_str()),
            (403, "application/problem+json")
        );
        house.close().await;
    });
}
