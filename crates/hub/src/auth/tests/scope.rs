//! Scopes: what each token and login may do, and when it ends.

use axum::http::{Method, StatusCode};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::fixture::{AuthRequest, TestHub};

async fn make(fixture: &TestHub, by: &str, body: Value) -> Value {
    let asking = AuthRequest::post("/api/v1/tokens", &body.to_string()).token(by);
    let answer = fixture.ask(asking).await;
    assert_eq!(answer.status, StatusCode::CREATED, "{answer:?}");
    answer.json()
}

async fn token(fixture: &TestHub, scope: &str) -> String {
    let body = json!({"name": format!("a {scope}"), "scope": scope});
    let made = make(fixture, &fixture.admin(), body).await;
    assert_eq!(made["scope"], scope);
    made["token"].as_str().unwrap().to_owned()
}

async fn names(fixture: &TestHub) -> Vec<String> {
    let asking = AuthRequest::get("/api/v1/tokens").admin(fixture);
    let tokens = fixture.ask(asking).await.json();
    let tokens = tokens.as_array().unwrap().iter();
    tokens
        .map(|token| token["name"].as_str().unwrap().to_owned())
        .collect()
}

/// Requests by the least scope that allows them. Those that get through end in 200, 404 or the like.
const REQUESTS: [(&str, &str, usize); 14] = [
    ("GET", "/metrics", 0),
    ("GET", "/api/v1/plugs", 1),
    ("GET", "/api/v1/tokens", 1),
    ("POST", "/api/v1/plugs/accf23123456/meter", 1),
    ("PUT", "/api/v1/plugs/accf23123456/relay", 2),
    ("POST", "/api/v1/plugs/accf23123456/delay", 2),
    ("PUT", "/api/v1/groups/g-00000001/relay", 2),
    ("GET", "/api/v1/hub/backup", 3),
    ("POST", "/api/v1/plugs", 3),
    ("DELETE", "/api/v1/plugs/accf23123456", 3),
    ("POST", "/api/v1/tokens", 3),
    ("DELETE", "/api/v1/tokens/k-00000001", 3),
    ("POST", "/api/v1/login-url", 3),
    ("PUT", "/api/v1/password", 3),
];

#[tokio::test]
async fn each_scope_allows_its_requests_and_no_other() {
    let fixture = TestHub::new().await;
    for (rank, scope) in ["metrics", "read", "switch", "admin"].iter().enumerate() {
        let token = token(&fixture, scope).await;
        for (method, path, least) in REQUESTS {
            let method: Method = method.parse().unwrap();
            let asking = AuthRequest::new(method.clone(), path).token(&token);
            let answer = fixture.ask(asking).await;
            let is_forbidden = answer.status == StatusCode::FORBIDDEN;
            assert_eq!(
                is_forbidden,
                rank < least,
                "{scope} {method} {path}: {answer:?}"
            );
            if is_forbidden {
                assert_eq!(answer.json()["kind"], "forbidden");
            }
        }
    }
}

