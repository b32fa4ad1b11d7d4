//! Forms that browsers have sent after their session had ended. After the login they are shown again as they were typed, and nothing
//! is changed until they are sent again.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Body;
use axum::extract::{Query, Request, State};
use axum::http::{Extensions, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use hub::auth::{AccessControl, Caller, Credential, PathPrefix};
use parking_lot::Mutex;
use tower::ServiceExt;

use crate::fields::{Fields, ShownAgain};

/// Maximum number of kept forms; beyond it, the oldest is dropped.
const MAX_FORMS: usize = 32;
/// Age at which a kept form is dropped.
const FORM_LIFETIME: Duration = Duration::from_secs(3600);
/// Field of the query that names a kept form.
const FIELD: &str = "kept";

/// The kept forms. Clones share them.
#[derive(Debug, Clone, Default)]
pub(crate) struct KeptForms(Arc<Mutex<VecDeque<KeptForm>>>);

#[derive(Debug, Clone)]
struct KeptForm {
    token: Credential,
    path: String,
    body: Vec<u8>,
    at: Instant,
}

impl KeptForms {
    /// Keeps a form that was sent to a path of a page. Returns the page that shows it again; `None` for a form without a text worth
    /// keeping.
    pub(crate) fn keep(&self, path: &str, page: &str, body: &[u8]) -> Option<String> {
        if !is_typed(path) {
            return None;
        }
        let token = Credential::random().ok()?;
        let shown = format!("{page}?{FIELD}={}", token.reveal());
        let mut forms = self.0.lock();
        forms.truncate(MAX_FORMS - 1);
        forms.push_front(KeptForm {
            token,
            path: path.to_owned(),
            body: body.to_vec(),
            at: Instant::now(),
        });
        Some(shown)
    }

    fn get(&self, token: &str) -> Option<KeptForm> {
        let token = Credential::new(token);
        let mut forms = self.0.lock();
        forms.retain(|form| form.at.elapsed() < FORM_LIFETIME);
        forms.iter().find(|form| form.token == token).cloned()
    }
}

/// Returns true for the forms whose pages show again what was typed. Each of their handlers calls [`Fields::check_sent`] before it
/// changes anything.
fn is_typed(path: &str) -> bool {
    let parts: Vec<&str> = path.trim_start_matches('/').split('/').collect();
    matches!(
        parts[..],
        ["add" | "groups" | "schedules" | "rules" | "tariffs"]
            | ["groups" | "schedules" | "rules" | "tariffs" | "plugs", _]
            | ["settings", "tokens"]
    )
}

/// Shows a kept form where the query names one: the page is that which the form had led to if it had been refused.
pub(crate) async fn show_again(
    State((kept, pages)): State<(KeptForms, Router)>,
    request: Request,
    next: Next,
) -> Response {
    let query = Query::<Vec<(String, String)>>::try_from_uri(request.uri());
    let query = Fields::from(query.map_or_else(|_| Vec::new(), |Query(fields)| fields));
    let is_read = request.method() == Method::GET;
    let form = query.get(FIELD).filter(|_| is_read);
    let Some(form) = form.and_then(|token| kept.get(token)) else {
        return next.run(request).await;
    };
    let (mut parts, _) = request.into_parts();
    let Ok(path) = form.path.parse() else {
        return StatusCode::NOT_FOUND.into_response();
    };
    parts.method = Method::POST;
    parts.uri = path;
    let form_type = HeaderValue::from_static("application/x-www-form-urlencoded");
    parts.headers.insert(header::CONTENT_TYPE, form_type);
    parts.headers.remove(header::CONTENT_LENGTH);
    // Without those of the first routing.
    let mut extensions = Extensions::new();
    copy::<Caller>(&parts.extensions, &mut extensions);
    copy::<AccessControl>(&parts.extensions, &mut extensions);
    copy::<PathPrefix>(&parts.extensions, &mut extensions);
    extensions.insert(ShownAgain);
    parts.extensions = extensions;
    let shown = pages.oneshot(Request::from_parts(parts, Body::from(form.body)));
    let mut response = shown.await.unwrap_or_else(|never| match never {});
    if response.status() == StatusCode::UNAUTHORIZED {
        *response.status_mut() = StatusCode::OK;
    }
    response
}

fn copy<T: Clone + Send + Sync + 'static>(from: &Extensions, to: &mut Extensions) {
    if let Some(value) = from.get::<T>() {
        to.insert(value.clone());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_latest_forms_with_a_text_are_kept() {
        let kept = KeptForms::default();
        for path in [
            "/plugs/accf23123456/relay",
            "/schedules/s-00000001/delete",
            "/settings/password",
            "/logout",
            "/nowhere",
        ] {
            assert_eq!(kept.keep(path, "/", b"a=b"), None, "{path}");
        }
        let first = kept
            .keep("/schedules/s-00000001", "/schedules", b"name=a")
            .unwrap();
        let token = first.strip_prefix("/schedules?kept=").unwrap().to_owned();
        assert_eq!(kept.get(&token).unwrap().body, b"name=a");
        for _ in 0..MAX_FORMS {
            kept.keep("/add", "/add", b"").unwrap();
        }
        assert!(kept.get(&token).is_none());
        assert_eq!(kept.0.lock().len(), MAX_FORMS);
    }
}
