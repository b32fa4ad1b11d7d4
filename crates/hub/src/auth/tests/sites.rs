//! Logins that are bound to sites.

use axum::http::StatusCode;
use serde_json::{Value, json};

use super::super::{Credential, set_password};
use super::fixture::{AuthRequest, AuthResponse, TestHub};

/// A path of all sites, one of the hub's own site, and a page of all sites.
const ALL_SITES: &str = "/api/v1/plugs";
const OWN_SITE: &str = "/api/v1/events";
const PAGE: &str = "/";

/// The hub of Berlin.
async fn berlin() -> TestHub {
    let listening = ([127, 0, 0, 1], 8480);
    TestHub::with(listening, |config| config.site = "berlin".parse().unwrap()).await
}

async fn send(hub: &TestHub, body: &Value) -> AuthResponse {
    let asking = AuthRequest::put("/api/v1/password", &body.to_string());
    hub.ask(asking.admin(hub)).await
}

async fn set(hub: &TestHub, body: Value) {
    let answer = send(hub, &body).await;
    assert_eq!(answer.status, StatusCode::NO_CONTENT, "{answer:?}");
}

/// Returns the statuses of [`ALL_SITES`] and [`OWN_SITE`].
async fn reach(hub: &TestHub, asking: impl Fn(&str) -> AuthRequest) -> [u16; 2] {
    let mut statuses = [0; 2];
    for (status, path) in statuses.iter_mut().zip([ALL_SITES, OWN_SITE]) {
        // The stream of events does not end, so that only its head is read.
        *status = hub.open_answer(asking(path)).await.status().as_u16();
    }
    statuses
}

#[tokio::test]
async fn a_login_sees_the_sites_of_its_password() {
    let hub = berlin().await;
    set(&hub, json!({"password": "correct horse"})).await;
    let view = json!({"password": "view horse", "scope": "read", "sites": ["hamburg"]});
    set(&hub, view).await;
    let (owner, bound) = (
        hub.log_in("correct horse").await,
        hub.log_in("view horse").await,
    );
    for hub in [hub.restarted().await, hub] {
        let with =
            |cookie: String| move |path: &str| AuthRequest::get(path).with("cookie", &cookie);
        assert_eq!(reach(&hub, with(owner.clone())).await, [200, 200]);
        assert_eq!(reach(&hub, with(bound.clone())).await, [200, 403]);
        let page = AuthRequest::get(PAGE).with("cookie", &bound);
        assert_eq!(hub.ask(page).await.status, StatusCode::OK);
        let again = hub.log_in("view horse").await;
        assert_eq!(reach(&hub, with(again)).await, [200, 403]);
        let text = hub.memory.text();
        assert!(!text.contains("view horse"), "{text}");
    }
}

#[tokio::test]
async fn a_new_password_keeps_the_sites_unless_they_are_given() {
    let hub = berlin().await;
    let sites = || hub.auth.password_sites(api::Scope::Read);
    let hamburg = || vec!["hamburg".parse().unwrap()];
    let password = |password: &str, sites: Option<&[&str]>| match sites {
        Some(sites) => json!({"password": password, "scope": "read", "sites": sites}),
        None => json!({"password": password, "scope": "read"}),
    };
    set(&hub, password("first horse", Some(&["hamburg"]))).await;
    set(&hub, password("second horse", None)).await;
    assert_eq!(sites(), hamburg());
    let kept = set_password(
        &*hub.memory,
        Credential::new("third horse"),
        api::Scope::Read,
        None,
    );
    kept.await.unwrap();
    let later = hub.restarted().await;
    assert_eq!(later.auth.password_sites(api::Scope::Read), hamburg());
    set(&hub, password("fourth horse", Some(&[]))).await;
    assert_eq!(sites(), []);
    let cookie = hub.log_in("fourth horse").await;
    let with = |path: &str| AuthRequest::get(path).with("cookie", &cookie);
    assert_eq!(reach(&hub, with).await, [200, 200]);
    let wrong = send(&hub, &password("fifth horse", Some(&["Hamburg!"]))).await;
    assert_eq!(wrong.status, StatusCode::BAD_REQUEST, "{wrong:?}");
    assert!(
        wrong.json()["detail"].as_str().unwrap().contains("site"),
        "{wrong:?}"
    );
}

