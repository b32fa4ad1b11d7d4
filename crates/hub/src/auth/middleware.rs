//! The checks of a request in their order: host, origin, credentials. And the headers of every response.

use std::convert::Infallible;

use api::{Cause, ErrorKind, RequestError, Scope};
use axum::Router;
use axum::extract::{FromRequestParts, Request, State};
use axum::http::header::{self, HeaderName};
use axum::http::request::Parts;
use axum::http::uri::Authority;
use axum::http::{HeaderMap, HeaderValue, Method};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use tokio_util::sync::CancellationToken;

use super::forwarded::{self, IsSecure};
use super::pages;
use super::prefix::PathPrefix;
use super::secret::CredentialDigest;
use super::sessions::{Login, LoginOrigin};
use super::{AccessControl, Credential, host, scope};
use crate::config::FrameOrigin;
use crate::event::on_behalf_of;
use crate::guest::PathAccess;
use crate::http::problem::Problem;
use crate::server::{PeerAddresses, ShownCredentials, end_when_cancelled};

/// Exact paths that need no credentials. Every other path does, whether it exists or not.
const PUBLIC_PATHS: [&str; 3] = ["/healthz", "/login", "/api/v1/login"];

/// Pages load script and style from the hub alone; nothing is inline, framed, or from elsewhere.
const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; font-src 'self'; \
    connect-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

/// Returns the policy that lets pages of these origins frame those of the hub; `None` without any.
pub(super) fn frame_policy(origins: &[FrameOrigin]) -> Option<HeaderValue> {
    if origins.is_empty() {
        return None;
    }
    let origins: Vec<_> = origins.iter().map(FrameOrigin::as_str).collect();
    let ancestors = format!("frame-ancestors 'self' {}", origins.join(" "));
    let policy = CONTENT_SECURITY_POLICY.replace("frame-ancestors 'none'", &ancestors);
    HeaderValue::try_from(policy).ok()
}

/// Headers of every response. No HSTS: it would apply to all other services of the same machine, too.
const RESPONSE_HEADERS: [(HeaderName, &str); 7] = [
    (header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::X_FRAME_OPTIONS, "DENY"),
    // With `no-referrer` browsers send forms of our own pages with `Origin: null`.
    (header::REFERRER_POLICY, "same-origin"),
    (
        HeaderName::from_static("cross-origin-opener-policy"),
        "same-origin",
    ),
    (
        HeaderName::from_static("cross-origin-resource-policy"),
        "same-origin",
    ),
    (
        HeaderName::from_static("permissions-policy"),
        "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    ),
];

/// Identity behind a request; an extension of every request that needs credentials.
#[derive(Debug, Clone)]
pub struct Caller {
    login: Login,
    /// The session of a browser; `None` for a program with a token.
    session: Option<CredentialDigest>,
    /// The caller as the cause of what it changes.
    cause: Cause,
}

impl Caller {
    /// Returns the extent of the caller's access.
    pub fn scope(&self) -> Scope {
        self.login.scope
    }

    /// Returns the origin of sessions, links and tokens that the caller makes.
    pub(super) fn origin(&self) -> &LoginOrigin {
        &self.login.origin
    }

    /// Returns the session of a browser.
    pub(super) fn session(&self) -> Option<CredentialDigest> {
        self.session
    }
}

/// A request as its browser sent it, for cookies and links.
#[derive(Debug, Clone)]
pub(super) struct BrowserRequest {
    /// Prefix of all paths.
    pub(super) prefix: PathPrefix,
    /// True if the browser uses HTTPS.
    pub(super) is_secure: bool,
}

impl<S: Sync> FromRequestParts<S> for BrowserRequest {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        let prefix = parts.extensions.get::<PathPrefix>().cloned();
        let is_secure = parts.extensions.get::<IsSecure>();
        Ok(Self {
            prefix: prefix.unwrap_or_else(PathPrefix::none),
            is_secure: is_secure.is_some_and(|IsSecure(is_secure)| *is_secure),
        })
    }
}

/// The checked host that a request names; an extension of every request.
#[derive(Debug, Clone)]
pub(super) struct CalledHost(pub(super) Authority);

/// Wraps a router and its fallbacks in the checks.
pub(super) fn around(router: Router, auth: AccessControl) -> Router {
    Router::new()
        .fallback_service(router)
        .layer(from_fn_with_state(auth, middleware))
}