#[tokio::test]
async fn who_made_a_token_is_told_and_takes_it_along() {
    let fixture = TestHub::new().await;
    let parent = make(&fixture, &fixture.admin(), json!({"name": "parent"})).await;
    assert_eq!(
        (&parent["scope"], &parent["expires"]),
        (&json!("admin"), &Value::Null)
    );
    let secret = parent["token"].as_str().unwrap();
    let child = make(&fixture, secret, json!({"name": "child", "scope": "read"})).await;
    assert_eq!(child["created_by"], parent["id"]);
    let child = child["token"].as_str().unwrap().to_owned();
    make(
        &fixture,
        secret,
        json!({"name": "free", "independent": true}),
    )
    .await;
    let link = AuthRequest::post("/api/v1/login-url", "").token(secret);
    let link = fixture.ask(link).await.json()["url"]
        .as_str()
        .unwrap()
        .to_owned();
    assert!(
        fixture
            .lets_in(AuthRequest::get("/api/v1/plugs").token(&child))
            .await
    );
    let path = format!("/api/v1/tokens/{}", parent["id"].as_str().unwrap());
    let revoked = fixture
        .ask(AuthRequest::delete(&path).admin(&fixture))
        .await;
    assert_eq!(revoked.status, StatusCode::NO_CONTENT);
    for fixture in [&fixture, &fixture.restarted().await] {
        assert_eq!(names(fixture).await, ["admin", "free"]);
        assert!(
            !fixture
                .lets_in(AuthRequest::get("/api/v1/plugs").token(&child))
                .await
        );
    }
    let followed = fixture
        .ask(AuthRequest::get(link.split_once("8480").unwrap().1))
        .await;
    assert_eq!(followed.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn an_expired_token_is_worth_nothing_and_a_past_time_is_refused() {
    let fixture = TestHub::new().await;
    let soon = Timestamp::now() + SignedDuration::from_millis(1_500);
    let body = json!({"name": "guest", "expires": soon.to_string()});
    let made = make(&fixture, &fixture.admin(), body.clone()).await;
    let guest = made["token"].as_str().unwrap();
    assert!(
        fixture
            .lets_in(AuthRequest::get("/api/v1/plugs").token(guest))
            .await
    );
    std::thread::sleep(std::time::Duration::from_millis(1_600));
    assert!(
        !fixture
            .lets_in(AuthRequest::get("/api/v1/plugs").token(guest))
            .await
    );
    assert_eq!(names(&fixture).await, ["admin"]);
    let asking = AuthRequest::post("/api/v1/tokens", &body.to_string()).admin(&fixture);
    let answer = fixture.ask(asking).await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST);
    assert_eq!(answer.json()["field"], "expires");
}

#[tokio::test]
async fn a_view_only_login_sees_and_changes_nothing() {
    let fixture = TestHub::new().await;
    fixture.set_password("correct horse").await;
    let put = |password: &str| json!({"password": password, "scope": "read"}).to_string();
    let asking = |body: &str| AuthRequest::put("/api/v1/password", body).admin(&fixture);
    // The same password could not decide about the scope.
    let same = fixture.ask(asking(&put("correct horse"))).await;
    assert_eq!(same.status, StatusCode::BAD_REQUEST);
    let set = fixture.ask(asking(&put("view horse"))).await;
    assert_eq!(set.status, StatusCode::NO_CONTENT);
    let link = AuthRequest::post("/api/v1/login-url", r#"{"scope":"read"}"#).admin(&fixture);
    let link = fixture.ask(link).await.json();
    assert_eq!(link["scope"], "read");
    let link = link["url"]
        .as_str()
        .unwrap()
        .split_once("8480")
        .unwrap()
        .1
        .to_owned();
    let by_link = fixture.ask(AuthRequest::get(&link)).await.cookie();
    let by_password = fixture.log_in("view horse").await;
    let owner = fixture.log_in("correct horse").await;
    let later = fixture.restarted().await;
    for cookie in [&by_link, &by_password] {
        let with = |asking: AuthRequest| asking.with("cookie", cookie);
        assert!(later.lets_in(with(AuthRequest::get("/api/v1/plugs"))).await);
        for (method, path, least) in REQUESTS.iter().filter(|(_, _, least)| *least > 1) {
            let asking = with(AuthRequest::new(method.parse().unwrap(), path));
            let status = later.ask(asking).await.status;
            assert_eq!(status, StatusCode::FORBIDDEN, "{method} {path} {least}");
        }
    }
    // A new view-only password ends the logins of the old one, and no other.
    let body = put("other horse");
    let asking = AuthRequest::put("/api/v1/password", &body).admin(&later);
    assert_eq!(later.ask(asking).await.status, StatusCode::NO_CONTENT);
    let plugs = |cookie: &str| AuthRequest::get("/api/v1/plugs").with("cookie", cookie);
    assert!(!later.lets_in(plugs(&by_password)).await);
    assert!(later.lets_in(plugs(&by_link)).await);
    assert!(later.lets_in(plugs(&owner)).await);
    let out = AuthRequest::post("/api/v1/logout", "").with("cookie", &by_link);
    assert_eq!(later.ask(out).await.status, StatusCode::NO_CONTENT);
    assert!(!later.lets_in(plugs(&by_link)).await);
}

#[tokio::test]
async fn no_browser_has_the_scope_of_metrics_and_no_password_that_of_switching() {
    let fixture = TestHub::new().await;
    for (asking, field) in [
        (
            AuthRequest::post("/api/v1/login-url", r#"{"scope":"metrics"}"#),
            "scope",
        ),
        (
            AuthRequest::put(
                "/api/v1/password",
                r#"{"password":"long enough","scope":"switch"}"#,
            ),
            "scope",
        ),
        (
            AuthRequest::post("/api/v1/tokens", r#"{"name":"x","scope":"all"}"#),
            "scope",
        ),
    ] {
        let answer = fixture.ask(asking.admin(&fixture)).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{answer:?}");
        assert_eq!(answer.json()["field"], field);
    }
}
