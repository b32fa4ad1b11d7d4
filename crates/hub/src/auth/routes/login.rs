//! Login of a browser by a link or the password, and logout.

use api::{ErrorKind, LoginLink, LoginLinkRequest, ProblemDocument, RequestError, Scope};
use axum::Json;
use axum::extract::rejection::{FormRejection, QueryRejection};
use axum::extract::{Extension, Form, Query, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use tokio::time::{Instant, sleep};
use utoipa::ToSchema;

use super::super::client::{ClientConnection, LoginClient};
use super::super::middleware::{BrowserRequest, CalledHost, Caller, unauthenticated};
use super::super::pages::{self, local_path};
use super::super::sessions::{Login, LoginOrigin};
use super::super::stored_password::StoredPassword;
use super::super::{AccessControl, Credential, REQUESTED_LINK_LIFETIME, password};
use super::{Input, MAX_BODY_BYTES, OptionalInput, not_allowed};
use crate::guest::{LoginPage, LoginProblem};
use crate::http::problem::Problem;

#[derive(Debug, Deserialize)]
pub(super) struct LinkQuery {
    token: Option<Credential>,
    next: Option<String>,
}

/// Log a browser in by a link
///
/// Sets the session's cookie and leads to `next`. Without a token it is the login page.
#[utoipa::path(get, path = "/login", tag = "trust", params(
    ("token" = Option<String>, Query, description = "The token of the link; it works once"),
    ("next" = Option<String>, Query, description = "Path to which the login leads; `/` unless given"),
), security(()), responses(
    (status = 303, description = "Logged in"),
    (status = 401, description = "The link was used or has expired", body = ProblemDocument, content_type = "application/problem+json"),
))]
pub(super) async fn follow_link(
    State(auth): State<AccessControl>,
    visit: BrowserRequest,
    method: Method,
    headers: HeaderMap,
    query: Result<Query<LinkQuery>, QueryRejection>,
) -> Result<Response, Problem> {
    // A request for the headers alone must not use the link up.
    if method != Method::GET {
        let allowed = HeaderValue::from_static("GET");
        return Err(not_allowed(method).await.header(header::ALLOW, allowed));
    }
    let LinkQuery { token, next } = query?.0;
    let next = local_path(next.as_deref().unwrap_or("/"));
    let is_link = token.is_some();
    let now = auth.0.clock.now();
    let mut login = None;
    if let Some(token) = token {
        login = auth.state().links.take(&token.digest(), now);
        if login.is_none() {
            login = auth.take_shared_link(&token).await;
        }
    }
    if let Some(login) = login {
        let cookie = auth.begin_session(login, &visit).await?;
        return Ok(([(header::SET_COOKIE, cookie)], visit.prefix.redirect(next)).into_response());
    }
    // A browser that has prefetched the page is logged in by now.
    if auth.session(&headers).is_some() {
        return Ok(visit.prefix.redirect(next));
    }
    let login = LoginPage {
        next,
        problem: is_link.then_some(LoginProblem::UsedLink),
        headers: &headers,
        prefix: &visit.prefix,
    };
    let page = match is_link {
        true if pages::wanted(&headers) => auth.login_page(StatusCode::UNAUTHORIZED, &login),
        true => None,
        false => auth.login_page(StatusCode::OK, &login),
    };
    page.ok_or_else(|| LoginProblem::UsedLink.into())
}

/// The form of the login page.
#[derive(Debug, Deserialize)]
pub(super) struct LoginForm {
    password: Credential,
    next: Option<String>,
}

/// Logs a browser in by the form of the login page, which is shown again if the password is wrong.
pub(super) async fn submit(
    State(auth): State<AccessControl>,
    visit: BrowserRequest,
    connection: ClientConnection,
    headers: HeaderMap,
    form: Result<Form<LoginForm>, FormRejection>,
) -> Result<Response, Problem> {
    let Form(LoginForm { password, next }) = form?;
    let next = local_path(next.as_deref().unwrap_or("/"));
    let (login, client) = match auth.check_password(password, connection).await {
        Ok(allowed) => allowed,
        Err(problem) => {
            let status = match problem {
                LoginProblem::TooManyAttempts(_) => StatusCode::TOO_MANY_REQUESTS,
                LoginProblem::WrongPassword | LoginProblem::UsedLink => StatusCode::UNAUTHORIZED,
            };
            let login = LoginPage {
                next,
                problem: Some(problem),
                headers: &headers,
                prefix: &visit.prefix,
            };
            let page = auth.login_page(status, &login);
            return page.ok_or_else(|| problem.into());
        }
    };
    tracing::info!(%client, scope = %login.scope, "logged in with the password");
    let cookie = auth.begin_session(login, &visit).await?;
    Ok(([(header::SET_COOKIE, cookie)], visit.prefix.redirect(next)).into_response())
}

