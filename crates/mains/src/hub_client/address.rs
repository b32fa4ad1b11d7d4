//! Where a hub is, as people write it.

use std::fmt;
use std::str::FromStr;

use reqwest::Url;

/// The port of a hub that nobody has told another.
const PORT: u16 = 8480;

/// The address of a hub: `http://` or `https://`, a host, perhaps a port and a path that a proxy put before it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HubUrl(Url);

impl HubUrl {
    /// Tells whether the way there is encrypted.
    pub fn is_https(&self) -> bool {
        self.0.scheme() == "https"
    }

    /// Returns the address of what is at `path` in the API. What is no plain path text is escaped.
    pub(super) fn api(&self, path: &str) -> Url {
        self.at(["api", "v1"].into_iter().chain(path.split('/')))
    }

    fn at<'a>(&self, segments: impl IntoIterator<Item = &'a str>) -> Url {
        let mut url = self.0.clone();
        // Only an address without a host has no path, and such a one is never made.
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().extend(segments);
        }
        url
    }
}

impl FromStr for HubUrl {
    type Err = String;

    /// Reads `http://192.168.1.5:8480`; `nas` and `nas:8480` are `http://nas:8480`.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let text = text.trim();
        let unreadable =
            |_| "not the address of a hub; write it like `http://192.168.1.5:8480`".to_owned();
        let url = if text.contains("://") {
            Url::parse(text).map_err(unreadable)?
        } else {
            let mut url = Url::parse(&format!("http://{text}")).map_err(unreadable)?;
            if url.port().is_none() && !text.ends_with(":80") {
                // It has a host, so it can have a port.
                let _ = url.set_port(Some(PORT));
            }
            url
        };
        if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
            return Err(
                "a hub speaks http or https; write it like `http://192.168.1.5:8480`".to_owned(),
            );
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(
                "an address has no user and password; the token goes into MAINS_TOKEN".to_owned(),
            );
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err("the address of a hub has no `?` and no `#`".to_owned());
        }
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
    fn as_people_write_it() {
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
    fn paths_are_below_it() {
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
        fn never_panics_and_shows_what_it_reads(text in "(https?://)?\\PC{0,30}") {
            if let Ok(url) = text.parse::<HubUrl>() {
                proptest::prop_assert_eq!(url.to_string().parse::<HubUrl>().map(|url| url.to_string()), Ok(url.to_string()));
            }
        }
    }
}
