//! The form that chooses the colours of the pages on one device.

use api::RequestError;
use axum::response::Response;
use hub::auth::local_path;

use crate::fields::Fields;
use crate::page_error::PageError;
use crate::visit::{Theme, Visit};

/// Keeps the theme in a cookie, and returns to the settings or to the page that the form names.
pub(crate) async fn choose(visit: Visit, fields: Fields) -> Result<Response, PageError> {
    let theme = Theme::parse(fields.needed("theme")?)
        .ok_or_else(|| RequestError::usage("theme: it is `auto`, `light` or `dark`").at("theme"))?;
    let back = local_path(fields.get("next").unwrap_or("/settings"));
    Ok(visit.redirect(back, theme.cookie(&visit.prefix)))
}