/// Ends the session by the button of a page.
pub(super) async fn leave(
    State(auth): State<AccessControl>,
    visit: BrowserRequest,
    Extension(caller): Extension<Caller>,
) -> Result<Response, Problem> {
    let cookie = auth.end_session(&caller, &visit).await?;
    Ok((
        [(header::SET_COOKIE, cookie)],
        visit.prefix.redirect("/login"),
    )
        .into_response())
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct PasswordLogin {
    #[schema(value_type = String)]
    password: Credential,
}

/// Log a browser in by the password
#[utoipa::path(post, path = "/api/v1/login", tag = "trust", security(()), request_body = PasswordLogin, responses(
    (status = 204, description = "Logged in; the session is in a cookie"),
    (status = 401, description = "The password is wrong, or none is set", body = ProblemDocument, content_type = "application/problem+json"),
    (status = 429, description = "Too many attempts; `Retry-After` has the time until the next", body = ProblemDocument, content_type = "application/problem+json"),
))]
pub(super) async fn log_in(
    State(auth): State<AccessControl>,
    visit: BrowserRequest,
    connection: ClientConnection,
    Input(given): Input<PasswordLogin, MAX_BODY_BYTES>,
) -> Result<Response, Problem> {
    let (login, client) = auth.check_password(given.password, connection).await?;
    tracing::info!(%client, scope = %login.scope, "logged in with the password");
    let cookie = auth.begin_session(login, &visit).await?;
    Ok((StatusCode::NO_CONTENT, [(header::SET_COOKIE, cookie)]).into_response())
}

/// End the session
#[utoipa::path(post, path = "/api/v1/logout", tag = "trust", responses(
    (status = 204, description = "Logged out"),
))]
pub(super) async fn log_out(
    State(auth): State<AccessControl>,
    visit: BrowserRequest,
    Extension(caller): Extension<Caller>,
) -> Result<Response, Problem> {
    let cookie = auth.end_session(&caller, &visit).await?;
    Ok((StatusCode::NO_CONTENT, [(header::SET_COOKIE, cookie)]).into_response())
}

/// Make a link that logs one browser in
#[utoipa::path(post, path = "/api/v1/login-url", tag = "trust", request_body = Option<LoginLinkRequest>, responses(
    (status = 200, body = LoginLink),
))]
pub(super) async fn make_link(
    State(auth): State<AccessControl>,
    visit: BrowserRequest,
    Extension(caller): Extension<Caller>,
    Extension(CalledHost(called)): Extension<CalledHost>,
    OptionalInput(request): OptionalInput<LoginLinkRequest>,
) -> Result<Json<LoginLink>, Problem> {
    let scope = request.scope;
    if scope < Scope::Read {
        let message = "a browser needs the scope `read`, `switch` or `admin`";
        return Err(RequestError::usage(message).at("scope").into());
    }
    // The link uses the checked host of the request, because the same browser can reach it.
    let scheme = if visit.is_secure { "https" } else { "http" };
    let login = Login {
        origin: caller.origin().clone(),
        scope,
        sites: auth.granted(&caller, &request.sites).await?,
    };
    let base = format!("{scheme}://{called}{}", visit.prefix.as_str());
    let url = auth.link(&base, login, REQUESTED_LINK_LIFETIME)?;
    let expires = plugs::now() + REQUESTED_LINK_LIFETIME;
    Ok(Json(LoginLink {
        url,
        scope,
        expires,
    }))
}

impl AccessControl {
    /// Checks a password within the limit on attempts. Returns the login that it allows, and the client.
    pub(super) async fn check_password(
        &self,
        given: Credential,
        connection: ClientConnection,
    ) -> Result<(Login, LoginClient), LoginProblem> {
        let client = connection.client().await;
        let tried = self.state().login_limit.try_now(client, Instant::now());
        let delay = tried.map_err(|wait| {
            LoginProblem::TooManyAttempts(wait.as_secs() + u64::from(wait.subsec_nanos() > 0))
        })?;
        sleep(delay).await;
        let (kept, view) = {
            let state = self.state();
            (state.password.clone(), state.view_password.clone())
        };
        let hash = |password: &Option<StoredPassword>| {
            let password = password.as_ref();
            password.map(|password| password.hash.clone())
        };
        // Both, so that the time reveals nothing about either.
        let is_right = password::verify(given.clone(), hash(&kept)).await;
        let is_view = password::verify(given, hash(&view)).await;
        let (origin, scope, password) = match (is_right, is_view) {
            (true, _) => (LoginOrigin::Password, Scope::Admin, kept),
            (false, true) => (LoginOrigin::ViewPassword, Scope::Read, view),
            (false, false) => {
                tracing::warn!(%client, "a wrong password was tried");
                self.state().refusals.add(client);
                self.log_refusals();
                return Err(LoginProblem::WrongPassword);
            }
        };
        self.state().login_limit.take_back(client, Instant::now());
        let login = Login {
            origin,
            scope,
            sites: password.map_or_else(Vec::new, |password| password.sites),
        };
        Ok((login, client))
    }
}

impl From<LoginProblem> for Problem {
    fn from(problem: LoginProblem) -> Self {
        match problem {
            LoginProblem::WrongPassword => unauthenticated("the password is wrong, or none is set"),
            LoginProblem::UsedLink => unauthenticated("this link was used or has expired"),
            LoginProblem::TooManyAttempts(seconds) => too_often(seconds),
        }
    }
}

fn too_often(seconds: u64) -> Problem {
    let error = RequestError::new(ErrorKind::Forbidden, "too many password attempts").hint(
        format!("try again in {seconds} s, or use a token or a login link"),
    );
    Problem::from(error)
        .status(StatusCode::TOO_MANY_REQUESTS)
        .header(header::RETRY_AFTER, HeaderValue::from(seconds))
}
