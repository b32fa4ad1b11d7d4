//! Hue bridges: pairing, their lights, and bulbs that they take over.

use api::{DiscoverRequest, Id, ProblemDocument, RequestError, TakeoverJob, excerpt};
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::LOCATION;
use axum::response::{IntoResponse, Response};
use hue::net;
use hue::{
    BridgeId, BridgeIdentity, BulbSerial, CertificateProblem, Fingerprint, HueError, Light,
    PairedBridge, TakeoverOptions, TouchlinkMethod,
};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::Api;
use super::body::{self, MaybeJson};
use super::path::{BridgePath, TakeoverPath};
use super::plugs::wait;
use super::problem::{JsonResult, Problem};
use super::query::Params;
use crate::bridges::bridge_error;
use crate::hub::Hub;

pub(super) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new()
        .routes(routes!(list, pair))
        .routes(routes!(discover))
        .routes(routes!(one, forget))
        .routes(routes!(lights))
        .routes(routes!(takeovers, take_over))
        .routes(routes!(takeover))
}

/// A paired bridge.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Bridge)]
struct BridgeDocument {
    id: BridgeId,
    /// Its last known address.
    address: String,
    /// Its model: BSB001 is the round bridge, BSB002 the square bridge, BSB003 the Bridge Pro.
    model: String,
    /// The name that its owner gave it.
    #[schema(required)]
    name: Option<String>,
    /// The version of its firmware.
    #[schema(required)]
    software: Option<String>,
    /// The version of its interface.
    #[schema(required)]
    api: Option<String>,
    /// The time of pairing.
    paired_at: Timestamp,
}

impl From<PairedBridge> for BridgeDocument {
    fn from(entry: PairedBridge) -> Self {
        Self {
            id: entry.id,
            address: entry.address.to_string(),
            model: entry.model.as_str().to_owned(),
            name: entry.name,
            software: entry.software,
            api: entry.api.map(|api| api.to_string()),
            paired_at: entry.paired_at,
        }
    }
}

/// A bridge found by a search.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = FoundBridge)]
struct FoundBridgeDocument {
    #[serde(flatten)]
    identity: BridgeIdentity,
    /// The address that it replied from.
    address: String,
    /// True if the hub has a key for it.
    paired: bool,
}

impl FoundBridgeDocument {
    fn new(found: net::FoundBridge, known: &[PairedBridge]) -> Self {
        let id = found.identity.id.as_ref();
        Self {
            paired: known.iter().any(|entry| Some(&entry.id) == id),
            address: found.address.to_string(),
            identity: found.identity,
        }
    }
}

/// Lists the paired bridges by id.
#[utoipa::path(get, path = "/api/v1/bridges", tag = "bridges", operation_id = "bridges",
    responses((status = 200, description = "The bridges", body = Vec<BridgeDocument>)))]
async fn list(State(hub): State<Hub>, params: Params) -> JsonResult<Vec<BridgeDocument>> {
    params.only(&[])?;
    let bridges = hub.bridges().all()?;
    Ok(Json(
        bridges.into_iter().map(BridgeDocument::from).collect(),
    ))
}

/// Searches the local network for bridges. The vendor's servers are never contacted.
#[utoipa::path(post, path = "/api/v1/bridges/discover", tag = "bridges", operation_id = "discover_bridges",
    request_body = Option<DiscoverRequest>,
    responses((status = 200, description = "The bridges that replied", body = Vec<FoundBridgeDocument>)))]
async fn discover(
    State(hub): State<Hub>,
    MaybeJson(body): MaybeJson<DiscoverRequest>,
) -> JsonResult<Vec<FoundBridgeDocument>> {
    let found = hub.bridges().discover(wait(&body)?).await?;
    let known = hub.bridges().all()?;
    let found = found.into_iter();
    Ok(Json(
        found
            .map(|found| FoundBridgeDocument::new(found, &known))
            .collect(),
    ))
}

/// The bridge to pair with.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Pairing {
    /// Its address: `host[:port]`, `http://…` or `https://…`.
    #[schema(max_length = 270, examples("192.168.1.20"))]
    address: String,
    /// SHA-256 fingerprint of the bridge's self-signed certificate; required once the hub has asked for it.
    #[schema(pattern = "^([0-9A-Fa-f]{2}:?){31}[0-9A-Fa-f]{2}$")]
    certificate: Option<String>,
}

