//! History of a plug in steps, as JSON and as CSV.

use api::{ErrorKind, History, HistoryPoint, HistoryRequest, Moment, Period, RequestError};
use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::path::PlugPath;
use super::problem::Problem;
use super::query::Params;
use super::{Api, attachment};
use crate::hub::Hub;

pub(super) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new()
        .routes(routes!(history))
        .routes(routes!(history_csv))
}

/// Returns the history of a plug in steps. Steps without data are omitted; the unfinished last step is included.
#[utoipa::path(get, path = "/api/v1/plugs/{mac}/history", tag = "history", operation_id = "history",
    params(
        ("mac" = PlugPath, Path, description = "The plug's MAC"),
        ("from" = Option<Moment>, Query, description = "Start; by default a day before `to`"),
        ("to" = Option<Moment>, Query, description = "End, exclusive; a date is included as a whole; by default now"),
        ("step" = Option<Period>, Query, description = "Length of a step: whole seconds, from `1d` on whole local days; at most 10,000 points; by default a length for at most 1,500 points. Over data of which only coarser rows are left the steps are longer, see `step_s`")),
    responses((status = 200, description = "The history", body = History)))]
async fn history(
    State(hub): State<Hub>,
    PlugPath(plug): PlugPath,
    params: Params,
) -> Result<Json<History>, Problem> {
    Ok(Json(hub.history(plug, &request(&params)?).await?))
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
    let history = hub.history(plug, &request(&params)?).await?;
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

fn request(params: &Params) -> Result<HistoryRequest, RequestError> {
    params.only(&["from", "to", "step"])?;
    Ok(HistoryRequest {
        range: params.range()?,
        step: params.value("step")?,
    })
}
