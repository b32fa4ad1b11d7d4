//! `[web]`: the pages of a hub behind proxies and in frames.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use hub::auth::PathPrefix;
use hub::config::{FrameOrigin, IngressLogin, WebConfig};
use serde::{Deserialize, Deserializer, de};

use super::hub::parsed;

/// Values of one source in `[web]`.
#[derive(Debug, Default, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct WebLayer {
    /// Prefix of all paths.
    #[serde(deserialize_with = "parsed")]
    pub base_path: Option<PathPrefix>,
    /// Origins whose pages may frame those of the hub.
    #[serde(deserialize_with = "all_parsed")]
    pub frame_ancestors: Option<Vec<FrameOrigin>>,
    /// Addresses of proxies whose headers count.
    #[serde(deserialize_with = "all_parsed")]
    pub trusted_proxies: Option<Vec<IpAddr>>,
    /// Access of users that a trusted proxy has logged in.
    #[serde(deserialize_with = "parsed")]
    pub ingress_login: Option<IngressLogin>,
}

impl WebLayer {
    /// Puts this layer on top of another.
    pub(super) fn over(self, below: Self) -> Self {
        Self {
            base_path: self.base_path.or(below.base_path),
            frame_ancestors: self.frame_ancestors.or(below.frame_ancestors),
            trusted_proxies: self.trusted_proxies.or(below.trusted_proxies),
            ingress_login: self.ingress_login.or(below.ingress_login),
        }
    }

    /// Returns the settings, with defaults for what no source has.
    pub fn config(&self) -> WebConfig {
        WebConfig {
            base_path: self.base_path.clone().unwrap_or_else(PathPrefix::none),
            frame_ancestors: self.frame_ancestors.clone().into_iter().flatten().collect(),
            trusted_proxies: self.trusted_proxies.clone().into_iter().flatten().collect(),
            ingress_login: self.ingress_login.unwrap_or(IngressLogin(None)),
        }
    }
}

/// Reads texts by their `FromStr`.
fn all_parsed<'de, D, T>(deserializer: D) -> Result<Option<Vec<T>>, D::Error>
where
    D: Deserializer<'de>,
    T: FromStr<Err: fmt::Display>,
{
    let texts = Vec::<String>::deserialize(deserializer)?;
    let values = texts.iter().map(|text| {
        let problem = |error| de::Error::custom(format!("`{text}`: {error}"));
        text.parse().map_err(problem)
    });
    values.collect::<Result<_, _>>().map(Some)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<WebLayer, String> {
        toml::from_str(text).map_err(|error| error.to_string())
    }

    #[test]
    fn proxies_and_frames() {
        let layer = read(
            "base_path = \"/mains\"\nframe_ancestors = [\"https://home.example:8123\"]\ntrusted_proxies = [\"172.30.32.2\", \"::1\"]\ningress_login = \"read\"",
        );
        let config = layer.unwrap().config();
        assert_eq!(config.base_path.as_str(), "/mains");
        assert_eq!(
            config.frame_ancestors[0].as_str(),
            "https://home.example:8123"
        );
        assert_eq!(config.trusted_proxies.len(), 2);
        assert_eq!(config.ingress_login, IngressLogin(Some(api::Scope::Read)));
        assert_eq!(read("").unwrap().config(), WebConfig::default());
    }

    #[test]
    fn a_wrong_value_is_named() {
        for (text, part) in [
            ("base_path = \"mains\"", "/mains"),
            ("base_path = \"/a/\"", "/mains"),
            ("frame_ancestors = [\"home.example\"]", "home.example"),
            (
                "frame_ancestors = [\"https://a; script-src *\"]",
                "script-src",
            ),
            (
                "frame_ancestors = [\"https://home.example/x\"]",
                "home.example/x",
            ),
            ("trusted_proxies = [\"proxy\"]", "proxy"),
            ("trusted_proxies = \"127.0.0.1\"", "sequence"),
            ("ingress_login = \"switch\"", "`off`, `read` and `admin`"),
        ] {
            let problem = read(text).unwrap_err();
            assert!(problem.contains(part), "{text}: {problem}");
        }
    }
}
