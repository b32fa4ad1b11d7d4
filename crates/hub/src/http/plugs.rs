//! Plugs: adoption, settings, commands and search.

use std::sync::Arc;
use std::time::Duration;

use api::text::not_switched;
use api::{
    AdoptRequest, DelayRequest, DelayResponse, DiscoverRequest, ErrorKind, FoundPlug, HardenReport,
    HardenRequest, OfSite, Period, PlugSettings, PlugView, ProblemDocument, RelayProblem,
    ReplaceRequest, RequestError, SwitchRequest, SwitchResponse, VersionResponse,
};
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::LOCATION;
use axum::response::{IntoResponse, Response};
use hiflying::Mac;
use plugs::{Minutes, Reading, RelayState};
use serde_json::{Map, Value};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::Api;
use super::body::{self, Json, MaybeJson};
use super::etag::{IfMatch, Tagged};
use super::path::PlugPath;
use super::problem::{JsonResult, Problem};
use super::query::Params;
use super::sites::SITE;
use crate::event::caller_cause;
use crate::hub::Hub;
use crate::sites::{OtherSite, SiteSelection};

/// Default duration of a search.
const DEFAULT_SEARCH_DURATION: Duration = Duration::from_secs(3);
/// Maximum duration of a search.
const MAX_SEARCH_DURATION: Duration = Duration::from_secs(30);

pub(super) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new()
        .routes(routes!(list, adopt))
        .routes(routes!(one, change, remove))
        .routes(routes!(switch))
        .routes(routes!(meter))
        .routes(routes!(timer, delay))
        .routes(routes!(version))
        .routes(routes!(replace))
        .routes(routes!(harden))
        .routes(routes!(discover))
}

/// Lists all adopted plugs by MAC.
#[utoipa::path(get, path = "/api/v1/plugs", tag = "plugs", operation_id = "plugs",
    responses((status = 200, description = "The plugs", body = Vec<PlugView>)))]
async fn list(
    State(hub): State<Hub>,
    sites: SiteSelection,
    params: Params,
) -> JsonResult<Vec<OfSite<Arc<PlugView>>>> {
    params.only(&[SITE])?;
    let of_own = async { Ok(hub.registry().views()) };
    let of_other = |other: Arc<OtherSite>| async move {
        let plugs = other.plugs().await?.into_iter();
        Ok(plugs.map(Arc::new).collect())
    };
    Ok(axum::Json(sites.collect(of_own, of_other).await?))
}

/// Adopts the plug at an address.
#[utoipa::path(post, path = "/api/v1/plugs", tag = "plugs", operation_id = "adopt_plug",
    request_body = AdoptRequest,
    responses(
        (status = 201, description = "The adopted plug", body = PlugView,
            headers(("ETag" = String, description = "Its revision"), ("Location" = String, description = "Its path"))),
        (status = 200, description = "The plug, which was adopted before", body = PlugView,
            headers(("ETag" = String, description = "Its revision"), ("Location" = String, description = "Its path"))),
        (status = 409, description = "The device cannot be adopted", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 502, description = "The device's reply cannot be understood", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 504, description = "No reply from that address", body = ProblemDocument, content_type = "application/problem+json")))]
async fn adopt(
    State(hub): State<Hub>,
    Json(body): Json<AdoptRequest>,
) -> Result<Response, Problem> {
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
    params(("mac" = PlugPath, Path, description = "The plug's MAC")),
    responses((status = 200, description = "The plug", body = PlugView,
        headers(("ETag" = String, description = "The revision of its settings")))))]
async fn one(
    State(hub): State<Hub>,
    PlugPath(plug): PlugPath,
    sites: SiteSelection,
    params: Params,
) -> Result<Response, Problem> {
    params.only(&[SITE])?;
    if let Some(other) = sites.site_of_plug(&hub, plug).await?
        && let Some((view, revision)) = other.plug(plug).await?
    {
        let body = sites.of(other.name(), view);
        return Ok(Tagged { revision, body }.into_response());
    }
    sites.look_here(format_args!("plug {plug}"))?;
    let Tagged { revision, body } = tagged(&hub, hub.registry().one(plug)?)?;
    let body = sites.of_own(body);
    Ok(Tagged { revision, body }.into_response())
}

/// Updates a plug's settings. Omitted fields keep their value; `null` resets them.
#[utoipa::path(patch, path = "/api/v1/plugs/{mac}", tag = "plugs", operation_id = "change_plug",
    params(
        ("mac" = PlugPath, Path, description = "The plug's MAC"),
        ("If-Match" = Option<IfMatch>, Header, description = "Revision that the change is based on")),
    request_body = PlugSettings,
    responses(
        (status = 200, description = "The updated plug", body = PlugView,
            headers(("ETag" = String, description = "Its new revision"))),
        (status = 409, description = "The name is taken", body = ProblemDocument, content_type = "application/problem+json")))]
