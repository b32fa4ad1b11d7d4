//! Access control around a few routes, and requests to them.

use std::collections::HashMap;
use std::convert::Infallible;
use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use api::RequestError;
use async_trait::async_trait;
use axum::Router;
use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, Request, StatusCode};
use axum::response::sse::{Event, Sse};
use axum::routing::{any, get};
use futures_util::StreamExt;
use futures_util::stream::{once, pending};
use http_body_util::BodyExt;
use serde_json::Value;
use tempfile::TempDir;
use tower::ServiceExt;

use super::super::{AccessControl, protect};
use crate::config::Config;
use crate::event::EventBus;
use crate::lease::Lease;
use crate::server::PeerAddresses;
use crate::store::{SettingStore, SiteRecord, StoreError};

/// The other sites in the database.
const OTHER_SITES: [&str; 2] = ["hamburg", "potsdam"];

/// Settings in memory, that can fail.
#[derive(Debug, Default)]
pub(super) struct MemorySettings {
    pub(super) values: Mutex<HashMap<String, String>>,
    pub(super) fails: AtomicBool,
}

#[async_trait]
impl SettingStore for MemorySettings {
    async fn setting(&self, key: &str) -> Result<Option<String>, StoreError> {
        Ok(self.values.lock().unwrap().get(key).cloned())
    }

    async fn save_settings(&self, settings: &[(&str, Option<&str>)]) -> Result<(), StoreError> {
        if self.fails.load(Ordering::Relaxed) {
            return Err(StoreError::Unavailable {
                database: "/state/mains.sqlite".into(),
                what: "written",
                source: "the disk is full".into(),
            });
        }
        let mut values = self.values.lock().unwrap();
        for (key, value) in settings {
            match value {
                Some(value) => values.insert((*key).to_owned(), (*value).to_owned()),
                None => values.remove(*key),
            };
        }
        Ok(())
    }

    async fn other_sites(&self) -> Result<Vec<SiteRecord>, StoreError> {
        let record = |site: &str| SiteRecord {
            site: site.parse().unwrap(),
            url: None,
            age: None,
            summary: Value::Null,
        };
        Ok(OTHER_SITES.map(record).to_vec())
    }
}

impl MemorySettings {
    /// Returns all that is kept, as one text.
    pub(super) fn text(&self) -> String {
        format!("{:?}", self.values.lock().unwrap())
    }
}

/// A hub's front door.
pub(super) struct TestHub {
    pub(super) auth: AccessControl,
    pub(super) memory: Arc<MemorySettings>,
    pub(super) config: Config,
    pub(super) state: Arc<TempDir>,
    listening: SocketAddr,
    router: Router,
    reached: Arc<AtomicUsize>,
}

impl TestHub {
    pub(super) async fn new() -> Self {
        Self::with(([127, 0, 0, 1], 8480), |_| ()).await
    }

    pub(super) async fn with(
        listening: impl Into<SocketAddr>,
        change: impl FnOnce(&mut Config),
    ) -> Self {
        let state = Arc::new(tempfile::tempdir().unwrap());
        let mut config = Config::in_state(state.path());
        change(&mut config);
        Self::open(state, config, Arc::default(), listening.into())
            .await
            .unwrap()
    }

    pub(super) async fn open(
        state: Arc<TempDir>,
        config: Config,
        memory: Arc<MemorySettings>,
        listening: SocketAddr,
    ) -> Result<Self, RequestError> {
        let settings = Arc::clone(&memory) as Arc<dyn SettingStore>;
        let auth = AccessControl::load(
            settings,
            &config,
            listening,
            Vec::new(),
            EventBus::new(),
            Lease::default(),
        )
        .await?;
        let reached = Arc::default();
        Ok(Self {
            router: protect(rooms(Arc::clone(&reached)), auth.clone()),
            auth,
            memory,
            config,
            state,
            listening,
            reached,
        })
    }

    /// Returns the hub after a new start.
    pub(super) async fn restarted(&self) -> Self {
        let (state, memory) = (Arc::clone(&self.state), Arc::clone(&self.memory));
        Self::open(state, self.config.clone(), memory, self.listening)
            .await
            .unwrap()
    }

    pub(super) fn admin_file(&self) -> PathBuf {
        self.state.path().join("admin-token")
    }

    pub(super) fn admin(&self) -> String {
        fs::read_to_string(self.admin_file())
            .unwrap()
            .trim()
            .to_owned()
    }

    /// Returns how many requests came through.
    pub(super) fn reached(&self) -> usize {
        self.reached.load(Ordering::Relaxed)
    }

    pub(super) async fn ask(&self, asking: AuthRequest) -> AuthResponse {
        let response = self.open_answer(asking).await;
        let (parts, body) = response.into_parts();
        AuthResponse {
            status: parts.status,
            headers: parts.headers,
            body: body.collect().await.unwrap().to_bytes(),
        }
    }

