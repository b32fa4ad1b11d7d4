//! Backup of the whole database, and export and import of a plug's history.
//!
//! Only one of them runs at a time, because each uses much disk bandwidth and memory.

use std::collections::VecDeque;
use std::io::{self, Read};
use std::time::Duration;

use api::{ImportResponse, MAX_IMPORT_BYTES, Moment, RequestError};
use axum::Json;
use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::http::header::CONTENT_LENGTH;
use axum::response::{IntoResponse, Response};
use futures_util::StreamExt;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::body::{self, Media};
use super::history::of_plug;
use super::path::PlugPath;
use super::problem::{JsonResult, Problem};
use super::query::Params;
use super::sites::SITE;
use super::{Api, attachment};
use crate::sites::SiteSelection;
use crate::store::csv;

/// Maximum length of one of its lines, in bytes. The reader copies a line several times.
const MAX_LINE_LEN: usize = 4_096;
/// Maximum time for an imported file to arrive.
const FILE_TIMEOUT: Duration = Duration::from_secs(300);

pub(super) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new()
        .routes(routes!(backup))
        .routes(routes!(export))
        .routes(routes!(import))
}

/// Returns a consistent copy of the database.
#[utoipa::path(get, path = "/api/v1/hub/backup", tag = "hub", operation_id = "backup",
    responses((status = 200, description = "An SQLite file", body = String, content_type = "application/vnd.sqlite3")))]
async fn backup(State(api): State<Api>, params: Params) -> Result<Response, Problem> {
    params.only(&[])?;
    let turn = api.turn()?;
    let backup = api.hub.store().backup().await;
    let backup = backup.map_err(|error| RequestError::from(&error))?;
    let name = format!("mains-{}.sqlite", plugs::now().strftime("%Y%m%dT%H%M%SZ"));
    let headers = attachment("application/vnd.sqlite3", &name);
    let length = [(CONTENT_LENGTH, backup.length.to_string())];
    // The permit is held until it is sent.
    let content = backup.content.map(move |chunk| {
        let _turn = &turn;
        chunk.inspect_err(|error| tracing::error!(%error, "the backup cannot be read to its end"))
    });
    Ok((headers, length, Body::from_stream(content)).into_response())
}

/// Returns all data of a plug as CSV: quarter-hours, minutes and readings.
#[utoipa::path(get, path = "/api/v1/plugs/{mac}/export", tag = "history", operation_id = "export",
    params(
        ("mac" = PlugPath, Path, description = "The plug's MAC"),
        ("from" = Option<Moment>, Query, description = "Start; by default that of the history"),
        ("to" = Option<Moment>, Query, description = "End, exclusive; a date is included as a whole; by default now")),
    responses((status = 200, description = "The data", body = String, content_type = "text/csv")))]
async fn export(
    State(api): State<Api>,
    PlugPath(plug): PlugPath,
    sites: SiteSelection,
    params: Params,
) -> Result<Response, Problem> {
    params.only(&["from", "to", SITE])?;
    let (_turn, range) = (api.turn()?, params.range()?);
    let other = sites.site_of_plug(&api.hub, plug).await?;
    let history = of_plug(&api.hub, &sites, other.as_deref(), plug).await?;
    let text = history.export(plug, range).await?;
    let headers = attachment("text/csv; charset=utf-8", &format!("{plug:x}-history.csv"));
    Ok((headers, text).into_response())
}

/// Reads pieces one after the other, and frees each.
struct PieceReader(VecDeque<Bytes>);

impl Read for PieceReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut read = 0;
        while let Some(piece) = self.0.front_mut().filter(|_| read == 0) {
            read = piece.as_ref().read(buffer)?;
            drop(piece.split_to(read));
            if piece.is_empty() {
                self.0.pop_front();
            }
        }
        Ok(read)
    }
}

/// Imports exported data into a plug's history. Existing rows are kept.
#[utoipa::path(post, path = "/api/v1/plugs/{mac}/import", tag = "history", operation_id = "import",
    params(("mac" = PlugPath, Path, description = "The plug's MAC")),
    request_body(content = String, content_type = "text/csv"),
    responses((status = 200, description = "Numbers of rows that were imported", body = ImportResponse)))]
async fn import(
    State(api): State<Api>,
    PlugPath(plug): PlugPath,
    request: Request,
) -> JsonResult<ImportResponse> {
    api.hub.registry().one(plug)?;
    if Media::of(request.headers()) != Media::Csv {
        return Err(body::unsupported("text/csv"));
    }
    let _turn = api.turn()?;
    let body = request.into_body();
    let pieces = body::read_within(FILE_TIMEOUT, body, MAX_IMPORT_BYTES, MAX_LINE_LEN).await?;
    let reader = PieceReader(pieces.into());
    let imported = csv::import(&**api.hub.store(), plug, reader, plugs::now()).await;
    let imported = imported.map_err(|error| RequestError::from(&error))?;
    Ok(Json(ImportResponse {
        rows: imported.rows,
        new: imported.new,
    }))
}
