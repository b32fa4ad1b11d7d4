//! The problem of a request that needs the active hub while it is away.

use api::{ErrorKind, RequestError};
use axum::http::{HeaderValue, header};

use crate::http::problem::Problem;

/// Seconds after which a request that could not be passed on may be repeated.
const RETRY_AFTER_S: u16 = 2;
/// Returns the problem for what needs the active hub while it is away.
pub(super) fn away(why: &str) -> Problem {
    let error = RequestError::new(ErrorKind::Unavailable, why.to_owned())
        .hint("try again in a few seconds; a hub on standby takes over within 15 seconds");
    Problem::from(error).header(header::RETRY_AFTER, HeaderValue::from(RETRY_AFTER_S))
}
