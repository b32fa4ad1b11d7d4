//! Logging in and out, tokens, and the password.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use axum::extract::rejection::QueryRejection;
use axum::extract::{DefaultBodyLimit, Extension, FromRequest, Path, Query, Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use axum::{Json, Router};
use jiff::Timestamp;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize};
use tokio::time::{Instant, timeout};
use utoipa::ToSchema;
use utoipa::openapi::OpenApi;
use utoipa::openapi::security::{ApiKey, ApiKeyValue, Http, HttpAuthScheme, SecurityScheme};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::gate::{Called, Caller, unauthenticated};
use super::sessions::Origin;
use super::tokens::TokenInfo;
use super::{ASKED_LINK, Secret, Trust, admin, pages, password};
use crate::error::{HubError, Kind};
use crate::http::problem::{Problem, ProblemJson};
use crate::server::Peer;

/// No body here is larger.
const LARGEST_BODY: usize = 16 * 1024;
/// A body is here in this time: who is not known yet holds nothing for long.
const BODY_TIME: Duration = Duration::from_secs(10);

/// Returns the routes.
pub(super) fn router(trust: Trust) -> Router {
    let (router, _) = described().split_for_parts();
    router
        .route("/", axum::routing::get(async || pages::home()))
        .method_not_allowed_fallback(not_allowed)
        .layer(DefaultBodyLimit::max(LARGEST_BODY))
        .with_state(trust)
}

/// Returns the description of the routes, and of how one says who he is.
pub fn openapi() -> OpenApi {
    let mut openapi = described().into_openapi();
    let components = openapi.components.get_or_insert_default();
    let token = SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer));
    components.add_security_scheme("token", token);
    let session = SecurityScheme::ApiKey(ApiKey::Cookie(ApiKeyValue::new("mains_session_8480")));
    components.add_security_scheme("session", session);
    openapi
}

fn described() -> OpenApiRouter<Trust> {
    OpenApiRouter::new()
        .routes(routes!(follow_link))
        .routes(routes!(log_in))
        .routes(routes!(log_out))
        .routes(routes!(make_link))
        .routes(routes!(list_tokens, make_token))
        .routes(routes!(revoke_token))
        .routes(routes!(set_password))
}

async fn not_allowed(method: Method) -> Problem {
    let error = HubError::usage(format!("{method} makes no sense here"));
    Problem::from(error).status(StatusCode::METHOD_NOT_ALLOWED)
}

/// A JSON body, bounded in size and time.
struct Input<T>(T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Input<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        match timeout(BODY_TIME, Json::from_request(request, state)).await {
            Ok(body) => Ok(Self(body?.0)),
            Err(_) => Err(HubError::usage("the body did not come in time").into()),
        }
    }
}

#[derive(Debug, Deserialize)]
struct LinkQuery {
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
async fn follow_link(
    State(trust): State<Trust>,
    method: Method,
    headers: HeaderMap,
    query: Result<Query<LinkQuery>, QueryRejection>,
) -> Result<Response, Problem> {
    // A look at the headers alone must not use the link up.
    if method != Method::GET {
        return Err(not_allowed(method).await);
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
struct Login {
    #[schema(value_type = String)]
    password: Secret,
}

/// Log a browser in by the password
#[utoipa::path(post, path = "/api/v1/login", tag = "trust", security(()), request_body = Login, responses(
    (status = 204, description = "Logged in; the session is in a cookie"),
    (status = 400, body = ProblemJson, content_type = "application/problem+json"),
    (status = 401, description = "The password is wrong, or none is set", body = ProblemJson, content_type = "application/problem+json"),
    (status = 429, description = "Too many tries; `Retry-After` says when the next may be", body = ProblemJson, content_type = "application/problem+json"),
))]
async fn log_in(
    State(trust): State<Trust>,
    peer: Option<Extension<Peer>>,
    Input(login): Input<Login>,
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
    (status = 401, body = ProblemJson, content_type = "application/problem+json"),
))]
async fn log_out(
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
struct LoginUrl {
    /// The link.
    url: String,
    /// Until when it works.
    #[schema(value_type = String, format = DateTime)]
    expires: Timestamp,
}

/// Make a link that logs one browser in
#[utoipa::path(post, path = "/api/v1/login-url", tag = "trust", responses(
    (status = 200, body = LoginUrl),
    (status = 401, body = ProblemJson, content_type = "application/problem+json"),
))]
async fn make_link(
    State(trust): State<Trust>,
    Extension(caller): Extension<Caller>,
    Extension(Called(called)): Extension<Called>,
) -> Result<Json<LoginUrl>, HubError> {
    // By the name that reached the hub, which has been checked: from there the link is reached as well.
    let scheme = if trust.0.is_tls { "https" } else { "http" };
    let url = trust.link(&format!("{scheme}://{called}"), caller.origin(), ASKED_LINK)?;
    let expires = Timestamp::now() + ASKED_LINK;
    Ok(Json(LoginUrl { url, expires }))
}

