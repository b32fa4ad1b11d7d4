//! By what name, and from which page.

use axum::http::{Method, StatusCode};

use super::fixture::{AuthRequest, TestHub};

#[tokio::test]
async fn a_foreign_host_is_refused_before_anybody_looks_who_asks() {
    let fixture = TestHub::new().await;
    let link = fixture.auth.login_url().unwrap();
    let path = link.strip_prefix("http://127.0.0.1:8480").unwrap();
    for host in [
        "evil.example",
        "localhost.evil.example:8480",
        "192.168.1.9",
        "[2001:db8::1]:8480",
    ] {
        for asking in [
            AuthRequest::get("/healthz"),
            AuthRequest::get(path),
            AuthRequest::get("/api/v1/plugs").admin(&fixture),
            AuthRequest::login("correct horse"),
        ] {
            let answer = fixture.ask(asking.with("host", host)).await;
            assert_eq!(answer.status, StatusCode::FORBIDDEN, "{host}");
            assert_eq!(answer.json()["kind"], "forbidden");
            assert!(
                answer.json()["detail"].as_str().unwrap().contains(host),
                "{answer:?}"
            );
        }
    }
    let absolute = AuthRequest::get("http://evil.example/api/v1/plugs").admin(&fixture);
    assert_eq!(fixture.ask(absolute).await.status, StatusCode::BAD_REQUEST);
    let none = AuthRequest::get("/api/v1/plugs")
        .admin(&fixture)
        .without("host");
    assert_eq!(fixture.ask(none).await.status, StatusCode::BAD_REQUEST);
    assert_eq!(fixture.reached(), 0);
    // The link was not used up by all that.
    assert_eq!(
        fixture.ask(AuthRequest::get(path)).await.status,
        StatusCode::SEE_OTHER
    );
}

#[tokio::test]
async fn what_the_owner_adds_is_a_name_of_the_hub() {
    let fixture = TestHub::with(([127, 0, 0, 1], 8480), |config| {
        config.hosts = vec!["nas.local".to_owned()];
    })
    .await;
    for host in [
        "nas.local",
        "NAS.local:8480",
        "localhost",
        "127.0.0.1:8480",
        "[::1]:8480",
    ] {
        let asking = AuthRequest::get("/api/v1/plugs")
            .admin(&fixture)
            .with("host", host);
        assert!(fixture.lets_in(asking).await, "{host}");
    }
}

#[tokio::test]
async fn a_foreign_page_changes_nothing_not_even_with_a_token() {
    let fixture = TestHub::new().await;
    for method in [Method::POST, Method::PUT, Method::PATCH, Method::DELETE] {
        let asking = AuthRequest::new(method.clone(), "/api/v1/plugs").admin(&fixture);
        for (name, value) in [
            ("origin", "http://evil.example"),
            ("origin", "null"),
            ("origin", "http://localhost:8481"),
            ("sec-fetch-site", "cross-site"),
            ("sec-fetch-site", "same-site"),
        ] {
            let answer = fixture.ask(asking.clone().with(name, value)).await;
            assert_eq!(
                answer.status,
                StatusCode::FORBIDDEN,
                "{method} {name}: {value}"
            );
        }
        let two = asking
            .clone()
            .with("origin", "http://localhost:8480")
            .and("origin", "http://evil.example");
        assert_eq!(fixture.ask(two).await.status, StatusCode::FORBIDDEN);
        assert_eq!(fixture.reached(), 0);
    }
    let own = AuthRequest::put("/api/v1/plugs", "").admin(&fixture);
    let own = own
        .with("origin", "http://localhost:8480")
        .with("sec-fetch-site", "same-origin");
    assert!(fixture.lets_in(own).await);
    assert!(
        fixture
            .lets_in(AuthRequest::put("/api/v1/plugs", "").admin(&fixture))
            .await
    );
    // Reading is the browser's to forbid: it sees no permission for others.
    let read = AuthRequest::get("/api/v1/plugs")
        .admin(&fixture)
        .with("origin", "http://evil.example");
    let answer = fixture.ask(read).await;
    assert_eq!(answer.status, StatusCode::OK);
    assert!(!answer.headers.contains_key("access-control-allow-origin"));
}

#[tokio::test]
async fn a_foreign_page_cannot_log_a_browser_in_or_try_passwords() {
    let fixture = TestHub::new().await;
    fixture.set_password("correct horse").await;
    let asking = AuthRequest::login("correct horse").with("origin", "http://evil.example");
    for _ in 0..10 {
        assert_eq!(
            fixture.ask(asking.clone()).await.status,
            StatusCode::FORBIDDEN
        );
    }
    // And it has spent none of the owner's tries.
    fixture.log_in("correct horse").await;
}
