//! Path parameters. A parameter never reaches a file: it is an id that is looked up in memory, or it is rejected.

use std::str::FromStr;

use api::{Id, RequestError, excerpt};
use axum::extract::{FromRequestParts, Path};
use axum::http::request::Parts;
use hiflying::Mac;
use hue::BridgeId;
use utoipa::ToSchema;

use super::problem::Problem;

/// MAC of a plug in a path: twelve hex digits in either case.
#[derive(Debug, Clone, Copy, ToSchema)]
#[schema(
    as = MacPath,
    value_type = String,
    pattern = "^[0-9A-Fa-f]{12}$",
    examples("accf23123456")
)]
pub(crate) struct PlugPath(pub(crate) Mac);

/// The id of the document in a path.
#[derive(Debug, Clone)]
pub(crate) struct DocumentPath(pub(crate) Id);

/// Id of a Hue bridge in a path: 16 hex digits in either case.
#[derive(Debug, Clone, ToSchema)]
#[schema(value_type = String, pattern = "^[0-9A-Fa-f]{16}$", examples("001788fffe010203"))]
pub(crate) struct BridgePath(pub(crate) BridgeId);

/// The ids of a bridge and one of its takeovers in a path.
#[derive(Debug, Clone)]
pub(crate) struct TakeoverPath(pub(crate) BridgeId, pub(crate) Id);

impl<S: Send + Sync> FromRequestParts<S> for BridgePath {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let id = named(parts, state, "bridge").await;
        Ok(Self(id.map_err(|error| {
            error.hint("a bridge's path is its id: 16 hex digits")
        })?))
    }
}

impl<S: Send + Sync> FromRequestParts<S> for TakeoverPath {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let Path((bridge, job)) = Path::<(String, String)>::from_request_parts(parts, state)
            .await
            .map_err(|_| unreadable())?;
        Ok(Self(known(&bridge, "bridge")?, known(&job, "takeover")?))
    }
}

impl<S: Send + Sync> FromRequestParts<S> for PlugPath {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let plug = named::<S, HexMac>(parts, state, "plug").await;
        let plug = plug.map_err(|error| {
            error.hint("a plug's path is its MAC: twelve hex digits without separators")
        })?;
        Ok(Self(plug.0))
    }
}

impl<S: Send + Sync> FromRequestParts<S> for DocumentPath {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        Ok(Self(named(parts, state, "document").await?))
    }
}

/// A MAC without separators.
struct HexMac(Mac);

impl FromStr for HexMac {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let is_hex = text.bytes().all(|byte| byte.is_ascii_hexdigit());
        let mac = text.parse().ok().filter(|_| is_hex);
        mac.map(Self).ok_or(())
    }
}

async fn named<S: Send + Sync, T: FromStr>(
    parts: &mut Parts,
    state: &S,
    what: &str,
) -> Result<T, RequestError> {
    let Path(text) = Path::<String>::from_request_parts(parts, state)
        .await
        .map_err(|_| unreadable())?;
    known(&text, what)
}

fn known<T: FromStr>(text: &str, what: &str) -> Result<T, RequestError> {
    text.parse().map_err(|_| {
        let shown = excerpt(text);
        RequestError::not_found(format!("there is no {what} \u{2018}{shown}\u{2019}"))
    })
}

fn unreadable() -> RequestError {
    RequestError::usage("the path is not UTF-8")
}