/// Pairs with a bridge whose link button was pressed within the last 30 seconds.
///
/// A bridge with an unknown self-signed certificate is refused with a 409 that has the certificate's SHA-256 fingerprint as
/// `certificate`. Repeat the request with this `certificate` to accept it; from then on no other certificate is accepted.
#[utoipa::path(post, path = "/api/v1/bridges", tag = "bridges", operation_id = "pair_bridge",
    request_body = Pairing,
    responses(
        (status = 201, description = "The hub has been paired with the bridge", body = BridgeDocument,
            headers(("Location" = String, description = "Its path"))),
        (status = 200, description = "The hub was paired with the bridge before", body = BridgeDocument,
            headers(("Location" = String, description = "Its path"))),
        (status = 409, description = "The bridge has a self-signed certificate, see `certificate`", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 502, description = "The link button was not pressed, or the device is not a bridge", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 504, description = "No reply from that address", body = ProblemDocument, content_type = "application/problem+json")))]
async fn pair(
    State(hub): State<Hub>,
    body::Json(pairing): body::Json<Pairing>,
) -> Result<Response, Problem> {
    let address = pairing.address.parse().map_err(|error| {
        let shown = excerpt(&pairing.address);
        RequestError::usage(format!("\u{2018}{shown}\u{2019} is {error}")).at("address")
    })?;
    let certificate = pairing
        .certificate
        .as_deref()
        .map(str::parse::<Fingerprint>);
    let certificate = certificate
        .transpose()
        .map_err(|error| RequestError::usage(error.to_string()).at("certificate"))?;
    let paired = hub.bridges().pair(address, certificate).await;
    let (entry, is_new) = paired.map_err(not_paired)?;
    let status = match is_new {
        true => StatusCode::CREATED,
        false => StatusCode::OK,
    };
    let location = format!("/api/v1/bridges/{}", entry.id);
    let bridge = Json(BridgeDocument::from(entry));
    Ok((status, [(LOCATION, location)], bridge).into_response())
}

/// Returns the error of a failed pairing. An unknown certificate is returned with its fingerprint, so that the user can accept it.
fn not_paired(error: HueError) -> Problem {
    match &error {
        HueError::Certificate {
            problem: CertificateProblem::Unknown { fingerprint },
            ..
        } => Problem::from(RequestError::conflict(error.to_string()).hint(
            "if this is your bridge and nobody can stand between, send the same again with this `certificate`",
        ))
        .with("certificate", fingerprint.to_string()),
        _ => bridge_error(error).into(),
    }
}

/// Returns a paired bridge.
#[utoipa::path(get, path = "/api/v1/bridges/{id}", tag = "bridges", operation_id = "bridge",
    params(("id" = BridgePath, Path, description = "The bridge's id")),
    responses((status = 200, description = "The bridge", body = BridgeDocument)))]
async fn one(
    State(hub): State<Hub>,
    BridgePath(id): BridgePath,
    params: Params,
) -> JsonResult<BridgeDocument> {
    params.only(&[])?;
    Ok(Json(hub.bridges().one(&id)?.into()))
}

/// Removes a bridge and its key from the hub. The bridge itself keeps the key until its owner removes it there.
#[utoipa::path(delete, path = "/api/v1/bridges/{id}", tag = "bridges", operation_id = "forget_bridge",
    params(("id" = BridgePath, Path, description = "The bridge's id")),
    responses(
        (status = 204, description = "The bridge is removed"),
        (status = 409, description = "The bridge is taking over a bulb", body = ProblemDocument, content_type = "application/problem+json")))]
async fn forget(
    State(hub): State<Hub>,
    BridgePath(id): BridgePath,
    params: Params,
) -> Result<StatusCode, Problem> {
    params.only(&[])?;
    hub.bridges().forget(&id)?;
    Ok(StatusCode::NO_CONTENT)
}

/// Lists the lights of a bridge.
#[utoipa::path(get, path = "/api/v1/bridges/{id}/lights", tag = "bridges", operation_id = "lights",
    params(("id" = BridgePath, Path, description = "The bridge's id")),
    responses(
        (status = 200, description = "The lights, by number", body = Vec<Light>),
        (status = 502, description = "The bridge refused, or its reply cannot be understood", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 504, description = "No reply from the bridge", body = ProblemDocument, content_type = "application/problem+json")))]
async fn lights(
    State(hub): State<Hub>,
    BridgePath(id): BridgePath,
    params: Params,
) -> JsonResult<Vec<Light>> {
    params.only(&[])?;
    Ok(Json(hub.bridges().lights(&id).await?))
}

