//! Energy and cost of plugs and of the household, by period.

use api::{
    EnergyPeriod, EnergyRequest, EnergyRow, HouseQuarter, HouseholdRow, Moment, ProblemDocument,
    RequestError,
};
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
    OpenApiRouter::new()
        .routes(routes!(energy))
        .routes(routes!(household))
        .routes(routes!(quarters))
}

/// Returns energy and cost by period and plug. `cost` is null without a price; two currencies make two rows.
#[utoipa::path(get, path = "/api/v1/energy", tag = "history", operation_id = "energy",
    params(
        ("by" = Option<EnergyPeriod>, Query, description = "Local days, weeks, months or years; days unless given"),
        ("from" = Option<Moment>, Query, description = "Start; by default the last 30 days, 12 weeks, 12 months or 5 years"),
        ("to" = Option<Moment>, Query, description = "End, exclusive; a date is included as a whole; by default now"),
        ("plug" = Option<Vec<PlugPath>>, Query, description = "Only these plugs; by default all, also those that were removed")),
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

/// Returns energy, cost and standing charge of the whole household by period. Two currencies make two rows.
#[utoipa::path(get, path = "/api/v1/energy/household", tag = "history", operation_id = "household",
    params(
        ("by" = Option<EnergyPeriod>, Query, description = "Local days, weeks, months or years; days unless given"),
        ("from" = Option<Moment>, Query, description = "As in `energy`"),
        ("to" = Option<Moment>, Query, description = "As in `energy`")),
    responses((status = 200, description = "The rows", body = Vec<HouseholdRow>)))]
async fn household(
    State(hub): State<Hub>,
    params: Params,
) -> Result<Json<Vec<HouseholdRow>>, Problem> {
    params.only(&["by", "from", "to"])?;
    let by = params.value("by")?.unwrap_or(EnergyPeriod::Day);
    Ok(Json(hub.household(params.range()?, by).await?))
}

/// Returns the energy of the whole house by quarter-hours, which are the curve of its power: four times the energy of one is its mean.
///
/// Quarter-hours without data are omitted, so that gaps are known; the unfinished last one is included. To compare today with the same
/// part of the day before, ask for both, or for `energy` of both with `from` and `to`.
#[utoipa::path(get, path = "/api/v1/energy/quarters", tag = "history", operation_id = "house_quarters",
    params(
        ("from" = Option<Moment>, Query, description = "Start; by default the start of today"),
        ("to" = Option<Moment>, Query, description = "End, exclusive; a date is included as a whole; by default now. At most 32 days after `from`")),
    responses((status = 200, description = "The quarter-hours", body = Vec<HouseQuarter>)))]
async fn quarters(
    State(hub): State<Hub>,
    params: Params,
) -> Result<Json<Vec<HouseQuarter>>, Problem> {
    params.only(&["from", "to"])?;
    Ok(Json(hub.house_quarters(params.range()?).await?))
}
