//! A browser without a script: reads pages and sends forms, through the access control of the hub.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::{Method, Request};
use http_body_util::BodyExt;
use hub::auth::{AccessControl, protect};
use hub::lease::Lease;
use hub::{Guest, Hub};
use serde_json::Value;
use tower::ServiceExt;
use web::Pages;

/// Path of the login, after that of the page to which it leads.
const LOGIN: &str = "/login?next=";

/// A browser. It keeps the cookies that it is sent.
pub struct Browser {
    router: Router,
    auth: Option<AccessControl>,
    cookies: Mutex<Vec<(String, String)>>,
}

/// A page, or where a form leads.
#[derive(Debug)]
pub struct Shown {
    pub status: u16,
    /// Address to which the reply sends the browser.
    pub location: Option<String>,
    pub policy: String,
    pub content_type: String,
    pub html: String,
}

impl Browser {
    /// Opens a browser on pages without access control, which may see alone.
    pub fn on(router: Router) -> Self {
        Self {
            router,
            auth: None,
            cookies: Mutex::default(),
        }
    }

    /// Gets a page until it holds a text.
    pub async fn eventually(&self, path: &str, text: &str) {
        for _ in 0..1200 {
            if self.get(path).await.html.contains(text) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        self.get(path).await.shows(200, text);
    }

    /// Opens a browser that may do everything.
    pub async fn of(hub: &Hub) -> Self {
        let pages: Arc<dyn Guest> = Arc::new(Pages::default());
        let router = hub::http::router(hub.clone()).merge(pages.router(hub));
        let settings = Arc::clone(hub.store()) as _;
        let listen = "127.0.0.1:8480".parse().unwrap();
        let (bus, guests) = (hub.bus().clone(), vec![pages]);
        let auth = AccessControl::load(
            settings,
            hub.config(),
            listen,
            guests,
            bus,
            Lease::default(),
        )
        .await;
        let auth = auth.unwrap();
        let browser = Self {
            router: protect(router, auth.clone()),
            auth: Some(auth),
            cookies: Mutex::default(),
        };
        browser.log_in().await;
        browser
    }

    /// Logs in with everything allowed.
    pub async fn log_in(&self) {
        let auth = self.auth.as_ref().expect("a browser with access control");
        let link = auth.login_url().unwrap();
        self.get(link.strip_prefix(auth.url()).unwrap()).await;
    }

    /// Replaces the login by one that sees alone.
    pub async fn log_in_to_view(&self) {
        let link = self.send(
            Method::POST,
            "/api/v1/login-url",
            "application/json",
            r#"{"scope":"read"}"#,
        );
        let link: Value = serde_json::from_str(&link.await.html).unwrap();
        let (_, path) = link["url"].as_str().unwrap().split_once("8480").unwrap();
        self.get(path).await;
    }

    /// Forgets the session, but not that there was one.
    pub fn lose_session(&self) {
        for (_, value) in self.cookies.lock().unwrap().iter_mut() {
            "over".clone_into(value);
        }
    }

    /// Forgets the session as if there had never been one.
    pub fn forget(&self) {
        self.cookies.lock().unwrap().clear();
    }

    pub async fn get(&self, path: &str) -> Shown {
        self.send(Method::GET, path, "text/plain", "").await
    }

    /// Fetches a page again, as the script of an open page does.
    pub async fn renew(&self, path: &str) -> Shown {
        self.ask(Method::GET, path, ("x-renewal", "1"), "").await
    }

    /// Asks with a token instead of the session; returns the status.
    pub async fn asks_as(&self, bearer: &str, path: &str) -> u16 {
        let request = Request::builder()
            .uri(path)
            .header("host", "127.0.0.1:8480")
            .header("authorization", bearer)
            .body(Body::empty())
            .unwrap();
        let response = self.router.clone().oneshot(request).await.unwrap();
        response.status().as_u16()
    }

    /// Follows a redirect to the login, logs in, and returns the page to which that leads.
    pub async fn get_after_login(&self, refused: &Shown) -> Shown {
        let location = refused.location.as_deref().unwrap();
        let next = location.strip_prefix(LOGIN).unwrap();
        self.log_in().await;
        self.get(&next.replace("%3F", "?").replace("%3D", "="))
            .await
    }

    /// Sends a form. A name can stand several times.
    pub async fn post(&self, path: &str, fields: &[(&str, &str)]) -> Shown {
        let pairs = fields
            .iter()
            .map(|(name, value)| format!("{}={}", encoded(name), encoded(value)));
        let body = pairs.collect::<Vec<_>>().join("&");
        self.send(
            Method::POST,
            path,
            "application/x-www-form-urlencoded",
            &body,
        )
        .await
    }

    pub async fn send(&self, method: Method, path: &str, kind: &str, body: &str) -> Shown {
        self.ask(method, path, ("content-type", kind), body).await
    }

    async fn ask(&self, method: Method, path: &str, header: (&str, &str), body: &str) -> Shown {
        let cookies = self.cookies.lock().unwrap().clone();
        let cookies: Vec<String> = cookies
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header("host", "127.0.0.1:8480")
            .header("accept", "text/html")
            .header(header.0, header.1)
            .header("cookie", cookies.join("; "))
            .body(Body::from(body.to_owned()))
            .unwrap();
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        let text = |name: &str| {
            parts
                .headers
                .get(name)
                .map(|value| value.to_str().unwrap().to_owned())
        };
        for cookie in parts.headers.get_all("set-cookie") {
            let cookie = cookie.to_str().unwrap();
            let (name, rest) = cookie.split_once('=').unwrap();
            let value = rest.split(';').next().unwrap();
            let mut cookies = self.cookies.lock().unwrap();
            cookies.retain(|(known, _)| known != name);
            if !value.is_empty() {
                cookies.push((name.to_owned(), value.to_owned()));
            }
        }
        Shown {
            status: parts.status.as_u16(),
            location: text("location"),
            policy: text("content-security-policy").unwrap_or_default(),
            content_type: text("content-type").unwrap_or_default(),
            html: String::from_utf8(body.to_vec()).unwrap(),
        }
    }
}

impl Shown {
    /// Checks that a form was taken, and leads to this path.
    #[track_caller]
    pub fn leads_to(&self, path: &str) {
        assert_eq!(self.status, 303, "{}", self.html);
        assert_eq!(self.location.as_deref(), Some(path));
    }

    /// Checks that a page was shown with this status, and holds a text.
    #[track_caller]
    pub fn shows(&self, status: u16, text: &str) {
        assert_eq!(self.status, status, "{}", self.html);
        assert_eq!(self.content_type, "text/html; charset=utf-8");
        assert!(self.html.contains(text), "no `{text}` in {}", self.html);
    }

    /// Checks that the message stands at a field.
    #[track_caller]
    pub fn refuses(&self, status: u16, field: &str) {
        self.shows(status, &format!("id=\"{field}-e\""));
    }
}

fn encoded(text: &str) -> String {
    let byte = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' => char::from(byte).to_string(),
        _ => format!("%{byte:02X}"),
    };
    text.bytes().map(byte).collect()
}
