//! Ways of a browser to the login page and back. A guest draws the page itself.

use std::sync::Arc;

use axum::body::to_bytes;
use axum::extract::Request;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::Response;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::AccessControl;
use super::prefix::PathPrefix;
use crate::guest::{Guest, LoginPage, PathAccess, RefusalPage};

/// Maximum size of a form that is kept over a login.
const MAX_FORM_BYTES: usize = 64 * 1024;
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

    /// Returns the page of a request that was refused, if a guest draws one.
    pub(super) fn refusal_page(&self, refusal: &RefusalPage<'_>) -> Option<Response> {
        let page = |guest: &Arc<dyn Guest>| guest.refusal_page(refusal);
        self.0.guests.iter().find_map(page)
    }

    /// Leads a browser without a session to the login page, which leads back to the page that it has asked for. A form that it has
    /// sent, because its session has ended meanwhile, is kept.
    pub(super) async fn login_needed(&self, request: Request) -> Response {
        let prefix = PathPrefix::of(request.extensions());
        let (parts, body) = request.into_parts();
        let path = parts.uri.path();
        let is_read = matches!(parts.method, Method::GET | Method::HEAD);
        let page = match self.access(path) {
            PathAccess::Page(page) => page,
            _ => "/",
        };
        let next = match parts.uri.path_and_query() {
            Some(whole) if is_read && path == page => whole.to_string(),
            _ if self.has_typed(&parts.headers) => {
                let body = to_bytes(body, MAX_FORM_BYTES).await;
                let keep = |guest: &Arc<dyn Guest>| guest.keep_form(path, body.as_ref().ok()?);
                let kept = self.0.guests.iter().find_map(keep);
                kept.unwrap_or_else(|| page.to_owned())
            }
            _ => page.to_owned(),
        };
        let next = utf8_percent_encode(&next, ESCAPED);
        let mut response = prefix.redirect(&format!("/login?next={next}"));
        response
            .headers_mut()
            .insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        response
    }

    /// Returns true for a form of a browser that had a session.
    fn has_typed(&self, headers: &HeaderMap) -> bool {
        let is_form = headers.get(header::CONTENT_TYPE).is_some_and(|kind| {
            kind.as_bytes()
                .starts_with(b"application/x-www-form-urlencoded")
        });
        is_form && cookies(headers, &self.0.cookie).next().is_some()
    }
}

/// Returns the values of all cookies with this name.
pub(super) fn cookies<'a>(headers: &'a HeaderMap, name: &'a str) -> impl Iterator<Item = &'a str> {
    headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(';'))
        .filter_map(move |pair| pair.trim().strip_prefix(name)?.strip_prefix('='))
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
