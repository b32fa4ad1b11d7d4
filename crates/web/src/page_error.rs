//! Errors as pages.

use api::{ErrorKind, RequestError};
use askama::Template;
use axum::extract::Request;
use axum::http::StatusCode;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use crate::frame::{Frame, HOME};
use crate::visit::Visit;

/// An error that a page shows.
#[derive(Debug, Clone)]
pub(crate) struct PageError(RequestError);

impl From<RequestError> for PageError {
    fn from(error: RequestError) -> Self {
        Self(error)
    }
}

impl IntoResponse for PageError {
    fn into_response(self) -> Response {
        let mut response = status(&self.0).into_response();
        // The page is drawn by `show`, which knows the request.
        response.extensions_mut().insert(self);
        response
    }
}

#[derive(Template)]
#[template(path = "error.html")]
struct ErrorPage {
    frame: Frame,
    message: String,
    hint: Option<String>,
}

/// Shows the page of an error in place of a response that has one.
pub(crate) async fn show(visit: Visit, request: Request, next: Next) -> Response {
    let response = next.run(request).await;
    let Some(PageError(error)) = response.extensions().get().cloned() else {
        return response;
    };
    let mut shown = error_page(&visit, &error);
    *shown.status_mut() = response.status();
    shown
}

/// Draws the page of an error.
pub(crate) fn error_page(visit: &Visit, error: &RequestError) -> Response {
    let title = match error.kind() {
        ErrorKind::NotFound => "This is not here",
        ErrorKind::Usage => "This cannot be used",
        ErrorKind::Forbidden => "This is not allowed",
        ErrorKind::Conflict => "This was not saved",
        _ => "This did not work",
    };
    let page = ErrorPage {
        frame: Frame::new(visit, HOME, title),
        message: sentence(error.message()),
        hint: error.hint_text().map(sentence),
    };
    page.frame.send(&page)
}

/// Returns the status of a page that shows an error.
pub(crate) fn status(error: &RequestError) -> StatusCode {
    StatusCode::from_u16(error.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}

/// Writes a message of an error as a sentence.
pub(crate) fn sentence(message: &str) -> String {
    let end = if message.ends_with(['.', '?', '!']) {
        ""
    } else {
        "."
    };
    format!("{}{end}", capitalized(message))
}

/// Returns a text with a capital at its beginning.
fn capitalized(text: &str) -> String {
    let mut characters = text.chars();
    let first = characters.next().into_iter().flat_map(char::to_uppercase);
    first.chain(characters.clone()).collect()
}
