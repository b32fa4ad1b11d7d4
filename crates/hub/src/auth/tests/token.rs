//! Tokens: who has one, and what becomes of those that are revoked.

use std::sync::atomic::Ordering;
use std::time::Duration;

use axum::http::StatusCode;
use futures_util::{FutureExt, StreamExt};
use serde_json::Value;

use super::super::settings;
use super::house::{Answer, Asking, House};

const PLUGS: &str = "/api/v1/plugs";

async fn make(house: &House, name: &str) -> Answer {
    let body = serde_json::json!({ "name": name }).to_string();
    house
        .ask(Asking::post("/api/v1/tokens", &body).admin(house))
        .await
}

async fn made(house: &House, name: &str) -> (String, String) {
    let answer = make(house, name).await;
    assert_eq!(answer.status, StatusCode::CREATED, "{answer:?}");
    let json = answer.json();
    let id = json["id"].as_str().unwrap().to_owned();
    assert_eq!(answer.headers["location"], format!("/api/v1/tokens/{id}"));
    (id, json["token"].as_str().unwrap().to_owned())
}

async fn list(house: &House) -> Vec<Value> {
    let answer = house.ask(Asking::get("/api/v1/tokens").admin(house)).await;
    answer.json().as_array().unwrap().clone()
}

async fn revoke(house: &House, id: &str) -> StatusCode {
    let asking = Asking::delete(&format!("/api/v1/tokens/{id}")).admin(house);
    house.ask(asking).await.status
}

#[tokio::test]
async fn wrong_ones_of_every_kind() {
    let house = House::new().await;
    let admin = house.admin();
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
        let answer = house
            .ask(Asking::get(PLUGS).with("authorization", &value))
            .await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{value}");
        assert!(!String::from_utf8_lossy(&answer.body).contains(&admin));
    }
    let two = Asking::get(PLUGS)
        .token("mains_wrong")
        .and("authorization", &format!("Bearer {admin}"));
    assert_eq!(house.ask(two).await.status, StatusCode::UNAUTHORIZED);
    let two = Asking::get(PLUGS)
        .token(&admin)
        .and("authorization", "Bearer mains_wrong");
    assert_eq!(house.ask(two).await.status, StatusCode::UNAUTHORIZED);
    for uri in [
        format!("{PLUGS}?token={admin}"),
        format!("{PLUGS}?access_token={admin}"),
    ] {
        assert_eq!(
            house.ask(Asking::get(&uri)).await.status,
            StatusCode::UNAUTHORIZED
        );
    }
    // A token is no session, and a session is no token.
    let asking = Asking::get(PLUGS).with("cookie", &format!("mains_session={admin}"));
    assert!(!house.lets_in(asking).await);
    house.set_password("correct horse").await;
    let cookie = house.log_in("correct horse").await;
    assert!(
        !house
            .lets_in(Asking::get(PLUGS).token(cookie.split_once('=').unwrap().1))
            .await
    );
    // A wrong token is not made up for by a session.
    assert!(
        !house
            .lets_in(
                Asking::get(PLUGS)
                    .with("cookie", &cookie)
                    .token("mains_wrong")
            )
            .await
    );
    assert_eq!(house.reached(), 0);
    assert!(
        house
            .lets_in(Asking::get(PLUGS).with("authorization", &format!("bEARER {admin}")))
            .await
    );
}

#[tokio::test]
async fn made_listed_revoked() {
    let house = House::new().await;
    let (id, token) = made(&house, "Home Assistant").await;
    assert!(house.lets_in(Asking::get(PLUGS).token(&token)).await);
    let listed = list(&house).await;
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
    for secret in [&token, &house.admin()] {
        assert!(
            !format!("{listed:?}{}{:?}", house.memory.text(), house.trust)
                .contains(secret.as_str())
        );
    }
    assert_eq!(revoke(&house, &id).await, StatusCode::NO_CONTENT);
    assert!(!house.lets_in(Asking::get(PLUGS).token(&token)).await);
    assert_eq!(list(&house).await.len(), 1);
    for unknown in [
        id.as_str(),
        "k-00000000",
        "admin",
        "%ff",
        "x%2f..%2f..",
        "%2e%2e",
    ] {
        let status = revoke(&house, unknown).await;
        assert!(
            status == StatusCode::NOT_FOUND || unknown == "%ff",
            "{unknown}: {status}"
        );
    }
}

#[tokio::test]
async fn they_outlive_the_hub_and_so_does_their_end() {
    let house = House::new().await;
    let (_, kept) = made(&house, "kept").await;
    let (id, revoked) = made(&house, "revoked").await;
    revoke(&house, &id).await;
    let later = house.restarted().await;
    assert!(later.lets_in(Asking::get(PLUGS).token(&kept)).await);
    assert!(!later.lets_in(Asking::get(PLUGS).token(&revoked)).await);
    assert!(later.lets_in(Asking::get(PLUGS).admin(&house)).await);
    assert_eq!(list(&house).await[0]["id"], list(&later).await[0]["id"]);
}

