//! The common format of errors: `application/problem+json` (RFC 9457) with a `kind` for programs.
//!
//! The causes of an error stay in the log; a problem contains only what the client may read.

use api::{ErrorKind, ProblemDocument, RequestError};
use axum::Json;
use axum::extract::rejection::{FormRejection, JsonRejection, PathRejection, QueryRejection};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value};

/// The content type of errors.
pub const CONTENT_TYPE: &str = "application/problem+json";

/// An error response.
#[derive(Debug, Clone, PartialEq)]
pub struct Problem(Box<Parts>);

/// The parts of a problem, boxed because most results are not errors.
#[derive(Debug, Clone, PartialEq)]
struct Parts {
    status: StatusCode,
    error: RequestError,
    more: Map<String, Value>,
    headers: HeaderMap,
}

/// JSON, or an error response.
pub(super) type JsonResult<T> = Result<Json<T>, Problem>;

impl Problem {
    /// Sets a status other than that of the kind, e.g. 413 or 405.
    #[must_use]
    pub fn status(mut self, status: StatusCode) -> Self {
        self.0.status = status;
        self
    }

    /// Adds a further member, e.g. `"confirmed": false`.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.0.more.insert(name.to_owned(), value.into());
        self
    }

    /// Returns the error.
    pub fn error(&self) -> &RequestError {
        &self.0.error
    }

    /// Returns the status.
    pub fn status_code(&self) -> StatusCode {
        self.0.status
    }

    /// Returns its kind.
    pub fn kind(&self) -> ErrorKind {
        self.0.error.kind()
    }

    /// Adds a header, e.g. `Retry-After`.
    #[must_use]
    pub fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.0.headers.insert(name, value);
        self
    }
}

impl From<RequestError> for Problem {
    fn from(error: RequestError) -> Self {
        let status =
            StatusCode::from_u16(error.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        Self(Box::new(Parts {
            status,
            error,
            more: Map::new(),
            headers: HeaderMap::new(),
        }))
    }
}

/// Converts axum's rejection of a body, a path or a query. Only `too large` has a status of its own.
macro_rules! from_rejection {
    ($($rejection:ty),*) => {$(
        impl From<$rejection> for Problem {
            fn from(rejection: $rejection) -> Self {
                let problem = Self::from(RequestError::usage(one_line(&rejection.body_text())));
                match rejection.status() {
                    StatusCode::PAYLOAD_TOO_LARGE => problem.status(StatusCode::PAYLOAD_TOO_LARGE),
                    _ => problem,
                }
            }
        }
    )*};
}
from_rejection!(FormRejection, JsonRejection, PathRejection, QueryRejection);

/// Bounds the length of a sentence that quotes input, and replaces control characters.
fn one_line(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .take(300)
        .collect()
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let Parts {
            status,
            error,
            more,
            headers: further,
        } = *self.0;
        let json = ProblemDocument {
            title: status.canonical_reason().unwrap_or("Error").to_owned(),
            status: status.as_u16(),
            kind: error.kind(),
            detail: error.message().to_owned(),
            hint: error.hint_text().map(str::to_owned),
            field: error.field().map(str::to_owned),
        };
        // A tree with text keys, which always can be written.
        let mut json = serde_json::to_value(json).unwrap_or_default();
        if let Some(object) = json.as_object_mut() {
            object.extend(more);
        }
        let mut response = (status, json.to_string()).into_response();
        // A browser is shown a page instead.
        response.extensions_mut().insert(error);
        let headers = response.headers_mut();
        headers.extend(further);
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(CONTENT_TYPE));
        response
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt;

    use super::*;

    async fn json(problem: Problem) -> (StatusCode, Value) {
        let response = problem.into_response();
        assert_eq!(response.headers()[header::CONTENT_TYPE], CONTENT_TYPE);
        let status = response.status();
        let body = response.into_body().collect().await.unwrap().to_bytes();
        (status, serde_json::from_slice(&body).unwrap())
    }

    #[tokio::test]
    async fn an_error_in_full() {
        let error = RequestError::usage("there is no such time")
            .hint("write it like `07:00`")
            .at("when.at");
        let expected = serde_json::json!({
            "title": "Bad Request", "status": 400, "kind": "usage", "detail": "there is no such time",
            "hint": "write it like `07:00`", "field": "when.at",
        });
        assert_eq!(
            json(error.into()).await,
            (StatusCode::BAD_REQUEST, expected)
        );
    }

    #[tokio::test]
    async fn unknown_members_are_null_and_further_ones_are_added() {
        let error = RequestError::new(ErrorKind::Refused, "the relay did not move");
        let (status, json) = json(Problem::from(error).with("confirmed", false)).await;
        assert_eq!(status, StatusCode::BAD_GATEWAY);
        assert_eq!(json["confirmed"], false);
        assert_eq!(json.get("hint"), Some(&Value::Null));
        assert_eq!(json.get("field"), Some(&Value::Null));
    }

    #[test]
    fn what_is_stale_has_a_status_of_its_own() {
        assert_eq!(
            Problem::from(RequestError::stale("it changed")).0.status,
            StatusCode::PRECONDITION_FAILED
        );
        assert_eq!(
            Problem::from(RequestError::conflict("it is there"))
                .0
                .status,
            StatusCode::CONFLICT
        );
    }

    #[test]
    fn what_strangers_send_is_quoted_in_bounds() {
        assert_eq!(one_line("a\nb\u{1b}[31m"), "a b [31m");
        assert_eq!(one_line(&"ä".repeat(1000)).chars().count(), 300);
    }
}
