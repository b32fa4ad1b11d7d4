//! Ends event streams, which have no end of their own.

use axum::body::Body;
use axum::http::{HeaderMap, header};
use axum::response::Response;
use futures_util::StreamExt;
use tokio_util::sync::CancellationToken;

/// Ends an event stream when this is cancelled. Other responses stay as they are: they end by themselves, and half of one would
/// look like the whole.
pub fn end_when_cancelled(response: Response, end: CancellationToken) -> Response {
    if !is_event_stream(response.headers()) {
        return response;
    }
    response
        .map(|body| Body::from_stream(body.into_data_stream().take_until(end.cancelled_owned())))
}

fn is_event_stream(headers: &HeaderMap) -> bool {
    headers
        .get(header::CONTENT_TYPE)
        .is_some_and(|value| value.as_bytes().starts_with(b"text/event-stream"))
}
