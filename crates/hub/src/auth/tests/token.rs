//! Tokens: who has one, and what becomes of those that are revoked.

use std::sync::atomic::Ordering;
use std::time::Duration;

use axum::http::StatusCode;
use futures_util::{FutureExt, StreamExt};
use serde_json::Value;

use super::super::settings;
use super::fixture::{AuthRequest, AuthResponse, TestHub};

const PLUGS: &str = "/api/v1/plugs";

async fn make(fixture: &TestHub, name: &str) -> AuthResponse {
    let body = serde_json::json!({ "name": name }).to_string();
    fixture
        .ask(AuthRequest::post("/api/v1/tokens", &body).admin(fixture))
        .await
}

async fn made(fixture: &TestHub, name: &str) -> (String, String) {
    let answer = make(fixture, name).await;
    assert_eq!(answer.status, StatusCode::CREATED, "{answer:?}");
    let json = answer.json();
    let id = json["id"].as_str().unwrap().to_owned();
    assert_eq!(answer.headers["location"], format!("/api/v1/tokens/{id}"));
    (id, json["token"].as_str().unwrap().to_owned())
}

async fn list(fixture: &TestHub) -> Vec<Value> {
    let answer = fixture
        .ask(AuthRequest::get("/api/v1/tokens").admin(fixture))
        .await;
    answer.json().as_array().unwrap().clone()
}

async fn revoke(fixture: &TestHub, id: &str) -> StatusCode {
    let asking = AuthRequest::delete(&format!("/api/v1/tokens/{id}")).admin(fixture);
    fixture.ask(asking).await.status
}

#[tokio::test]
async fn wrong_ones_of_every_kind() {
    let fixture = TestHub::new().await;
    let admin = fixture.admin();
    let flipped = admin.replace(
        &admin[10..11],
        if &admin[10..11] == "A" { "B" } else { "A" },
    );
    for value in [
        String::new(),
        "Bearer".to_owned(),
        "Bearer ".to_owned(),
        "Bearer mains_".to_owned(),
        format!("Bearer {}", &admin[..admin.len() - 1]),
        format!("Bearer {admin}x"),
        format!("Bearer {flipped}"),
        format!("Bearer {}", admin.to_uppercase()),
        format!("Bearer {admin}, Bearer {admin}"),
        format!("Basic {admin}"),
        format!("Bearer{admin}"),
        admin.clone(),
        "Bearer \u{e9}".to_owned(),
    ] {
        let answer = fixture
            .ask(AuthRequest::get(PLUGS).with("authorization", &value))
            .await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{value}");
        assert!(!String::from_utf8_lossy(&answer.body).contains(&admin));
    }
    let two = AuthRequest::get(PLUGS)
        .token("mains_wrong")
        .and("authorization", &format!("Bearer {admin}"));
    assert_eq!(fixture.ask(two).await.status, StatusCode::UNAUTHORIZED);
    let two = AuthRequest::get(PLUGS)
        .token(&admin)
        .and("authorization", "Bearer mains_wrong");
    assert_eq!(fixture.ask(two).await.status, StatusCode::UNAUTHORIZED);
    for uri in [
        format!("{PLUGS}?token={admin}"),
        format!("{PLUGS}?access_token={admin}"),
    ] {
        assert_eq!(
            fixture.ask(AuthRequest::get(&uri)).await.status,
            StatusCode::UNAUTHORIZED
        );
    }
    // A token is no session, and a session is no token.
    let asking = AuthRequest::get(PLUGS).with("cookie", &format!("mains_session={admin}"));
    assert!(!fixture.lets_in(asking).await);
    fixture.set_password("correct horse").await;
    let cookie = fixture.log_in("correct horse").await;
    assert!(
        !fixture
            .lets_in(AuthRequest::get(PLUGS).token(cookie.split_once('=').unwrap().1))
            .await
    );
    // A wrong token is not made up for by a session.
    assert!(
        !fixture
            .lets_in(
                AuthRequest::get(PLUGS)
                    .with("cookie", &cookie)
                    .token("mains_wrong")
            )
            .await
    );
    assert_eq!(fixture.reached(), 0);
    assert!(
        fixture
            .lets_in(AuthRequest::get(PLUGS).with("authorization", &format!("bEARER {admin}")))
            .await
    );
}

