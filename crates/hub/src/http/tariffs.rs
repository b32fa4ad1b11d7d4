//! Prices by the hour, put into a tariff as they become known.

use api::{HourPrices, Id, RequestError, Stored, Tariff, TariffKind};
use axum::extract::{Request, State};
use axum::response::IntoResponse;
use axum::response::Response;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::body::{self, Media, PRICES};
use super::documents::{held, tagged};
use super::etag::IfMatch;
use super::path::DocumentPath;
use super::problem::{Problem, ProblemJson};
use super::query::Params;
use super::{Api, schema};
use crate::hub::Hub;

/// How often an edit that somebody else overtook is made anew.
const TRIES: usize = 5;

pub(super) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new().routes(routes!(put_prices))
}

/// Puts prices into a tariff of the kind `hourly`. Those that it has for other times stay, unless `replace` is given.
///
/// As JSON a list of `{"t","price"}`; as CSV the columns `time,price`, with times in RFC 3339 or local.
#[utoipa::path(put, path = "/api/v1/tariffs/{id}/prices", tag = "tariffs", operation_id = "put_prices",
    params(
        ("id" = schema::Id, Path, description = "The tariff's id"),
        ("replace" = Option<bool>, Query, description = "Drop the prices that it has"),
        ("If-Match" = Option<schema::Tags>, Header, description = "The revision that the change was made on")),
    request_body(content((Vec<schema::HourPrice> = "application/json"), (String = "text/csv"))),
    responses(
        (status = 200, description = "The tariff as it is now", body = schema::Tariff,
            headers(("ETag" = String, description = "Its new revision"))),
        (status = 409, description = "The tariff is of another kind", body = ProblemJson, content_type = "application/problem+json")))]
async fn put_prices(
    State(hub): State<Hub>,
    DocumentPath(id): DocumentPath,
    if_match: IfMatch,
    params: Params,
    request: Request,
) -> Result<Response, Problem> {
    params.only(&["replace"])?;
    let replace = params.flag("replace")?;
    held::<Tariff>(&hub, &id, &if_match)?;
    let prices = read(&hub, request).await?;
    for _ in 1..TRIES {
        match put(&hub, &id, &if_match, replace, &prices).await {
            // Somebody was faster; what he did is kept, and the prices are put in again.
            Err(error) if error.is_stale() && if_match.is_absent() => {}
            done => return Ok(tagged(&hub, &done?).into_response()),
        }
    }
    let done = put(&hub, &id, &if_match, replace, &prices).await?;
    Ok(tagged(&hub, &done).into_response())
}

async fn read(hub: &Hub, request: Request) -> Result<HourPrices, Problem> {
    let media = Media::of(request.headers());
    if media == Media::Other {
        return Err(body::unsupported("application/json` or `text/csv"));
    }
    let bytes = body::read(request.into_body(), PRICES).await?;
    match media {
        Media::Csv => Ok(HourPrices::from_csv(&*bytes, &hub.clock().timezone)?),
        _ => Ok(body::from_slice(&bytes)?),
    }
}

async fn put(
    hub: &Hub,
    id: &Id,
    if_match: &IfMatch,
    replace: bool,
    more: &HourPrices,
) -> Result<Stored<Tariff>, RequestError> {
    let present = hub.tariffs().one(id)?;
    held::<Tariff>(hub, id, if_match)?;
    let mut body = present.body;
    let name = body.name.clone();
    match &mut body.kind {
        TariffKind::Hourly { prices, .. } if replace => prices.clone_from(more),
        TariffKind::Hourly { prices, .. } => prices.extend(more.iter())?,
        TariffKind::Flat { .. } | TariffKind::DayNight { .. } => {
            let message = format!("the tariff \u{2018}{name}\u{2019} has no prices by the hour");
            return Err(RequestError::conflict(message).hint("only the kind `hourly` has"));
        }
    }
    hub.replace_document(id, body, Some(present.revision)).await
}
