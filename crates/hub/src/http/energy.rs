//! Energy and cost of plugs and of the household, by period.

use std::collections::HashSet;
use std::sync::Arc;

use api::{
    EnergyPeriod, EnergyRequest, EnergyRow, ErrorKind, HouseQuarter, HouseholdRow, Moment, OfSite,
    ProblemDocument, RequestError,
};
use axum::Json;
use axum::extract::State;
use hiflying::Mac;
use parking_lot::Mutex;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::Api;
use super::path::PlugPath;
use super::problem::JsonResult;
use super::query::Params;
use super::sites::SITE;
use crate::history::SiteHistory;
use crate::hub::Hub;
use crate::registry::unknown_plug;
use crate::sites::{OtherSite, SiteSelection};

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
async fn energy(
    State(hub): State<Hub>,
    sites: SiteSelection,
    params: Params,
) -> JsonResult<Vec<OfSite<EnergyRow>>> {
    params.only(&["by", "from", "to", "plug", SITE])?;
    let plugs = params.all("plug").map(str::parse);
    let request = EnergyRequest {
        range: params.range()?,
        by: params.value("by")?.unwrap_or(EnergyPeriod::Day),
        plugs: plugs
            .collect::<Result<_, _>>()
            .map_err(|error| RequestError::usage(format!("plug: {error}")).at("plug"))?,
    };
    let known = Mutex::new(HashSet::new());
    let of_own = async { of_known_plugs(&hub.priced_history(), &request, &known).await };
    let (wanted, found) = (&request, &known);
    let of_other = |other: Arc<OtherSite>| async move {
        of_known_plugs(&other.history().await?, wanted, found).await
    };
    let rows = sites.collect(of_own, of_other).await?;
    let known = known.into_inner();
    match request.plugs.iter().find(|plug| !known.contains(*plug)) {
        Some(unknown) => Err(unknown_plug(*unknown).into()),
        None => Ok(Json(rows)),
    }
}

/// Returns the energy of those of the requested plugs that a site knows, and notes them in `known`.
async fn of_known_plugs(
    history: &SiteHistory<'_>,
    request: &EnergyRequest,
    known: &Mutex<HashSet<Mac>>,
) -> Result<Vec<EnergyRow>, RequestError> {
    let mut plugs = Vec::new();
    for plug in &request.plugs {
        match history.recorded(*plug).await {
            Ok(()) => plugs.push(*plug),
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    known.lock().extend(&plugs);
    if plugs.is_empty() && !request.plugs.is_empty() {
        return Ok(Vec::new());
    }
    let request = EnergyRequest {
        plugs,
        ..request.clone()
    };
    history.energy(&request).await
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
    sites: SiteSelection,
    params: Params,
) -> JsonResult<Vec<OfSite<HouseholdRow>>> {
    params.only(&["by", "from", "to", SITE])?;
    let by = params.value("by")?.unwrap_or(EnergyPeriod::Day);
    let range = params.range()?;
    let of_own = async { hub.priced_history().household(range, by).await };
    let of_other =
        |other: Arc<OtherSite>| async move { other.history().await?.household(range, by).await };
    Ok(Json(sites.collect(of_own, of_other).await?))
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
    sites: SiteSelection,
    params: Params,
) -> JsonResult<Vec<OfSite<HouseQuarter>>> {
    params.only(&["from", "to", SITE])?;
    let range = params.range()?;
    let of_own = async { hub.site_history().house_quarters(range).await };
    let of_other =
        |other: Arc<OtherSite>| async move { other.history().await?.house_quarters(range).await };
    Ok(Json(sites.collect(of_own, of_other).await?))
}