#[tokio::test]
async fn a_bound_login_gives_no_more_than_it_has() {
    let hub = berlin().await;
    set(&hub, json!({"password": "correct horse"})).await;
    let token = json!({"name": "office", "sites": ["berlin", "potsdam"]}).to_string();
    let made = hub.ask(AuthRequest::post("/api/v1/tokens", &token).admin(&hub));
    let made = made.await.json();
    let token = made["token"].as_str().unwrap();
    let put = async |body: Value| {
        let asking = AuthRequest::put("/api/v1/password", &body.to_string());
        hub.ask(asking.token(token)).await
    };
    // The present one sees all sites.
    let refused = put(json!({"password": "battery staple"})).await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN);
    let detail = refused.json()["detail"].as_str().unwrap().to_owned();
    assert!(detail.contains("does not see"), "{detail}");
    let view = |sites: &[&str]| json!({"password": "view horse", "scope": "read", "sites": sites});
    let refused = put(view(&["hamburg"])).await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN);
    assert_eq!(refused.json()["field"], "sites");
    assert_eq!(put(view(&[])).await.status, StatusCode::NO_CONTENT);
    let sites = hub.auth.password_sites(api::Scope::Read);
    let names: Vec<&str> = sites.iter().map(api::SiteName::as_str).collect();
    assert_eq!(names, ["berlin", "potsdam"]);
    assert_eq!(put(view(&["berlin"])).await.status, StatusCode::NO_CONTENT);
    for path in ["/api/v1/tokens", "/api/v1/login-url"] {
        let body = json!({"name": "child", "sites": ["hamburg"]});
        let body = match path {
            "/api/v1/tokens" => body,
            _ => json!({"sites": ["hamburg"]}),
        };
        let refused = hub.ask(AuthRequest::post(path, &body.to_string()).token(token));
        assert_eq!(refused.await.status, StatusCode::FORBIDDEN, "{path}");
    }
    let child = json!({"name": "child"}).to_string();
    let child = hub.ask(AuthRequest::post("/api/v1/tokens", &child).token(token));
    assert_eq!(child.await.json()["sites"], json!(["berlin", "potsdam"]));
}

#[tokio::test]
async fn a_site_that_there_is_not_is_refused_with_those_that_there_are() {
    let hub = berlin().await;
    for (method, path, mut body) in [
        ("POST", "/api/v1/tokens", json!({"name": "office"})),
        ("POST", "/api/v1/login-url", json!({})),
        (
            "PUT",
            "/api/v1/password",
            json!({"password": "correct horse"}),
        ),
    ] {
        body["sites"] = json!(["berlin", "hambrug"]);
        let text = body.to_string();
        let asking = match method {
            "POST" => AuthRequest::post(path, &text),
            _ => AuthRequest::put(path, &text),
        };
        let refused = hub.ask(asking.admin(&hub)).await;
        assert_eq!(
            refused.status,
            StatusCode::BAD_REQUEST,
            "{path}: {refused:?}"
        );
        let problem = refused.json();
        assert_eq!(
            (&problem["kind"], &problem["field"]),
            (&json!("usage"), &json!("sites"))
        );
        assert!(
            problem["detail"].as_str().unwrap().contains("hambrug"),
            "{problem}"
        );
        for known in ["berlin", "hamburg", "potsdam"] {
            assert!(
                problem["hint"].as_str().unwrap().contains(known),
                "{problem}"
            );
        }
    }
    assert_eq!(
        hub.ask(AuthRequest::get("/api/v1/tokens").admin(&hub))
            .await
            .json()[1],
        Value::Null
    );
    assert!(!hub.auth.has_password(api::Scope::Admin));
}

#[tokio::test]
async fn a_bound_login_lists_and_revokes_no_token_that_sees_more() {
    let hub = berlin().await;
    let make = async |name: &str, sites: &[&str]| {
        let body = json!({"name": name, "sites": sites}).to_string();
        let made = hub
            .ask(AuthRequest::post("/api/v1/tokens", &body).admin(&hub))
            .await;
        assert_eq!(made.status, StatusCode::CREATED, "{made:?}");
        made.json()
    };
    let bound = make("bound", &["berlin", "potsdam"]).await;
    let bound = bound["token"].as_str().unwrap();
    let narrower = make("narrower", &["berlin"]).await;
    let others = [
        make("unbound", &[]).await,
        make("other", &["hamburg"]).await,
        make("wider", &["berlin", "hamburg"]).await,
    ];
    let list = hub
        .ask(AuthRequest::get("/api/v1/tokens").token(bound))
        .await
        .json();
    let names: Vec<&Value> = list
        .as_array()
        .unwrap()
        .iter()
        .map(|token| &token["name"])
        .collect();
    assert_eq!(names, ["bound", "narrower"]);
    let revoke = async |id: &Value| {
        let path = format!("/api/v1/tokens/{}", id.as_str().unwrap());
        hub.ask(AuthRequest::delete(&path).token(bound))
            .await
            .status
    };
    let all = hub
        .ask(AuthRequest::get("/api/v1/tokens").admin(&hub))
        .await
        .json();
    assert_eq!(all[0]["name"], "admin");
    assert_eq!(revoke(&all[0]["id"]).await, StatusCode::NOT_FOUND);
    for other in &others {
        assert_eq!(revoke(&other["id"]).await, StatusCode::NOT_FOUND, "{other}");
    }
    assert_eq!(revoke(&narrower["id"]).await, StatusCode::NO_CONTENT);
    let left = hub
        .ask(AuthRequest::get("/api/v1/tokens").admin(&hub))
        .await
        .json();
    assert_eq!(left.as_array().unwrap().len(), 5, "{left}");
}
