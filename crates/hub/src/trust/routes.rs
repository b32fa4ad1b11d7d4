//! Logging in and out, tokens, and the password.

mod login;
mod password;
mod tokens;

use std::time::Duration;

use axum::extract::{DefaultBodyLimit, FromRequest, Request};
use axum::http::{Method, StatusCode};
use axum::{Json, Router};
use serde::de::DeserializeOwned;
use tokio::time::timeout;
use utoipa::openapi::OpenApi;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::{Trust, pages};
use crate::error::HubError;
use crate::http::problem::Problem;

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

/// Returns the description of the routes. What holds for all of them, e.g. how one says who he is, is the whole
/// description's business.
pub fn openapi() -> OpenApi {
    described().into_openapi()
}

fn described() -> OpenApiRouter<Trust> {
    OpenApiRouter::new()
        .routes(routes!(login::follow_link))
        .routes(routes!(login::log_in))
        .routes(routes!(login::log_out))
        .routes(routes!(login::make_link))
        .routes(routes!(tokens::list_tokens, tokens::make_token))
        .routes(routes!(tokens::revoke_token))
        .routes(routes!(password::set_password))
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
