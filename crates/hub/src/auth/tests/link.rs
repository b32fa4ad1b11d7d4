//! Links that log a browser in.

use std::time::Duration;

use axum::http::{Method, StatusCode};

use super::fixture::{AuthRequest, TestHub};
use crate::config::TlsFiles;

const PLUGS: &str = "/api/v1/plugs";

fn path(url: &str) -> &str {
    &url[url.find("/login").unwrap()..]
}

#[tokio::test]
async fn once_and_leads_home() {
    let fixture = TestHub::new().await;
    let url = fixture.auth.login_url().unwrap();
    assert!(
        url.starts_with("http://127.0.0.1:8480/login?token=mains_"),
        "{url}"
    );
    let answer = fixture.ask(AuthRequest::get(path(&url))).await;
    assert_eq!(answer.status, StatusCode::SEE_OTHER);
    assert_eq!(answer.headers["location"], "/");
    let cookie = answer.headers["set-cookie"].to_str().unwrap();
    assert!(cookie.starts_with("mains_session=mains_"), "{cookie}");
    assert!(
        cookie.contains("; HttpOnly; SameSite=Lax; Path=/; Max-Age=2592000"),
        "{cookie}"
    );
    assert!(
        !cookie.contains("Secure") && !cookie.contains("Domain"),
        "{cookie}"
    );
    assert!(!cookie.contains(url.split_once('=').unwrap().1));
    let cookie = answer.cookie();
    assert!(
        fixture
            .lets_in(AuthRequest::get(PLUGS).with("cookie", &format!("a=b; {cookie}; c=d")))
            .await
    );
    assert!(
        fixture
            .lets_in(
                AuthRequest::get(PLUGS)
                    .with("cookie", "a=b")
                    .and("cookie", &cookie)
            )
            .await
    );

    let again = fixture.ask(AuthRequest::get(path(&url))).await;
    assert_eq!(again.status, StatusCode::UNAUTHORIZED);
    assert_eq!(again.json()["kind"], "unauthenticated");
    assert!(!again.headers.contains_key("set-cookie"));
    // Who has come by it already is let on, without a new session.
    let again = fixture
        .ask(AuthRequest::get(path(&url)).with("cookie", &cookie))
        .await;
    assert_eq!(again.status, StatusCode::SEE_OTHER);
    assert!(!again.headers.contains_key("set-cookie"));
}

#[tokio::test]
async fn a_look_at_the_headers_does_not_use_it_up() {
    let fixture = TestHub::new().await;
    let url = fixture.auth.login_url().unwrap();
    for method in [Method::HEAD, Method::OPTIONS] {
        let answer = fixture.ask(AuthRequest::new(method, path(&url))).await;
        assert_eq!(answer.status, StatusCode::METHOD_NOT_ALLOWED);
        let allowed = answer.headers["allow"].to_str().unwrap();
        assert!(allowed.starts_with("GET"), "{allowed}");
    }
    assert_eq!(
        fixture.ask(AuthRequest::get(path(&url))).await.status,
        StatusCode::SEE_OTHER
    );
}

#[tokio::test]
async fn wrong_ones() {
    let fixture = TestHub::new().await;
    let url = fixture.auth.login_url().unwrap();
    let token = url.split_once('=').unwrap().1;
    for query in [
        "",
        "?",
        "?token=",
        "?token=x",
        &format!("?token={}", &token[1..]),
        &format!("?Token={token}"),
        &format!("?token={}", fixture.admin()),
        &format!("?x={token}"),
    ] {
        let answer = fixture
            .ask(AuthRequest::get(&format!("/login{query}")))
            .await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{query}");
        assert!(!answer.headers.contains_key("set-cookie"), "{query}");
    }
    let twice = AuthRequest::get(&format!("/login?token={token}&token={token}"));
    assert_eq!(fixture.ask(twice).await.status, StatusCode::BAD_REQUEST);
    // A link is neither a token nor a session.
    assert!(!fixture.lets_in(AuthRequest::get(PLUGS).token(token)).await);
    let cookie = format!("mains_session={token}");
    assert!(
        !fixture
            .lets_in(AuthRequest::get(PLUGS).with("cookie", &cookie))
            .await
    );
    assert_eq!(
        fixture.ask(AuthRequest::get(path(&url))).await.status,
        StatusCode::SEE_OTHER
    );
}

