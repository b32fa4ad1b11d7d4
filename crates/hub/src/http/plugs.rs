//! Plugs: which there are, what they are called, and what they are told.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use api::{
    Cause, ErrorKind, FoundPlug, Period, PlugSettings, PlugView, RelayCommand, RequestError,
    Switched,
};
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::LOCATION;
use axum::response::{IntoResponse, Response};
use hiflying::Mac;
use jiff::Timestamp;
use plugs::{Minutes, Reading, RelayState};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::body::{self, Json, MaybeJson};
use super::etag::{IfMatch, Tagged};
use super::path::PlugPath;
use super::problem::{Problem, ProblemJson};
use super::query::Params;
use super::{Api, schema};
use crate::hub::Hub;

/// How long a search listens, unless told otherwise.
const DEFAULT_WAIT: Duration = Duration::from_secs(3);
/// And at most.
const LONGEST_WAIT: Duration = Duration::from_secs(30);

pub(super) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new()
        .routes(routes!(list, adopt))
        .routes(routes!(one, change, remove))
        .routes(routes!(switch))
        .routes(routes!(meter))
        .routes(routes!(delay))
        .routes(routes!(version))
        .routes(routes!(replace))
        .routes(routes!(discover))
}

/// Lists all adopted plugs by MAC.
#[utoipa::path(get, path = "/api/v1/plugs", tag = "plugs", operation_id = "plugs",
    responses((status = 200, description = "The plugs", body = Vec<schema::Plug>)))]
async fn list(
    State(hub): State<Hub>,
    params: Params,
) -> Result<axum::Json<Vec<Arc<PlugView>>>, Problem> {
    params.only(&[])?;
    Ok(axum::Json(hub.registry().views()))
}

/// Where a plug is.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Adopt {
    /// Its IPv4 address.
    #[schema(value_type = schema::Ipv4, examples("192.168.1.107"))]
    address: Ipv4Addr,
}

/// Adopts the plug at an address.
#[utoipa::path(post, path = "/api/v1/plugs", tag = "plugs", operation_id = "adopt_plug",
    request_body = Adopt,
    responses(
        (status = 201, description = "It is adopted", body = schema::Plug,
            headers(("ETag" = String, description = "Its revision"), ("Location" = String, description = "Its path"))),
        (status = 200, description = "It was adopted already", body = schema::Plug,
            headers(("ETag" = String, description = "Its revision"), ("Location" = String, description = "Its path"))),
        (status = 409, description = "What is there cannot be adopted", body = ProblemJson, content_type = "application/problem+json"),
        (status = 502, description = "What is there is not understood", body = ProblemJson, content_type = "application/problem+json"),
        (status = 504, description = "Nothing answers there", body = ProblemJson, content_type = "application/problem+json")))]
async fn adopt(State(hub): State<Hub>, Json(body): Json<Adopt>) -> Result<Response, Problem> {
    let (view, is_new) = hub.registry().adopt(body.address).await?;
    let status = match is_new {
        true => StatusCode::CREATED,
        false => StatusCode::OK,
    };
    let location = format!("/api/v1/plugs/{:x}", view.plug.mac);
    Ok((status, [(LOCATION, location)], tagged(&hub, view)?).into_response())
}

/// Returns a plug.
#[utoipa::path(get, path = "/api/v1/plugs/{mac}", tag = "plugs", operation_id = "plug",
    params(("mac" = schema::MacPath, Path, description = "The plug's MAC")),
    responses((status = 200, description = "The plug", body = schema::Plug,
        headers(("ETag" = String, description = "The revision of what people edit of it")))))]
async fn one(
    State(hub): State<Hub>,
    PlugPath(plug): PlugPath,
    params: Params,
) -> Result<Tagged<Arc<PlugView>>, Problem> {
    params.only(&[])?;
    Ok(tagged(&hub, view(&hub, plug)?)?)
}

