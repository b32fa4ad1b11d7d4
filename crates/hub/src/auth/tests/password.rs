//! Setting the password.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use axum::http::StatusCode;

use super::fixture::{AuthRequest, TestHub};

const PLUGS: &str = "/api/v1/plugs";

fn change(body: &str) -> AuthRequest {
    AuthRequest::put("/api/v1/password", body)
}

#[tokio::test]
async fn others_are_logged_out_but_not_who_changes_it() {
    let fixture = TestHub::new().await;
    fixture.set_password("correct horse").await;
    let own = fixture.log_in("correct horse").await;
    let other = fixture.log_in("correct horse").await;
    let link = fixture.auth.login_url().unwrap();
    let body = "{\"current\":\"correct horse\",\"password\":\"battery staple\"}";
    let answer = fixture.ask(change(body).with("cookie", &own)).await;
    assert_eq!(answer.status, StatusCode::NO_CONTENT);
    assert!(
        fixture
            .lets_in(AuthRequest::get(PLUGS).with("cookie", &own))
            .await
    );
    assert!(
        !fixture
            .lets_in(AuthRequest::get(PLUGS).with("cookie", &other))
            .await
    );
    let link = &link[link.find("/login").unwrap()..];
    assert_eq!(
        fixture.ask(AuthRequest::get(link)).await.status,
        StatusCode::UNAUTHORIZED
    );
    assert_eq!(
        fixture
            .ask(AuthRequest::login("correct horse"))
            .await
            .status,
        StatusCode::UNAUTHORIZED
    );
    fixture.log_in("battery staple").await;
    // Tokens are other doors; they have a list of their own.
    assert!(
        fixture
            .lets_in(AuthRequest::get(PLUGS).admin(&fixture))
            .await
    );
}

#[tokio::test]
async fn who_came_by_the_password_shows_it_again() {
    let fixture = TestHub::new().await;
    fixture.set_password("correct horse").await;
    let cookie = fixture.log_in("correct horse").await;
    for body in [
        "{\"password\":\"battery staple\"}",
        "{\"password\":\"battery staple\",\"current\":\"wrong horse\"}",
        "{\"password\":null}",
    ] {
        let answer = fixture.ask(change(body).with("cookie", &cookie)).await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN, "{body}");
        assert_eq!(answer.json()["field"], "current", "{body}");
    }
    fixture.log_in("correct horse").await;
    // Who has forgotten it comes by a link, or has a token.
    let link = fixture.auth.login_url().unwrap();
    let by_link = fixture
        .ask(AuthRequest::get(&link[link.find("/login").unwrap()..]))
        .await
        .cookie();
    let answer = fixture
        .ask(change("{\"password\":\"battery staple\"}").with("cookie", &by_link))
        .await;
    assert_eq!(answer.status, StatusCode::NO_CONTENT);
}

#[tokio::test]
async fn the_current_one_cannot_be_guessed_through_a_stolen_session() {
    let fixture = TestHub::new().await;
    fixture.set_password("correct horse").await;
    let cookie = fixture.log_in("correct horse").await;
    let body = "{\"password\":\"battery staple\",\"current\":\"wrong horse\"}";
    let mut statuses = Vec::new();
    for _ in 0..6 {
        statuses.push(
            fixture
                .ask(change(body).with("cookie", &cookie).from("10.75.0.9"))
                .await
                .status,
        );
    }
    assert_eq!(statuses[..4], [StatusCode::FORBIDDEN; 4]);
    assert_eq!(statuses[5..], [StatusCode::TOO_MANY_REQUESTS]);
}

#[tokio::test]
async fn bodies_that_set_nothing() {
    let fixture = TestHub::new().await;
    fixture.set_password("correct horse").await;
    let long = format!("{{\"password\":\"{}\"}}", "x".repeat(1025));
    for body in [
        "",
        "{}",
        "{\"password\":\"short\"}",
        "{\"password\":7}",
        "{\"password\":null,\"x\":1}",
        &long,
    ] {
        let answer = fixture.ask(change(body).admin(&fixture)).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{body}");
        assert!(!String::from_utf8_lossy(&answer.body).contains("xxxxxxxx"));
    }
    assert_eq!(
        fixture
            .ask(change("{\"password\":\"battery staple\"}"))
            .await
            .status,
        StatusCode::UNAUTHORIZED
    );
    fixture.log_in("correct horse").await;
}

#[tokio::test]
async fn it_can_be_taken_away_where_nobody_else_gets_to() {
    let fixture = TestHub::new().await;
    fixture.set_password("correct horse").await;
    let cookie = fixture.log_in("correct horse").await;
    let answer = fixture
        .ask(change("{\"password\":null}").admin(&fixture))
        .await;
    assert_eq!(answer.status, StatusCode::NO_CONTENT);
    assert!(
        !fixture
            .lets_in(AuthRequest::get(PLUGS).with("cookie", &cookie))
            .await
    );
    assert_eq!(
        fixture
            .ask(AuthRequest::login("correct horse"))
            .await
            .status,
        StatusCode::UNAUTHORIZED
    );
    assert!(!fixture.memory.text().contains("argon2"));

    fixture.set_password("correct horse").await;
    let (state, memory) = (Arc::clone(&fixture.state), Arc::clone(&fixture.memory));
    let everywhere = ([0, 0, 0, 0], 8480).into();
    let exposed = TestHub::open(state, fixture.config.clone(), memory, everywhere)
        .await
        .unwrap();
    let answer = exposed
        .ask(change("{\"password\":null}").admin(&exposed))
        .await;
    assert_eq!(answer.status, StatusCode::CONFLICT);
    exposed.log_in("correct horse").await;
}

#[tokio::test]
async fn what_is_not_written_down_is_not_in_force() {
    let fixture = TestHub::new().await;
    fixture.set_password("correct horse").await;
    fixture.memory.fails.store(true, Ordering::Relaxed);
    let answer = fixture
        .ask(change("{\"password\":\"battery staple\"}").admin(&fixture))
        .await;
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(
        fixture
            .ask(AuthRequest::login("battery staple"))
            .await
            .status,
        StatusCode::UNAUTHORIZED
    );
    fixture.log_in("correct horse").await;
}
