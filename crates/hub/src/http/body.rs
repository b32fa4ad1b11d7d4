//! Request bodies, bounded in size and time, with precise error messages.

use std::time::Duration;

use api::{ErrorKind, RequestError, merge_patch};
use axum::body::{Body, Bytes};
use axum::extract::{FromRequest, Request};
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, StatusCode};
use futures_util::StreamExt as _;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::problem::Problem;

/// Maximum size of an ordinary body, in bytes; a group of 10,000 plugs fits.
pub(crate) const ORDINARY: usize = 256 * 1024;
/// Maximum size of a body with prices, in bytes; the maximum number of prices of a tariff fits.
pub(crate) const PRICES: usize = 16 * 1024 * 1024;
/// Maximum time for a body to arrive.
const BODY_TIMEOUT: Duration = Duration::from_secs(10);
/// Maximum length of quoted input in a message, in characters.
const QUOTED: usize = 200;

/// A required JSON object of at most `LIMIT` bytes.
#[derive(Debug)]
pub(crate) struct Json<T, const LIMIT: usize = ORDINARY>(pub(crate) T);

impl<S, T, const LIMIT: usize> FromRequest<S> for Json<T, LIMIT>
where
    S: Send + Sync,
    T: DeserializeOwned,
{
    type Rejection = Problem;

    async fn from_request(request: Request, _: &S) -> Result<Self, Problem> {
        Ok(Self(json(request, LIMIT).await?))
    }
}

/// Reads a JSON object of at most `limit` bytes.
pub(crate) async fn json<T: DeserializeOwned>(
    request: Request,
    limit: usize,
) -> Result<T, Problem> {
    demand_json(request.headers())?;
    let bytes = read(request.into_body(), limit).await?;
    demand_object(&bytes)?;
    Ok(from_slice(&bytes)?)
}

/// The format of a body, from its `Content-Type`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Media {
    Json,
    Csv,
    Other,
}

impl Media {
    pub(crate) fn of(headers: &HeaderMap) -> Self {
        let text = headers
            .get(CONTENT_TYPE)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default();
        let essence = text.split(';').next().unwrap_or_default().trim();
        match essence.to_ascii_lowercase().as_str() {
            "application/json" | "application/merge-patch+json" => Self::Json,
            "text/csv" => Self::Csv,
            _ => Self::Other,
        }
    }
}

fn demand_json(headers: &HeaderMap) -> Result<(), Problem> {
    match Media::of(headers) {
        Media::Json => Ok(()),
        Media::Csv | Media::Other => Err(unsupported("application/json")),
    }
}

/// Returns the error for an unsupported content type.
pub(crate) fn unsupported(wanted: &str) -> Problem {
    let error = RequestError::usage("the body is not of a kind that is read here")
        .hint(format!("send it with the header `Content-Type: {wanted}`"))
        .at("Content-Type");
    Problem::from(error).status(StatusCode::UNSUPPORTED_MEDIA_TYPE)
}

/// An optional JSON object.
#[derive(Debug)]
pub(crate) struct MaybeJson<T>(pub(crate) T);

impl<S, T> FromRequest<S> for MaybeJson<T>
where
    S: Send + Sync,
    T: DeserializeOwned + Default,
{
    type Rejection = Problem;

    async fn from_request(request: Request, _: &S) -> Result<Self, Problem> {
        let is_json = demand_json(request.headers());
        let bytes = read(request.into_body(), ORDINARY).await?;
        if bytes.is_empty() {
            return Ok(Self(T::default()));
        }
        is_json?;
        demand_object(&bytes)?;
        Ok(Self(from_slice(&bytes)?))
    }
}

/// Reads a body of at most `limit` bytes within the ordinary time limit.
pub(crate) async fn read(body: Body, limit: usize) -> Result<Bytes, Problem> {
    let pieces = read_within(BODY_TIMEOUT, body, limit, limit).await?;
    Ok(match <[Bytes; 1]>::try_from(pieces) {
        Ok([whole]) => whole,
        Err(pieces) => pieces.concat().into(),
    })
}

