//! Logging a browser in and out: by a link, by the password.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use api::{ErrorKind, RequestError};
use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Extension, Query, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tokio::time::Instant;
use utoipa::ToSchema;

use super::super::gate::{Called, Caller, unauthenticated};
use super::super::sessions::Origin;
use super::super::{ASKED_LINK, Secret, Trust, pages, password};
use super::{Input, LARGEST_BODY, not_allowed};
use crate::http::problem::{Problem, ProblemJson};
use crate::server::Peer;

#[derive(Debug, Deserialize)]
pub(super) struct LinkQuery {
    token: Option<Secret>,
}

/// Log a browser in by a link
///
/// Sets the session's cookie and leads to `/`.
#[utoipa::path(get, path = "/login", tag = "trust", params(
    ("token" = String, Query, description = "The token of the link; it works once"),
), security(()), responses(
    (status = 303, description = "Logged in"),
    (status = 401, description = "The link has been used, or is too old", body = ProblemJson, content_type = "application/problem+json"),
))]
pub(super) async fn follow_link(
    State(trust): State<Trust>,
    method: Method,
    headers: HeaderMap,
    query: Result<Query<LinkQuery>, QueryRejection>,
) -> Result<Response, Problem> {
    // A look at the headers alone must not use the link up.
    if method != Method::GET {
        let allowed = HeaderValue::from_static("GET");
        return Err(not_allowed(method).await.header(header::ALLOW, allowed));
    }
    let home = Redirect::to("/");
    let token = query?.0.token;
    let origin = token.and_then(|token| trust.state().links.take(&token.digest(), Instant::now()));
    if let Some(origin) = origin {
        let cookie = trust.begin_session(origin)?;
        return Ok(([(header::SET_COOKIE, cookie)], home).into_response());
    }
    // A browser that has fetched the page ahead is logged in by now.
    if trust.session(&headers).is_some() {
        return Ok(home.into_response());
    }
    if pages::wanted(&headers) {
        return Ok(pages::link_is_used());
    }
    Err(unauthenticated("this link has been used, or is too old"))
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Login {
    #[schema(value_type = String)]
    password: Secret,
}

/// Log a browser in by the password
#[utoipa::path(post, path = "/api/v1/login", tag = "trust", security(()), request_body = Login, responses(
    (status = 204, description = "Logged in; the session is in a cookie"),
    (status = 401, description = "The password is wrong, or none is set", body = ProblemJson, content_type = "application/problem+json"),
    (status = 429, description = "Too many tries; `Retry-After` says when the next may be", body = ProblemJson, content_type = "application/problem+json"),
))]
pub(super) async fn log_in(
    State(trust): State<Trust>,
    peer: Option<Extension<Peer>>,
    Input(login): Input<Login, LARGEST_BODY>,
) -> Result<Response, Problem> {
    let remote = remote(peer);
    trust.check_password(login.password, remote).await?;
    let cookie = trust.begin_session(Origin::Password)?;
    tracing::info!(%remote, "logged in with the password");
    Ok((StatusCode::NO_CONTENT, [(header::SET_COOKIE, cookie)]).into_response())
}

/// End the session
#[utoipa::path(post, path = "/api/v1/logout", tag = "trust", responses(
    (status = 204, description = "Logged out"),
))]
pub(super) async fn log_out(
    State(trust): State<Trust>,
    Extension(caller): Extension<Caller>,
) -> Result<Response, Problem> {
    if let Some(session) = caller.session() {
        trust.state().sessions.end(&session);
    }
    let cookie = trust.forget_session()?;
    Ok((StatusCode::NO_CONTENT, [(header::SET_COOKIE, cookie)]).into_response())
}

/// A link that logs one browser in, once.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct LoginUrl {
    /// The link.
    url: String,
    /// Until when it works.
    #[schema(value_type = String, format = DateTime)]
    expires: Timestamp,
}

/// Make a link that logs one browser in
#[utoipa::path(post, path = "/api/v1/login-url", tag = "trust", responses(
    (status = 200, body = LoginUrl),
))]
pub(super) async fn make_link(
    State(trust): State<Trust>,
    Extension(caller): Extension<Caller>,
    Extension(Called(called)): Extension<Called>,
) -> Result<Json<LoginUrl>, Problem> {
    // By the name that reached the hub, which has been checked: from there the link is reached as well.
    let scheme = if trust.0.is_tls { "https" } else { "http" };
    let url = trust.link(&format!("{scheme}://{called}"), caller.origin(), ASKED_LINK)?;
    let expires = Timestamp::now() + ASKED_LINK;
    Ok(Json(LoginUrl { url, expires }))
}

pub(super) fn remote(peer: Option<Extension<Peer>>) -> IpAddr {
    // Without a connection there is nobody to tell apart.
    peer.map_or(Ipv4Addr::UNSPECIFIED.into(), |Extension(peer)| {
        peer.remote.ip().to_canonical()
    })
}

impl Trust {
    /// Compares with the password, as often as one may.
    pub(super) async fn check_password(
        &self,
        given: Secret,
        remote: IpAddr,
    ) -> Result<(), Problem> {
        let kept = {
            let mut state = self.state();
            let tried = state.pace.try_now(remote, Instant::now());
            tried.map_err(too_often)?;
            state.password.clone()
        };
        if password::verify(given, kept).await {
            return Ok(());
        }
        tracing::warn!(%remote, "a wrong password was tried");
        Err(unauthenticated("the password is wrong, or none is set"))
    }
}

fn too_often(wait: Duration) -> Problem {
    let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
    let error = RequestError::new(ErrorKind::Forbidden, "too many passwords were tried").hint(
        format!("try again in {seconds} s, or use a token or a login link"),
    );
    Problem::from(error)
        .status(StatusCode::TOO_MANY_REQUESTS)
        .header(header::RETRY_AFTER, HeaderValue::from(seconds))
}
