//! Energy and cost of plugs, by day or month.

use api::{EnergyPeriod, EnergyRow, ProblemDocument, RequestError, Tariff};
use axum::Json;
use axum::extract::State;
use hiflying::Mac;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::Api;
use super::path::PlugPath;
use super::plugs::view;
use super::problem::Problem;
use super::query::Params;
use super::range::{Moment, Range};
use crate::energy::report;
use crate::hub::Hub;

/// Maximum number of rows in a response.
const MAX_ROWS: i64 = 200_000;
/// Maximum number of days in a response: ten years.
const MAX_DAYS: i64 = 3_660;
/// Default number of days.
const DEFAULT_DAYS: i64 = 30;
/// Default number of months.
const DEFAULT_MONTHS: i64 = 12;

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
    let zone = &hub.clock().timezone;
    let by = by(&params)?;
    let range = Range::read(&params, Timestamp::now(), zone, |to| begin(by, to, zone))?;
    let plugs = plugs(&hub, &params)?;
    check_size(by, range, plugs.len())?;
    let tariffs: Vec<Tariff> = hub
        .tariffs()
        .all()
        .into_iter()
        .map(|tariff| tariff.body)
        .collect();
    let mut rows = Vec::new();
    // Plug by plug, so that no more than the quarter-hours of one are in memory.
    for plug in plugs {
        let quarters = hub.store().quarters(Some(plug), range.from, range.to).await;
        let quarters = quarters.map_err(|error| RequestError::from(&error))?;
        rows.extend(report(quarters, &tariffs, zone, by, range.from, range.to));
    }
    rows.sort_by(|a, b| (&a.period, a.mac).cmp(&(&b.period, b.mac)));
    Ok(Json(rows))
}

fn by(params: &Params) -> Result<EnergyPeriod, RequestError> {
    match params.text("by")? {
        None | Some("day") => Ok(EnergyPeriod::Day),
        Some("month") => Ok(EnergyPeriod::Month),
        Some(_) => Err(RequestError::usage("by: it is `day` or `month`").at("by")),
    }
}

fn plugs(hub: &Hub, params: &Params) -> Result<Vec<Mac>, RequestError> {
    let mut plugs = Vec::new();
    for text in params.all("plug") {
        let plug: Mac = text
            .parse()
            .map_err(|error| RequestError::usage(format!("plug: {error}")).at("plug"))?;
        view(hub, plug)?;
        plugs.push(plug);
    }
    if plugs.is_empty() {
        let views = hub.registry().views();
        plugs.extend(views.iter().map(|view| view.plug.mac));
    }
    plugs.sort();
    plugs.dedup();
    Ok(plugs)
}

/// Returns the default start of a response that ends at `to`.
fn begin(by: EnergyPeriod, to: Timestamp, zone: &TimeZone) -> Result<Timestamp, RequestError> {
    let outside = |_| RequestError::usage("to: not between the years 1970 and 2200").at("to");
    let last = zone.to_datetime(to).date();
    let first = match by {
        EnergyPeriod::Day => last.checked_sub((DEFAULT_DAYS - 1).days()),
        EnergyPeriod::Month => last
            .first_of_month()
            .checked_sub((DEFAULT_MONTHS - 1).months()),
    };
    let first = zone.to_timestamp(first.map_err(outside)?.into());
    Ok(first.map_err(outside)?.max(Timestamp::UNIX_EPOCH))
}

fn check_size(by: EnergyPeriod, range: Range, plugs: usize) -> Result<(), RequestError> {
    let days = range.from.duration_until(range.to).as_hours() / 24 + 2;
    let periods = match by {
        EnergyPeriod::Day => days,
        EnergyPeriod::Month => days / 28 + 2,
    };
    let plugs = i64::try_from(plugs).unwrap_or(i64::MAX);
    if days > MAX_DAYS && by == EnergyPeriod::Day || periods.saturating_mul(plugs) > MAX_ROWS {
        return Err(
            RequestError::usage("from: that is more than one answer has")
                .at("from")
                .hint("ask for less time, fewer plugs, or by month"),
        );
    }
    Ok(())
}
