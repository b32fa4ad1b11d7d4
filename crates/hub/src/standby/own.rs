//! The part of an answer that is about the process which is asked: a standby puts its own in place of the active hub's.

use axum::body::{Body, to_bytes};
use axum::http::header;
use axum::response::Response;
use serde_json::Value;

use crate::context::RunContext;
use crate::http::{self, ProcessInfo};

/// Longer than the status or the metrics of any hub.
const MAX_ANSWER_BYTES: usize = 16 << 20;

/// An answer that is partly about the process which is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum OwnPart {
    Status,
    Metrics,
}

impl OwnPart {
    /// Returns the one of a path.
    pub(super) fn of(path: &str) -> Option<Self> {
        match path {
            "/api/v1/hub" => Some(Self::Status),
            "/metrics" => Some(Self::Metrics),
            _ => None,
        }
    }

    /// Puts it in place of the active hub's. `None` if that one was lost before its answer was complete.
    pub(super) async fn replaced(self, answer: Response, context: &RunContext) -> Option<Response> {
        let (mut parts, body) = answer.into_parts();
        // The length is that of the active hub's answer, also where there is no body, as after HEAD.
        parts.headers.remove(header::CONTENT_LENGTH);
        let body = to_bytes(body, MAX_ANSWER_BYTES).await.ok()?;
        let own = match self {
            _ if body.is_empty() => String::new(),
            Self::Status => with_own_process(&body, context)?,
            Self::Metrics => {
                let (lease, recorder) = (&context.lease, &context.recorder);
                let active = std::str::from_utf8(&body).ok()?;
                http::with_own_process(active, &context.config.site, lease, recorder).ok()?
            }
        };
        Some(Response::from_parts(parts, Body::from(own)))
    }
}

/// Returns the status of the active hub with that of this process.
fn with_own_process(active: &[u8], context: &RunContext) -> Option<String> {
    let mut status: serde_json::Map<String, Value> = serde_json::from_slice(active).ok()?;
    let own = ProcessInfo::of(&context.config, &context.lease, &context.recorder);
    let own = serde_json::to_value(own).expect("a plain structure can be written as JSON");
    for (name, value) in own.as_object().into_iter().flatten() {
        status.insert(name.clone(), value.clone());
    }
    Some(Value::Object(status).to_string())
}
