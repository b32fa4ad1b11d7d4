//! Ways of a browser to the login page and back. A guest draws the page itself.

use std::sync::Arc;

use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header};
use axum::response::Response;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::AccessControl;
use super::prefix::PathPrefix;
use crate::guest::{Guest, LoginPage, PathAccess};

/// Characters of a path that are escaped in a query.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'/')
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// Returns a path to return to if it is one of this hub, else `/`.
pub fn local_path(path: &str) -> &str {
    let is_local = path.starts_with('/') && !path.starts_with("//");
    let is_plain = !path.chars().any(|c| c == '\\' || c.is_control());
    if is_local && is_plain { path } else { "/" }
}

/// Returns true if the client prefers a page to JSON.
pub(super) fn wanted(headers: &HeaderMap) -> bool {
    headers.get_all(header::ACCEPT).iter().any(|accept| {
        accept
            .to_str()
            .is_ok_and(|accept| accept.contains("text/html"))
    })
}

impl AccessControl {
    /// Returns the access that a path outside the API needs.
    pub(super) fn access<'p>(&self, path: &'p str) -> PathAccess<'p> {
        if path == "/api" || path.starts_with("/api/") {
            return PathAccess::Protected;
        }
        let accesses = self.0.guests.iter().map(|guest| guest.access(path));
        accesses
            .into_iter()
            .find(|access| *access != PathAccess::Protected)
            .unwrap_or(PathAccess::Protected)
    }

    /// Returns the login page, if a guest draws one.
    pub(super) fn login_page(&self, status: StatusCode, login: &LoginPage<'_>) -> Option<Response> {
        let page = |guest: &Arc<dyn Guest>| guest.login_page(login);
        let mut response = self.0.guests.iter().find_map(page)?;
        *response.status_mut() = status;
        Some(response)
    }
}

/// Leads a browser without a session to the login page, which leads back to `page`.
pub(super) fn login_needed(
    prefix: &PathPrefix,
    method: &Method,
    uri: &Uri,
    page: &str,
) -> Response {
    let is_read = matches!(*method, Method::GET | Method::HEAD);
    let next = match uri.path_and_query() {
        Some(whole) if is_read && uri.path() == page => whole.as_str(),
        _ => page,
    };
    let next = utf8_percent_encode(next, ESCAPED);
    let mut response = prefix.redirect(&format!("/login?next={next}"));
    response
        .headers_mut()
        .insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_login_leads_nowhere_else() {
        for path in [
            "/",
            "/energy?by=day",
            "/plugs/accf23123456#x",
            "/a//b",
            "/ä",
        ] {
            assert_eq!(local_path(path), path);
        }
        for path in [
            "",
            "//evil.example",
            "///x",
            "/\\evil.example",
            "\\",
            "https://evil.example",
            "evil",
            "javascript:alert(1)",
            "/a\nb",
            "/\t/evil.example",
            "/\u{7f}",
            " /",
        ] {
            assert_eq!(local_path(path), "/", "{path:?}");
        }
    }
}
