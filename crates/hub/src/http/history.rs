//! History of a plug in steps, as JSON and as CSV.

use api::{
    ErrorKind, History, HistoryPoint, HistoryRequest, Moment, Period, RequestError, SiteName,
};
use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use hiflying::Mac;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::path::PlugPath;
use super::problem::{JsonResult, Problem};
use super::query::Params;
use super::sites::SITE;
use super::{Api, attachment};
use crate::history::SiteHistory;
use crate::hub::Hub;
use crate::sites::{OtherSite, SiteSelection};
use crate::store::csv::SITE_COLUMN;

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
    sites: SiteSelection,
    params: Params,
) -> JsonResult<History> {
    let request = request(&params)?;
    let other = sites.site_of_plug(&hub, plug).await?;
    let history = of_plug(&hub, &sites, other.as_deref(), plug).await?;
    Ok(Json(history.history(plug, &request).await?))
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
    sites: SiteSelection,
    params: Params,
) -> Result<Response, Problem> {
    let request = request(&params)?;
    let other = sites.site_of_plug(&hub, plug).await?;
    let site = of_plug(&hub, &sites, other.as_deref(), plug).await?;
    let history = site.history(plug, &request).await?;
    let text = csv(&history.points, site.site).map_err(|error| {
        RequestError::new(
            ErrorKind::Failed,
            format!("the history of {plug} cannot be written: {error}"),
        )
    })?;
    let headers = attachment("text/csv; charset=utf-8", &format!("{plug:x}.csv"));
    Ok((headers, text).into_response())
}

/// Returns the history of the site that has a plug: another one, or the hub's own.
pub(super) async fn of_plug<'a>(
    hub: &'a Hub,
    sites: &SiteSelection,
    other: Option<&'a OtherSite>,
    plug: Mac,
) -> Result<SiteHistory<'a>, RequestError> {
    if let Some(other) = other {
        return other.history().await;
    }
    sites.look_here(format_args!("plug {plug}"))?;
    Ok(hub.site_history())
}

/// Writes the points; the site is the last column where the hub has one.
fn csv(points: &[HistoryPoint], site: &SiteName) -> Result<Vec<u8>, Box<dyn std::error::Error>> {
    let mut writer = csv::WriterBuilder::new()
        .has_headers(false)
        .from_writer(Vec::new());
    let site = Some(site).filter(|site| !site.is_empty());
    let columns = ["t", "power_w", "power_min_w", "power_max_w", "energy_wh"];
    // Written here, so that it is there without a single point, too.
    writer.write_record(columns.into_iter().chain(site.map(|_| SITE_COLUMN)))?;
    for point in points {
        match site {
            Some(site) => writer.serialize((point, site))?,
            None => writer.serialize(point)?,
        }
    }
    Ok(writer.into_inner()?)
}

fn request(params: &Params) -> Result<HistoryRequest, RequestError> {
    params.only(&["from", "to", "step", SITE])?;
    Ok(HistoryRequest {
        range: params.range()?,
        step: params.value("step")?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_carry_the_site_of_a_hub_that_has_one() {
        let point = HistoryPoint {
            t: "2026-11-22T12:00:00Z".parse().unwrap(),
            power_w: Some(1.5),
            power_min_w: None,
            power_max_w: None,
            energy_wh: 0.25,
        };
        let text = |site: &str| {
            let text = csv(&[point], &site.parse().unwrap()).unwrap();
            String::from_utf8(text).unwrap()
        };
        assert_eq!(
            text(""),
            "t,power_w,power_min_w,power_max_w,energy_wh\n2026-11-22T12:00:00Z,1.5,,,0.25\n"
        );
        assert_eq!(
            text("berlin"),
            "t,power_w,power_min_w,power_max_w,energy_wh,site\n2026-11-22T12:00:00Z,1.5,,,0.25,berlin\n"
        );
    }
}