#[tokio::test(start_paused = true)]
async fn they_are_not_for_ever() {
    let fixture = TestHub::new().await;
    let printed = fixture.auth.login_url().unwrap();
    let old = fixture.auth.login_url().unwrap();
    let asked = async || {
        let answer = fixture
            .ask(AuthRequest::post("/api/v1/login-url", "").admin(&fixture))
            .await;
        assert_eq!(answer.status, StatusCode::OK);
        assert!(answer.json()["expires"].is_string());
        answer.json()["url"].as_str().unwrap().to_owned()
    };
    let (soon, late) = (asked().await, asked().await);
    tokio::time::advance(Duration::from_secs(9 * 60)).await;
    assert_eq!(
        fixture.ask(AuthRequest::get(path(&soon))).await.status,
        StatusCode::SEE_OTHER
    );
    tokio::time::advance(Duration::from_secs(2 * 60)).await;
    assert_eq!(
        fixture.ask(AuthRequest::get(path(&late))).await.status,
        StatusCode::UNAUTHORIZED
    );
    assert_eq!(
        fixture.ask(AuthRequest::get(path(&printed))).await.status,
        StatusCode::SEE_OTHER
    );
    tokio::time::advance(Duration::from_secs(24 * 3600)).await;
    assert_eq!(
        fixture.ask(AuthRequest::get(path(&old))).await.status,
        StatusCode::UNAUTHORIZED
    );
}

#[tokio::test]
async fn a_link_leads_back_by_the_name_that_reached_the_hub() {
    let fixture = TestHub::with(([127, 0, 0, 1], 8480), |config| {
        config.hosts = vec!["nas.local".to_owned()];
    })
    .await;
    let asking = AuthRequest::post("/api/v1/login-url", "")
        .admin(&fixture)
        .with("host", "nas.local:9000");
    let url = fixture.ask(asking).await.json()["url"]
        .as_str()
        .unwrap()
        .to_owned();
    assert!(
        url.starts_with("http://nas.local:9000/login?token="),
        "{url}"
    );
    let denied = fixture
        .ask(AuthRequest::post("/api/v1/login-url", ""))
        .await;
    assert_eq!(denied.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn with_tls_the_cookie_is_for_tls_alone() {
    let fixture = TestHub::with(([127, 0, 0, 1], 8443), |config| {
        config.hosts = vec!["nas.local".to_owned()];
        config.tls = Some(TlsFiles {
            certificate: "chain.pem".into(),
            key: "key.pem".into(),
        });
    })
    .await;
    let url = fixture.auth.login_url().unwrap();
    assert!(
        url.starts_with("https://nas.local:8443/login?token="),
        "{url}"
    );
    let answer = fixture.ask(AuthRequest::get(path(&url))).await;
    let cookie = answer.headers["set-cookie"].to_str().unwrap();
    assert!(
        cookie.starts_with("mains_session_8443=") && cookie.ends_with("; Secure"),
        "{cookie}"
    );
}

#[tokio::test]
async fn two_hubs_of_one_machine_do_not_log_each_other_out() {
    let fixture = TestHub::new().await;
    let other = TestHub::with(([127, 0, 0, 1], 8481), |_| ()).await;
    let cookies = [&fixture, &other].map(|hub| hub.auth.login_url().unwrap());
    let first = fixture
        .ask(AuthRequest::get(path(&cookies[0])))
        .await
        .cookie();
    let second = other
        .ask(AuthRequest::get(path(&cookies[1])))
        .await
        .cookie();
    assert_ne!(
        first.split_once('=').unwrap().0,
        second.split_once('=').unwrap().0
    );
    // The browser sends both to both.
    let both = format!("{first}; {second}");
    for hub in [&fixture, &other] {
        assert!(
            hub.lets_in(AuthRequest::get(PLUGS).with("cookie", &both))
                .await
        );
    }
}
