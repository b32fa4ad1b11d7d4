//! Hourly prices, added to a tariff as they become known.

use api::{HourPrice, HourPrices, Id, ProblemDocument, Tariff, TariffView};
use axum::extract::{Request, State};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::Api;
use super::body::{self, Media, PRICES};
use super::documents::{changed, held};
use super::etag::{IfMatch, Tagged};
use super::path::DocumentPath;
use super::problem::Problem;
use super::query::Params;
use crate::hub::Hub;

pub(super) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new().routes(routes!(put_prices))
}

/// Adds prices to a tariff of the kind `hourly`. Existing prices for other times are kept, unless `replace` is given.
///
/// The body is a JSON list of `{"t","price"}`, or CSV with the columns `time,price`; times are RFC 3339 or local.
#[utoipa::path(put, path = "/api/v1/tariffs/{id}/prices", tag = "tariffs", operation_id = "put_prices",
    params(
        ("id" = Id, Path, description = "The tariff's id"),
        ("replace" = Option<bool>, Query, description = "Remove the prices that it has"),
        ("If-Match" = Option<IfMatch>, Header, description = "Revision that the change is based on")),
    request_body(content((Vec<HourPrice> = "application/json"), (String = "text/csv"))),
    responses(
        (status = 200, description = "The updated tariff", body = ref("#/components/schemas/Tariff"),
            headers(("ETag" = String, description = "Its new revision"))),
        (status = 409, description = "The tariff is of another kind", body = ProblemDocument, content_type = "application/problem+json")))]
async fn put_prices(
    State(hub): State<Hub>,
    DocumentPath(id): DocumentPath,
    if_match: IfMatch,
    params: Params,
    request: Request,
) -> Result<Tagged<TariffView>, Problem> {
    params.only(&["replace"])?;
    let replace = params.flag("replace")?;
    let revision = held::<Tariff>(&hub, &id, &if_match)?;
    let prices = read(&hub, request).await?;
    let edit = |tariff: &Tariff| tariff.with_prices(&prices, replace);
    let before = hub.tariffs().all();
    let stored = hub.edit_document(&id, revision, edit).await?;
    Ok(changed(&hub, &stored, &before).await)
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
