//! Login, logout, tokens and password in the API.

mod login;
mod password;
mod tokens;

use api::RequestError;
use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::{Method, StatusCode};
use axum::routing::post;
use utoipa::openapi::OpenApi;
use utoipa::openapi::security::{ApiKey, ApiKeyValue, Http, HttpAuthScheme, SecurityScheme};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub use self::password::NewPassword;
use super::{AccessControl, COOKIE_NAME};
use crate::http::body::{Json as Input, MaybeJson as OptionalInput};
use crate::http::problem::Problem;

/// Requests without credentials can send a body, too.
const MAX_BODY_BYTES: usize = 16 * 1024;

/// Returns the routes.
pub(super) fn router(auth: AccessControl) -> Router {
    let (router, _) = described().split_for_parts();
    router
        .route("/login", post(login::submit))
        .route("/logout", post(login::leave))
        .layer(DefaultBodyLimit::max(MAX_BODY_BYTES))
        .method_not_allowed_fallback(not_allowed)
        .with_state(auth)
}

/// Returns the description of the routes and of the two kinds of credentials, `token` and `session`.
pub fn openapi() -> OpenApi {
    let mut openapi = described().into_openapi();
    let components = openapi.components.get_or_insert_default();
    let token = Http::builder()
        .scheme(HttpAuthScheme::Bearer)
        .description(Some("A token of the hub, e.g. the admin token"))
        .build();
    components.add_security_scheme("token", SecurityScheme::Http(token));
    let session = ApiKeyValue::with_description(COOKIE_NAME, "A browser that is logged in");
    let session = SecurityScheme::ApiKey(ApiKey::Cookie(session));
    components.add_security_scheme("session", session);
    openapi
}

fn described() -> OpenApiRouter<AccessControl> {
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
    let error = RequestError::usage(format!("method {method} is not allowed here"));
    Problem::from(error).status(StatusCode::METHOD_NOT_ALLOWED)
}