/// Reads a body of at most `limit` bytes within the given time, in pieces. A line that is longer than `max_line` ends it.
pub(crate) async fn read_within(
    wait: Duration,
    body: Body,
    limit: usize,
    max_line: usize,
) -> Result<Vec<Bytes>, Problem> {
    let (mut pieces, mut length) = (Vec::new(), 0);
    let (mut line, mut line_length) = (1_u64, 0);
    let mut stream = body.into_data_stream();
    let reading = async {
        while let Some(piece) = stream.next().await {
            let whole = RequestError::usage("the body ended before it was whole");
            let piece = piece.map_err(|_| whole)?;
            length += piece.len();
            if length > limit {
                let error = RequestError::usage(format!("the body is longer than {limit} bytes"));
                return Err(Problem::from(error).status(StatusCode::PAYLOAD_TOO_LARGE));
            }
            for part in piece.split_inclusive(|byte| *byte == b'\n') {
                line_length += part.len();
                if line_length > max_line {
                    let message = format!("line {line}: longer than {max_line} bytes");
                    return Err(RequestError::usage(message).into());
                }
                if part.ends_with(b"\n") {
                    (line, line_length) = (line + 1, 0);
                }
            }
            pieces.push(piece);
        }
        Ok(())
    };
    match tokio::time::timeout(wait, reading).await {
        Ok(read) => read.map(|()| pieces),
        Err(_) => {
            let error = RequestError::usage("the body did not come in time");
            Err(Problem::from(error).status(StatusCode::REQUEST_TIMEOUT))
        }
    }
}

/// Rejects a JSON list, which serde would accept as the fields in order.
fn demand_object(bytes: &[u8]) -> Result<(), RequestError> {
    let first = bytes.iter().find(|byte| !byte.is_ascii_whitespace());
    if first == Some(&b'[') {
        return Err(RequestError::usage(
            "the body: it is a list and has to be an object",
        ));
    }
    Ok(())
}

/// Deserialises a value from JSON text.
pub(crate) fn from_slice<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, RequestError> {
    let mut json = serde_json::Deserializer::from_slice(bytes);
    let value = match serde_path_to_error::deserialize(&mut json) {
        Ok(value) => value,
        Err(error) if error.inner().is_data() => {
            return Err(wrong(&error.path().to_string(), error.inner()));
        }
        // A null in place of a word is told like a slip of the pen, though the JSON is sound.
        Err(error) => {
            let sound = serde_json::from_slice(bytes).map_err(|_| wrong(".", error.inner()))?;
            return from_value(sound);
        }
    };
    json.end().map_err(|error| wrong(".", &error))?;
    Ok(value)
}

/// Deserialises a value from parsed JSON.
pub(crate) fn from_value<T: DeserializeOwned>(value: Value) -> Result<T, RequestError> {
    serde_path_to_error::deserialize(value)
        .map_err(|error| wrong(&error.path().to_string(), error.inner()))
}

/// Applies a JSON merge patch to a value that is an object in JSON; `read` deserialises the merged object.
pub(crate) fn patched<T: Serialize>(
    value: &T,
    patch: Map<String, Value>,
    read: impl FnOnce(Value) -> Result<T, RequestError>,
) -> Result<T, RequestError> {
    let Ok(Value::Object(mut object)) = serde_json::to_value(value) else {
        return Err(RequestError::new(
            ErrorKind::Failed,
            "the object cannot be patched",
        ));
    };
    let added: Vec<String> = patch
        .keys()
        .filter(|name| !object.contains_key(*name))
        .cloned()
        .collect();
    merge_patch(&mut object, patch);
    let patched = read(Value::Object(object))?;
    // A field that is reset leaves no trace in the object, so a misspelt one would go unnoticed.
    let known = serde_json::to_value(&patched).unwrap_or_default();
    match added.into_iter().find(|name| known.get(name).is_none()) {
        Some(unknown) => Err(RequestError::usage(format!("{unknown}: unknown field")).at(unknown)),
        None => Ok(patched),
    }
}

/// Returns the error for invalid JSON, with the field at fault.
fn wrong(path: &str, error: &serde_json::Error) -> RequestError {
    let text = clipped(&error.to_string());
    if !error.is_data() {
        return RequestError::usage(format!("the body is not JSON: {text}"));
    }
    let place = format!(" at line {} column {}", error.line(), error.column());
    let what = text.strip_suffix(&place).unwrap_or(&text);
    match field(path, what) {
        Some(field) => RequestError::usage(format!("{}: {what}", clipped(&field))).at(field),
        None => RequestError::usage(format!("the body: {what}")),
    }
}

/// Returns the field at fault: the position of the reader, or the missing field at that position.
fn field(path: &str, what: &str) -> Option<String> {
    let quoted = |rest: &'_ str| rest.split('`').next().map(str::to_owned);
    let missing = what.strip_prefix("missing field `").and_then(quoted);
    // The reader is at an unknown field already, unless the type reads itself.
    let unknown = what.strip_prefix("unknown field `").and_then(quoted);
    match (path, missing) {
        (".", None) => unknown,
        (".", missing) => missing,
        (path, Some(name)) => Some(format!("{path}.{name}")),
        (path, None) => Some(path.to_owned()),
    }
}

