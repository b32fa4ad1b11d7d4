//! Cookies of the pages, beside that of the session.

use axum::http::{HeaderMap, HeaderValue, header};
use hub::auth::PathPrefix;

/// Returns the value of a cookie.
pub(crate) fn cookie<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(';'))
        .find_map(|pair| pair.trim().strip_prefix(name)?.strip_prefix('='))
}

/// Returns a `Set-Cookie` for the pages; an age of 0 removes the cookie. `None` for a value that no cookie can have.
pub(crate) fn set_cookie(
    name: &str,
    value: &str,
    prefix: &PathPrefix,
    age: u32,
) -> Option<HeaderValue> {
    let path = match prefix.as_str() {
        "" => "/",
        prefix => prefix,
    };
    HeaderValue::try_from(format!(
        "{name}={value}; HttpOnly; SameSite=Lax; Path={path}; Max-Age={age}"
    ))
    .ok()
}
