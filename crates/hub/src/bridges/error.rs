//! What went wrong with a bridge, as the hub's API tells it.

use api::{Chain, HubError, Kind};
use hue::HueError;

/// Returns the error of the API for a bridge's error.
pub(crate) fn bridge_error(error: HueError) -> HubError {
    let kind = match error.cause() {
        HueError::NoAnswer { .. } | HueError::NoTouchlink { .. } => Kind::NoAnswer,
        HueError::NotABridge { .. } | HueError::Certificate { .. } | HueError::BadReply { .. } => {
            Kind::BadAnswer
        }
        HueError::Refused { .. } | HueError::Busy { .. } | HueError::StillSearching { .. } => {
            Kind::Refused
        }
        HueError::NoSuchLight { .. } | HueError::NoSuchBridge(_) | HueError::OtherBridge { .. } => {
            Kind::NotFound
        }
        HueError::SeveralLights { .. }
        | HueError::NotPaired(_)
        | HueError::NotAgreed
        | HueError::Usage(_) => Kind::Usage,
        HueError::Local { .. } => return of_this_computer(&error),
        _ => Kind::Failed,
    };
    let told = HubError::new(kind, error.to_string());
    match error.advice() {
        Some(advice) => told.hint(advice),
        None => told,
    }
}

/// What it says names files, which is for the log.
fn of_this_computer(error: &HueError) -> HubError {
    tracing::error!("{}", Chain(error));
    HubError::new(
        Kind::Local,
        "the keys of the bridges, or the network interfaces, cannot be used",
    )
    .hint("the hub's log says why")
}