/// Options of a takeover.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct TakeoverOrder {
    /// Method: `rest` by the bridge's REST API, which does not report the result; `tcp30000` by a port that only the round bridge with
    /// old firmware has; `auto`, the default, the better one for the bridge, and the other if it fails.
    #[schema(pattern = "^(auto|rest|tcp30000)$")]
    pub via: Option<String>,
    /// The six hex digits printed on the bulb. The bridge then addresses this bulb only, wherever it is.
    #[schema(pattern = "^[0-9A-Fa-f]{6}$", examples("45AF34"))]
    pub serial: Option<String>,
    /// Required without a serial number. Confirms that the bulb is within 30 cm of the bridge, was just switched on, and that you
    /// own all other lamps nearby: the nearest lamp is taken over, regardless of its owner.
    pub nearby_lamps_are_mine: bool,
}

impl TakeoverOrder {
    /// Checks the options.
    ///
    /// # Errors
    ///
    /// [`RequestError`] of kind `usage` at the field.
    pub fn checked(self) -> Result<TakeoverOptions, RequestError> {
        let via = match self.via.as_deref() {
            None | Some("auto") => None,
            Some("rest") => Some(TouchlinkMethod::Rest),
            Some("tcp30000") => Some(TouchlinkMethod::Tcp30000),
            Some(other) => {
                let shown = excerpt(other);
                return Err(RequestError::usage(format!(
                    "there is no way \u{2018}{shown}\u{2019}"
                ))
                .at("via")
                .hint("the ways are auto, rest and tcp30000"));
            }
        };
        let serial = self
            .serial
            .as_deref()
            .map(str::parse::<BulbSerial>)
            .transpose();
        let serial = serial.map_err(|error| RequestError::usage(error.to_string()).at("serial"))?;
        if serial.is_none() && !self.nearby_lamps_are_mine {
            return Err(
                RequestError::usage("the nearest lamp is taken, whoever it belongs to")
                    .at("nearby_lamps_are_mine")
                    .hint(
                        "hold the bulb within 30 cm of the bridge, freshly switched on, all other lamps off or far away, and send \
                         `true`; or give the bulb's `serial`",
                    ),
            );
        }
        Ok(TakeoverOptions {
            via,
            serial,
            ..TakeoverOptions::default()
        })
    }
}

/// Lists the latest takeovers of a bridge, newest first. They are kept until the hub stops.
#[utoipa::path(get, path = "/api/v1/bridges/{id}/takeovers", tag = "bridges", operation_id = "takeovers",
    params(("id" = BridgePath, Path, description = "The bridge's id")),
    responses((status = 200, description = "The takeovers", body = Vec<TakeoverJob>)))]
async fn takeovers(
    State(hub): State<Hub>,
    BridgePath(id): BridgePath,
    params: Params,
) -> JsonResult<Vec<TakeoverJob>> {
    params.only(&[])?;
    Ok(Json(hub.bridges().takeovers(&id)?))
}

/// Lets a bridge take over a bulb that belongs to another bridge or to a dimmer, and then search for it.
///
/// Responds at once. Each step is published as an event `takeover` with the whole takeover, which `GET` returns as well.
#[utoipa::path(post, path = "/api/v1/bridges/{id}/takeovers", tag = "bridges", operation_id = "take_over",
    params(("id" = BridgePath, Path, description = "The bridge's id")),
    request_body = TakeoverOrder,
    responses(
        (status = 202, description = "The takeover has begun", body = TakeoverJob,
            headers(("Location" = String, description = "Its path"))),
        (status = 409, description = "The bridge is already taking over a bulb", body = ProblemDocument, content_type = "application/problem+json")))]
async fn take_over(
    State(hub): State<Hub>,
    BridgePath(id): BridgePath,
    MaybeJson(order): MaybeJson<TakeoverOrder>,
) -> Result<Response, Problem> {
    hub.bridges().one(&id)?;
    let job = hub.bridges().take_over(&id, order.checked()?)?;
    let location = format!("/api/v1/bridges/{id}/takeovers/{}", job.id);
    Ok((StatusCode::ACCEPTED, [(LOCATION, location)], Json(job)).into_response())
}

/// Returns a takeover and its progress.
#[utoipa::path(get, path = "/api/v1/bridges/{id}/takeovers/{takeover}", tag = "bridges", operation_id = "takeover",
    params(
        ("id" = BridgePath, Path, description = "The bridge's id"),
        ("takeover" = Id, Path, description = "The takeover's id")),
    responses((status = 200, description = "The takeover", body = TakeoverJob)))]
async fn takeover(
    State(hub): State<Hub>,
    TakeoverPath(id, takeover): TakeoverPath,
    params: Params,
) -> JsonResult<TakeoverJob> {
    params.only(&[])?;
    Ok(Json(hub.bridges().takeover(&id, &takeover)?))
}
