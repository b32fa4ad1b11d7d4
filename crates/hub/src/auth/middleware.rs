//! The checks in their order: by what name, from which page, by whom. And the headers that every answer has.

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

use super::secret::Digest;
use super::sessions::Origin;
use super::{Secret, Trust, origin, pages};
use crate::http::problem::Problem;
use crate::server::{Peer, until};

/// What needs nobody to be known, by exact path. Everything else does, whether it exists or not.
const OPEN: [&str; 3] = ["/healthz", "/login", "/api/v1/login"];

/// Pages bring their own script and style from the hub itself; nothing is inline, framed, or from elsewhere.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; font-src 'self'; \
    connect-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

/// What every answer says to browsers. No HSTS: it would hold for all other services of the same machine, too.
const HEADERS: [(HeaderName, &str); 7] = [
    (header::CONTENT_SECURITY_POLICY, POLICY),
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

/// Who asks: an extension of every request that needs somebody to be known.
#[derive(Debug, Clone)]
pub(super) enum Caller {
    /// A program with a token.
    Token(Id),
    /// A browser that is logged in.
    Session { digest: Digest, origin: Origin },
}

impl Caller {
    /// Returns what anything that he begins comes from.
    pub(super) fn origin(&self) -> Origin {
        match self {
            Self::Token(id) => Origin::Token(id.clone()),
            Self::Session { origin, .. } => origin.clone(),
        }
    }

    /// Returns his session, if he has one.
    pub(super) fn session(&self) -> Option<Digest> {
        match self {
            Self::Token(_) => None,
            Self::Session { digest, .. } => Some(*digest),
        }
    }
}

/// By what name the hub was called: an extension of every request.
#[derive(Debug, Clone)]
pub(super) struct Called(pub(super) Authority);

/// Puts the checks around a router, its fallbacks too.
pub(super) fn around(router: Router, trust: Trust) -> Router {
    Router::new()
        .fallback_service(router)
        .layer(from_fn_with_state(trust, gate))
}

async fn gate(State(trust): State<Trust>, mut request: Request, next: Next) -> Response {
    let mut response = match trust.admit(&mut request) {
        Admission::Open => next.run(request).await,
        Admission::Known(ended) => until(next.run(request).await, ended),
        Admission::Refused(response) => response,
    };
    let headers = response.headers_mut();
    for (name, value) in HEADERS {
        headers
            .entry(name)
            .or_insert(HeaderValue::from_static(value));
    }
    // What is not for everybody is for nobody's cache. Files of pages that never change say so themselves.
    headers
        .entry(header::CACHE_CONTROL)
        .or_insert(HeaderValue::from_static("no-store"));
    response
}

/// Whether a request may go on.
enum Admission {
    /// For everybody.
    Open,
    /// For somebody known, until this is cancelled.
    Known(CancellationToken),
    /// Not at all.
    Refused(Response),
}

impl Trust {
    fn admit(&self, request: &mut Request) -> Admission {
        if let Err(error) = self.check_place(request) {
            return Admission::Refused(Problem::from(error).into_response());
        }
        let path = request.uri().path();
        if OPEN.contains(&path) {
            return Admission::Open;
        }
        if let Some((caller, ended)) = self.caller(request.headers()) {
            request.extensions_mut().insert(caller);
            return Admission::Known(ended);
        }
        let is_page = path == "/" && request.method() == Method::GET;
        Admission::Refused(if is_page && pages::wanted(request.headers()) {
            pages::login_needed()
        } else {
            unauthenticated("this needs a token or a login").into_response()
        })
    }

    /// The `Host` and `Origin` checks.
    fn check_place(&self, request: &mut Request) -> Result<(), RequestError> {
        let local = request
            .extensions()
            .get::<Peer>()
            .map(|peer| peer.local.ip());
        let called = self.0.hosts.check(request, local)?;
        origin::check(request.method(), request.headers(), &called, self.0.is_tls)?;
        request.extensions_mut().insert(Called(called));
        Ok(())
    }

    /// Returns who asks. Where there is a token it decides alone, right or wrong.
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
        let digest = Digest::of(token.trim());
        let mut state = self.state();
        let (id, ended) = state.tokens.used(&digest, Timestamp::now())?;
        state.has_new_uses = true;
        Some((Caller::Token(id), ended))
    }

    /// Returns the browser that is logged in with one of these cookies.
    pub(super) fn session(&self, headers: &HeaderMap) -> Option<(Caller, CancellationToken)> {
        let now = Instant::now();
        let mut state = self.state();
        cookies(headers, &self.0.cookie).take(4).find_map(|value| {
            let digest = Digest::of(value);
            let (origin, ended) = state.sessions.used(&digest, now)?;
            Some((Caller::Session { digest, origin }, ended))
        })
    }

    /// Logs a browser in: returns the value of `Set-Cookie`.
    ///
    /// # Errors
    ///
    /// [`RequestError`] of kind `local` when the system has no random bytes.
    pub(super) fn begin_session(&self, origin: Origin) -> Result<HeaderValue, RequestError> {
        let token = Secret::random()?;
        let mut state = self.state();
        state.sessions.begin(token.digest(), origin, Instant::now());
        let lasts = super::sessions::LONGEST.as_secs();
        self.cookie(token.reveal(), lasts)
    }

    /// Returns the `Set-Cookie` that makes a browser forget.
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

/// Nobody has said who he is, or it is not true.
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
