//! Pages of requests that were refused before they reached a page.

use api::{ErrorKind, RequestError, Scope};
use axum::response::Response;
use hub::RefusalPage;

use crate::page_error::error_page;
use crate::visit::Visit;

/// Draws the page of a request that was refused.
pub(crate) fn page(refusal: &RefusalPage<'_>) -> Response {
    let scope = refusal.scope.unwrap_or(Scope::Read);
    let visit = Visit::without_login(refusal.prefix.clone(), refusal.headers, scope);
    let is_view = refusal.scope == Some(Scope::Read);
    // What says what to do, e.g. about a site, is no matter of the scope.
    let is_scope = refusal.error.hint_text().is_none();
    if refusal.error.kind() == ErrorKind::Forbidden && is_view && is_scope {
        let message = "this login sees everything and changes nothing";
        let hint = "log in with the other password to change something";
        let error = RequestError::new(ErrorKind::Forbidden, message).hint(hint);
        return error_page(&visit, &error);
    }
    error_page(&visit, refusal.error)
}
