//! History of a plug in steps, as JSON and as CSV.

use api::{ErrorKind, History, HistoryPoint, Period, RequestError};
use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use hiflying::Mac;
use jiff::{SignedDuration, Timestamp};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::path::PlugPath;
use super::plugs::view;
use super::problem::Problem;
use super::query::Params;
use super::range::{MAX_POINTS, Moment, Range};
use super::{Api, attachment};
use crate::hub::Hub;
use crate::store::HistoryQuery;

/// Default length of the range.
const DEFAULT_LENGTH: SignedDuration = SignedDuration::from_hours(24);

pub(super) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new()
        .routes(routes!(history))
        .routes(routes!(history_csv))
}

/// Returns the history of a plug in steps. Steps without data are omitted; the unfinished last step is included.
#[utoipa::path(get, path = "/api/v1/plugs/{mac}/history", tag = "history", operation_id = "history",
    params(
        ("mac" = PlugPath, Path, description = "The plug's MAC"),
        ("from" = Option<Moment>, Query, description = "The first moment; a day before `to` unless given"),
        ("to" = Option<Moment>, Query, description = "The first moment that is no longer in it; a date is meant to its end; now unless given"),
        ("step" = Option<Period>, Query, description = "The length of a step in whole seconds, from `1d` on in whole local days; chosen for at most 1,500 points unless given; at most 10,000 points")),
    responses((status = 200, description = "The history", body = History)))]
async fn history(
    State(hub): State<Hub>,
    PlugPath(plug): PlugPath,
    params: Params,
) -> Result<Json<History>, Problem> {
    Ok(Json(read(&hub, plug, &params).await?))
}

/// Returns the history of a plug as CSV with a header line. Unknown values are empty.
#[utoipa::path(get, path = "/api/v1/plugs/{mac}/history.csv", tag = "history", operation_id = "history_csv",
    params(
        ("mac" = PlugPath, Path, description = "The plug's MAC"),
        ("from" = Option<Moment>, Query, description = "As in `history`"),
        ("to" = Option<Moment>, Query, description = "As in `history`"),
        ("step" = Option<Period>, Query, description = "As in `history`")),
    responses((status = 200, description = "The columns `t,power_w,power_min_w,power_max_w,energy_wh`", body = String, content_type = "text/csv")))]
async fn history_csv(
    State(hub): State<Hub>,
    PlugPath(plug): PlugPath,
    params: Params,
) -> Result<Response, Problem> {
    let history = read(&hub, plug, &params).await?;
    let text = csv(&history.points).map_err(|error| {
        RequestError::new(
            ErrorKind::Failed,
            format!("the history of {plug} cannot be written: {error}"),
        )
    })?;
    let headers = attachment("text/csv; charset=utf-8", &format!("{plug:x}.csv"));
    Ok((headers, text).into_response())
}

fn csv(points: &[HistoryPoint]) -> Result<Vec<u8>, Box<dyn std::error::Error>> {
    let mut writer = csv::WriterBuilder::new()
        .has_headers(false)
        .from_writer(Vec::new());
    // Written here, so that it is there without a single point, too.
    writer.write_record(["t", "power_w", "power_min_w", "power_max_w", "energy_wh"])?;
    for point in points {
        writer.serialize(point)?;
    }
    Ok(writer.into_inner()?)
}

async fn read(hub: &Hub, plug: Mac, params: &Params) -> Result<History, RequestError> {
    params.only(&["from", "to", "step"])?;
    view(hub, plug)?;
    let zone = &hub.clock().timezone;
    let day_before = |to: Timestamp| {
        to.checked_sub(DEFAULT_LENGTH)
            .map_err(|_| RequestError::usage("to: not between the years 1970 and 2200").at("to"))
    };
    let range = Range::read(params, Timestamp::now(), zone, day_before)?;
    let grid = range.grid(params.value("step")?, zone)?;
    let query = HistoryQuery {
        plug,
        from: range.from,
        to: range.to,
        step: grid.step,
        edges: grid.edges,
        limit: usize::try_from(MAX_POINTS).unwrap_or(usize::MAX),
    };
    let points = hub.store().history(&query).await;
    let points = points.map_err(|error| RequestError::from(&error))?;
    Ok(History {
        step_s: grid.seconds,
        points,
    })
}