async fn change(
    State(hub): State<Hub>,
    PlugPath(plug): PlugPath,
    if_match: IfMatch,
    Json(patch): Json<Map<String, Value>>,
) -> Result<Tagged<Arc<PlugView>>, Problem> {
    let if_match = held(&hub, plug, &if_match)?;
    let edit = |settings: &PlugSettings| body::patched(settings, patch, body::from_value);
    let (body, revision) = hub.change_plug(plug, if_match, edit).await?;
    Ok(Tagged { revision, body })
}

/// Removes a plug. Its history stays in sums and exports and is continued by a later adoption, unless `purge` is given. With `purge`
/// also the history of a plug that was removed before is deleted.
#[utoipa::path(delete, path = "/api/v1/plugs/{mac}", tag = "plugs", operation_id = "remove_plug",
    params(
        ("mac" = PlugPath, Path, description = "The plug's MAC"),
        ("purge" = Option<bool>, Query, description = "Delete its history as well"),
        ("If-Match" = Option<IfMatch>, Header, description = "Revision to remove")),
    responses((status = 204, description = "The plug is removed")))]
async fn remove(
    State(hub): State<Hub>,
    PlugPath(plug): PlugPath,
    if_match: IfMatch,
    params: Params,
) -> Result<StatusCode, Problem> {
    params.only(&["purge"])?;
    let purge = params.flag("purge")?;
    let if_match = match hub.registry().view(plug) {
        // Of a plug that was removed, only the history is left.
        None if purge => {
            hub.site_history().recorded(plug).await?;
            None
        }
        _ => held(&hub, plug, &if_match)?,
    };
    hub.registry().remove(plug, if_match, purge).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Switches a plug and confirms by reading the relay back.
#[utoipa::path(put, path = "/api/v1/plugs/{mac}/relay", tag = "plugs", operation_id = "switch_plug",
    params(("mac" = PlugPath, Path, description = "The plug's MAC")),
    request_body = SwitchRequest,
    responses(
        (status = 200, description = "The relay is in the commanded position", body = SwitchResponse),
        (status = 502, description = "The plug refused, or its relay did not move: `confirmed` is false", body = RelayProblem, content_type = "application/problem+json"),
        (status = 504, description = "No reply from the plug", body = ProblemDocument, content_type = "application/problem+json")))]
async fn switch(
    State(hub): State<Hub>,
    PlugPath(plug): PlugPath,
    Json(order): Json<SwitchRequest>,
) -> JsonResult<SwitchResponse> {
    let view = hub.registry().one(plug)?;
    match hub
        .registry()
        .switch(plug, order.state, caller_cause())
        .await
    {
        Ok(switched) if switched.confirmed => Ok(axum::Json(SwitchResponse {
            relay: switched.relay,
            confirmed: true,
        })),
        Ok(switched) => {
            let name = view.plug.name.clone().unwrap_or_else(|| plug.to_string());
            let relay = switched.relay.map(RelayState::as_str);
            Err(
                Problem::from(not_switched(&name, order.state, switched.relay))
                    .with("accepted", true)
                    .with("confirmed", false)
                    .with("relay", relay),
            )
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

/// Reads the meter of a plug.
#[utoipa::path(post, path = "/api/v1/plugs/{mac}/meter", tag = "plugs", operation_id = "meter_plug",
    params(("mac" = PlugPath, Path, description = "The plug's MAC")),
    responses(
        (status = 200, description = "The reading", body = Reading),
        (status = 502, description = "The plug refused", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 504, description = "No reply from the plug", body = ProblemDocument, content_type = "application/problem+json")))]
async fn meter(State(hub): State<Hub>, PlugPath(plug): PlugPath) -> JsonResult<Reading> {
    Ok(axum::Json(hub.registry().meter(plug).await?))
}

/// Sets the plug's own timer. It runs without the hub and cannot be read back.
#[utoipa::path(post, path = "/api/v1/plugs/{mac}/delay", tag = "plugs", operation_id = "delay_plug",
    params(("mac" = PlugPath, Path, description = "The plug's MAC")),
    request_body = DelayRequest,
    responses(
        (status = 200, description = "The plug accepted it", body = DelayResponse),
        (status = 502, description = "The plug refused", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 504, description = "No reply from the plug", body = ProblemDocument, content_type = "application/problem+json")))]
async fn delay(
    State(hub): State<Hub>,
    PlugPath(plug): PlugPath,
    Json(order): Json<DelayRequest>,
) -> JsonResult<DelayResponse> {
    hub.registry().one(plug)?;
    let minutes = Minutes::new(order.minutes)
        .map_err(|error| RequestError::usage(format!("minutes: {error}")).at("minutes"))?;
    let set = hub.registry().delay(plug, order.state, minutes).await?;
    Ok(axum::Json(set))
}

