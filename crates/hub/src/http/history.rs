//! What a plug used, step by step, as JSON and as CSV.

use api::{ErrorKind, RequestError};
use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use hiflying::Mac;
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::path::PlugPath;
use super::plugs::{second, view};
use super::problem::Problem;
use super::query::Params;
use super::range::{MOST_POINTS, Range};
use super::{Api, attachment, schema};
use crate::hub::Hub;
use crate::store::{HistoryPoint, HistoryQuery};

/// How much of the past is shown, unless told otherwise.
const DEFAULT_LENGTH: SignedDuration = SignedDuration::from_hours(24);

pub(super) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new()
        .routes(routes!(history))
        .routes(routes!(history_csv))
}

/// A part of a plug's past.
#[derive(Debug, Serialize, ToSchema)]
struct History {
    /// How long a step is, in seconds; from a day on a step is as many local days as this says, of whatever length.
    #[schema(minimum = 1)]
    step_s: i64,
    /// The steps of which something is known, by time.
    points: Vec<Point>,
}

/// One step.
#[derive(Debug, Serialize, ToSchema)]
struct Point {
    /// When it began.
    #[schema(value_type = schema::Time)]
    t: String,
    /// Mean power in watts.
    #[schema(required)]
    power_w: Option<f64>,
    /// Lowest power in watts.
    #[schema(required)]
    power_min_w: Option<f64>,
    /// Highest power in watts.
    #[schema(required)]
    power_max_w: Option<f64>,
    /// What was used in it, in watt-hours.
    #[schema(minimum = 0)]
    energy_wh: f64,
}

impl From<HistoryPoint> for Point {
    fn from(point: HistoryPoint) -> Self {
        Self {
            t: second(point.t),
            power_w: point.power_w.map(rounded),
            power_min_w: point.power_min_w.map(rounded),
            power_max_w: point.power_max_w.map(rounded),
            energy_wh: rounded(point.energy_wh),
        }
    }
}

/// Rounds to millionths: what is beyond is an artefact of the sums.
fn rounded(value: f64) -> f64 {
    (value * 1e6).round() / 1e6
}

/// What a plug used, step by step. Steps without data are left out; the unfinished last one is in.
#[utoipa::path(get, path = "/api/v1/plugs/{mac}/history", tag = "history", operation_id = "history",
    params(
        ("mac" = schema::MacPath, Path, description = "The plug's MAC"),
        ("from" = Option<schema::Moment>, Query, description = "The first moment; a day before `to` unless given"),
        ("to" = Option<schema::Moment>, Query, description = "The first moment that is no longer in it; a date is meant to its end; now unless given"),
        ("step" = Option<schema::Duration>, Query, description = "The length of a step in whole seconds, from `1d` on in whole local days; chosen for at most 1,500 points unless given; at most 10,000 points")),
    responses((status = 200, description = "The past", body = History)))]
async fn history(
    State(hub): State<Hub>,
    PlugPath(plug): PlugPath,
    params: Params,
) -> Result<Json<History>, Problem> {
    Ok(Json(read(&hub, plug, &params).await?))
}

/// The same as CSV, with a line of column names. What is not known is empty.
#[utoipa::path(get, path = "/api/v1/plugs/{mac}/history.csv", tag = "history", operation_id = "history_csv",
    params(
        ("mac" = schema::MacPath, Path, description = "The plug's MAC"),
        ("from" = Option<schema::Moment>, Query, description = "As in `history`"),
        ("to" = Option<schema::Moment>, Query, description = "As in `history`"),
        ("step" = Option<schema::Duration>, Query, description = "As in `history`")),
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

fn csv(points: &[Point]) -> Result<Vec<u8>, Box<dyn std::error::Error>> {
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
        limit: usize::try_from(MOST_POINTS).unwrap_or(usize::MAX),
    };
    let points = hub.store().history(&query).await;
    let points = points.map_err(|error| RequestError::from(&error))?;
    Ok(History {
        step_s: grid.seconds,
        points: points.into_iter().map(Point::from).collect(),
    })
}