/// List the tokens
#[utoipa::path(get, path = "/api/v1/tokens", tag = "trust", responses(
    (status = 200, body = [TokenInfo]),
    (status = 401, body = ProblemJson, content_type = "application/problem+json"),
))]
async fn list_tokens(State(trust): State<Trust>) -> Json<Vec<TokenInfo>> {
    Json(trust.state().tokens.list())
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewToken {
    /// What it is for.
    name: String,
}

/// A token that was just made.
#[derive(Debug, Serialize, ToSchema)]
struct MadeToken {
    #[serde(flatten)]
    info: TokenInfo,
    /// The token itself. It is never shown again.
    token: String,
}

/// Make a token
#[utoipa::path(post, path = "/api/v1/tokens", tag = "trust", request_body = NewToken, responses(
    (status = 201, description = "Made; this is the only time that the token itself is shown", body = MadeToken),
    (status = 400, body = ProblemJson, content_type = "application/problem+json"),
    (status = 401, body = ProblemJson, content_type = "application/problem+json"),
    (status = 409, description = "The name is taken, or there are too many", body = ProblemJson, content_type = "application/problem+json"),
))]
async fn make_token(
    State(trust): State<Trust>,
    Input(new): Input<NewToken>,
) -> Result<Response, Problem> {
    let token = Secret::random()?;
    let digest = token.digest();
    let info = trust
        .change_tokens(|tokens| tokens.add(&new.name, digest, Timestamp::now()))
        .await?;
    tracing::info!(id = %info.id, name = info.name, "a token was made");
    let location = format!("/api/v1/tokens/{}", info.id);
    let made = MadeToken {
        info,
        token: token.reveal().to_owned(),
    };
    Ok((
        StatusCode::CREATED,
        [(header::LOCATION, location)],
        Json(made),
    )
        .into_response())
}

