//! A hub on standby: it passes requests on to the active hub of its site, and answers from the database what only reads while the
//! active hub cannot be reached.
//!
//! * [`pass`]: passing on. `own`: what is about the standby itself. `follower`: the handle on what the database holds, without contact to plugs.

mod follower;
mod own;
mod pass;
mod problem;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use api::RequestError;
use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::http::request::Parts;
use axum::http::{Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use tokio::sync::Mutex;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

use crate::auth::{PassedOn, PassingGate, StandbyNote};
use crate::context::{HubReady, RunContext};
use crate::guest::PathAccess;
use crate::http;
use crate::http::problem::Problem;
use follower::Follower;
use own::OwnPart;
pub(crate) use pass::NOT_ACTIVE;
use pass::{PassError, Passer};
use problem::away;

/// Delay before the database is read again after it could not be.
const RETRY_DELAY: Duration = Duration::from_secs(5);

/// A hub on standby. Clones share it.
#[derive(Debug, Clone)]
pub(crate) struct StandbyHub(Arc<StandbyShared>);

#[derive(Debug)]
struct StandbyShared {
    context: RunContext,
    passer: Passer,
    content: Mutex<Content>,
    /// True after a change in the database.
    is_stale: AtomicBool,
}

/// The content of the database when it was last read.
#[derive(Debug, Default)]
struct Content {
    follower: Option<Follower>,
    /// Time at which it could not be read, unless it has been since.
    failed: Option<Instant>,
}

impl StandbyHub {
    /// Makes it; nothing is read yet.
    ///
    /// # Errors
    ///
    /// [`RequestError`] for settings that cannot be used.
    pub(crate) fn new(context: RunContext) -> Result<Self, RequestError> {
        let gate = PassingGate::new(&context.config, context.address)?;
        Ok(Self(Arc::new(StandbyShared {
            passer: Passer::new(context.lease.clone(), gate),
            context,
            content: Mutex::default(),
            is_stale: AtomicBool::new(false),
        })))
    }

    /// Records that the database has changed.
    pub(crate) fn changed(&self) {
        self.0.is_stale.store(true, Ordering::Relaxed);
    }

    /// Reads the database for the first time. Returns the URL of this hub and a link that logs a browser in.
    ///
    /// # Errors
    ///
    /// [`RequestError`] if the hub cannot be used, e.g. by other machines without a password.
    pub(crate) async fn ready(&self) -> Result<HubReady, RequestError> {
        let follower = Follower::read(&self.0.context).await?;
        let ready = follower.ready().await?;
        self.0.content.lock().await.follower = Some(follower);
        Ok(ready)
    }

    /// Returns what is served until cancelled.
    pub(crate) fn router(&self, cancel: CancellationToken) -> Router {
        let standby = self.clone();
        Router::new().fallback(move |request: Request| {
            let (standby, cancel) = (standby.clone(), cancel.clone());
            async move {
                let answer = cancel.run_until_cancelled(standby.answer(request)).await;
                answer.unwrap_or_else(|| away("this hub changes its role").into_response())
            }
        })
    }

    async fn answer(&self, request: Request) -> Response {
        let passer = &self.0.passer;
        let (parts, body) = request.into_parts();
        if PassedOn::of(&parts.headers, &self.0.context.lease).is_some() {
            // It is passed on only once, or two hubs could pass it to each other for ever.
            return pass::not_active();
        }
        let mut unwrapped = passer.gate.unwrapped(parts.clone());
        if unwrapped.uri().path() == http::HEALTH_PATH {
            // Without the database, which may not reply.
            return http::health().await.into_response();
        }
        if self.is_public(unwrapped.uri().path()) {
            return self.answer_itself(Request::from_parts(parts, body)).await;
        }
        let path = unwrapped.uri().path();
        let is_read = matches!(parts.method, Method::GET | Method::HEAD);
        // The database has no answer in place of a device's, which can take long.
        let is_stored = is_read && !http::asks_device(path);
        let own = OwnPart::of(path).filter(|_| is_read);
        if own.is_some() {
            // It is read here.
            unwrapped.headers_mut().remove(header::ACCEPT_ENCODING);
        }
        let passed = match (passer.pass(unwrapped, body, is_stored).await, own) {
            (Ok(answer), Some(own)) if answer.status() == StatusCode::OK => {
                let replaced = own.replaced(answer, &self.0.context).await;
                replaced.ok_or_else(|| PassError::Away("the active hub was lost".to_owned()))
            }
            (passed, _) => passed,
        };
        match passed {
            Ok(response) => response,
            Err(PassError::Refused(error)) => Problem::from(error).into_response(),
            // A login begins a session, which only the active hub can.
            Err(PassError::Away(_)) if is_stored && !is_login_link(&parts) => {
                let request = Request::from_parts(parts, Body::empty());
                self.answer_itself(request).await
            }
            Err(PassError::Away(why)) => self.refuse(parts, &why).await,
        }
    }

    /// Returns true for what is the same on each hub, as the styles of pages.
    fn is_public(&self, path: &str) -> bool {
        let mut guests = self.0.context.guests.iter();
        guests.any(|guest| guest.access(path) == PathAccess::Public)
    }

    /// Returns the sentence for pages that the active hub does not answer.
    fn note(&self) -> StandbyNote {
        let active = self.0.context.lease.active_hub();
        let at = active.map_or_else(String::new, |hub| format!(" at {}", hub.url));
        StandbyNote(format!(
            "This hub is on standby, and the active hub{at} cannot be reached. What is shown was stored before."
        ))
    }

    /// Answers from what the database holds.
    async fn answer_itself(&self, mut request: Request) -> Response {
        request.extensions_mut().insert(self.note());
        match self.follower().await {
            Ok(router) => router.oneshot(request).await.into_response(),
            Err(error) => {
                tracing::debug!(error = error.message(), "the database cannot be read");
                away("neither the active hub of this site nor the database can be reached")
                    .into_response()
            }
        }
    }

    /// Returns a problem, as a page if a browser has asked for one.
    async fn refuse(&self, parts: Parts, why: &str) -> Response {
        tracing::warn!(path = parts.uri.path(), "a request is not passed on: {why}");
        away(why).into_response()
    }

    /// Returns what is served from the database, as new as a change that was heard of, or a few seconds old.
    async fn follower(&self) -> Result<Router, RequestError> {
        let mut content = self.0.content.lock().await;
        let is_stale = self.0.is_stale.swap(false, Ordering::Relaxed);
        let known = content.follower.as_ref();
        let is_good = known.is_some_and(|it| !is_stale && it.is_fresh());
        // One that hangs costs each request its time limit, one request after the other.
        let has_failed = content.failed.is_some_and(|at| at.elapsed() < RETRY_DELAY);
        if !is_good && !has_failed {
            match Follower::read(&self.0.context).await {
                Ok(follower) => {
                    *content = Content {
                        follower: Some(follower),
                        failed: None,
                    }
                }
                Err(error) => {
                    content.failed = Some(Instant::now());
                    tracing::debug!(error = error.message(), "what was read before is shown");
                }
            }
        }
        if content.failed.is_some() {
            self.changed();
        }
        let follower = content.follower.as_ref().ok_or_else(|| {
            RequestError::unavailable("the database could not be read a few seconds ago")
        });
        Ok(follower?.router())
    }
}

/// Returns true for the link of a login.
fn is_login_link(parts: &Parts) -> bool {
    parts.uri.path().ends_with("/login")
        && parts
            .uri
            .query()
            .is_some_and(|query| query.contains("token="))
}
