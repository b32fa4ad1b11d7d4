//! Requests that a hub on standby passes on to the active hub of its site.
//!
//! The standby checks the names by which it is called and its own admin token; everything else is checked by the active hub. A secret
//! in the database marks such a request, and then the address, host and scheme that the standby tells count as those of the client.

use std::net::SocketAddr;

use api::RequestError;
use axum::extract::Request;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, header};

use super::admin;
use super::forwarded::{self, IngressUser, IsSecure};
use super::host::AllowedHosts;
use super::passed_on::{ADMIN, SECRET, STANDBY};
use super::prefix::PathPrefix;
use super::secret::CredentialDigest;
use crate::config::{Config, WebConfig};
use crate::server::PeerAddresses;

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
const FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const FORWARDED_PREFIX: HeaderName = HeaderName::from_static("x-forwarded-prefix");
const INGRESS_PATH: HeaderName = HeaderName::from_static("x-ingress-path");

/// Headers that only the standby itself may tell the active hub.
const OWN: [HeaderName; 11] = [
    SECRET,
    STANDBY,
    ADMIN,
    header::FORWARDED,
    header::VIA,
    HeaderName::from_static("x-real-ip"),
    FORWARDED_FOR,
    FORWARDED_HOST,
    FORWARDED_PROTO,
    FORWARDED_PREFIX,
    INGRESS_PATH,
];

/// A standby's part in the checks.
#[derive(Debug)]
pub(crate) struct PassingGate {
    hosts: AllowedHosts,
    web: WebConfig,
    is_tls: bool,
    admin: Option<CredentialDigest>,
}

impl PassingGate {
    /// Makes it for a hub with these settings.
    ///
    /// # Errors
    ///
    /// As [`AccessControl::load`] for names that are none.
    pub(crate) fn new(config: &Config, listening: SocketAddr) -> Result<Self, RequestError> {
        let admin = admin::read_or_make(&api::running::admin_token(&config.state));
        Ok(Self {
            hosts: AllowedHosts::new(listening, &config.hosts)?,
            web: config.web.clone(),
            is_tls: config.tls.is_some(),
            admin: admin.ok().map(|token| token.digest()),
        })
    }

    /// Returns the request as its browser sent it: with the path that follows the prefix.
    pub(crate) fn unwrapped(&self, parts: Parts) -> Request {
        let mut request = Request::from_parts(parts, axum::body::Body::empty());
        forwarded::unwrap(&mut request, &self.web, self.is_tls, false);
        request
    }

    /// Returns the headers of an [unwrapped](Self::unwrapped) request as they are passed on.
    ///
    /// # Errors
    ///
    /// [`RequestError`] of kind `forbidden` for a foreign host.
    pub(crate) fn headers(
        &self,
        request: &Request,
        secret: &str,
        own_url: &str,
    ) -> Result<HeaderMap, RequestError> {
        let peer = request.extensions().get::<PeerAddresses>();
        let host = self
            .hosts
            .check(request, peer.map(|peer| peer.local.ip()))?;
        let mut headers = request.headers().clone();
        let prefix = PathPrefix::of(request.extensions());
        let is_ingress = request.extensions().get::<IngressUser>().is_some();
        for name in OWN {
            headers.remove(name);
        }
        let IsSecure(is_secure) = request
            .extensions()
            .get()
            .copied()
            .unwrap_or(IsSecure(self.is_tls));
        let proto = if is_secure { "https" } else { "http" };
        let mut tell = |name: HeaderName, text: &str| {
            if let Ok(mut value) = HeaderValue::from_str(text) {
                value.set_sensitive(name == SECRET);
                headers.insert(name, value);
            }
        };
        tell(SECRET, secret);
        tell(STANDBY, own_url);
        tell(FORWARDED_PROTO, proto);
        tell(FORWARDED_HOST, host.as_str());
        if let Some(peer) = peer {
            tell(FORWARDED_FOR, &peer.remote.ip().to_canonical().to_string());
        }
        if prefix != PathPrefix::none() {
            tell(FORWARDED_PREFIX, prefix.as_str());
        }
        match is_ingress {
            true => tell(INGRESS_PATH, prefix.as_str()),
            false => {
                headers.remove("x-remote-user-id");
            }
        }
        if self.is_admin(&headers) {
            headers.remove(header::AUTHORIZATION);
            headers.insert(ADMIN, HeaderValue::from_static("1"));
        }
        Ok(headers)
    }

    fn is_admin(&self, headers: &HeaderMap) -> bool {
        let mut tokens = headers.get_all(header::AUTHORIZATION).iter();
        let (Some(token), None) = (tokens.next(), tokens.next()) else {
            return false;
        };
        let token = token.to_str().ok().and_then(|token| token.split_once(' '));
        token.is_some_and(|(scheme, token)| {
            scheme.eq_ignore_ascii_case("bearer")
                && Some(CredentialDigest::of(token.trim())) == self.admin
        })
    }
}
