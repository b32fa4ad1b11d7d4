//! The address of a hub, as people write it.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use reqwest::Url;

use crate::running::is_own_address;

/// Default port of a hub.
const DEFAULT_PORT: u16 = 8480;

/// The address of a hub: `http://` or `https://`, a host, optionally a port and the path prefix of a proxy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HubUrl(Url);

impl HubUrl {
    /// Returns whether the connection is encrypted.
    pub fn is_https(&self) -> bool {
        self.0.scheme() == "https"
    }

    /// Returns true if a request gets to this machine only. The name in an address can lead anywhere.
    pub fn is_local(&self) -> bool {
        let host = self.0.host_str().unwrap_or("").trim_matches(['[', ']']);
        match host.parse::<IpAddr>() {
            Ok(address) => is_own_address(address),
            Err(_) => host == "localhost",
        }
    }

    /// Returns the name in the address; `None` for an IP address.
    pub fn name(&self) -> Option<&str> {
        self.0.domain()
    }

    /// Returns the address of a path of the API; characters that no path has are escaped.
    pub(super) fn api(&self, path: &str) -> Url {
        let mut url = self.0.clone();
        url.path_segments_mut()
            .expect("an http address has a path")
            .pop_if_empty()
            .extend(["api", "v1"])
            .extend(path.split('/'));
        url
    }
}

impl FromStr for HubUrl {
    type Err = String;

    /// Parses `http://192.168.1.5:8480`; `nas` and `nas:8480` are `http://nas:8480`.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let text = text.trim();
        let unreadable =
            |_| "not the address of a hub; write it like `http://192.168.1.5:8480`".to_owned();
        let mut url = if text.contains("://") {
            Url::parse(text).map_err(unreadable)?
        } else {
            let mut url = Url::parse(&format!("http://{text}")).map_err(unreadable)?;
            if url.port().is_none() && !text.ends_with(":80") {
                url.set_port(Some(DEFAULT_PORT))
                    .expect("an http address can have a port");
            }
            url
        };
        if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
            return Err(
                "a hub uses http or https; write it like `http://192.168.1.5:8480`".to_owned(),
            );
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(
                "the address of a hub has no user or password; set MAINS_TOKEN to its token"
                    .to_owned(),
            );
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err("the address of a hub has no `?` and no `#`".to_owned());
        }
        // With and without a slash at its end it is the same hub.
        let path = url.path().trim_end_matches('/').to_owned();
        url.set_path(&path);
        Ok(Self(url))
    }
}

impl fmt::Display for HubUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.as_str().trim_end_matches('/'))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_in_short_and_full_form() {
        for (text, shown) in [
            ("http://127.0.0.1:8480", "http://127.0.0.1:8480"),
            ("https://hub.example/", "https://hub.example"),
            ("https://hub.example/mains/", "https://hub.example/mains"),
            ("nas", "http://nas:8480"),
            ("nas:99", "http://nas:99"),
            ("[::1]:8480", "http://[::1]:8480"),
            (" http://nas ", "http://nas"),
        ] {
            assert_eq!(text.parse::<HubUrl>().unwrap().to_string(), shown, "{text}");
        }
        for text in [
            "",
            " ",
            "ftp://nas",
            "http://",
            "unix:///run/mains",
            "http://a:b@nas",
            "a@nas",
            "http://nas?x",
            "http://nas#x",
            "http://nas:99999",
            "file:///etc/passwd",
        ] {
            assert!(text.parse::<HubUrl>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_slash_at_the_end_makes_no_difference() {
        let url = |text: &str| text.parse::<HubUrl>().unwrap();
        for address in ["http://nas", "http://nas/x", "https://nas:1/x/y"] {
            for slashes in ["/", "//"] {
                assert_eq!(url(&format!("{address}{slashes}")), url(address));
            }
        }
    }

    #[test]
    fn api_paths_are_below_the_address() {
        let api = |base: &str, path| base.parse::<HubUrl>().unwrap().api(path).to_string();
        assert_eq!(api("http://nas:1", "plugs"), "http://nas:1/api/v1/plugs");
        assert_eq!(
            api("http://nas:1/x/", "groups/g-1/relay"),
            "http://nas:1/x/api/v1/groups/g-1/relay"
        );
        assert_eq!(
            api("http://nas:1", "a b?c#d"),
            "http://nas:1/api/v1/a%20b%3Fc%23d"
        );
    }

    proptest::proptest! {
        #[test]
        fn parsing_never_panics_and_display_round_trips(text in "(https?://)?\\PC{0,30}") {
            if let Ok(url) = text.parse::<HubUrl>() {
                proptest::prop_assert_eq!(url.to_string().parse::<HubUrl>(), Ok(url));
            }
        }
    }
}
