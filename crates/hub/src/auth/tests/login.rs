//! Logging in with the password, how often one may try, and logging out.

use std::time::Duration;

use axum::http::StatusCode;
use futures_util::{FutureExt, StreamExt};

use super::fixture::{AuthRequest, TestHub};

const PLUGS: &str = "/api/v1/plugs";

#[tokio::test]
async fn without_a_password_none_is_right() {
    let fixture = TestHub::new().await;
    for password in ["", "admin", "correct horse"] {
        let answer = fixture.ask(AuthRequest::login(password)).await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{password}");
        assert!(!answer.headers.contains_key("set-cookie"));
    }
}

#[tokio::test]
async fn right_and_wrong() {
    let fixture = TestHub::new().await;
    fixture.set_password("correct horse").await;
    let wrong = fixture.ask(AuthRequest::login("wrong horse")).await;
    assert_eq!(wrong.status, StatusCode::UNAUTHORIZED);
    assert_eq!(wrong.json()["kind"], "unauthenticated");
    let cookie = fixture.log_in("correct horse").await;
    assert!(
        fixture
            .lets_in(AuthRequest::get(PLUGS).with("cookie", &cookie))
            .await
    );
    let (name, value) = cookie.split_once('=').unwrap();
    for bad in [
        format!("{name}={}", &value[1..]),
        format!("{name}={value}x"),
        format!("{name}2={value}"),
        format!("x{name}={value}"),
        name.to_owned(),
        format!("{name}=\"{value}\""),
    ] {
        assert!(
            !fixture
                .lets_in(AuthRequest::get(PLUGS).with("cookie", &bad))
                .await,
            "{bad}"
        );
    }
    // Each login is a session of its own.
    assert_ne!(fixture.log_in("correct horse").await, cookie);
}

#[tokio::test]
async fn bodies_that_are_none() {
    let fixture = TestHub::new().await;
    for body in [
        "",
        "{}",
        "null",
        "[]",
        "\"x\"",
        "{\"password\":1}",
        "{\"password\":\"x\",\"a\":1}",
        "{\"password\":\"\\ud800\"}",
    ] {
        let answer = fixture.ask(AuthRequest::post("/api/v1/login", body)).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{body}");
        assert_eq!(answer.json()["kind"], "usage", "{body}");
    }
    let form = AuthRequest::login("x").with("content-type", "application/x-www-form-urlencoded");
    let status = fixture.ask(form).await.status;
    assert_eq!(status, StatusCode::UNSUPPORTED_MEDIA_TYPE);
    let huge = format!("{{\"password\":\"{}\"}}", "x".repeat(1 << 20));
    let answer = fixture.ask(AuthRequest::post("/api/v1/login", &huge)).await;
    assert_eq!(answer.status, StatusCode::PAYLOAD_TOO_LARGE);
    assert_eq!(answer.json()["kind"], "usage");
}

#[tokio::test(start_paused = true)]
async fn after_five_wrong_ones_it_takes_patience() {
    let fixture = TestHub::new().await;
    fixture.set_password("correct horse").await;
    let from_here = |password| AuthRequest::login(password).from("10.75.0.8");
    for _ in 0..5 {
        let answer = fixture.ask(from_here("wrong horse")).await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
    }
    // The right one, too: otherwise the wait would tell nothing to who tries.
    let answer = fixture.ask(from_here("correct horse")).await;
    assert_eq!(answer.status, StatusCode::TOO_MANY_REQUESTS);
    let wait: u64 = answer.headers["retry-after"]
        .to_str()
        .unwrap()
        .parse()
        .unwrap();
    assert!((1..=12).contains(&wait), "{wait}");
    // Tokens are not concerned, nor links, nor other addresses.
    assert!(
        fixture
            .lets_in(AuthRequest::get(PLUGS).admin(&fixture))
            .await
    );
    let elsewhere = AuthRequest::login("correct horse").from("10.75.0.9");
    assert_eq!(fixture.ask(elsewhere).await.status, StatusCode::NO_CONTENT);
    tokio::time::advance(Duration::from_secs(wait)).await;
    let answer = fixture.ask(from_here("correct horse")).await;
    assert_eq!(answer.status, StatusCode::NO_CONTENT);
}

