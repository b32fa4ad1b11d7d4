//! Revisions in HTTP headers: `ETag`, `If-Match`, `If-None-Match` (RFC 9110).
//!
//! The entity tag of every editable object is `"<revision>"`, so that two browser tabs do not overwrite each other's edits.

use api::RequestError;
use axum::extract::FromRequestParts;
use axum::http::header::{AsHeaderName, ETAG, IF_MATCH, IF_NONE_MATCH};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;

use super::problem::Problem;

/// Maximum number of tags in a header.
const MAX_TAGS: usize = 32;

/// The revisions that a request names.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Tags {
    Any,
    These(Vec<Tag>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Tag {
    is_weak: bool,
    /// `None` for a foreign tag, which matches no revision.
    revision: Option<u64>,
}

/// Revisions that a change applies to, in header syntax, or `*` for any.
#[derive(Debug, Clone, PartialEq, Eq, ToSchema)]
#[schema(
    as = Tags,
    value_type = String,
    pattern = r#"^(\*|(W/)?"[0-9]{1,9}"(, (W/)?"[0-9]{1,9}"){0,3})$"#,
    examples("\"3\"")
)]
pub(crate) struct IfMatch(Option<Tags>);

impl IfMatch {
    /// Returns the required revision, given the present one. `what` names the object.
    ///
    /// The present revision is checked here, and again when the change is made.
    ///
    /// # Errors
    ///
    /// [`RequestError`] that is stale.
    pub(crate) fn against(&self, present: u64, what: &str) -> Result<Option<u64>, RequestError> {
        match &self.0 {
            None | Some(Tags::Any) => Ok(None),
            Some(Tags::These(tags)) => {
                // Weak tags never match strongly.
                let is_present = |tag: &Tag| !tag.is_weak && tag.revision == Some(present);
                if tags.iter().any(is_present) {
                    return Ok(Some(present));
                }
                Err(RequestError::stale(format!(
                    "{what} has changed since it was read"
                )))
            }
        }
    }
}

impl<S: Send + Sync> FromRequestParts<S> for IfMatch {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        Ok(Self(tags(&parts.headers, IF_MATCH, "If-Match")?))
    }
}

/// The revisions that the client already has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct IfNoneMatch(Option<Tags>);

impl IfNoneMatch {
    /// Returns true if the client has this revision.
    pub(crate) fn has(&self, present: u64) -> bool {
        match &self.0 {
            None => false,
            Some(Tags::Any) => true,
            Some(Tags::These(tags)) => tags.iter().any(|tag| tag.revision == Some(present)),
        }
    }
}

impl<S: Send + Sync> FromRequestParts<S> for IfNoneMatch {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        Ok(Self(tags(&parts.headers, IF_NONE_MATCH, "If-None-Match")?))
    }
}

fn tags(
    headers: &HeaderMap,
    header: impl AsHeaderName,
    name: &str,
) -> Result<Option<Tags>, RequestError> {
    let mut all = Vec::new();
    for value in headers.get_all(header) {
        let wrong = || {
            let message = format!("{name}: not a tag like \"3\", a list of tags, or *");
            RequestError::usage(message).at(name)
        };
        let text = value.to_str().map_err(|_| wrong())?;
        if text.trim() == "*" {
            return Ok(Some(Tags::Any));
        }
        for part in text.split(',') {
            all.push(tag(part.trim()).ok_or_else(wrong)?);
            if all.len() > MAX_TAGS {
                return Err(wrong());
            }
        }
    }
    Ok((!all.is_empty()).then_some(Tags::These(all)))
}

/// Parses one tag. A foreign tag is valid but matches no revision.
fn tag(text: &str) -> Option<Tag> {
    let (is_weak, text) = match text.strip_prefix("W/") {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let inner = text.strip_prefix('"')?.strip_suffix('"')?;
    // No tag of ours has a comma, so that a list can be taken apart at them.
    let is_tag = inner.bytes().all(|byte| byte > b' ' && byte != b'"');
    let is_number = !inner.is_empty() && inner.bytes().all(|byte| byte.is_ascii_digit());
    let revision = is_number.then(|| inner.parse().ok()).flatten();
    is_tag.then_some(Tag { is_weak, revision })
}

/// JSON with its revision as `ETag`.
#[derive(Debug)]
pub(crate) struct Tagged<T> {
    pub(crate) revision: u64,
    pub(crate) body: T,
}

impl<T: Serialize> IntoResponse for Tagged<T> {
    fn into_response(self) -> Response {
        ([(ETAG, value(self.revision))], axum::Json(self.body)).into_response()
    }
}

/// Returns the 304 response for a client that already has this revision.
pub(crate) fn not_modified(revision: u64) -> Response {
    (StatusCode::NOT_MODIFIED, [(ETAG, value(revision))]).into_response()
}

fn value(revision: u64) -> HeaderValue {
    // Digits in quotes are a valid header.
    HeaderValue::from_str(&format!("\"{revision}\"")).unwrap_or(HeaderValue::from_static("\"0\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(values: &[&str]) -> Result<IfMatch, RequestError> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(IF_MATCH, value.parse().unwrap());
        }
        tags(&headers, IF_MATCH, "If-Match").map(IfMatch)
    }

    #[test]
    fn an_edit_holds_on_to_its_revision() {
        for (header, expected) in [
            (vec![], Some(None)),
            (vec!["*"], Some(None)),
            (vec!["\"3\""], Some(Some(3))),
            (vec!["\"1\", \"3\""], Some(Some(3))),
            (vec!["\"1\"", "\"3\""], Some(Some(3))),
            (vec!["\"2\""], None),
            (vec!["W/\"3\""], None),
            (vec!["\"abc\""], None),
            (vec!["\"+3\""], None),
            (vec!["\"99999999999999999999999\""], None),
        ] {
            let result = parse(&header).unwrap().against(3, "the lamp");
            match expected {
                Some(revision) => assert_eq!(result, Ok(revision), "{header:?}"),
                None => assert!(result.unwrap_err().is_stale(), "{header:?}"),
            }
        }
    }

    #[test]
    fn what_is_no_tag_is_refused() {
        let many = vec!["\"1\""; 40].join(",");
        for header in ["3", "", "\"3", "3\"", "\"3\",", "\"a b\"", "x\"3\"", &many] {
            let error = parse(&[header]).unwrap_err();
            assert_eq!(error.field(), Some("If-Match"), "{header}");
        }
    }

    #[test]
    fn what_the_client_has_is_not_sent_again() {
        for (header, expected) in [
            ("\"3\"", true),
            ("W/\"3\"", true),
            ("*", true),
            ("\"4\"", false),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(IF_NONE_MATCH, header.parse().unwrap());
            let tags = tags(&headers, IF_NONE_MATCH, "If-None-Match").unwrap();
            assert_eq!(IfNoneMatch(tags).has(3), expected, "{header}");
        }
    }
}