/// Updates a plug's settings. Omitted fields keep their value; `null` resets them.
#[utoipa::path(patch, path = "/api/v1/plugs/{mac}", tag = "plugs", operation_id = "change_plug",
    params(
        ("mac" = schema::MacPath, Path, description = "The plug's MAC"),
        ("If-Match" = Option<schema::Tags>, Header, description = "Revision that the change is based on")),
    request_body = schema::PlugChange,
    responses(
        (status = 200, description = "The plug as it is now", body = schema::Plug,
            headers(("ETag" = String, description = "Its new revision"))),
        (status = 409, description = "Another plug has that name", body = ProblemJson, content_type = "application/problem+json")))]
async fn change(
    State(hub): State<Hub>,
    PlugPath(plug): PlugPath,
    if_match: IfMatch,
    Json(patch): Json<Map<String, Value>>,
) -> Result<Tagged<Arc<PlugView>>, Problem> {
    let if_match = held(&hub, plug, &if_match)?;
    let edit = |settings: &PlugSettings| body::patched(settings, patch, body::from_value);
    let (body, revision) = hub.registry().change(plug, if_match, edit).await?;
    Ok(Tagged { revision, body })
}

/// Forgets a plug. What it used stays for the day it is adopted again, unless `purge` is given.
#[utoipa::path(delete, path = "/api/v1/plugs/{mac}", tag = "plugs", operation_id = "remove_plug",
    params(
        ("mac" = schema::MacPath, Path, description = "The plug's MAC"),
        ("purge" = Option<bool>, Query, description = "Delete its history, too"),
        ("If-Match" = Option<schema::Tags>, Header, description = "The revision that is meant")),
    responses((status = 204, description = "It is forgotten")))]
async fn remove(
    State(hub): State<Hub>,
    PlugPath(plug): PlugPath,
    if_match: IfMatch,
    params: Params,
) -> Result<StatusCode, Problem> {
    params.only(&["purge"])?;
    let purge = params.flag("purge")?;
    let if_match = held(&hub, plug, &if_match)?;
    hub.registry().remove(plug, if_match, purge).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// What a relay is to be.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RelayOrder {
    /// On, off, or what it is not.
    #[schema(value_type = schema::RelayCommand)]
    pub(super) state: RelayCommand,
}

/// What came of an order.
#[derive(Debug, Serialize, ToSchema)]
struct RelayAnswer {
    /// The relay as it was last read.
    #[schema(value_type = Option<schema::Relay>, required)]
    relay: Option<RelayState>,
    /// Whether that was read back.
    confirmed: bool,
}

/// Switches a plug and confirms by reading the relay back.
#[utoipa::path(put, path = "/api/v1/plugs/{mac}/relay", tag = "plugs", operation_id = "switch_plug",
    params(("mac" = schema::MacPath, Path, description = "The plug's MAC")),
    request_body = RelayOrder,
    responses(
        (status = 200, description = "It is as wanted", body = RelayAnswer),
        (status = 502, description = "The plug refused, or its relay did not move: `confirmed` is false", body = schema::RelayProblem, content_type = "application/problem+json"),
        (status = 504, description = "The plug does not answer", body = ProblemJson, content_type = "application/problem+json")))]
async fn switch(
    State(hub): State<Hub>,
    PlugPath(plug): PlugPath,
    Json(order): Json<RelayOrder>,
) -> Result<axum::Json<RelayAnswer>, Problem> {
    let view = view(&hub, plug)?;
    match hub
        .registry()
        .switch(plug, order.state, Cause::Person)
        .await
    {
        Ok(switched) if switched.confirmed => Ok(axum::Json(RelayAnswer {
            relay: switched.relay,
            confirmed: true,
        })),
        Ok(switched) => {
            let name = view.plug.name.clone().unwrap_or_else(|| plug.to_string());
            let relay = switched.relay.map(RelayState::as_str);
            Err(Problem::from(unmoved(&name, order.state, &switched))
                .with("accepted", true)
                .with("confirmed", false)
                .with("relay", relay))
        }
        Err(error) if matches!(error.kind(), ErrorKind::Refused | ErrorKind::BadAnswer) => {
            let relay = view.plug.relay.map(RelayState::as_str);
            Err(Problem::from(error)
                .with("accepted", false)
                .with("confirmed", false)
                .with("relay", relay))
        }
        Err(error) => Err(error.into()),
    }
}