    /// Asks, and leaves the body to be read.
    pub(super) async fn open_answer(&self, asking: AuthRequest) -> axum::response::Response {
        let mut request = Request::new(Body::from(asking.body));
        *request.method_mut() = asking.method;
        *request.uri_mut() = asking.uri.parse().unwrap();
        *request.headers_mut() = asking.headers;
        request.extensions_mut().insert(PeerAddresses {
            remote: asking.remote,
            local: self.listening,
        });
        self.router.clone().oneshot(request).await.unwrap()
    }

    /// Sets the password with the admin token.
    pub(super) async fn set_password(&self, password: &str) {
        let body = serde_json::json!({ "password": password }).to_string();
        let answer = self
            .ask(AuthRequest::put("/api/v1/password", &body).admin(self))
            .await;
        assert_eq!(answer.status, StatusCode::NO_CONTENT);
    }

    /// Logs a browser in and returns its cookie.
    pub(super) async fn log_in(&self, password: &str) -> String {
        let answer = self.ask(AuthRequest::login(password)).await;
        assert_eq!(answer.status, StatusCode::NO_CONTENT);
        answer.cookie()
    }

    /// Returns true if this request reaches a route.
    pub(super) async fn lets_in(&self, asking: AuthRequest) -> bool {
        self.ask(asking).await.status == StatusCode::OK
    }
}

/// Routes behind the checks.
fn rooms(reached: Arc<AtomicUsize>) -> Router {
    let count = move || {
        let reached = Arc::clone(&reached);
        move || async move {
            reached.fetch_add(1, Ordering::Relaxed);
            "a room"
        }
    };
    let events = async || {
        let first = once(async { Ok::<_, Infallible>(Event::default().data("first")) });
        Sse::new(first.chain(pending()))
    };
    let asset = async || ([("cache-control", "max-age=31536000, immutable")], "p {}");
    Router::new()
        .route("/", get(count()))
        .route("/healthz", get(count()))
        .route("/metrics", get(count()))
        .route("/api/v1/plugs", any(count()))
        .route("/api/v1/plugs/{mac}", any(count()))
        .route("/api/v1/events", get(events))
        .route("/asset.css", get(asset))
        .fallback(async || (StatusCode::NOT_FOUND, "no such room"))
}

/// A request to be.
#[derive(Clone)]
pub(super) struct AuthRequest {
    method: Method,
    uri: String,
    headers: HeaderMap,
    body: String,
    remote: SocketAddr,
}

impl AuthRequest {
    pub(super) fn new(method: Method, uri: &str) -> Self {
        Self {
            method,
            uri: uri.to_owned(),
            headers: HeaderMap::from_iter([(
                axum::http::header::HOST,
                HeaderValue::from_static("localhost:8480"),
            )]),
            body: String::new(),
            remote: ([127, 0, 0, 1], 50_000).into(),
        }
    }

    pub(super) fn get(uri: &str) -> Self {
        Self::new(Method::GET, uri)
    }

    pub(super) fn post(uri: &str, body: &str) -> Self {
        Self::new(Method::POST, uri).json(body)
    }

    pub(super) fn put(uri: &str, body: &str) -> Self {
        Self::new(Method::PUT, uri).json(body)
    }

    pub(super) fn delete(uri: &str) -> Self {
        Self::new(Method::DELETE, uri)
    }

    pub(super) fn login(password: &str) -> Self {
        let body = serde_json::json!({ "password": password }).to_string();
        Self::post("/api/v1/login", &body)
    }

    fn json(mut self, body: &str) -> Self {
        body.clone_into(&mut self.body);
        self.with("content-type", "application/json")
    }

    /// Sets a header.
    pub(super) fn with(mut self, name: &str, value: &str) -> Self {
        let name: HeaderName = name.parse().unwrap();
        self.headers.insert(name, value.parse().unwrap());
        self
    }

    /// Adds a header that may be there already.
    pub(super) fn and(mut self, name: &str, value: &str) -> Self {
        let name: HeaderName = name.parse().unwrap();
        self.headers.append(name, value.parse().unwrap());
        self
    }

    pub(super) fn without(mut self, name: &str) -> Self {
        self.headers.remove(name);
        self
    }

    pub(super) fn token(self, token: &str) -> Self {
        self.with("authorization", &format!("Bearer {token}"))
    }

    pub(super) fn admin(self, fixture: &TestHub) -> Self {
        self.token(&fixture.admin())
    }

    pub(super) fn from(mut self, remote: &str) -> Self {
        self.remote = SocketAddr::new(remote.parse().unwrap(), 50_000);
        self
    }
}

/// A response.
#[derive(Debug)]
pub(super) struct AuthResponse {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

impl AuthResponse {
    pub(super) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or(Value::Null)
    }

    /// Returns `name=value` of the cookie that was set.
    pub(super) fn cookie(&self) -> String {
        let cookie = self.headers["set-cookie"].to_str().unwrap();
        cookie.split(';').next().unwrap().to_owned()
    }
}