#[tokio::test]
async fn names_in_every_script_and_none_twice() {
    let house = House::new().await;
    for name in ["Küche", "台所", "مطبخ", "🏠"] {
        made(&house, name).await;
    }
    for (name, status) in [
        ("KÜCHE", 409),
        ("admin", 409),
        ("", 400),
        (" x", 400),
        ("a\nb", 400),
    ] {
        let answer = make(&house, name).await;
        assert_eq!(answer.status.as_u16(), status, "{name:?}");
        assert_eq!(answer.json()["field"], "name", "{name:?}");
    }
    let long = "x".repeat(65);
    assert_eq!(make(&house, &long).await.status, StatusCode::BAD_REQUEST);
    for body in [
        "",
        "{}",
        "[]",
        "{\"name\":7}",
        "{\"name\":\"a\",\"x\":1}",
        "\u{0}",
    ] {
        let asking = Asking::post("/api/v1/tokens", body).admin(&house);
        assert_eq!(
            house.ask(asking).await.status,
            StatusCode::BAD_REQUEST,
            "{body}"
        );
    }
}

#[tokio::test]
async fn what_is_not_written_down_is_not_promised() {
    let house = House::new().await;
    let (id, token) = made(&house, "kept").await;
    house.memory.fails.store(true, Ordering::Relaxed);
    let answer = make(&house, "lost").await;
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(answer.json()["kind"], "unavailable");
    assert!(
        !answer.json()["detail"].as_str().unwrap().contains("/state"),
        "{answer:?}"
    );
    assert_eq!(revoke(&house, &id).await, StatusCode::SERVICE_UNAVAILABLE);
    assert!(house.lets_in(Asking::get(PLUGS).token(&token)).await);
    assert_eq!(list(&house).await.len(), 2);
    house.memory.fails.store(false, Ordering::Relaxed);
    assert_eq!(revoke(&house, &id).await, StatusCode::NO_CONTENT);
}

#[tokio::test]
async fn revoking_cuts_off_what_is_being_answered() {
    let house = House::new().await;
    let (id, token) = made(&house, "watcher").await;
    let answer = house
        .open_answer(Asking::get("/api/v1/events").token(&token))
        .await;
    let mut events = answer.into_body().into_data_stream();
    assert!(events.next().await.unwrap().is_ok());
    assert!(events.next().now_or_never().is_none());
    revoke(&house, &id).await;
    let end = tokio::time::timeout(Duration::from_secs(10), events.next()).await;
    assert!(end.unwrap().is_none());
}

#[tokio::test]
async fn what_was_begun_with_a_revoked_token_ends_with_it() {
    let house = House::new().await;
    let (id, token) = made(&house, "thief").await;
    let link = async |asking: Asking| {
        let answer = house.ask(asking).await;
        let url = answer.json()["url"].as_str().unwrap().to_owned();
        url.strip_prefix("http://localhost:8480")
            .unwrap()
            .to_owned()
    };
    let first = link(Asking::post("/api/v1/login-url", "").token(&token)).await;
    let cookie = house.ask(Asking::get(&first)).await.cookie();
    assert!(
        house
            .lets_in(Asking::get(PLUGS).with("cookie", &cookie))
            .await
    );
    // Also what was begun with what was begun with it.
    let second = link(Asking::post("/api/v1/login-url", "").with("cookie", &cookie)).await;
    let third = link(Asking::post("/api/v1/login-url", "").with("cookie", &cookie)).await;
    let other = house.ask(Asking::get(&second)).await.cookie();
    revoke(&house, &id).await;
    for cookie in [cookie, other] {
        assert!(
            !house
                .lets_in(Asking::get(PLUGS).with("cookie", &cookie))
                .await
        );
    }
    assert_eq!(
        house.ask(Asking::get(&third)).await.status,
        StatusCode::UNAUTHORIZED
    );
}

#[tokio::test]
async fn a_revoked_admin_token_is_followed_by_a_new_one_in_its_file() {
    let house = House::new().await;
    let old = house.admin();
    let id = list(&house).await[0]["id"].as_str().unwrap().to_owned();
    assert_eq!(revoke(&house, &id).await, StatusCode::NO_CONTENT);
    assert_ne!(house.admin(), old);
    assert!(!house.lets_in(Asking::get(PLUGS).token(&old)).await);
    assert!(house.lets_in(Asking::get(PLUGS).admin(&house)).await);
    let later = house.restarted().await;
    assert!(!later.lets_in(Asking::get(PLUGS).token(&old)).await);
    assert!(later.lets_in(Asking::get(PLUGS).admin(&house)).await);
    assert_eq!(list(&later).await.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn when_it_was_used_is_written_down_now_and_then() {
    let house = House::new().await;
    let (_, token) = made(&house, "program").await;
    let cancel = tokio_util::sync::CancellationToken::new();
    let keeping = tokio::spawn(house.trust.clone().run(cancel.clone()));
    let uses = |house: &House| {
        let values = house.memory.values.lock().unwrap();
        let tokens: Vec<Value> = serde_json::from_str(&values[settings::TOKENS]).unwrap();
        tokens
            .iter()
            .filter(|token| token["last_used"].is_string())
            .count()
    };
    assert_eq!(uses(&house), 1);
    house.lets_in(Asking::get(PLUGS).token(&token)).await;
    assert_eq!(uses(&house), 1);
    tokio::time::sleep(Duration::from_secs(11 * 60)).await;
    assert_eq!(uses(&house), 2);
    // A store that fails keeps nobody out, and it is written when it works again.
    house.memory.values.lock().unwrap().clear();
    house.memory.fails.store(true, Ordering::Relaxed);
    assert!(house.lets_in(Asking::get(PLUGS).token(&token)).await);
    tokio::time::sleep(Duration::from_secs(11 * 60)).await;
    house.memory.fails.store(false, Ordering::Relaxed);
    cancel.cancel();
    keeping.await.unwrap();
    assert_eq!(uses(&house), 2);
}
