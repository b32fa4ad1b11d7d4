//! Energy and cost of plugs, by day or month.

use api::{EnergyPeriod, EnergyRequest, EnergyRow, Moment, ProblemDocument, RequestError};
use axum::Json;
use axum::extract::State;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::Api;
use super::path::PlugPath;
use super::problem::Problem;
use super::query::Params;
use crate::hub::Hub;

pub(super) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new().routes(routes!(energy))
}

/// Returns energy and cost of adopted plugs by period and plug. `cost` is null without a price; two currencies make two rows.
#[utoipa::path(get, path = "/api/v1/energy", tag = "history", operation_id = "energy",
    params(
        ("by" = Option<EnergyPeriod>, Query, description = "Local days or months; days unless given"),
        ("from" = Option<Moment>, Query, description = "The first moment; 30 days or 12 months before `to` unless given"),
        ("to" = Option<Moment>, Query, description = "The first moment that is no longer in it; a date is meant to its end; now unless given"),
        ("plug" = Option<Vec<PlugPath>>, Query, description = "Only these plugs; all unless given")),
    responses(
        (status = 200, description = "The rows", body = Vec<EnergyRow>),
        (status = 404, description = "No such plug", body = ProblemDocument, content_type = "application/problem+json")))]
async fn energy(State(hub): State<Hub>, params: Params) -> Result<Json<Vec<EnergyRow>>, Problem> {
    params.only(&["by", "from", "to", "plug"])?;
    let plugs = params.all("plug").map(str::parse);
    let request = EnergyRequest {
        range: params.range()?,
        by: params.value("by")?.unwrap_or(EnergyPeriod::Day),
        plugs: plugs
            .collect::<Result<_, _>>()
            .map_err(|error| RequestError::usage(format!("plug: {error}")).at("plug"))?,
    };
    Ok(Json(hub.energy(&request).await?))
}
