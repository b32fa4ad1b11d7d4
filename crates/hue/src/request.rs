//! A request to a bridge, as data.

use std::fmt;

use serde_json::Value;
use zeroize::Zeroizing;

use crate::key::AppKey;

/// The HTTP method of a request.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, strum::Display, strum::EnumString, strum::IntoStaticStr,
)]
#[strum(serialize_all = "UPPERCASE", ascii_case_insensitive)]
#[strum(parse_err_ty = String, parse_err_fn = no_method)]
pub enum Method {
    /// Reads.
    Get,
    /// Changes.
    Put,
    /// Creates or starts something.
    Post,
    /// Removes.
    Delete,
}

impl Method {
    /// Returns the HTTP name.
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

fn no_method(_: &str) -> String {
    "not a method (get, put, post or delete)".to_owned()
}

/// The path of a request. The application key is not part of it, so a request can be logged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RequestTarget {
    /// A v1 path that needs no key, with its leading `/`: `/api/config`.
    Public(String),
    /// A v1 path below `/api/<key>`, with its leading `/`, or empty for everything: `/lights/7`.
    Keyed(String),
    /// A v2 path, with its leading `/`; the key goes into a header: `/clip/v2/resource/light`.
    V2(String),
}

/// One request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HueRequest {
    /// The method.
    pub method: Method,
    /// The path.
    pub target: RequestTarget,
    /// The JSON body.
    pub body: Option<String>,
}

impl HueRequest {
    /// Creates a request below `/api/<key>` without a body.
    pub fn keyed(method: Method, path: impl Into<String>) -> Self {
        Self {
            method,
            target: RequestTarget::Keyed(path.into()),
            body: None,
        }
    }

    /// Creates a `GET` that needs no key.
    pub fn public(path: impl Into<String>) -> Self {
        Self {
            method: Method::Get,
            target: RequestTarget::Public(path.into()),
            body: None,
        }
    }

    /// Adds a body.
    #[must_use]
    pub fn with(mut self, body: &Value) -> Self {
        self.body = Some(body.to_string());
        self
    }

    /// Returns the path on the wire. It can contain the key and is wiped after use.
    pub fn path(&self, key: Option<&AppKey>) -> Zeroizing<String> {
        Zeroizing::new(match &self.target {
            RequestTarget::Public(path) | RequestTarget::V2(path) => path.clone(),
            // No bridge knows the key `nobody`, so it replies as to an unpaired program.
            RequestTarget::Keyed(path) => {
                format!("/api/{}{path}", key.map_or("nobody", AppKey::expose))
            }
        })
    }

    /// Returns the key that was typed into the path, to be masked in what is shown.
    pub fn typed_key(&self) -> Option<AppKey> {
        match &self.target {
            RequestTarget::Public(path) => split_key(path)?.0.parse().ok(),
            RequestTarget::Keyed(_) | RequestTarget::V2(_) => None,
        }
    }

    /// Tells whether the key goes into the header `hue-application-key`.
    pub fn has_key_header(&self) -> bool {
        matches!(self.target, RequestTarget::V2(_))
    }
}

/// Writes the request without the key.
impl fmt::Display for HueRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.target {
            RequestTarget::Public(path) => match split_key(path) {
                Some((_, rest)) => write!(f, "{} /api/<key>{rest}", self.method),
                None => write!(f, "{} {path}", self.method),
            },
            RequestTarget::V2(path) => write!(f, "{} {path}", self.method),
            RequestTarget::Keyed(path) => write!(f, "{} /api/<key>{path}", self.method),
        }
    }
}

/// Splits a typed path behind `/api/` into the key and the rest. Returns `None` for a word that is too short to be a key, such as
/// `config`.
fn split_key(path: &str) -> Option<(&str, &str)> {
    const MIN_KEY: usize = 10;
    let rest = path.strip_prefix("/api/")?;
    let end = rest.find(['/', '?']).unwrap_or(rest.len());
    rest.split_at_checked(end)
        .filter(|(key, _)| key.len() >= MIN_KEY)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_is_shown_without_its_key() {
        let key: AppKey = "KEY0".parse().unwrap();
        let request =
            HueRequest::keyed(Method::Put, "/config").with(&serde_json::json!({"touchlink": true}));
        assert_eq!(request.path(Some(&key)).as_str(), "/api/KEY0/config");
        assert_eq!(request.to_string(), "PUT /api/<key>/config");
        // V1: the eighteen bytes.
        let body = b"\x7b\x22\x74\x6f\x75\x63\x68\x6c\x69\x6e\x6b\x22\x3a\x74\x72\x75\x65\x7d";
        assert_eq!(request.body.unwrap().as_bytes(), body);
        assert_eq!(
            HueRequest::keyed(Method::Get, "/lights")
                .path(None)
                .as_str(),
            "/api/nobody/lights"
        );
    }

    #[test]
    fn nor_with_a_key_that_a_person_has_typed_into_the_path() {
        for (path, shown) in [
            ("/api/config", "GET /api/config"),
            ("/api/nouser/config", "GET /api/nouser/config"),
            ("/api/newdeveloper/lights", "GET /api/<key>/lights"),
            ("/api/KEY0KEY0KEY0KEY0KEY0", "GET /api/<key>"),
            ("/api/KEY0KEY0KEY0KEY0KEY0?x", "GET /api/<key>?x"),
            ("/description.xml", "GET /description.xml"),
        ] {
            assert_eq!(HueRequest::public(path).to_string(), shown);
        }
        let typed = |path| HueRequest::public(path).typed_key();
        assert_eq!(typed("/api/config"), None);
        assert_eq!(
            typed("/api/KEY0KEY0KEY0/lights"),
            "KEY0KEY0KEY0".parse().ok()
        );
    }

    #[test]
    fn methods_in_any_case() {
        assert_eq!("Post".parse(), Ok(Method::Post));
        assert!("patch".parse::<Method>().is_err());
    }
}
