//! Any request, as the bridge's own debug page makes it.

use serde::de::IgnoredAny;
use serde_json::Value;

use super::client::BridgeClient;
use crate::error::HueError;
use crate::json;
use crate::reply::{self, BadReply, BridgeError, ReplyError};
use crate::request::{HueRequest, Method, RequestTarget};
use crate::transport::{BridgeReply, HueTransport};

/// Maximum length of a path.
const MAX_PATH: usize = 1024;
/// Prefix of the paths of the v2 API, whose key goes into a header.
const V2_PREFIX: &str = "/clip/";

/// A path as people write it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClipTarget(RequestTarget);

impl ClipTarget {
    /// Parses a path: one with a leading `/` is sent unchanged, any other is below `/api/<key>/`.
    ///
    /// # Errors
    ///
    /// [`HueError::Usage`] for a text that cannot be part of a request.
    pub fn parse(text: &str) -> Result<Self, HueError> {
        let is_plain = text.len() <= MAX_PATH
            && text.bytes().all(|byte| {
                byte.is_ascii_graphic() && !matches!(byte, b'#' | b'"' | b'\\' | b'<' | b'>')
            });
        if !is_plain {
            return Err(HueError::Usage(
                "not a path; write it like `lights/7/state` or `/clip/v2/resource/light`, without spaces, and other characters as %XX"
                    .to_owned(),
            ));
        }
        Ok(Self(match text {
            "" => RequestTarget::Keyed(String::new()),
            path if path.starts_with(V2_PREFIX) => RequestTarget::V2(path.to_owned()),
            path if path.starts_with('/') => RequestTarget::Public(path.to_owned()),
            path => RequestTarget::Keyed(format!("/{path}")),
        }))
    }
}

/// The reply to a request that a person wrote.
#[derive(Debug)]
pub struct ClipReply {
    /// The HTTP status.
    pub status: u16,
    /// The bridge's JSON, unchanged.
    pub body: Vec<u8>,
    /// The error in it, if the bridge refused.
    pub problem: Option<HueError>,
}

/// Sends a request and returns the bridge's JSON, even if it is an error.
///
/// The body is checked first: only JSON is sent. A key that the path does not use is not sent, but masked in errors.
///
/// # Errors
///
/// [`HueError::Usage`] with line and column for a body that is not JSON; [`HueError::NotPaired`] if a key is needed; no reply;
/// [`HueError::BadReply`] for a reply that is not JSON.
pub async fn clip<T: HueTransport>(
    bridge: &BridgeClient<'_, T>,
    method: Method,
    path: &ClipTarget,
    body: Option<&[u8]>,
) -> Result<ClipReply, HueError> {
    let request = HueRequest {
        method,
        target: path.0.clone(),
        body: check_body(method, body)?.map(str::to_owned),
    };
    let is_public = matches!(request.target, RequestTarget::Public(_));
    if bridge.key.is_none() && !is_public {
        return Err(HueError::NotPaired(bridge.name.clone()));
    }
    let key = bridge.key.as_ref().filter(|_| !is_public);
    let reply = bridge.transport.send(&request, key).await?;
    // Errors quote the reply, which may repeat a key that was typed into the path.
    let masked = request.typed_key().map(|typed| BridgeReply {
        status: reply.status,
        body: typed.mask(&reply.body),
    });
    let quoted = masked.as_ref().unwrap_or(&reply);
    if serde_json::from_slice::<IgnoredAny>(&reply.body).is_err() {
        return bridge.parse(quoted, |status, body| {
            Err(BadReply::new(status, body).into())
        });
    }
    let problem = bridge.parse(quoted, success_check(&request)).err();
    Ok(ClipReply {
        status: reply.status,
        body: reply.body,
        problem,
    })
}

/// Checks a body before anything is sent.
///
/// # Errors
///
/// [`HueError::Usage`] for a body of a `GET`, and with line and column for one that is not JSON.
pub fn check_body(method: Method, body: Option<&[u8]>) -> Result<Option<&str>, HueError> {
    if method == Method::Get && body.is_some() {
        return Err(HueError::Usage("a `get` takes no body".to_owned()));
    }
    body.map(json::check)
        .transpose()
        .map_err(|error| HueError::Usage(format!("the body is not JSON and was not sent: {error}")))
}

/// Returns the function that finds the error in a reply.
fn success_check(request: &HueRequest) -> fn(u16, &[u8]) -> Result<(), ReplyError> {
    match (&request.target, request.method) {
        (RequestTarget::V2(_), _) => check_v2,
        // Some paths are answered with a list, which may be empty.
        (_, Method::Get) => |status, body| match reply::object(status, body) {
            Err(ReplyError::Bad(_)) if status == 200 => Ok(()),
            result => result.map(drop),
        },
        _ => |status, body| reply::changes(status, body).map(drop),
    }
}

/// Checks a v2 reply, which reports success by its status, and errors in a list.
fn check_v2(status: u16, body: &[u8]) -> Result<(), ReplyError> {
    let json: Value = serde_json::from_slice(body).map_err(|_| BadReply::new(status, body))?;
    let errors = json.get("errors").and_then(Value::as_array);
    let Some(errors) = errors else {
        return Err(BadReply::new(status, body).into());
    };
    let mut described = errors
        .iter()
        .filter_map(|error| error.get("description")?.as_str());
    match described.next() {
        None if (200..300).contains(&status) && errors.is_empty() => Ok(()),
        description => {
            let description = description.unwrap_or("the bridge gives no reason");
            Err(BridgeError::of_status(status, description).into())
        }
    }
}
