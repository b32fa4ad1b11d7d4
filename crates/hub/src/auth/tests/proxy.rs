//! Requests through reverse proxies, and below a prefix.

use axum::http::StatusCode;

use super::fixture::{AuthRequest, TestHub};
use crate::config::Config;

const PROXY: &str = "10.75.0.1";

async fn behind(change: impl FnOnce(&mut Config)) -> TestHub {
    TestHub::with(([127, 0, 0, 1], 8480), |config| {
        config.hosts = vec!["home.example".to_owned()];
        config.web.trusted_proxies = vec![PROXY.parse().unwrap()];
        change(config);
    })
    .await
}

/// Returns the cookie of a login that came by a proxy.
async fn cookie(hub: &TestHub, request: AuthRequest) -> String {
    let answer = hub.ask(request).await;
    assert_eq!(answer.status, StatusCode::NO_CONTENT);
    answer.headers["set-cookie"].to_str().unwrap().to_owned()
}

#[tokio::test]
async fn everything_answers_below_the_prefix_and_without_it() {
    let hub = behind(|config| config.web.base_path = "/mains".parse().unwrap()).await;
    for path in ["/mains/api/v1/plugs", "/api/v1/plugs"] {
        assert!(
            hub.lets_in(AuthRequest::get(path).admin(&hub)).await,
            "{path}"
        );
    }
    for path in ["/mainsail/api/v1/plugs", "/mains/mains/api/v1/plugs"] {
        let answer = hub.ask(AuthRequest::get(path).admin(&hub)).await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{path}");
    }
    let link = hub.auth.login_url().unwrap();
    assert!(
        link.starts_with("http://127.0.0.1:8480/mains/login?token="),
        "{link}"
    );
    let path = &link["http://127.0.0.1:8480".len()..];
    let answer = hub.ask(AuthRequest::get(path)).await;
    assert_eq!(answer.headers["location"], "/mains/");
    let cookie = answer.headers["set-cookie"].to_str().unwrap();
    assert!(cookie.contains("; Path=/mains; "), "{cookie}");
}

