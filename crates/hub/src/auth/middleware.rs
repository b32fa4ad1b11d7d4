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

use super::client::ClientConnection;
use super::forwarded::{self, IngressUser, IsSecure};
use super::pages::{self, cookies};
use super::passed_on::PassedOn;
use super::prefix::PathPrefix;
use super::secret::CredentialDigest;
use super::sessions::{Login, LoginOrigin};
use super::{AccessControl, Credential, host, scope};
use crate::config::FrameOrigin;
use crate::event::on_behalf_of;
use crate::guest::{InlineStyle, PathAccess, RefusalPage};
use crate::http::problem::Problem;
use crate::server::{PeerAddresses, ShownCredentials, end_when_cancelled};
use crate::sites;

/// Exact paths that need no credentials. Every other path does, whether it exists or not.
const PUBLIC_PATHS: [&str; 3] = ["/healthz", "/login", "/api/v1/login"];

/// Pages load script and style from the hub alone; nothing is framed or from elsewhere, and nothing is inline but a style of known
/// content, see [`InlineStyle`].
const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; font-src 'self'; \
    connect-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

/// Returns the policy that lets pages of these origins, and of the hub's own, frame those of the hub.
pub(super) fn frame_policy(origins: &[FrameOrigin]) -> Option<HeaderValue> {
    let mut ancestors = "frame-ancestors 'self'".to_owned();
    for origin in origins {
        ancestors.push(' ');
        ancestors.push_str(origin.as_str());
    }
    let policy = CONTENT_SECURITY_POLICY.replace("frame-ancestors 'none'", &ancestors);
    HeaderValue::try_from(policy).ok()
}

/// Returns the policy of a response: that of frames if there is one, with the inline style of the page.
fn policy(of_frames: Option<&HeaderValue>, style: Option<InlineStyle>) -> HeaderValue {
    let fixed = HeaderValue::from_static(CONTENT_SECURITY_POLICY);
    let policy = of_frames.unwrap_or(&fixed);
    let Some(InlineStyle(hash)) = style else {
        return policy.clone();
    };
    let with_style = policy.to_str().map(|policy| {
        let allowed = format!("style-src 'self' 'sha256-{hash}'");
        policy.replace("style-src 'self'", &allowed)
    });
    let with_style = with_style
        .ok()
        .and_then(|policy| HeaderValue::try_from(policy).ok());
    // Without it the style is ignored, and the page is still there.
    with_style.unwrap_or_else(|| policy.clone())
}

