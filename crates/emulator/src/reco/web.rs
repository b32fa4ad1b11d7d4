//! TCP 80: a login, and nothing behind it.

use std::net::Ipv4Addr;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;

use super::RecoTwin;

/// What the twin's web server answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebReply {
    /// The HTTP status.
    pub status: u16,
    /// The realm to log in to, with status 401.
    pub realm: Option<String>,
    /// The page.
    pub body: &'static str,
}

impl RecoTwin {
    /// The port on which the web server should listen at an address just now.
    #[must_use]
    pub fn web_port(&self, at: Ipv4Addr) -> Option<u16> {
        (self.reachable(at) && !self.behaviour.web.off).then_some(80)
    }

    /// Answers a request for any page, given its `Authorization` header.
    #[must_use]
    pub fn web_request(&self, authorization: Option<&str>) -> WebReply {
        if authorization.is_some_and(|header| self.is_web_user(header)) {
            // The SP-2 lets one in and has not a single page.
            return WebReply {
                status: 404,
                realm: None,
                body: "ERROR:404 Not Found",
            };
        }
        WebReply {
            status: 401,
            realm: Some(self.module()),
            body: "ERROR:401 Unauthorized",
        }
    }

    fn is_web_user(&self, header: &str) -> bool {
        let Some((scheme, encoded)) = header.trim().split_once(' ') else {
            return false;
        };
        let Ok(given) = BASE64_STANDARD.decode(encoded.trim()) else {
            return false;
        };
        let user = self.running.get("WEBU", &self.config, &self.behaviour);
        let mut expected = user.to_vec();
        if let Some(comma) = expected.iter_mut().find(|byte| **byte == b',') {
            *comma = b':';
        }
        scheme.eq_ignore_ascii_case("basic") && given == expected
    }
}