fn clipped(text: &str) -> String {
    match text.char_indices().nth(QUOTED) {
        Some((end, _)) => format!("{}\u{2026}", text.get(..end).unwrap_or(text)),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use axum::response::IntoResponse;
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Deserialize, PartialEq)]
    #[serde(deny_unknown_fields)]
    struct Thing {
        name: String,
        when: Option<When>,
        #[serde(default)]
        word: Word,
    }

    #[derive(Debug, Default, Deserialize, PartialEq)]
    #[serde(rename_all = "lowercase")]
    enum Word {
        #[default]
        Yes,
    }

    #[derive(Debug, Deserialize, PartialEq)]
    #[serde(deny_unknown_fields)]
    struct When {
        at: u8,
        days: Vec<u8>,
    }

    fn error(text: &str) -> (String, Option<String>) {
        let error = from_slice::<Thing>(text.as_bytes()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Usage);
        (error.message().to_owned(), error.field().map(str::to_owned))
    }

    #[test]
    fn the_field_that_is_wrong_is_named() {
        for (text, field) in [
            (r#"{"name":1}"#, "name"),
            (r#"{}"#, "name"),
            (r#"{"name":"a","when":{"at":1}}"#, "when.days"),
            (r#"{"name":"a","when":{"at":300,"days":[]}}"#, "when.at"),
            (
                r#"{"name":"a","when":{"at":1,"days":[1,"x"]}}"#,
                "when.days[1]",
            ),
            (r#"{"name":"a","nmae":"b"}"#, "nmae"),
            (r#"{"name":"a","when":{"at":1,"days":[],"x":1}}"#, "when.x"),
            (r#"{"name":"a","word":null}"#, "word"),
        ] {
            let (message, named) = error(text);
            assert_eq!(named.as_deref(), Some(field), "{text}: {message}");
            assert!(message.starts_with(&format!("{field}: ")), "{message}");
            assert!(!message.contains(" at line "), "{message}");
            let value = serde_json::from_str(text).unwrap();
            let same = from_value::<Thing>(value).unwrap_err();
            assert_eq!(same.field(), Some(field), "{text}: {same}");
        }
    }

    #[test]
    fn what_is_no_json_is_said_to_be_none() {
        for text in [
            "",
            "{",
            "nul",
            r#"{"name":"a"} x"#,
            "\u{0}",
            r#"{"name":"\ud800"}"#,
        ] {
            let (message, field) = error(text);
            assert!(
                message.starts_with("the body is not JSON: "),
                "{text}: {message}"
            );
            assert_eq!(field, None);
        }
        assert!(from_slice::<Thing>(b"{\"name\":\"\xff\"}").is_err());
        let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
        assert!(from_slice::<Value>(deep.as_bytes()).is_err());
        assert_eq!(error("[]").1, None);
    }

    #[test]
    fn a_message_quotes_little_of_the_input() {
        let name = "x".repeat(100_000);
        let (message, _) = error(&format!(r#"{{"name":"a","{name}":1}}"#));
        assert!(
            message.chars().count() < 2 * QUOTED + 10,
            "{}",
            message.len()
        );
    }

    fn status(problem: Problem) -> StatusCode {
        problem.into_response().status()
    }

    async fn send(content_type: Option<&str>, body: impl Into<Body>) -> Result<Thing, Problem> {
        let mut request = Request::builder();
        if let Some(content_type) = content_type {
            request = request.header(CONTENT_TYPE, content_type);
        }
        let request = request.body(body.into()).unwrap();
        Json::<Thing, 64>::from_request(request, &())
            .await
            .map(|Json(thing)| thing)
    }

    #[tokio::test]
    async fn a_body_is_bounded_and_of_its_kind() {
        let json = Some("application/json");
        let thing = r#"{"name":"a","when":null}"#;
        assert!(send(json, thing).await.is_ok());
        assert!(
            send(Some("Application/JSON; charset=utf-8"), thing)
                .await
                .is_ok()
        );
        for other in [None, Some("text/plain"), Some("application/jsonx")] {
            let problem = send(other, thing).await.unwrap_err();
            assert_eq!(status(problem), StatusCode::UNSUPPORTED_MEDIA_TYPE);
        }
        let long = format!(r#"{{"name":"{}"}}"#, "x".repeat(64));
        let problem = send(json, long).await.unwrap_err();
        assert_eq!(status(problem), StatusCode::PAYLOAD_TOO_LARGE);
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_never_ends_is_not_waited_for() {
        let never = futures_util::stream::pending::<Result<Bytes, std::io::Error>>();
        let problem = send(Some("application/json"), Body::from_stream(never))
            .await
            .unwrap_err();
        assert_eq!(status(problem), StatusCode::REQUEST_TIMEOUT);
    }
}
