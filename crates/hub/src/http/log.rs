//! The log of past events.

use std::sync::Arc;

use api::{LogEntry, LogKind, Moment, OfSite, RequestError};
use axum::Json;
use axum::extract::State;
use jiff::Timestamp;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::Api;
use super::problem::JsonResult;
use super::query::Params;
use super::sites::SITE;
use crate::hub::Hub;
use crate::sites::{OtherSite, SiteSelection};
use crate::store::LogQuery;

/// Number of entries unless given.
const DEFAULT_LIMIT: usize = 100;
/// Maximum number of entries in one response.
const MAX_LIMIT: usize = 1000;

pub(super) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new().routes(routes!(log))
}

/// Returns past events with their causes, newest first, from the disk. They are kept for a year, at most 200,000 of them.
///
/// To continue, pass the `id` of the last entry as `before`. New entries are sent as the event `log`.
#[utoipa::path(get, path = "/api/v1/log", tag = "events", operation_id = "log",
    params(
        ("from" = Option<Moment>, Query, description = "Start"),
        ("to" = Option<Moment>, Query, description = "End, exclusive; a date is included as a whole"),
        ("before" = Option<u64>, Query, description = "Id of an entry: only those before it"),
        ("kinds" = Option<String>, Query, description = "Kinds, separated by commas; all unless given"),
        ("plugs" = Option<String>, Query, description = "MACs, separated by commas: only what is about these plugs"),
        ("problems" = Option<bool>, Query, description = "`true` for what may need attention only"),
        ("limit" = Option<u64>, Query, description = "Maximum number of entries; 100 unless given, at most 1,000")),
    responses((status = 200, description = "The entries", body = [LogEntry])))]
async fn log(
    State(hub): State<Hub>,
    sites: SiteSelection,
    params: Params,
) -> JsonResult<Vec<OfSite<LogEntry>>> {
    let query = read(&hub, &params)?;
    if query.before.is_some() && sites.count() > 1 {
        let message = "before: the log of each site has its own ids";
        let error = RequestError::usage(message).at("before");
        return Err(error.hint("name a site by `site`").into());
    }
    let of_own = async { hub.log().entries(&query).await };
    let wanted = &query;
    let of_other = |other: Arc<OtherSite>| async move { other.log(wanted).await };
    let mut entries = sites.collect(of_own, of_other).await?;
    if sites.count() > 1 {
        entries.sort_by_key(|entry| std::cmp::Reverse(entry.object.at));
        entries.truncate(query.limit);
    }
    Ok(Json(entries))
}

/// Returns the entry before which to read. Ids of the database have 63 bits, as the description says by `int64`.
fn before(params: &Params) -> Result<Option<u64>, RequestError> {
    let id = params.value::<u64>("before")?;
    if id.is_some_and(|id| i64::try_from(id).is_err()) {
        let message = format!("before: must be at most {}", i64::MAX);
        return Err(RequestError::usage(message).at("before"));
    }
    Ok(id)
}

fn read(hub: &Hub, params: &Params) -> Result<LogQuery, RequestError> {
    params.only(&[
        "from", "to", "before", "kinds", "plugs", "problems", "limit", SITE,
    ])?;
    let zone = &hub.clock().timezone;
    let range = params.range()?;
    let range = range.resolve(Timestamp::MAX, zone, |_| Ok(Timestamp::UNIX_EPOCH))?;
    let limit = params.value("limit")?.unwrap_or(DEFAULT_LIMIT);
    if !(1..=MAX_LIMIT).contains(&limit) {
        let message = format!("limit: must be from 1 to {MAX_LIMIT}");
        return Err(RequestError::usage(message).at("limit"));
    }
    Ok(LogQuery {
        from: Some(range.from),
        to: Some(range.to),
        before: before(params)?,
        kinds: params.list::<LogKind>("kinds")?,
        plugs: params.list("plugs")?,
        problems: params.flag("problems")?,
        limit,
    })
}
