//! The prefix of the paths of the hub as the browser sees them.

use std::sync::Arc;

use axum::response::{IntoResponse, Redirect, Response};

/// Prefix of the paths of the hub as the browser sees them, e.g. `/mains` behind a proxy; empty without one. An extension of
/// every request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PathPrefix(Arc<str>);

impl PathPrefix {
    /// Returns the empty prefix.
    pub fn none() -> Self {
        Self(Arc::from(""))
    }

    /// Returns the prefix: empty, or beginning with `/` and not ending with it.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Leads a browser to a path of the hub.
    pub fn redirect(&self, path: &str) -> Response {
        Redirect::to(&format!("{}{path}", self.0)).into_response()
    }
}