#[tokio::test]
async fn made_listed_revoked() {
    let fixture = TestHub::new().await;
    let (id, token) = made(&fixture, "Home Assistant").await;
    assert!(fixture.lets_in(AuthRequest::get(PLUGS).token(&token)).await);
    let listed = list(&fixture).await;
    assert_eq!(listed.len(), 2);
    assert_eq!(
        (&listed[0]["name"], &listed[0]["admin"]),
        (&"admin".into(), &true.into())
    );
    assert_eq!(
        (&listed[1]["name"], &listed[1]["admin"]),
        (&"Home Assistant".into(), &false.into())
    );
    assert!(listed[1]["last_used"].is_string());
    for secret in [&token, &fixture.admin()] {
        assert!(
            !format!("{listed:?}{}{:?}", fixture.memory.text(), fixture.auth)
                .contains(secret.as_str())
        );
    }
    assert_eq!(revoke(&fixture, &id).await, StatusCode::NO_CONTENT);
    assert!(!fixture.lets_in(AuthRequest::get(PLUGS).token(&token)).await);
    assert_eq!(list(&fixture).await.len(), 1);
    for unknown in [
        id.as_str(),
        "k-00000000",
        "admin",
        "%ff",
        "x%2f..%2f..",
        "%2e%2e",
    ] {
        let status = revoke(&fixture, unknown).await;
        assert!(
            status == StatusCode::NOT_FOUND || unknown == "%ff",
            "{unknown}: {status}"
        );
    }
}

#[tokio::test]
async fn they_outlive_the_hub_and_so_does_their_end() {
    let fixture = TestHub::new().await;
    let (_, kept) = made(&fixture, "kept").await;
    let (id, revoked) = made(&fixture, "revoked").await;
    revoke(&fixture, &id).await;
    let later = fixture.restarted().await;
    assert!(later.lets_in(AuthRequest::get(PLUGS).token(&kept)).await);
    assert!(!later.lets_in(AuthRequest::get(PLUGS).token(&revoked)).await);
    assert!(later.lets_in(AuthRequest::get(PLUGS).admin(&fixture)).await);
    assert_eq!(list(&fixture).await[0]["id"], list(&later).await[0]["id"]);
}

#[tokio::test]
async fn names_in_every_script_and_none_twice() {
    let fixture = TestHub::new().await;
    for name in ["Küche", "台所", "مطبخ", "🏠"] {
        made(&fixture, name).await;
    }
    for (name, status) in [
        ("KÜCHE", 409),
        ("admin", 409),
        ("", 400),
        (" x", 400),
        ("a\nb", 400),
    ] {
        let answer = make(&fixture, name).await;
        assert_eq!(answer.status.as_u16(), status, "{name:?}");
        assert_eq!(answer.json()["field"], "name", "{name:?}");
    }
    let long = "x".repeat(65);
    assert_eq!(make(&fixture, &long).await.status, StatusCode::BAD_REQUEST);
    for body in [
        "",
        "{}",
        "[]",
        "{\"name\":7}",
        "{\"name\":\"a\",\"x\":1}",
        "\u{0}",
    ] {
        let asking = AuthRequest::post("/api/v1/tokens", body).admin(&fixture);
        assert_eq!(
            fixture.ask(asking).await.status,
            StatusCode::BAD_REQUEST,
            "{body}"
        );
    }
}

#[tokio::test]
async fn what_is_not_written_down_is_not_promised() {
    let fixture = TestHub::new().await;
    let (id, token) = made(&fixture, "kept").await;
    fixture.memory.fails.store(true, Ordering::Relaxed);
    let answer = make(&fixture, "lost").await;
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(answer.json()["kind"], "unavailable");
    assert!(
        !answer.json()["detail"].as_str().unwrap().contains("/state"),
        "{answer:?}"
    );
    assert_eq!(revoke(&fixture, &id).await, StatusCode::SERVICE_UNAVAILABLE);
    assert!(fixture.lets_in(AuthRequest::get(PLUGS).token(&token)).await);
    assert_eq!(list(&fixture).await.len(), 2);
    fixture.memory.fails.store(false, Ordering::Relaxed);
    assert_eq!(revoke(&fixture, &id).await, StatusCode::NO_CONTENT);
}

#[tokio::test]
async fn revoking_cuts_off_what_is_being_answered() {
    let fixture = TestHub::new().await;
    let (id, token) = made(&fixture, "watcher").await;
    let answer = fixture
        .open_answer(AuthRequest::get("/api/v1/events").token(&token))
        .await;
    let mut events = answer.into_body().into_data_stream();
    assert!(events.next().await.unwrap().is_ok());
    assert!(events.next().now_or_never().is_none());
    revoke(&fixture, &id).await;
    let end = tokio::time::timeout(Duration::from_secs(10), events.next()).await;
    assert!(end.unwrap().is_none());
}