/// Revoke a token
///
/// What it is being answered is cut off, and browsers that were logged in with it are logged out. In place of the admin token a
/// new one is made in its file.
#[utoipa::path(delete, path = "/api/v1/tokens/{id}", tag = "trust", params(("id" = String, Path,)), responses(
    (status = 204, description = "Revoked"),
    (status = 401, body = ProblemJson, content_type = "application/problem+json"),
    (status = 404, body = ProblemJson, content_type = "application/problem+json"),
))]
async fn revoke_token(
    State(trust): State<Trust>,
    Path(id): Path<String>,
) -> Result<StatusCode, Problem> {
    let info = trust.state().tokens.one(&id).cloned();
    let info = info.ok_or_else(|| {
        let shown: String = id.chars().take(64).collect();
        HubError::not_found(format!("there is no token '{shown}'"))
    })?;
    trust.revoke(&info).await?;
    tracing::info!(id = %info.id, name = info.name, "a token was revoked");
    Ok(StatusCode::NO_CONTENT)
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewPassword {
    /// The new password; null takes it away, so that only tokens and links let anybody in.
    #[serde(deserialize_with = "nullable")]
    #[schema(value_type = Option<String>, required)]
    password: Option<Secret>,
    /// The password until now; needed in a session that began with it.
    #[schema(value_type = Option<String>)]
    current: Option<Secret>,
}

/// May be null, but not left out.
fn nullable<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Secret>, D::Error> {
    Option::deserialize(deserializer)
}

/// Set the password
///
/// All browsers but the one that asks are logged out.
#[utoipa::path(put, path = "/api/v1/password", tag = "trust", request_body = NewPassword, responses(
    (status = 204, description = "Set, or taken away"),
    (status = 400, body = ProblemJson, content_type = "application/problem+json"),
    (status = 401, body = ProblemJson, content_type = "application/problem+json"),
    (status = 403, description = "The current password is wrong", body = ProblemJson, content_type = "application/problem+json"),
    (status = 409, description = "A hub that others can reach needs a password", body = ProblemJson, content_type = "application/problem+json"),
    (status = 429, body = ProblemJson, content_type = "application/problem+json"),
))]
async fn set_password(
    State(trust): State<Trust>,
    Extension(caller): Extension<Caller>,
    peer: Option<Extension<Peer>>,
    Input(new): Input<NewPassword>,
) -> Result<StatusCode, Problem> {
    let is_set = trust.state().password.is_some();
    match new.current {
        Some(current) if is_set => {
            let checked = trust.check_password(current, remote(peer)).await;
            checked.map_err(|problem| match problem.kind() {
                Kind::Unauthenticated => wrong_current().into(),
                _ => problem,
            })?;
        }
        None if is_set && caller.origin() == Origin::Password => return Err(wrong_current().into()),
        _ => {}
    }
    trust.set_password(new.password, &caller).await?;
    Ok(StatusCode::NO_CONTENT)
}

fn wrong_current() -> HubError {
    HubError::new(Kind::Forbidden, "the current password is another").at("current")
}

fn remote(peer: Option<Extension<Peer>>) -> IpAddr {
    // Without a connection there is nobody to tell apart.
    peer.map_or(Ipv4Addr::UNSPECIFIED.into(), |Extension(peer)| {
        peer.remote.ip().to_canonical()
    })
}

impl Trust {
    /// Compares with the password, as often as one may.
    async fn check_password(&self, given: Secret, remote: IpAddr) -> Result<(), Problem> {
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

    async fn set_password(&self, new: Option<Secret>, caller: &Caller) -> Result<(), Problem> {
        let kept = match new {
            Some(new) => {
                password::check(&new)?;
                Some(password::hash(new).await?)
            }
            None => {
                super::check_listen(self.0.listening, false)
                    .map_err(|error| HubError::conflict(error.message()))?;
                None
            }
        };
        let _turn = self.0.changing.lock().await;
        self.write(super::settings::PASSWORD, kept.as_deref())
            .await?;
        let mut state = self.state();
        tracing::info!(is_set = kept.is_some(), "the password was changed");
        state.password = kept;
        state.sessions.end_others(caller.session());
        state.links.end_all();
        Ok(())
    }

    async fn revoke(&self, info: &TokenInfo) -> Result<(), HubError> {
        let fresh = if info.admin {
            Some(self.renew_admin_token().await?.digest())
        } else {
            None
        };
        let old = self.state().tokens.clone();
        self.change_tokens(|tokens| {
            *tokens = tokens.without(&info.id);
            if let Some(fresh) = fresh {
                tokens.set_admin(fresh, Timestamp::now());
            }
            Ok(())
        })
        .await?;
        old.end(&info.id);
        let origin = Origin::Token(info.id.clone());
        let mut state = self.state();
        state.sessions.end_from(&origin);
        state.links.end_from(&origin);
        Ok(())
    }

    async fn renew_admin_token(&self) -> Result<Secret, HubError> {
        let path = self.0.admin_token.clone();
        let made = tokio::task::spawn_blocking(move || admin::make(&path)).await;
        made.map_err(|_| HubError::unavailable("the hub is about to end"))?
    }
}

fn too_often(wait: Duration) -> Problem {
    let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
    let error = HubError::new(Kind::Forbidden, "too many passwords were tried").hint(format!(
        "try again in {seconds} s, or use a token or a login link"
    ));
    Problem::from(error)
        .status(StatusCode::TOO_MANY_REQUESTS)
        .header(header::RETRY_AFTER, HeaderValue::from(seconds))
}
