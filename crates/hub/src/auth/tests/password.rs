//! Setting the password.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use axum::http::StatusCode;

use super::house::{Asking, House};

const PLUGS: &str = "/api/v1/plugs";

fn change(body: &str) -> Asking {
    Asking::put("/api/v1/password", body)
}

#[tokio::test]
async fn others_are_logged_out_but_not_who_changes_it() {
    let house = House::new().await;
    house.set_password("correct horse").await;
    let own = house.log_in("correct horse").await;
    let other = house.log_in("correct horse").await;
    let link = house.trust.login_url().unwrap();
    let body = "{\"current\":\"correct horse\",\"password\":\"battery staple\"}";
    let answer = house.ask(change(body).with("cookie", &own)).await;
    assert_eq!(answer.status, StatusCode::NO_CONTENT);
    assert!(house.lets_in(Asking::get(PLUGS).with("cookie", &own)).await);
    assert!(
        !house
            .lets_in(Asking::get(PLUGS).with("cookie", &other))
            .await
    );
    let link = &link[link.find("/login").unwrap()..];
    assert_eq!(
        house.ask(Asking::get(link)).await.status,
        StatusCode::UNAUTHORIZED
    );
    assert_eq!(
        house.ask(Asking::login("correct horse")).await.status,
        StatusCode::UNAUTHORIZED
    );
    house.log_in("battery staple").await;
    // Tokens are other doors; they have a list of their own.
    assert!(house.lets_in(Asking::get(PLUGS).admin(&house)).await);
}

#[tokio::test]
async fn who_came_by_the_password_shows_it_again() {
    let house = House::new().await;
    house.set_password("correct horse").await;
    let cookie = house.log_in("correct horse").await;
    for body in [
        "{\"password\":\"battery staple\"}",
        "{\"password\":\"battery staple\",\"current\":\"wrong horse\"}",
        "{\"password\":null}",
    ] {
        let answer = house.ask(change(body).with("cookie", &cookie)).await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN, "{body}");
        assert_eq!(answer.json()["field"], "current", "{body}");
    }
    house.log_in("correct horse").await;
    // Who has forgotten it comes by a link, or has a token.
    let link = house.trust.login_url().unwrap();
    let by_link = house
        .ask(Asking::get(&link[link.find("/login").unwrap()..]))
        .await
        .cookie();
    let answer = house
        .ask(change("{\"password\":\"battery staple\"}").with("cookie", &by_link))
        .await;
    assert_eq!(answer.status, StatusCode::NO_CONTENT);
}

#[tokio::test]
async fn the_current_one_cannot_be_guessed_through_a_stolen_session() {
    let house = House::new().await;
    house.set_password("correct horse").await;
    let cookie = house.log_in("correct horse").await;
    let body = "{\"password\":\"battery staple\",\"current\":\"wrong horse\"}";
    let mut statuses = Vec::new();
    for _ in 0..6 {
        statuses.push(house.ask(change(body).with("cookie", &cookie)).await.status);
    }
    assert_eq!(statuses[..4], [StatusCode::FORBIDDEN; 4]);
    assert_eq!(statuses[4..], [StatusCode::TOO_MANY_REQUESTS; 2]);
}

#[tokio::test]
async fn bodies_that_set_nothing() {
    let house = House::new().await;
    house.set_password("correct horse").await;
    let long = format!("{{\"password\":\"{}\"}}", "x".repeat(1025));
    for body in [
        "",
        "{}",
        "{\"password\":\"short\"}",
        "{\"password\":7}",
        "{\"password\":null,\"x\":1}",
        &long,
    ] {
        let answer = house.ask(change(body).admin(&house)).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{body}");
        assert!(!String::from_utf8_lossy(&answer.body).contains("xxxxxxxx"));
    }
    assert_eq!(
        house
            .ask(change("{\"password\":\"battery staple\"}"))
            .await
            .status,
        StatusCode::UNAUTHORIZED
    );
    house.log_in("correct horse").await;
}

#[tokio::test]
async fn it_can_be_taken_away_where_nobody_else_gets_to() {
    let house = House::new().await;
    house.set_password("correct horse").await;
    let cookie = house.log_in("correct horse").await;
    let answer = house.ask(change("{\"password\":null}").admin(&house)).await;
    assert_eq!(answer.status, StatusCode::NO_CONTENT);
    assert!(
        !house
            .lets_in(Asking::get(PLUGS).with("cookie", &cookie))
            .await
    );
    assert_eq!(
        house.ask(Asking::login("correct horse")).await.status,
        StatusCode::UNAUTHORIZED
    );
    assert!(!house.memory.text().contains("argon2"));

    house.set_password("correct horse").await;
    let (state, memory) = (Arc::clone(&house.state), Arc::clone(&house.memory));
    let everywhere = ([0, 0, 0, 0], 8480).into();
    let exposed = House::open(state, house.config.clone(), memory, everywhere)
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
    let house = House::new().await;
    house.set_password("correct horse").await;
    house.memory.fails.store(true, Ordering::Relaxed);
    let answer = house
        .ask(change("{\"password\":\"battery staple\"}").admin(&house))
        .await;
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(
        house.ask(Asking::login("battery staple")).await.status,
        StatusCode::UNAUTHORIZED
    );
    house.log_in("correct horse").await;
}
