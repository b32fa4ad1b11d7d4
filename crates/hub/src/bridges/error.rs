//! Errors of bridges in the hub's API.

use api::{ErrorChain, ErrorKind, RequestError};
use hue::HueError;

/// Returns the API's error for an error of a bridge.
pub fn bridge_error(error: impl Into<HueError>) -> RequestError {
    let error = error.into();
    let kind = match error.cause() {
        HueError::NoReply { .. } | HueError::NoTouchlink { .. } => ErrorKind::NoAnswer,
        HueError::NotABridge { .. } | HueError::Certificate { .. } | HueError::BadReply { .. } => {
            ErrorKind::BadAnswer
        }
        HueError::Refused { .. } | HueError::Busy { .. } | HueError::StillSearching { .. } => {
            ErrorKind::Refused
        }
        HueError::NoSuchLight { .. } | HueError::NoSuchBridge(_) | HueError::OtherBridge { .. } => {
            ErrorKind::NotFound
        }
        HueError::SeveralLights { .. }
        | HueError::NotPaired(_)
        | HueError::NotConfirmed
        | HueError::Usage(_) => ErrorKind::Usage,
        HueError::Local { .. } => return local_error(&error),
        _ => ErrorKind::Failed,
    };
    let hub_error = RequestError::new(kind, error.to_string());
    match error.hint() {
        Some(hint) => hub_error.hint(hint),
        None => hub_error,
    }
}

/// Logs a local error instead of sending it, because its message names files.
fn local_error(error: &HueError) -> RequestError {
    tracing::error!("{}", ErrorChain(error));
    RequestError::new(
        ErrorKind::Local,
        "the keys of the bridges, or the network interfaces, cannot be used",
    )
    .hint("see the hub's log for the reason")
}