async fn middleware(
    State(auth): State<AccessControl>,
    mut request: Request,
    next: Next,
) -> Response {
    let mut response = match auth.check(&mut request) {
        Access::Public => next.run(request).await,
        Access::Granted(ended) => {
            let mut response = auth.answer(request, next).await;
            response.extensions_mut().insert(ShownCredentials);
            end_when_cancelled(response, ended)
        }
        Access::Denied(response) => response,
    };
    let headers = response.headers_mut();
    if let Some(policy) = &auth.0.frame_policy {
        headers.insert(header::CONTENT_SECURITY_POLICY, policy.clone());
    }
    for (name, value) in RESPONSE_HEADERS {
        // It knows no origins; the policy does.
        if name == header::X_FRAME_OPTIONS && auth.0.frame_policy.is_some() {
            continue;
        }
        headers
            .entry(name)
            .or_insert(HeaderValue::from_static(value));
    }
    // What needs credentials must not be cached. Static files of pages set their own value.
    headers
        .entry(header::CACHE_CONTROL)
        .or_insert(HeaderValue::from_static("no-store"));
    response
}

/// Result of the checks.
enum Access {
    /// No credentials needed.
    Public,
    /// Granted until this is cancelled.
    Granted(CancellationToken),
    /// Refused with this response.
    Denied(Response),
}

impl AccessControl {
    fn check(&self, request: &mut Request) -> Access {
        forwarded::unwrap(request, &self.0.web, self.0.is_tls);
        if let Err(error) = self.check_host(request) {
            return Access::Denied(Problem::from(error).into_response());
        }
        let prefix = request.extensions().get::<PathPrefix>().cloned();
        let prefix = prefix.unwrap_or_else(PathPrefix::none);
        let path = request.uri().path();
        let access = self.access(path);
        if PUBLIC_PATHS.contains(&path) || access == PathAccess::Public {
            return Access::Public;
        }
        if let Some((caller, ended)) = self.caller(request.headers()) {
            let needed = scope::required(request.method(), path);
            if caller.scope() < needed {
                return Access::Denied(forbidden(&caller, needed).into_response());
            }
            request.extensions_mut().insert(caller);
            return Access::Granted(ended);
        }
        Access::Denied(match access {
            PathAccess::Page(page) => {
                pages::login_needed(&prefix, request.method(), request.uri(), page)
            }
            _ => unauthenticated("authentication required").into_response(),
        })
    }

    /// The `HostName` and `LoginOrigin` checks.
    fn check_host(&self, request: &mut Request) -> Result<(), RequestError> {
        let local = request
            .extensions()
            .get::<PeerAddresses>()
            .map(|peer| peer.local.ip());
        let called = self.0.hosts.check(request, local)?;
        let is_secure = request.extensions().get::<IsSecure>();
        let is_secure = is_secure.is_some_and(|IsSecure(is_secure)| *is_secure);
        host::check(request.method(), request.headers(), &called, is_secure)?;
        request.extensions_mut().insert(CalledHost(called));
        Ok(())
    }

    /// Returns the caller. A token decides alone, valid or not.
    fn caller(&self, headers: &HeaderMap) -> Option<(Caller, CancellationToken)> {
        let mut tokens = headers.get_all(header::AUTHORIZATION).iter();
        match (tokens.next(), tokens.next()) {
            (None, _) => self.session(headers),
            (Some(token), None) => self.token(token),
            (Some(_), Some(_)) => None,
        }
    }

    fn token(&self, value: &HeaderValue) -> Option<(Caller, CancellationToken)> {
        let (scheme, token) = value.to_str().ok()?.split_once(' ')?;
        if !scheme.eq_ignore_ascii_case("bearer") {
            return None;
        }
        let digest = CredentialDigest::of(token.trim());
        let mut state = self.state();
        let (id, name, scope, ended) = state.tokens.used(&digest, plugs::now())?;
        state.is_dirty = true;
        let login = Login {
            origin: LoginOrigin::Token(id),
            scope,
        };
        let caller = Caller {
            login,
            session: None,
            cause: Cause::Token(name),
        };
        Some((caller, ended))
    }

