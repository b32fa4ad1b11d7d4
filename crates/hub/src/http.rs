//! The HTTP API of the hub.
//!
//! Handlers translate: they read the request, call the hub's handle and write the result. They hold no device logic and no access
//! control; [`crate::auth`] wraps all of them.
//!
//! * [`problem`]: the common format of errors.
//! * `body`, `path`, `query`, `etag`: input, bounded and checked, with precise error messages.
//! * `plugs`, `groups`, `documents`, `tariffs`, `history`, `energy`, `bridges`, `copies`, `info`, `sites`, `metrics`: the paths of the API.
//! * `events`: events as Server-Sent Events. `log`: past events.
//! * [`stuck`]: the time limit on writes to clients that do not read.
//! * `describe`: the OpenAPI description, generated from the routes.

pub(crate) mod body;
mod bridges;
mod copies;
mod describe;
mod documents;
mod energy;
mod etag;
mod events;
mod groups;
mod history;
mod info;
mod log;
mod metrics;
mod path;
mod plugs;
pub mod problem;
mod query;
mod sites;
pub mod stuck;
mod tariffs;

pub use self::bridges::TakeoverOrder;
pub(crate) use self::info::ProcessInfo;
pub(crate) use self::metrics::with_own_process;

use std::sync::Arc;

use api::RequestError;
use axum::Router;
use axum::extract::{FromRef, Request, State};
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::http::{HeaderMap, HeaderName, Method, StatusCode, Uri};
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::hub::Hub;
use events::{EventFilter, Listeners};
use problem::Problem;
use query::Params;

/// The checked-in OpenAPI description; a test compares it with the routes.
const OPENAPI: &str = include_str!("../openapi.json");

/// State shared by all handlers.
#[derive(Debug, Clone)]
struct Api {
    hub: Hub,
    listeners: Listeners,
    /// Permit to copy, export or import data; there is one.
    copying: Arc<Semaphore>,
}

impl Api {
    /// Takes the permit to copy, export or import data. Fails if it is in use.
    fn turn(&self) -> Result<OwnedSemaphorePermit, RequestError> {
        Arc::clone(&self.copying).try_acquire_owned().map_err(|_| {
            RequestError::unavailable("another copy is being made")
                .hint("try again when it is done")
        })
    }
}

impl FromRef<Api> for Hub {
    fn from_ref(api: &Api) -> Self {
        api.hub.clone()
    }
}

/// Returns the router of the API, without access control.
pub fn router(hub: Hub) -> Router {
    let api = Api {
        hub,
        listeners: Listeners::default(),
        copying: Arc::new(Semaphore::new(1)),
    };
    let (router, _) = described(OpenApiRouter::new()).split_for_parts();
    router
        .fallback(nowhere)
        .layer(from_fn_with_state(api.clone(), sites::own_alone))
        .layer(from_fn(method_not_allowed))
        .with_state(api)
}

/// Returns the OpenAPI description of the whole API as JSON, including authentication.
pub fn description() -> serde_json::Value {
    let routes = described(OpenApiRouter::with_openapi(describe::base()));
    describe::whole(&routes.into_openapi())
}

/// Returns the routes with their descriptions.
fn described(router: OpenApiRouter<Api>) -> OpenApiRouter<Api> {
    router
        .merge(plugs::routes())
        .merge(history::routes())
        .merge(energy::routes())
        .merge(groups::routes())
        .merge(documents::routes())
        .merge(tariffs::routes())
        .merge(bridges::routes())
        .merge(copies::routes())
        .merge(info::routes())
        .merge(log::routes())
        .merge(sites::routes())
        .routes(routes!(events))
        .routes(routes!(openapi))
        .routes(routes!(metrics::metrics))
        .routes(routes!(health))
}

/// Sends events as they happen.
///
/// The events are `plug`, `reading`, `availability`, `group`, `schedule`, `rule`, `tariff` and `takeover`, each with the same JSON
/// as in the API, and `problem`, when a part of the hub fails or works again. Entries of the log are sent as `log` to clients that
/// name it in `kinds`.
///
/// `Last-Event-ID` resumes an interrupted stream; after an event `reset` the client must reload everything.
#[utoipa::path(get, path = "/api/v1/events", tag = "events", operation_id = "events",
    params(
        ("kinds" = Option<String>, Query, description = "Names of events, separated by commas; all but `log` unless given"),
        ("plugs" = Option<String>, Query, description = "MACs, separated by commas: only events about these plugs, and about documents that name one"),
        ("Last-Event-ID" = Option<String>, Header, description = "Id of the last event received")),
    responses((status = 200, description = "Server-Sent Events", body = String, content_type = "text/event-stream")))]
async fn events(
    State(api): State<Api>,
    params: Params,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    params.only(&["kinds", "plugs"])?;
    let (filter, cancel) = (EventFilter::read(&params)?, api.hub.cancel().clone());
    let response = api
        .listeners
        .listen(api.hub.bus(), &headers, filter, cancel);
    Ok(response?)
}

/// Returns this OpenAPI description.
#[utoipa::path(get, path = "/api/v1/openapi.json", tag = "hub", operation_id = "openapi",
    responses((status = 200, description = "OpenAPI", body = serde_json::Value)))]
async fn openapi() -> Response {
    ([(CONTENT_TYPE, "application/json")], OPENAPI).into_response()
}

/// Path of the check that the hub serves.
pub(crate) const HEALTH_PATH: &str = "/healthz";

/// Returns true for a path whose answer comes from a plug or a bridge.
pub(crate) fn asks_device(path: &str) -> bool {
    let mut segments = path.rsplit('/');
    matches!(segments.next(), Some("version" | "lights"))
        && matches!(segments.nth(1), Some("plugs" | "bridges"))
}

/// Returns 200 while the hub is serving. Requires no authentication.
#[utoipa::path(get, path = "/healthz", tag = "hub", operation_id = "health", security(()),
    responses((status = 200, description = "The hub serves", body = String, content_type = "text/plain")))]
pub(crate) async fn health() -> &'static str {
    "ok\n"
}

/// Returns the headers of a response that is downloaded as a file.
fn attachment(content_type: &str, name: &str) -> [(HeaderName, String); 2] {
    [
        (CONTENT_TYPE, content_type.to_owned()),
        (
            CONTENT_DISPOSITION,
            format!("attachment; filename=\"{name}\""),
        ),
    ]
}

async fn nowhere(uri: Uri) -> Problem {
    let path: String = uri.path().chars().take(200).collect();
    RequestError::not_found(format!("nothing at {path}"))
        .hint("see `/api/v1/openapi.json` for all paths")
        .into()
}

/// Adds a problem body to the router's own 405 response and keeps its `Allow` header.
async fn method_not_allowed(method: Method, request: Request, next: Next) -> Response {
    let path: String = request.uri().path().chars().take(200).collect();
    let mut response = next.run(request).await;
    if response.status() != StatusCode::METHOD_NOT_ALLOWED {
        return response;
    }
    let error = RequestError::usage(format!("method {method} is not allowed for {path}"));
    let mut told = Problem::from(error)
        .status(StatusCode::METHOD_NOT_ALLOWED)
        .into_response();
    let allowed = std::mem::take(response.headers_mut());
    told.headers_mut()
        .extend(allowed.into_iter().filter(|(name, _)| {
            name.as_ref()
                .is_some_and(|name| name == axum::http::header::ALLOW)
        }));
    told
}
