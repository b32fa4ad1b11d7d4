//! What went wrong with a bridge, as the hub's API tells it.

use api::{ErrorChain, ErrorKind, RequestError};
use hue::HueError;

/// Returns the error of the API for a bridge's error.
pub(crate) fn bridge_error(error: HueError) -> RequestError {
    let kind = match error.cause() {
        HueError::NoAnswer { .. } | HueError::NoTouchlink { .. } => ErrorKind::NoAnswer,
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
        | HueError::NotAgreed
        | HueError::Usage(_) => ErrorKind::Usage,
        HueError::Local { .. } => return of_this_computer(&error),
        _ => ErrorKind::Failed,
    };
    let told = RequestError::new(kind, error.to_string());
    match error.advice() {
        Some(advice) => told.hint(advice),
        None => told,
    }
}

/// What it says names files, which is for the log.
fn of_this_computer(error: &HueError) -> RequestError {
    tracing::error!("{}", ErrorChain(error));
    RequestError::new(
        ErrorKind::Local,
        "the keys of the bridges, or the network interfaces, cannot be used",
    )
    .hint("the hub's log says why")
}