#[tokio::test(start_paused = true)]
async fn who_sits_at_the_machine_is_never_locked_out() {
    let fixture = TestHub::new().await;
    fixture.set_password("correct horse").await;
    // A reverse proxy of this machine that is not configured passes on what strangers send.
    let by_proxy = |password| AuthRequest::login(password).with("x-forwarded-for", "192.0.2.7");
    let mut refused = 0;
    for _ in 0..40 {
        let answer = fixture.ask(by_proxy("wrong horse")).await;
        refused += usize::from(answer.status == StatusCode::TOO_MANY_REQUESTS);
    }
    assert!(refused >= 30, "{refused}");
    let begun = tokio::time::Instant::now();
    fixture.log_in("correct horse").await;
    assert!(begun.elapsed() < Duration::from_secs(1));
    // Wrong passwords of the same user only delay the next attempt.
    for _ in 0..40 {
        let answer = fixture.ask(AuthRequest::login("wrong horse")).await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
    }
    let begun = tokio::time::Instant::now();
    fixture.log_in("correct horse").await;
    assert!(begun.elapsed() <= Duration::from_secs(3));
}

#[tokio::test]
async fn six_right_passwords_in_a_row_are_not_too_many() {
    let fixture = TestHub::new().await;
    fixture.set_password("correct horse").await;
    for _ in 0..25 {
        fixture.log_in("correct horse").await;
    }
    // Others from the same address, too, after wrong ones.
    for _ in 0..4 {
        let answer = fixture.ask(AuthRequest::login("wrong horse")).await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
    }
    for _ in 0..7 {
        fixture.log_in("correct horse").await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_thousand_strangers_get_no_further_and_lock_nobody_out_of_his_machine() {
    let fixture = TestHub::new().await;
    fixture.set_password("correct horse").await;
    let mut tried = 0;
    for number in 0..1000 {
        let remote = format!("10.75.{}.{}", number / 250, number % 250);
        let answer = fixture
            .ask(AuthRequest::login("wrong horse").from(&remote))
            .await;
        tried += usize::from(answer.status == StatusCode::UNAUTHORIZED);
    }
    assert_eq!(tried, 20);
    fixture.log_in("correct horse").await;
}

#[tokio::test]
async fn out_means_out() {
    let fixture = TestHub::new().await;
    fixture.set_password("correct horse").await;
    let cookie = fixture.log_in("correct horse").await;
    let stay = fixture.log_in("correct horse").await;
    let answer = fixture
        .open_answer(AuthRequest::get("/api/v1/events").with("cookie", &cookie))
        .await;
    let mut events = answer.into_body().into_data_stream();
    assert!(events.next().await.unwrap().is_ok());
    assert!(events.next().now_or_never().is_none());
    let answer = fixture
        .ask(AuthRequest::post("/api/v1/logout", "").with("cookie", &cookie))
        .await;
    assert_eq!(answer.status, StatusCode::NO_CONTENT);
    let cleared = answer.headers["set-cookie"].to_str().unwrap();
    assert!(
        cleared.starts_with("mains_session=;") && cleared.contains("Max-Age=0"),
        "{cleared}"
    );
    assert!(
        !fixture
            .lets_in(AuthRequest::get(PLUGS).with("cookie", &cookie))
            .await
    );
    let end = tokio::time::timeout(Duration::from_secs(10), events.next()).await;
    assert!(end.unwrap().is_none());
    assert!(
        fixture
            .lets_in(AuthRequest::get(PLUGS).with("cookie", &stay))
            .await
    );
    let again = fixture
        .ask(AuthRequest::post("/api/v1/logout", "").with("cookie", &cookie))
        .await;
    assert_eq!(again.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn a_new_start_logs_nobody_out_and_who_left_stays_out() {
    let fixture = TestHub::new().await;
    fixture.set_password("correct horse").await;
    let cookie = fixture.log_in("correct horse").await;
    let left = fixture.log_in("correct horse").await;
    let out = AuthRequest::post("/api/v1/logout", "").with("cookie", &left);
    assert_eq!(fixture.ask(out).await.status, StatusCode::NO_CONTENT);
    let later = fixture.restarted().await;
    let plugs = |cookie: &str| AuthRequest::get(PLUGS).with("cookie", cookie);
    assert!(later.lets_in(plugs(&cookie)).await);
    assert!(!later.lets_in(plugs(&left)).await);
    later.log_in("correct horse").await;
    assert!(!fixture.memory.text().contains("correct horse"));
    assert!(
        !fixture
            .memory
            .text()
            .contains(cookie.split_once('=').unwrap().1)
    );
}

#[tokio::test(start_paused = true)]
async fn a_session_that_is_left_alone_ends() {
    let fixture = TestHub::new().await;
    fixture.set_password("correct horse").await;
    let cookie = fixture.log_in("correct horse").await;
    tokio::time::advance(Duration::from_secs(6 * 24 * 3600)).await;
    assert!(
        fixture
            .lets_in(AuthRequest::get(PLUGS).with("cookie", &cookie))
            .await
    );
    tokio::time::advance(Duration::from_secs(7 * 24 * 3600)).await;
    assert!(
        !fixture
            .lets_in(AuthRequest::get(PLUGS).with("cookie", &cookie))
            .await
    );
}
