//! The checks of a request in their order: host, origin, credentials. And the headers of every response.

use api::{ErrorKind, Id, RequestError};
use axum::Router;
use axum::extract::{Request, State};
use axum::http::header::{self, HeaderName};
use axum::http::uri::Authority;
use axum::http::{HeaderMap, HeaderValue, Method};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use jiff::Timestamp;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::secret::CredentialDigest;
use super::sessions::LoginOrigin;
use super::{AccessControl, Credential, host, pages};
use crate::http::problem::Problem;
use crate::server::{PeerAddresses, end_when_cancelled};

/// Exact paths that need no credentials. Every other path does, whether it exists or not.
const PUBLIC_PATHS: [&str; 3] = ["/healthz", "/login", "/api/v1/login"];

/// Pages load script and style from the hub alone; nothing is inline, framed, or from elsewhere.
const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; font-src 'self'; \
    connect-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

/// Headers of every response. No HSTS: it would apply to all other services of the same machine, too.
const RESPONSE_HEADERS: [(HeaderName, &str); 7] = [
    (header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::X_FRAME_OPTIONS, "DENY"),
    (header::REFERRER_POLICY, "no-referrer"),
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
pub(super) enum Caller {
    /// A program with a token.
    Token(Id),
    /// A browser that is logged in.
    Session {
        digest: CredentialDigest,
        origin: LoginOrigin,
    },
}

impl Caller {
    /// Returns the origin of sessions and links that the caller begins.
    pub(super) fn origin(&self) -> LoginOrigin {
        match self {
            Self::Token(id) => LoginOrigin::Token(id.clone()),
            Self::Session { origin, .. } => origin.clone(),
        }
    }

    /// Returns the session of a browser.
    pub(super) fn session(&self) -> Option<CredentialDigest> {
        match self {
            Self::Token(_) => None,
            Self::Session { digest, .. } => Some(*digest),
        }
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
        Access::Granted(ended) => end_when_cancelled(next.run(request).await, ended),
        Access::Denied(response) => response,
    };
    let headers = response.headers_mut();
    for (name, value) in RESPONSE_HEADERS {
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
        if let Err(error) = self.check_host(request) {
            return Access::Denied(Problem::from(error).into_response());
        }
        let path = request.uri().path();
        if PUBLIC_PATHS.contains(&path) {
            return Access::Public;
        }
        if let Some((caller, ended)) = self.caller(request.headers()) {
            request.extensions_mut().insert(caller);
            return Access::Granted(ended);
        }
        let is_page = path == "/" && request.method() == Method::GET;
        Access::Denied(if is_page && pages::wanted(request.headers()) {
            pages::login_needed()
        } else {
            unauthenticated("authentication required").into_response()
        })
    }

    /// The `HostName` and `LoginOrigin` checks.
    fn check_host(&self, request: &mut Request) -> Result<(), RequestError> {
        let local = request
            .extensions()
            .get::<PeerAddresses>()
            .map(|peer| peer.local.ip());
        let called = self.0.hosts.check(request, local)?;
        host::check(request.method(), request.headers(), &called, self.0.is_tls)?;
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
        let (id, ended) = state.tokens.used(&digest, Timestamp::now())?;
        state.has_new_uses = true;
        Some((Caller::Token(id), ended))
    }

    /// Returns the session that one of the cookies names.
    pub(super) fn session(&self, headers: &HeaderMap) -> Option<(Caller, CancellationToken)> {
        let now = Instant::now();
        let mut state = self.state();
        cookies(headers, &self.0.cookie).take(4).find_map(|value| {
            let digest = CredentialDigest::of(value);
            let (origin, ended) = state.sessions.used(&digest, now)?;
            Some((Caller::Session { digest, origin }, ended))
        })
    }

    /// Begins a session. Returns the value of `Set-Cookie`.
    ///
    /// # Errors
    ///
    /// [`RequestError`] of kind `local` when the system has no random bytes.
    pub(super) fn begin_session(&self, origin: LoginOrigin) -> Result<HeaderValue, RequestError> {
        let token = Credential::random()?;
        let mut state = self.state();
        state.sessions.begin(token.digest(), origin, Instant::now());
        let lasts = super::sessions::MAX_SESSION_AGE.as_secs();
        self.cookie(token.reveal(), lasts)
    }

    /// Returns the `Set-Cookie` that removes the cookie.
    pub(super) fn forget_session(&self) -> Result<HeaderValue, RequestError> {
        self.cookie("", 0)
    }

    fn cookie(&self, value: &str, seconds: u64) -> Result<HeaderValue, RequestError> {
        let name = &self.0.cookie;
        let secure = if self.0.is_tls { "; Secure" } else { "" };
        let text =
            format!("{name}={value}; HttpOnly; SameSite=Strict; Path=/; Max-Age={seconds}{secure}");
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

/// Returns the values of all cookies with this name.
fn cookies<'a>(headers: &'a HeaderMap, name: &'a str) -> impl Iterator<Item = &'a str> {
    headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(';'))
        .filter_map(move |pair| pair.trim().strip_prefix(name)?.strip_prefix('='))
}