/// The error of an order that was accepted and not carried out.
pub(super) fn unmoved(name: &str, wanted: RelayCommand, switched: &Switched) -> RequestError {
    let wanted = wanted.as_str();
    let (kind, message) = match switched.relay {
        Some(relay) => (
            ErrorKind::Refused,
            format!("{name} accepted `{wanted}`, but its relay is {relay}"),
        ),
        None => (
            ErrorKind::NoAnswer,
            format!("{name} accepted `{wanted}`, but did not tell how its relay is"),
        ),
    };
    RequestError::new(kind, message)
}

/// Reads the meter of a plug.
#[utoipa::path(post, path = "/api/v1/plugs/{mac}/meter", tag = "plugs", operation_id = "meter_plug",
    params(("mac" = schema::MacPath, Path, description = "The plug's MAC")),
    responses(
        (status = 200, description = "The reading", body = schema::Reading),
        (status = 502, description = "The plug refused", body = ProblemJson, content_type = "application/problem+json"),
        (status = 504, description = "The plug does not answer", body = ProblemJson, content_type = "application/problem+json")))]
async fn meter(
    State(hub): State<Hub>,
    PlugPath(plug): PlugPath,
) -> Result<axum::Json<Reading>, Problem> {
    view(&hub, plug)?;
    Ok(axum::Json(hub.registry().meter(plug).await?))
}

/// An order to a plug's own timer.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct DelayOrder {
    /// What the relay is to be then.
    #[schema(value_type = schema::Relay)]
    state: RelayState,
    /// In so many minutes.
    #[schema(minimum = 1, maximum = 2000)]
    minutes: u16,
}

/// A plug's own timer that was set.
#[derive(Debug, Serialize, ToSchema)]
struct DelayAnswer {
    /// What the relay will be.
    #[schema(value_type = schema::Relay)]
    relay: RelayState,
    /// After so many minutes.
    minutes: u16,
    /// And so about then.
    #[schema(value_type = schema::Time)]
    due: String,
}

/// Sets a plug's own timer. It goes on when the hub is gone; whether it is set cannot be asked.
#[utoipa::path(post, path = "/api/v1/plugs/{mac}/delay", tag = "plugs", operation_id = "delay_plug",
    params(("mac" = schema::MacPath, Path, description = "The plug's MAC")),
    request_body = DelayOrder,
    responses(
        (status = 200, description = "The plug accepted it", body = DelayAnswer),
        (status = 502, description = "The plug refused", body = ProblemJson, content_type = "application/problem+json"),
        (status = 504, description = "The plug does not answer", body = ProblemJson, content_type = "application/problem+json")))]
async fn delay(
    State(hub): State<Hub>,
    PlugPath(plug): PlugPath,
    Json(order): Json<DelayOrder>,
) -> Result<axum::Json<DelayAnswer>, Problem> {
    view(&hub, plug)?;
    let minutes = Minutes::new(order.minutes)
        .map_err(|error| RequestError::usage(format!("minutes: {error}")).at("minutes"))?;
    let delayed = hub.registry().delay(plug, order.state, minutes).await?;
    Ok(axum::Json(DelayAnswer {
        relay: delayed.relay,
        minutes: delayed.minutes.count(),
        due: second(delayed.due),
    }))
}

/// What a plug's firmware says of itself.
#[derive(Debug, Serialize, ToSchema)]
struct VersionAnswer {
    /// The plug's MAC.
    #[schema(value_type = schema::Mac)]
    plug: Mac,
    /// Its words.
    version: String,
}

/// Returns the version of a plug's firmware.
#[utoipa::path(get, path = "/api/v1/plugs/{mac}/version", tag = "plugs", operation_id = "plug_version",
    params(("mac" = schema::MacPath, Path, description = "The plug's MAC")),
    responses(
        (status = 200, description = "What it says", body = VersionAnswer),
        (status = 502, description = "The plug refused", body = ProblemJson, content_type = "application/problem+json"),
        (status = 504, description = "The plug does not answer", body = ProblemJson, content_type = "application/problem+json")))]
