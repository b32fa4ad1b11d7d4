//! The plain pages of the hub itself, without script and style.

use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{Html, IntoResponse, Response};

/// Returns true if the client prefers a page to JSON.
pub(super) fn wanted(headers: &HeaderMap) -> bool {
    headers.get_all(header::ACCEPT).iter().any(|accept| {
        accept
            .to_str()
            .is_ok_and(|accept| accept.contains("text/html"))
    })
}

/// Page for a browser that is logged in.
pub(super) fn home() -> Response {
    page(
        StatusCode::OK,
        "<p>The hub is running.</p>\n<p>Its interface is described at \
         <a href=\"/api/v1/openapi.json\">/api/v1/openapi.json</a>; the plugs are at \
         <a href=\"/api/v1/plugs\">/api/v1/plugs</a>.</p>",
    )
}

/// Page for a browser that is not logged in.
pub(super) fn login_needed() -> Response {
    page(
        StatusCode::UNAUTHORIZED,
        "<p>This needs a login. <code>mains hub login-url</code> on the hub's machine makes a link.</p>",
    )
}

/// Page for a login link that was used or has expired.
pub(super) fn link_is_used() -> Response {
    page(
        StatusCode::UNAUTHORIZED,
        "<p>This link has been used, or is too old. <code>mains hub login-url</code> on the hub's machine makes a \
         fresh one.</p>",
    )
}

fn page(status: StatusCode, text: &str) -> Response {
    let html = format!(
        "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n<title>Mains</title>\n<h1>Mains</h1>\n{text}\n</html>\n"
    );
    (status, Html(html)).into_response()
}