/// Returns the plug's own timer that was set through this hub last, or null when it is due or none was set.
///
/// The plug cannot be asked for it: one that was set elsewhere, or cancelled at the plug, is not known.
#[utoipa::path(get, path = "/api/v1/plugs/{mac}/delay", tag = "plugs", operation_id = "plug_timer",
    params(("mac" = PlugPath, Path, description = "The plug's MAC")),
    responses((status = 200, description = "The timer", body = Option<DelayResponse>)))]
async fn timer(
    State(hub): State<Hub>,
    PlugPath(plug): PlugPath,
) -> JsonResult<Option<DelayResponse>> {
    Ok(axum::Json(hub.registry().timer(plug)?))
}

/// Returns the version of a plug's firmware.
#[utoipa::path(get, path = "/api/v1/plugs/{mac}/version", tag = "plugs", operation_id = "plug_version",
    params(("mac" = PlugPath, Path, description = "The plug's MAC")),
    responses(
        (status = 200, description = "The version", body = VersionResponse),
        (status = 502, description = "The plug refused", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 504, description = "No reply from the plug", body = ProblemDocument, content_type = "application/problem+json")))]
async fn version(State(hub): State<Hub>, PlugPath(plug): PlugPath) -> JsonResult<VersionResponse> {
    let version = hub.registry().version(plug).await?;
    Ok(axum::Json(VersionResponse { plug, version }))
}

/// Replaces a plug by a new one, which takes over name, room, history and lifetime total. The old plug is removed.
#[utoipa::path(post, path = "/api/v1/plugs/{mac}/replace", tag = "plugs", operation_id = "replace_plug",
    params(("mac" = PlugPath, Path, description = "The old plug's MAC")),
    request_body = ReplaceRequest,
    responses(
        (status = 200, description = "The new plug", body = PlugView,
            headers(("ETag" = String, description = "Its revision"))),
        (status = 409, description = "The plugs cannot replace each other", body = ProblemDocument, content_type = "application/problem+json")))]
async fn replace(
    State(hub): State<Hub>,
    PlugPath(old): PlugPath,
    Json(body): Json<ReplaceRequest>,
) -> Result<Tagged<Arc<PlugView>>, Problem> {
    hub.registry().one(old)?;
    let view = hub.replace_plug(old, body.by).await?;
    Ok(tagged(&hub, view)?)
}

/// Locks a plug down, restores what stood before, or finds out what stands open.
///
/// The plug's module restarts after each step. A step that fails is taken back, and the report has an `error`. The old values are
/// stored in the hub's state directory; no secret is in the report.
#[utoipa::path(post, path = "/api/v1/plugs/{mac}/harden", tag = "plugs", operation_id = "harden_plug",
    params(("mac" = PlugPath, Path, description = "The plug's MAC")),
    request_body = Option<HardenRequest>,
    responses(
        (status = 200, description = "The weaknesses and their states", body = HardenReport),
        (status = 503, description = "Another process is at this plug, or the old values cannot be stored", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 504, description = "No reply from the plug's module", body = ProblemDocument, content_type = "application/problem+json")))]
async fn harden(
    State(hub): State<Hub>,
    PlugPath(plug): PlugPath,
    MaybeJson(body): MaybeJson<HardenRequest>,
) -> JsonResult<HardenReport> {
    Ok(axum::Json(hub.harden(plug, body).await?))
}

/// Returns the time to wait for replies.
pub(super) fn wait(request: &DiscoverRequest) -> Result<Duration, RequestError> {
    match request.wait.map_or(DEFAULT_SEARCH_DURATION, Period::get) {
        wait if wait > MAX_SEARCH_DURATION => {
            Err(RequestError::usage("wait: a search listens for at most `30s`").at("wait"))
        }
        wait => Ok(wait),
    }
}

/// Searches the network for plugs.
#[utoipa::path(post, path = "/api/v1/discover", tag = "plugs", operation_id = "discover",
    request_body = Option<DiscoverRequest>,
    responses((status = 200, description = "The devices that replied", body = Vec<FoundPlug>)))]
async fn discover(
    State(hub): State<Hub>,
    MaybeJson(body): MaybeJson<DiscoverRequest>,
) -> JsonResult<Vec<OfSite<FoundPlug>>> {
    // Words that the command line has given since.
    hub.registry().learn_words(&hub.config().state);
    let found = hub.registry().discover(wait(&body)?).await?.into_iter();
    // Those of other sites alone carry a site.
    let found = found.map(|found| OfSite {
        site: hub.registry().foreign_site(found.plug.mac),
        object: found,
    });
    Ok(axum::Json(found.collect()))
}

/// Returns the revision that a change requires.
fn held(hub: &Hub, plug: Mac, if_match: &IfMatch) -> Result<Option<u64>, RequestError> {
    if_match.against(hub.registry().revision(plug)?, &format!("plug {plug}"))
}

fn tagged(hub: &Hub, body: Arc<PlugView>) -> Result<Tagged<Arc<PlugView>>, RequestError> {
    let revision = hub.registry().revision(body.plug.mac)?;
    Ok(Tagged { revision, body })
}