async fn version(
    State(hub): State<Hub>,
    PlugPath(plug): PlugPath,
) -> Result<axum::Json<VersionAnswer>, Problem> {
    view(&hub, plug)?;
    let version = hub.registry().version(plug).await?;
    Ok(axum::Json(VersionAnswer { plug, version }))
}

/// Which plug comes in place of another.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Replace {
    /// The MAC of the new one: adopted already, or found on the network.
    #[schema(value_type = schema::MacPath)]
    by: Mac,
}

/// Puts a new plug in place of an old one: it carries name, room, history and lifetime total on, and the old one is forgotten.
#[utoipa::path(post, path = "/api/v1/plugs/{mac}/replace", tag = "plugs", operation_id = "replace_plug",
    params(("mac" = schema::MacPath, Path, description = "The old plug's MAC")),
    request_body = Replace,
    responses(
        (status = 200, description = "The new plug", body = schema::Plug,
            headers(("ETag" = String, description = "Its revision"))),
        (status = 409, description = "The two cannot stand for each other", body = ProblemJson, content_type = "application/problem+json")))]
async fn replace(
    State(hub): State<Hub>,
    PlugPath(old): PlugPath,
    Json(body): Json<Replace>,
) -> Result<Tagged<Arc<PlugView>>, Problem> {
    view(&hub, old)?;
    let view = hub.replace_plug(old, body.by).await?;
    Ok(tagged(&hub, view)?)
}

/// How to search.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Discover {
    /// How long to listen; `3s` unless told otherwise, at most `30s`.
    #[schema(value_type = Option<schema::Duration>, examples("3s"))]
    wait: Option<Period>,
}

impl Discover {
    /// Returns how long to listen.
    pub(super) fn wait(&self) -> Result<Duration, RequestError> {
        match self.wait.map_or(DEFAULT_WAIT, Period::get) {
            wait if wait > LONGEST_WAIT => {
                Err(RequestError::usage("wait: a search listens for at most `30s`").at("wait"))
            }
            wait => Ok(wait),
        }
    }
}

/// Searches the network for plugs.
#[utoipa::path(post, path = "/api/v1/discover", tag = "plugs", operation_id = "discover",
    request_body = Option<Discover>,
    responses((status = 200, description = "What answered", body = Vec<schema::FoundPlug>)))]
async fn discover(
    State(hub): State<Hub>,
    MaybeJson(body): MaybeJson<Discover>,
) -> Result<axum::Json<Vec<FoundPlug>>, Problem> {
    Ok(axum::Json(hub.registry().discover(body.wait()?).await?))
}

/// Returns a plug, or says that there is none.
pub(super) fn view(hub: &Hub, plug: Mac) -> Result<Arc<PlugView>, RequestError> {
    hub.registry().view(plug).ok_or_else(|| unknown(plug))
}

fn unknown(plug: Mac) -> RequestError {
    RequestError::not_found(format!("no plug {plug} is adopted"))
        .hint("`GET /api/v1/plugs` lists those that are")
}

fn revision(hub: &Hub, plug: Mac) -> Result<u64, RequestError> {
    hub.registry().revision(plug).ok_or_else(|| unknown(plug))
}

/// Returns the revision that a change insists on.
fn held(hub: &Hub, plug: Mac, if_match: &IfMatch) -> Result<Option<u64>, RequestError> {
    if_match.against(revision(hub, plug)?, &format!("plug {plug}"))
}

fn tagged(hub: &Hub, body: Arc<PlugView>) -> Result<Tagged<Arc<PlugView>>, RequestError> {
    let revision = revision(hub, body.plug.mac)?;
    Ok(Tagged { revision, body })
}

/// Writes a time to the second.
pub(super) fn second(time: Timestamp) -> String {
    format!("{time:.0}")
}
