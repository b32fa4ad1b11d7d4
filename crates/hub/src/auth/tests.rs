//! Every rule, through the router and without sockets.

mod fixture;
mod host;
mod link;
mod login;
mod password;
mod proxy;
mod scope;
mod sites;
mod start;
mod token;

use axum::http::{Method, StatusCode};
use proptest::prelude::*;

use self::fixture::{AuthRequest, TestHub};

const METHODS: [Method; 9] = [
    Method::GET,
    Method::HEAD,
    Method::POST,
    Method::PUT,
    Method::PATCH,
    Method::DELETE,
    Method::OPTIONS,
    Method::TRACE,
    Method::CONNECT,
];

#[tokio::test]
async fn three_paths_are_open_and_no_other() {
    let fixture = TestHub::new().await;
    let answer = fixture.ask(AuthRequest::get("/healthz")).await;
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(fixture.reached(), 1);
    for path in [
        "/",
        "/metrics",
        "/nowhere",
        "/api/v1/plugs",
        "/api/v1/plugs/accf23123456",
        "/api/v1/events",
        "/api/v1/openapi.json",
        "/api/v1/tokens",
        "/api/v1/tokens/k-00000000",
        "/api/v1/password",
        "/api/v1/logout",
        "/api/v1/login-url",
        // Tricks to look like an open one.
        "/healthz/",
        "/healthz/x",
        "/healthz;x",
        "/healthz%00",
        "/healthz%2f..%2fapi%2fv1%2fplugs",
        "/healthz/../api/v1/plugs",
        "/HEALTHZ",
        "/%68ealthz",
        "//healthz",
        "/./healthz",
        "/login/",
        "/login/../api/v1/plugs",
        "/api/v1/login/",
        "/api/v1/login/../plugs",
        "/api/v1/login%2f..%2fplugs",
        "/api//v1/plugs",
        "/API/v1/plugs",
        "/..%2f..%2fetc/passwd",
        "*",
    ] {
        for method in METHODS {
            let answer = fixture.ask(AuthRequest::new(method.clone(), path)).await;
            assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{method} {path}");
            assert_eq!(answer.headers["www-authenticate"], "Bearer realm=\"mains\"");
            // The answer to HEAD has no body.
            let kind = answer.json()["kind"].clone();
            assert!(
                kind == "unauthenticated" || method == Method::HEAD,
                "{method} {path}"
            );
        }
    }
    assert_eq!(fixture.reached(), 1);
    for path in ["/api/v1/plugs", "/metrics", "/api/v1/tokens"] {
        assert_eq!(
            fixture
                .ask(AuthRequest::get(path).admin(&fixture))
                .await
                .status,
            StatusCode::OK
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    /// No path gives access without credentials.
    #[test]
    fn no_other_path_is_open(paths in prop::collection::vec("/[a-z0-9/.%;:@&=+$,~?_-]{0,30}", 20)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let fixture = TestHub::new().await;
            for path in paths.iter().filter(|path| path.parse::<axum::http::Uri>().is_ok()) {
                let bare = path.split('?').next().unwrap_or_default();
                let is_open = ["/healthz", "/login", "/api/v1/login"].contains(&bare);
                let answer = fixture.ask(AuthRequest::get(path)).await;
                prop_assert!(is_open || answer.status == StatusCode::UNAUTHORIZED, "{}", path);
            }
            prop_assert_eq!(fixture.reached(), 0);
            Ok(())
        })?;
    }
}

#[tokio::test]
async fn every_answer_carries_the_security_headers() {
    let fixture = TestHub::new().await;
    let page = AuthRequest::get("/").with("accept", "text/html");
    for (asking, status) in [
        (AuthRequest::get("/healthz"), 200),
        (AuthRequest::get("/api/v1/plugs").admin(&fixture), 200),
        (AuthRequest::get("/").admin(&fixture), 200),
        (AuthRequest::get("/api/v1/plugs"), 401),
        (page, 401),
        (
            AuthRequest::get("/login?token=x").with("accept", "text/html"),
            401,
        ),
        (
            AuthRequest::get("/healthz").with("host", "evil.example"),
            403,
        ),
        (AuthRequest::get("/nowhere").admin(&fixture), 404),
        (
            AuthRequest::new(Method::DELETE, "/api/v1/login").admin(&fixture),
            405,
        ),
        (AuthRequest::post("/api/v1/login", "{}"), 400),
        (AuthRequest::post("/api/v1/login", &"x".repeat(20_000)), 413),
    ] {
        let answer = fixture.ask(asking).await;
        assert_eq!(answer.status.as_u16(), status);
        let policy = answer.headers["content-security-policy"].to_str().unwrap();
        assert!(policy.starts_with("default-src 'none'; "), "{policy}");
        assert!(policy.contains("frame-ancestors 'none'"), "{policy}");
        assert!(!policy.contains("unsafe"), "{policy}");
        for (name, value) in [
            ("x-content-type-options", "nosniff"),
            ("x-frame-options", "DENY"),
            ("referrer-policy", "same-origin"),
            ("cache-control", "no-store"),
            ("cross-origin-opener-policy", "same-origin"),
            ("cross-origin-resource-policy", "same-origin"),
        ] {
            assert_eq!(answer.headers[name], value, "{status}");
        }
    }
}

#[tokio::test]
async fn a_handler_may_know_better_about_its_own_headers() {
    let fixture = TestHub::new().await;
    let answer = fixture
        .ask(AuthRequest::get("/asset.css").admin(&fixture))
        .await;
    assert_eq!(answer.headers.get_all("cache-control").iter().count(), 1);
    assert_eq!(
        answer.headers["cache-control"],
        "max-age=31536000, immutable"
    );
}

#[tokio::test]
async fn the_routes_are_described() {
    let json = serde_json::to_value(super::openapi()).unwrap();
    for (path, method) in [
        ("/login", "get"),
        ("/api/v1/login", "post"),
        ("/api/v1/logout", "post"),
        ("/api/v1/login-url", "post"),
        ("/api/v1/tokens", "get"),
        ("/api/v1/tokens", "post"),
        ("/api/v1/tokens/{id}", "delete"),
        ("/api/v1/password", "put"),
    ] {
        let operation = &json["paths"][path][method];
        assert!(operation["summary"].is_string(), "{method} {path}");
        // Those that are open, and only those, say that they need nothing.
        let is_open = operation["security"] == serde_json::json!([{}]);
        assert_eq!(
            is_open,
            ["/login", "/api/v1/login"].contains(&path),
            "{path}"
        );
    }
}
