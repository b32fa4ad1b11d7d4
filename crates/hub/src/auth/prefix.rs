//! The prefix of the paths of the hub as the browser sees them.

use std::str::FromStr;
use std::sync::Arc;

use axum::http::Extensions;
use axum::response::{IntoResponse, Redirect, Response};

/// Prefix of the paths of the hub as the browser sees them, e.g. `/mains` behind a proxy; empty without one. An extension of
/// every request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PathPrefix(Arc<str>);

impl Default for PathPrefix {
    fn default() -> Self {
        Self::none()
    }
}

impl FromStr for PathPrefix {
    type Err = &'static str;

    /// Reads nothing or a plain path: `(/[A-Za-z0-9._~-]+)+`.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let is_plain = |segment: &str| {
            let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '~' | '-');
            !segment.is_empty() && segment.chars().all(allowed)
        };
        let mut segments = text.split('/');
        let is_path = segments.next() == Some("") && segments.all(is_plain);
        match text.is_empty() || is_path {
            true => Ok(Self(Arc::from(text))),
            false => Err("not a plain path; write it like `/mains`"),
        }
    }
}

impl PathPrefix {
    /// Returns the prefix of a request.
    pub fn of(extensions: &Extensions) -> Self {
        extensions.get().cloned().unwrap_or_else(Self::none)
    }

    /// Returns the empty prefix.
    pub fn none() -> Self {
        Self(Arc::from(""))
    }

    /// Returns the prefix: empty, or beginning with `/` and not ending with it.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the path for which cookies are valid.
    pub fn cookie_path(&self) -> &str {
        if self.0.is_empty() { "/" } else { &self.0 }
    }

    /// Returns the rest of a path below the prefix.
    pub(super) fn strip<'p>(&self, path: &'p str) -> Option<&'p str> {
        if self.0.is_empty() {
            return None;
        }
        match path.strip_prefix(&*self.0)? {
            "" => Some("/"),
            rest => rest.starts_with('/').then_some(rest),
        }
    }

    /// Leads a browser to a path of the hub.
    pub fn redirect(&self, path: &str) -> Response {
        Redirect::to(&format!("{}{path}", self.0)).into_response()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_paths() {
        for text in ["", "/mains", "/api/hassio_ingress/AbC-1_2~3.4"] {
            assert_eq!(text.parse::<PathPrefix>().unwrap().as_str(), text);
        }
        for text in [
            "mains",
            "/",
            "/mains/",
            "//evil",
            "/a//b",
            "/a b",
            "/a;b",
            "/\u{e4}",
            "/a?b",
            "/%41",
            "https://evil",
        ] {
            assert!(text.parse::<PathPrefix>().is_err(), "{text}");
        }
    }

    #[test]
    fn whole_segments_are_stripped() {
        let prefix: PathPrefix = "/mains".parse().unwrap();
        assert_eq!(prefix.strip("/mains"), Some("/"));
        assert_eq!(prefix.strip("/mains/energy"), Some("/energy"));
        assert_eq!(prefix.strip("/mainsail"), None);
        assert_eq!(prefix.strip("/energy"), None);
        assert_eq!(PathPrefix::none().strip("/energy"), None);
    }
}