#[tokio::test]
async fn a_trusted_proxy_tells_prefix_host_and_scheme() {
    let hub = behind(|_| ()).await;
    hub.set_password("correct horse").await;
    let asking = || {
        AuthRequest::login("correct horse")
            .from(PROXY)
            .with("host", "upstream:8480")
            .with("x-forwarded-host", "home.example")
            .with("x-forwarded-proto", "https")
            .with("origin", "https://home.example")
    };
    let plain = cookie(&hub, asking()).await;
    assert!(
        plain.contains("; SameSite=Lax; Path=/; ") && plain.ends_with("; Secure"),
        "{plain}"
    );
    let below = cookie(&hub, asking().with("x-forwarded-prefix", "/mains")).await;
    assert!(below.contains("; Path=/mains; "), "{below}");
    let ingress = asking()
        .with("x-forwarded-prefix", "/mains")
        .with("x-ingress-path", "/api/hassio_ingress/abc");
    let ingress = cookie(&hub, ingress).await;
    assert!(
        ingress.contains("; Path=/api/hassio_ingress/abc; "),
        "{ingress}"
    );
    for bad in ["//evil.example", "/a b", "evil", "/a/", "/"] {
        let ignored = cookie(&hub, asking().with("x-ingress-path", bad)).await;
        assert!(ignored.contains("; Path=/; "), "{bad}: {ignored}");
    }
    // The browser's own scheme counts for its origin.
    let weaker = asking().with("origin", "http://home.example");
    assert_eq!(hub.ask(weaker).await.status, StatusCode::FORBIDDEN);
    let foreign = asking().with("x-forwarded-host", "evil.example");
    assert_eq!(hub.ask(foreign).await.status, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn what_a_stranger_forwards_counts_for_nothing() {
    let hub = behind(|_| ()).await;
    hub.set_password("correct horse").await;
    let forged = AuthRequest::login("correct horse")
        .from("10.75.0.2")
        .with("x-forwarded-prefix", "/evil")
        .with("x-ingress-path", "/evil")
        .with("x-forwarded-proto", "https");
    let cookie = cookie(&hub, forged).await;
    assert!(
        cookie.contains("; Path=/; ") && !cookie.contains("Secure"),
        "{cookie}"
    );
    let host = AuthRequest::get("/api/v1/plugs")
        .admin(&hub)
        .from("10.75.0.2")
        .with("host", "evil.example")
        .with("x-forwarded-host", "home.example");
    assert_eq!(hub.ask(host).await.status, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn the_limit_on_attempts_is_that_of_the_client_behind_the_proxy() {
    let hub = behind(|_| ()).await;
    hub.set_password("correct horse").await;
    let from = |client: &str, password: &str| {
        AuthRequest::login(password)
            .from(PROXY)
            .with("x-forwarded-for", client)
    };
    for _ in 0..5 {
        let answer = hub.ask(from("192.0.2.1, 192.0.2.7", "wrong horse")).await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
    }
    let answer = hub.ask(from("192.0.2.99, 192.0.2.7", "wrong horse")).await;
    assert_eq!(answer.status, StatusCode::TOO_MANY_REQUESTS);
    let other = hub.ask(from("192.0.2.8", "correct horse")).await;
    assert_eq!(other.status, StatusCode::NO_CONTENT);
}

#[tokio::test]
async fn frames_are_for_the_origins_that_are_named() {
    let hub = behind(|_| ()).await;
    let answer = hub.ask(AuthRequest::get("/healthz")).await;
    assert_eq!(answer.headers["x-frame-options"], "DENY");
    let policy = answer.headers["content-security-policy"].to_str().unwrap();
    assert!(policy.ends_with("frame-ancestors 'none'"), "{policy}");
    let hub = behind(|config| {
        config.web.frame_ancestors = vec!["https://home.example:8123".parse().unwrap()];
    })
    .await;
    hub.set_password("correct horse").await;
    let answer = hub.ask(AuthRequest::get("/healthz")).await;
    assert!(!answer.headers.contains_key("x-frame-options"));
    let policy = answer.headers["content-security-policy"].to_str().unwrap();
    assert!(
        policy.ends_with("frame-ancestors 'self' https://home.example:8123"),
        "{policy}"
    );
    assert!(!policy.contains("unsafe"), "{policy}");
    let login = AuthRequest::login("correct horse");
    let cookie = cookie(&hub, login.from(PROXY).with("x-forwarded-proto", "https")).await;
    assert!(
        cookie.contains("; SameSite=None; ") && cookie.ends_with("; Secure; Partitioned"),
        "{cookie}"
    );
}

/// A hub whose proxy logs its users in with this access.
async fn ingress(access: &str) -> TestHub {
    TestHub::with(([172, 30, 32, 1], 8480), |config| {
        config.web.trusted_proxies = vec![PROXY.parse().unwrap()];
        config.web.ingress_login = access.parse().unwrap();
    })
    .await
}

/// A request as the supervisor of Home Assistant passes it on.
fn through_ingress(request: AuthRequest) -> AuthRequest {
    request
        .from(PROXY)
        .with("host", "homeassistant.local:8123")
        .with("x-forwarded-host", "homeassistant.local:8123")
        .with("x-forwarded-proto", "http")
        .with("x-forwarded-for", "192.168.1.20, 172.30.32.1")
        .with("x-ingress-path", "/api/hassio_ingress/abc")
}

#[tokio::test]
async fn a_user_of_an_ingress_needs_no_login() {
    let hub = ingress("admin").await;
    let user = |path: &str| {
        through_ingress(AuthRequest::get(path)).with("x-remote-user-id", "0123456789abcdef")
    };
    assert!(hub.lets_in(user("/api/v1/plugs")).await);
    let answer = hub.ask(user("/api/v1/plugs")).await;
    assert!(!answer.headers.contains_key("x-frame-options"));
    let policy = answer.headers["content-security-policy"].to_str().unwrap();
    assert!(policy.ends_with("frame-ancestors 'self'"), "{policy}");
    // Of another page in the same browser the proxy's login is not enough.
    let foreign = through_ingress(AuthRequest::post("/api/v1/plugs", "{}"))
        .with("x-remote-user-id", "0123456789abcdef")
        .with("origin", "http://evil.example");
    assert_eq!(hub.ask(foreign).await.status, StatusCode::FORBIDDEN);
    let own = through_ingress(AuthRequest::post("/api/v1/plugs", "{}"))
        .with("x-remote-user-id", "0123456789abcdef")
        .with("origin", "http://homeassistant.local:8123");
    assert!(hub.lets_in(own).await);
}

#[tokio::test]
async fn nobody_else_is_a_user_of_an_ingress() {
    let hub = ingress("admin").await;
    let nobody = || {
        through_ingress(AuthRequest::get("/api/v1/plugs"))
            .with("host", "127.0.0.1")
            .with("x-forwarded-host", "127.0.0.1")
    };
    let user = || nobody().with("x-remote-user-id", "u");
    assert!(hub.lets_in(user()).await);
    for (case, request) in [
        ("no user", nobody()),
        ("an empty user", nobody().with("x-remote-user-id", "")),
        ("two users", user().and("x-remote-user-id", "v")),
        ("no path", user().without("x-ingress-path")),
        ("no plain path", user().with("x-ingress-path", "//evil")),
        ("a stranger", user().from("10.75.0.2")),
        ("this computer", user().from("127.0.0.1")),
        ("a wrong token", user().token("not a token of this hub")),
    ] {
        let answer = hub.ask(request).await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{case}");
    }
    // By default nobody is.
    let hub = behind(|_| ()).await;
    let answer = hub.ask(user()).await;
    assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn users_of_an_ingress_may_only_look_where_that_is_set() {
    let hub = ingress("read").await;
    let user = |request| through_ingress(request).with("x-remote-user-id", "u");
    assert!(hub.lets_in(user(AuthRequest::get("/api/v1/plugs"))).await);
    let change = hub
        .ask(user(AuthRequest::post("/api/v1/plugs", "{}")))
        .await;
    assert_eq!(change.status, StatusCode::FORBIDDEN);
}
