//! Any call, as the bridge's own debug page makes it.

use serde::de::IgnoredAny;
use serde_json::Value;

use super::Bridge;
use crate::call::{Call, Method, Target};
use crate::error::HueError;
use crate::json;
use crate::reply::{self, ApiError, BadReply, ReplyError};
use crate::transport::{Answer, Transport};

/// No path of a bridge is longer.
const LONGEST_PATH: usize = 1024;
/// The beginning of the paths of the second interface, whose key goes into a header.
const SECOND: &str = "/clip/";

/// A path as a person writes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClipTarget(Target);

impl ClipTarget {
    /// Reads it: one with a leading `/` is sent as it is, any other is below `/api/<key>/`.
    ///
    /// # Errors
    ///
    /// [`HueError::Usage`] for what cannot stand in a request.
    pub fn read(text: &str) -> Result<Self, HueError> {
        let is_plain = text.len() <= LONGEST_PATH
            && text.bytes().all(|byte| {
                byte.is_ascii_graphic() && !matches!(byte, b'#' | b'"' | b'\\' | b'<' | b'>')
            });
        if !is_plain {
            return Err(HueError::Usage(
                "not a path: write it as `lights/7/state` or `/clip/v2/resource/light`, without spaces; other characters as %XX"
                    .to_owned(),
            ));
        }
        Ok(Self(match text {
            "" => Target::Keyed(String::new()),
            path if path.starts_with(SECOND) => Target::Second(path.to_owned()),
            path if path.starts_with('/') => Target::Open(path.to_owned()),
            path => Target::Keyed(format!("/{path}")),
        }))
    }
}

/// What a bridge answered to a call of a person.
#[derive(Debug)]
pub struct Clip {
    /// The HTTP status.
    pub status: u16,
    /// The bridge's own JSON, as it came.
    pub body: Vec<u8>,
    /// What is wrong with it, when the bridge refused.
    pub problem: Option<HueError>,
}

/// Makes a call and returns what the bridge says, also where it refuses.
///
/// The body is looked at first: nothing is sent that is no JSON. A key that the path has no use for is not sent, but kept out of
/// what is quoted in errors.
///
/// # Errors
///
/// [`HueError::Usage`] with line and column for a body that is no JSON; [`HueError::NotPaired`] where a key is needed; no answer;
/// [`HueError::BadReply`] for what is no JSON.
pub async fn clip<T: Transport>(
    bridge: &Bridge<'_, T>,
    method: Method,
    path: &ClipTarget,
    body: Option<&[u8]>,
) -> Result<Clip, HueError> {
    let call = call(method, path, body)?;
    if bridge.key.is_none() && !matches!(call.target, Target::Open(_)) {
        return Err(HueError::NotPaired(bridge.name.clone()));
    }
    let is_open = matches!(call.target, Target::Open(_));
    let key = bridge.key.as_ref().filter(|_| !is_open);
    let answer = bridge.transport.call(&call, key).await?;
    // What is quoted of it must not repeat a key that was typed into the path.
    let masked = call.typed_key().map(|typed| Answer {
        status: answer.status,
        body: typed.taken_out_of(&answer.body),
    });
    let quoted = masked.as_ref().unwrap_or(&answer);
    if serde_json::from_slice::<IgnoredAny>(&answer.body).is_err() {
        return bridge.read(quoted, |status, body| {
            Err(BadReply::new(status, body).into())
        });
    }
    let problem = bridge.read(quoted, judge(&call)).err();
    Ok(Clip {
        status: answer.status,
        body: answer.body,
        problem,
    })
}

/// Looks at a body before a bridge is looked for.
///
/// # Errors
///
/// [`HueError::Usage`] for a body where there may be none, and with line and column for one that is no JSON.
pub fn check_body(method: Method, body: Option<&[u8]>) -> Result<Option<&str>, HueError> {
    if method == Method::Get && body.is_some() {
        return Err(HueError::Usage("a get takes no body".to_owned()));
    }
    body.map(json::check)
        .transpose()
        .map_err(|error| HueError::Usage(format!("the body is not JSON and was not sent: {error}")))
}

fn call(method: Method, path: &ClipTarget, body: Option<&[u8]>) -> Result<Call, HueError> {
    Ok(Call {
        method,
        target: path.0.clone(),
        body: check_body(method, body)?.map(str::to_owned),
    })
}

/// Returns how to tell whether the bridge refused.
fn judge(call: &Call) -> fn(u16, &[u8]) -> Result<(), ReplyError> {
    match (&call.target, call.method) {
        (Target::Second(_), _) => second,
        // Some questions are answered with a list, and an empty one is then no lie.
        (_, Method::Get) => |status, body| match reply::object(status, body) {
            Err(ReplyError::Bad(_)) if status == 200 => Ok(()),
            answer => answer.map(drop),
        },
        _ => |status, body| reply::changes(status, body).map(drop),
    }
}

/// The second interface says by the status how it went, and why not in a list of its own.
fn second(status: u16, body: &[u8]) -> Result<(), ReplyError> {
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
            let description = description.unwrap_or("the bridge does not say why");
            Err(ApiError::of_status(status, description).into())
        }
    }
}
