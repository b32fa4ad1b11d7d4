//! Guests: parts of the program that work on the hub's handle, and that the hub does not know, e.g. the pages and MQTT.

use std::fmt::Debug;
use std::sync::Arc;

use api::{RequestError, Scope};
use async_trait::async_trait;
use axum::Router;
use axum::http::HeaderMap;
use axum::response::Response;
use prometheus_client::metrics::MetricType;
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use crate::auth::PathPrefix;
use crate::hub::Hub;

/// A part of the program that runs beside the API on the hub's handle. Whoever runs the hub chooses its guests.
#[async_trait]
pub trait Guest: Debug + Send + Sync {
    /// Returns the paths that it serves, in addition to those of the API and behind the same access control.
    fn router(&self, hub: &Hub) -> Router {
        let _ = hub;
        Router::new()
    }

    /// Returns the access that one of its paths needs. A path of the API is never asked for.
    fn access<'p>(&self, path: &'p str) -> PathAccess<'p> {
        let _ = path;
        PathAccess::Protected
    }

    /// Draws the login page, if pages are its business.
    fn login_page(&self, login: &LoginPage<'_>) -> Option<Response> {
        let _ = login;
        None
    }

    /// Draws the page of a request that was refused, if pages are its business.
    fn refusal_page(&self, refusal: &RefusalPage<'_>) -> Option<Response> {
        let _ = refusal;
        None
    }

    /// Keeps a form that a browser has sent to a path after its session had ended. Returns the page, with its query, that shows the
    /// form again after the login.
    fn keep_form(&self, path: &str, body: &[u8]) -> Option<String> {
        let _ = (path, body);
        None
    }

    /// Returns the name and the state of what it connects to, for the status of the hub.
    fn status(&self) -> Option<(&'static str, Value)> {
        None
    }

    /// Returns its metrics.
    fn metrics(&self) -> Vec<GuestMetric> {
        Vec::new()
    }

    /// Works until cancelled. Its end ends nothing else.
    async fn run(self: Arc<Self>, hub: Hub, cancel: CancellationToken) {
        let _ = (hub, cancel);
    }
}

/// The SHA-256 of the only inline style of a page, in Base64: an extension of its response, whose policy then allows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InlineStyle(pub &'static str);

/// Access that a path needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PathAccess<'p> {
    /// None: what is there is the same for everybody and no secret.
    Public,
    /// A login, and a browser without one is sent to the login page. The path of the page to which it returns afterwards.
    Page(&'p str),
    /// A token or a login.
    Protected,
}

/// Content of the login page.
#[derive(Debug, Clone, Copy)]
pub struct LoginPage<'a> {
    /// Path to which the login leads.
    pub next: &'a str,
    /// Reason why the last attempt failed.
    pub problem: Option<LoginProblem>,
    /// Headers of the request.
    pub headers: &'a HeaderMap,
    /// Prefix of all links.
    pub prefix: &'a PathPrefix,
}

/// Content of the page of a request that was refused before it reached a page.
#[derive(Debug, Clone, Copy)]
pub struct RefusalPage<'a> {
    /// The reason.
    pub error: &'a RequestError,
    /// Access of the visitor; `None` without a login.
    pub scope: Option<Scope>,
    /// Headers of the request.
    pub headers: &'a HeaderMap,
    /// Prefix of all links.
    pub prefix: &'a PathPrefix,
}

/// Reason why a login failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LoginProblem {
    /// The password is wrong, or none is set.
    WrongPassword,
    /// The link was used or has expired.
    UsedLink,
    /// Too many attempts; the seconds until the next.
    TooManyAttempts(u64),
}

/// A metric of a guest, for `/metrics`.
#[derive(Debug, Clone, Copy)]
pub struct GuestMetric {
    /// Its name, e.g. `mains_mqtt_connected`; a counter ends in `_total`.
    pub name: &'static str,
    /// Its meaning.
    pub help: &'static str,
    /// The kind of the metric.
    pub kind: MetricKind,
    /// Its value.
    pub value: u64,
}

/// The kind of a metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MetricKind {
    /// Goes up and down.
    Gauge,
    /// Only goes up.
    Counter,
}

impl From<MetricKind> for MetricType {
    fn from(kind: MetricKind) -> Self {
        match kind {
            MetricKind::Gauge => Self::Gauge,
            MetricKind::Counter => Self::Counter,
        }
    }
}