/// Headers of every response. No HSTS: it would apply to all other services of the same machine, too.
const RESPONSE_HEADERS: [(HeaderName, &str); 6] = [
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
    pub(super) login: Login,
    /// The session of a browser; `None` for a program with a token.
    session: Option<CredentialDigest>,
    /// The caller as the cause of what it changes.
    cause: Cause,
    connection: ClientConnection,
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

    /// Returns the connection of the caller, for limits.
    pub(super) fn connection(&self) -> ClientConnection {
        self.connection
    }

    /// Returns true for a browser that is logged in, which can log out.
    pub fn is_browser(&self) -> bool {
        self.session.is_some()
    }

    /// Returns true if the caller logged in with the password, and is asked for it again before it is changed.
    pub fn has_logged_in_with_password(&self) -> bool {
        self.login.origin == LoginOrigin::Password
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
        let is_secure = parts.extensions.get::<IsSecure>();
        Ok(Self {
            prefix: PathPrefix::of(&parts.extensions),
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
    let access = auth.check(&mut request);
    let asked = AskedPage::of(&auth, &request);
    let frame_policy = auth.frame_policy(&request).cloned();
    let mut response = match access {
        Access::Public => next.run(request).await,
        Access::Granted(ended) => {
            let mut response = auth.answer(request, next).await;
            response.extensions_mut().insert(ShownCredentials);
            end_when_cancelled(response, ended)
        }
        Access::Denied(response) => response,
        Access::LoginNeeded => auth.login_needed(request).await,
    };
    if let Some(asked) = asked {
        response = asked.or_refusal(&auth, response);
    }
    let style = response.extensions().get::<InlineStyle>().copied();
    let policy = policy(frame_policy.as_ref(), style);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_SECURITY_POLICY, policy);
    for (name, value) in RESPONSE_HEADERS {
        // It knows no origins; the policy does.
        if name == header::X_FRAME_OPTIONS && frame_policy.is_some() {
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

/// A login, the session that it came from, its name as a cause, and the token that is cancelled when it ends.
type FoundLogin = (Login, Option<CredentialDigest>, Cause, CancellationToken);

/// Result of the checks.
enum Access {
    /// No credentials needed.
    Public,
    /// Granted until this is cancelled.
    Granted(CancellationToken),
    /// Refused with this response.
    Denied(Response),
    /// A page that needs a login.
    LoginNeeded,
}

/// A page that a browser has asked for.
struct AskedPage {
    headers: HeaderMap,
    prefix: PathPrefix,
    scope: Option<Scope>,
}

impl AskedPage {
    fn of(auth: &AccessControl, request: &Request) -> Option<Self> {
        let path = request.uri().path();
        let is_page = path == "/login" || matches!(auth.access(path), PathAccess::Page(_));
        (is_page && pages::wanted(request.headers())).then(|| Self {
            headers: request.headers().clone(),
            prefix: PathPrefix::of(request.extensions()),
            scope: request.extensions().get().map(Caller::scope),
        })
    }

    /// Returns the response, as a page if it is a problem for programs.
    fn or_refusal(&self, auth: &AccessControl, response: Response) -> Response {
        let Some(error) = response.extensions().get::<RequestError>() else {
            return response;
        };
        let page = auth.refusal_page(&RefusalPage {
            error,
            scope: self.scope,
            headers: &self.headers,
            prefix: &self.prefix,
        });
        let Some(mut page) = page else {
            return response;
        };
        *page.status_mut() = response.status();
        if let Some(wait) = response.headers().get(header::RETRY_AFTER) {
            page.headers_mut().insert(header::RETRY_AFTER, wait.clone());
        }
        page
    }
}

impl AccessControl {
    fn check(&self, request: &mut Request) -> Access {
        let passed_on = PassedOn::of(request.headers(), &self.0.lease);
        let is_from_hub = passed_on.is_some();
        if let Some(passed_on) = passed_on {
            request.extensions_mut().insert(passed_on.note());
            request.extensions_mut().insert(passed_on);
        }
        forwarded::unwrap(request, &self.0.web, self.0.is_tls, is_from_hub);
        if let Err(error) = self.check_host(request) {
            return Access::Denied(Problem::from(error).into_response());
        }
        let path = request.uri().path();
        let access = self.access(path);
        if PUBLIC_PATHS.contains(&path) || access == PathAccess::Public {
            return Access::Public;
        }
        if let Some((caller, ended)) = self.caller(request) {
            let needed = scope::required(request.method(), path);
            if caller.scope() < needed.scope {
                let refusal = forbidden(&caller, needed.scope).into_response();
                request.extensions_mut().insert(caller);
                return Access::Denied(refusal);
            }
            if !caller.sees(&self.0.site) && !needed.spans_sites {
                let refusal = Problem::from(sites::forbidden(&self.0.site)).into_response();
                request.extensions_mut().insert(caller);
                return Access::Denied(refusal);
            }
            request.extensions_mut().insert(caller);
            request.extensions_mut().insert(self.clone());
            return Access::Granted(ended);
        }
        match access {
            PathAccess::Page(_) => Access::LoginNeeded,
            _ => Access::Denied(unauthenticated("authentication required").into_response()),
        }
    }

    /// Returns the policy of the response to a request that may be framed. An ingress shows it in a page of the same origin.
    fn frame_policy(&self, request: &Request) -> Option<&HeaderValue> {
        let is_ingress = request.extensions().get::<IngressUser>().is_some();
        let may_be_framed = is_ingress || !self.0.web.frame_ancestors.is_empty();
        self.0.frame_policy.as_ref().filter(|_| may_be_framed)
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
    fn caller(&self, request: &Request) -> Option<(Caller, CancellationToken)> {
        let headers = request.headers();
        let mut tokens = headers.get_all(header::AUTHORIZATION).iter();
        let (login, session, cause, ended) = match (tokens.next(), tokens.next()) {
            (None, _) => {
                let session = self.session(headers);
                session
                    .or_else(|| self.ingress_user(request))
                    .or_else(|| self.admin_of_standby(request))?
            }
            (Some(token), None) => self.token(token)?,
            (Some(_), Some(_)) => return None,
        };
        let caller = Caller {
            login,
            session,
            cause,
            connection: ClientConnection::of(request.extensions()),
        };
        Some((caller, ended))
    }

    fn token(&self, value: &HeaderValue) -> Option<FoundLogin> {
        let (scheme, token) = value.to_str().ok()?.split_once(' ')?;
        if !scheme.eq_ignore_ascii_case("bearer") {
            return None;
        }
        let digest = CredentialDigest::of(token.trim());
        let mut state = self.state();
        let (info, ended) = state.tokens.used(&digest, plugs::now())?;
        state.is_dirty = true;
        let login = Login {
            origin: LoginOrigin::Token(info.id),
            scope: info.scope,
            sites: info.sites,
        };
        Some((login, None, Cause::Token(info.name), ended))
    }

    /// Returns the login of a user of an ingress.
    fn ingress_user(&self, request: &Request) -> Option<FoundLogin> {
        let scope = self.0.web.ingress_login.0?;
        request.extensions().get::<IngressUser>()?;
        let login = Login {
            origin: LoginOrigin::Ingress,
            scope,
            sites: Vec::new(),
        };
        // It ends with the proxy's own login, and that with the connection.
        Some((login, None, Cause::Page, CancellationToken::new()))
    }

    /// Returns the login of a request whose admin token a standby has recognised as its own.
    fn admin_of_standby(&self, request: &Request) -> Option<FoundLogin> {
        let passed_on = request.extensions().get::<PassedOn>()?;
        let origin = LoginOrigin::Token(self.state().tokens.admin()?.clone());
        let scope = Scope::Admin;
        let cause = Cause::Token(super::tokens::ADMIN_NAME.to_owned());
        let login = Login {
            origin,
            scope,
            sites: Vec::new(),
        };
        passed_on
            .is_admin()
            .then(|| (login, None, cause, CancellationToken::new()))
    }

    /// Returns the session that one of the cookies names.
    pub(super) fn session(&self, headers: &HeaderMap) -> Option<FoundLogin> {
        let now = self.0.clock.now();
        let mut state = self.state();
        let found = cookies(headers, &self.0.cookie).take(4).find_map(|value| {
            let digest = CredentialDigest::of(value);
            let (login, ended) = state.sessions.used(&digest, now)?;
            Some((login, Some(digest), Cause::Page, ended))
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