    /// Returns the session that one of the cookies names.
    pub(super) fn session(&self, headers: &HeaderMap) -> Option<(Caller, CancellationToken)> {
        let now = self.0.clock.now();
        let mut state = self.state();
        let found = cookies(headers, &self.0.cookie).take(4).find_map(|value| {
            let digest = CredentialDigest::of(value);
            let (login, ended) = state.sessions.used(&digest, now)?;
            let caller = Caller {
                login,
                session: Some(digest),
                cause: Cause::Page,
            };
            Some((caller, ended))
        });
        state.is_dirty |= found.is_some();
        found
    }

    /// Begins a session, which is kept over restarts. Returns the value of `Set-Cookie`.
    ///
    /// # Errors
    ///
    /// [`RequestError`] of kind `local` when the system has no random bytes.
    pub(super) async fn begin_session(
        &self,
        login: Login,
        visit: &BrowserRequest,
    ) -> Result<HeaderValue, RequestError> {
        let token = Credential::random()?;
        let now = self.0.clock.now();
        self.state().sessions.begin(token.digest(), login, now);
        self.save_sessions().await;
        let lasts = super::sessions::MAX_SESSION_AGE.as_secs();
        self.cookie(token.reveal(), lasts, visit)
    }

    /// Ends the session of a browser. Returns the `Set-Cookie` that removes its cookie.
    pub(super) async fn end_session(
        &self,
        caller: &Caller,
        visit: &BrowserRequest,
    ) -> Result<HeaderValue, RequestError> {
        if let Some(session) = caller.session() {
            self.state().sessions.end(&session);
            self.save_sessions().await;
        }
        self.cookie("", 0, visit)
    }

    /// Answers a request. A change goes on when the client hangs up, so that nothing is left half done.
    async fn answer(&self, request: Request, next: Next) -> Response {
        if matches!(*request.method(), Method::GET | Method::HEAD) {
            return next.run(request).await;
        }
        let cause = request.extensions().get::<Caller>();
        let cause = cause.map_or(Cause::Person, |caller| caller.cause.clone());
        let change = on_behalf_of(cause, next.run(request));
        let change = self.0.changes.spawn(change);
        change.await.unwrap_or_else(|error| {
            tracing::error!(%error, "a request failed");
            let error = RequestError::new(ErrorKind::Failed, "the request failed");
            Problem::from(error).into_response()
        })
    }

    fn cookie(
        &self,
        value: &str,
        seconds: i64,
        BrowserRequest { prefix, is_secure }: &BrowserRequest,
    ) -> Result<HeaderValue, RequestError> {
        let name = &self.0.cookie;
        let path = prefix.cookie_path();
        let is_framed = !self.0.web.frame_ancestors.is_empty();
        // In a frame of another site a browser sends no other cookie.
        let (same_site, secure) = match (*is_secure, is_framed) {
            (true, true) => ("None", "; Secure; Partitioned"),
            (true, false) => ("Lax", "; Secure"),
            (false, _) => ("Lax", ""),
        };
        let text = format!(
            "{name}={value}; HttpOnly; SameSite={same_site}; Path={path}; Max-Age={seconds}{secure}"
        );
        let mut value = HeaderValue::try_from(text)
            .map_err(|_| RequestError::new(ErrorKind::Failed, "the cookie cannot be written"))?;
        value.set_sensitive(true);
        Ok(value)
    }
}

/// Returns the problem for missing or wrong credentials.
pub(super) fn unauthenticated(message: &str) -> Problem {
    let error = RequestError::new(ErrorKind::Unauthenticated, message)
        .hint("send a token as `Authorization: Bearer …`; `mains hub login-url` makes a link for a browser");
    Problem::from(error).header(
        header::WWW_AUTHENTICATE,
        HeaderValue::from_static("Bearer realm=\"mains\""),
    )
}

/// Returns the problem for a request that the caller's scope does not allow.
fn forbidden(caller: &Caller, needed: Scope) -> Problem {
    let scope = caller.scope();
    let message = format!("this needs the scope `{needed}`; yours is `{scope}`");
    Problem::from(RequestError::new(ErrorKind::Forbidden, message))
}

/// Returns the values of all cookies with this name.
fn cookies<'a>(headers: &'a HeaderMap, name: &'a str) -> impl Iterator<Item = &'a str> {
    headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(';'))
        .filter_map(move |pair| pair.trim().strip_prefix(name)?.strip_prefix('='))
}