#[tokio::test]
async fn what_was_begun_with_a_revoked_token_ends_with_it() {
    let fixture = TestHub::new().await;
    let (id, token) = made(&fixture, "thief").await;
    let link = async |asking: AuthRequest| {
        let answer = fixture.ask(asking).await;
        let url = answer.json()["url"].as_str().unwrap().to_owned();
        url.strip_prefix("http://localhost:8480")
            .unwrap()
            .to_owned()
    };
    let first = link(AuthRequest::post("/api/v1/login-url", "").token(&token)).await;
    let cookie = fixture.ask(AuthRequest::get(&first)).await.cookie();
    assert!(
        fixture
            .lets_in(AuthRequest::get(PLUGS).with("cookie", &cookie))
            .await
    );
    // Also what was begun with what was begun with it.
    let second = link(AuthRequest::post("/api/v1/login-url", "").with("cookie", &cookie)).await;
    let third = link(AuthRequest::post("/api/v1/login-url", "").with("cookie", &cookie)).await;
    let other = fixture.ask(AuthRequest::get(&second)).await.cookie();
    revoke(&fixture, &id).await;
    for cookie in [cookie, other] {
        assert!(
            !fixture
                .lets_in(AuthRequest::get(PLUGS).with("cookie", &cookie))
                .await
        );
    }
    assert_eq!(
        fixture.ask(AuthRequest::get(&third)).await.status,
        StatusCode::UNAUTHORIZED
    );
}

#[tokio::test]
async fn a_revoked_admin_token_is_followed_by_a_new_one_in_its_file() {
    let fixture = TestHub::new().await;
    let old = fixture.admin();
    let id = list(&fixture).await[0]["id"].as_str().unwrap().to_owned();
    assert_eq!(revoke(&fixture, &id).await, StatusCode::NO_CONTENT);
    assert_ne!(fixture.admin(), old);
    assert!(!fixture.lets_in(AuthRequest::get(PLUGS).token(&old)).await);
    assert!(
        fixture
            .lets_in(AuthRequest::get(PLUGS).admin(&fixture))
            .await
    );
    let later = fixture.restarted().await;
    assert!(!later.lets_in(AuthRequest::get(PLUGS).token(&old)).await);
    assert!(later.lets_in(AuthRequest::get(PLUGS).admin(&fixture)).await);
    assert_eq!(list(&later).await.len(), 1);
}

/// A database that fails in the middle leaves the file and the hub with the same token.
#[tokio::test]
async fn a_revocation_that_is_not_written_locks_nobody_out() {
    let fixture = TestHub::new().await;
    let old = fixture.admin();
    let id = list(&fixture).await[0]["id"].as_str().unwrap().to_owned();
    fixture.memory.fails.store(true, Ordering::Relaxed);
    let status = revoke(&fixture, &id).await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
    assert_ne!(fixture.admin(), old);
    assert!(
        fixture
            .lets_in(AuthRequest::get(PLUGS).admin(&fixture))
            .await
    );
    assert!(!fixture.lets_in(AuthRequest::get(PLUGS).token(&old)).await);
    fixture.memory.fails.store(false, Ordering::Relaxed);
    let later = fixture.restarted().await;
    assert!(later.lets_in(AuthRequest::get(PLUGS).admin(&fixture)).await);
}

#[tokio::test(start_paused = true)]
async fn when_it_was_used_is_written_down_now_and_then() {
    let fixture = TestHub::new().await;
    let (_, token) = made(&fixture, "program").await;
    let cancel = tokio_util::sync::CancellationToken::new();
    let keeping = tokio::spawn(fixture.auth.clone().run(cancel.clone()));
    let uses = |fixture: &TestHub| {
        let values = fixture.memory.values.lock().unwrap();
        let tokens: Vec<Value> = serde_json::from_str(&values[settings::TOKENS]).unwrap();
        tokens
            .iter()
            .filter(|token| token["last_used"].is_string())
            .count()
    };
    assert_eq!(uses(&fixture), 1);
    fixture.lets_in(AuthRequest::get(PLUGS).token(&token)).await;
    assert_eq!(uses(&fixture), 1);
    tokio::time::sleep(Duration::from_secs(11 * 60)).await;
    assert_eq!(uses(&fixture), 2);
    // A store that fails keeps nobody out, and it is written when it works again.
    fixture.memory.values.lock().unwrap().clear();
    fixture.memory.fails.store(true, Ordering::Relaxed);
    assert!(fixture.lets_in(AuthRequest::get(PLUGS).token(&token)).await);
    tokio::time::sleep(Duration::from_secs(11 * 60)).await;
    fixture.memory.fails.store(false, Ordering::Relaxed);
    cancel.cancel();
    keeping.await.unwrap();
    assert_eq!(uses(&fixture), 2);
}
