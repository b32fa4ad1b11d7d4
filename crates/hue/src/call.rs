//! One call to a bridge, as data.

use std::fmt;
use std::str::FromStr;

use serde_json::Value;
use zeroize::Zeroizing;

use crate::key::AppKey;

/// The method of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Method {
    /// Asks.
    Get,
    /// Changes.
    Put,
    /// Makes something new, or starts something.
    Post,
    /// Removes.
    Delete,
}

impl Method {
    /// Returns it as HTTP writes it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Put => "PUT",
            Self::Post => "POST",
            Self::Delete => "DELETE",
        }
    }

    /// Tells whether a call can be sent again when nobody knows whether it arrived.
    pub const fn is_repeatable(self) -> bool {
        matches!(self, Self::Get)
    }
}

/// The text is no method.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a method (get, put, post or delete)")]
pub struct MethodError;

impl FromStr for Method {
    type Err = MethodError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        [Self::Get, Self::Put, Self::Post, Self::Delete]
            .into_iter()
            .find(|method| text.eq_ignore_ascii_case(method.as_str()))
            .ok_or(MethodError)
    }
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// What a call is about. The application key is not part of it, so that a call can be shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// A path of the first interface that needs no key, with its leading `/`: `/api/config`.
    Open(String),
    /// A path below `/api/<key>`, with its leading `/`, or nothing for all: `/lights/7`.
    Keyed(String),
    /// A path of the second interface, with its leading `/`; the key goes into a header: `/clip/v2/resource/light`.
    Second(String),
}

/// One call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// How.
    pub method: Method,
    /// What about.
    pub target: Target,
    /// The JSON that goes with it.
    pub body: Option<String>,
}

impl Call {
    /// A call below `/api/<key>` without a body.
    pub fn keyed(method: Method, path: impl Into<String>) -> Self {
        Self {
            method,
            target: Target::Keyed(path.into()),
            body: None,
        }
    }

    /// A question that needs no key.
    pub fn open(path: impl Into<String>) -> Self {
        Self {
            method: Method::Get,
            target: Target::Open(path.into()),
            body: None,
        }
    }

    /// The same with a body. It is written by a serializer, so its quotes are straight.
    #[must_use]
    pub fn with(mut self, body: &Value) -> Self {
        self.body = Some(body.to_string());
        self
    }

    /// Returns the path to ask for. It can hold the key, and is wiped.
    pub fn path(&self, key: Option<&AppKey>) -> Zeroizing<String> {
        Zeroizing::new(match &self.target {
            Target::Open(path) | Target::Second(path) => path.clone(),
            // A word that no bridge knows makes it answer as to a stranger.
            Target::Keyed(path) => format!("/api/{}{path}", key.map_or("nobody", AppKey::expose)),
        })
    }

    /// Returns the key that a person has typed into the path, for it to be taken out of what is shown.
    pub fn typed_key(&self) -> Option<AppKey> {
        match &self.target {
            Target::Open(path) => split_key(path)?.0.parse().ok(),
            Target::Keyed(_) | Target::Second(_) => None,
        }
    }

    /// Tells whether the key goes into the header `hue-application-key`.
    pub fn has_key_header(&self) -> bool {
        matches!(self.target, Target::Second(_))
    }
}

/// The call as it can be shown: without the key.
impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.target {
            Target::Open(path) => match split_key(path) {
                Some((_, rest)) => write!(f, "{} /api/<key>{rest}", self.method),
                None => write!(f, "{} {path}", self.method),
            },
            Target::Second(path) => write!(f, "{} {path}", self.method),
            Target::Keyed(path) => write!(f, "{} /api/<key>{path}", self.method),
        }
    }
}

/// Returns the key in a path that a person has typed with one in it, and what stands behind it. What is shorter than any key
/// (`/api/config`) is none.
fn split_key(path: &str) -> Option<(&str, &str)> {
    const SHORTEST: usize = 10;
    let rest = path.strip_prefix("/api/")?;
    let end = rest.find(['/', '?']).unwrap_or(rest.len());
    rest.split_at_checked(end)
        .filter(|(key, _)| key.len() >= SHORTEST)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_is_shown_without_its_key() {
        let key: AppKey = "KEY0".parse().unwrap();
        let call =
            Call::keyed(Method::Put, "/config").with(&serde_json::json!({"touchlink": true}));
        assert_eq!(call.path(Some(&key)).as_str(), "/api/KEY0/config");
        assert_eq!(call.to_string(), "PUT /api/<key>/config");
        // V1: the eighteen bytes.
        let body = b"\x7b\x22\x74\x6f\x75\x63\x68\x6c\x69\x6e\x6b\x22\x3a\x74\x72\x75\x65\x7d";
        assert_eq!(call.body.unwrap().as_bytes(), body);
        assert_eq!(
            Call::keyed(Method::Get, "/lights").path(None).as_str(),
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
            assert_eq!(Call::open(path).to_string(), shown);
        }
        let typed = |path| Call::open(path).typed_key();
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
