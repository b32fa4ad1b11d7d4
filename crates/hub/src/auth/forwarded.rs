//! A request as its browser sent it: what trusted proxies say of it, and the prefix of its path.
//!
//! Headers of a stranger count for nothing, however they are named.

use std::net::IpAddr;

use axum::extract::Request;
use axum::http::uri::{PathAndQuery, Uri};
use axum::http::{HeaderMap, HeaderValue, header};

use super::client::{ThroughProxy, names_a_proxy};
use super::prefix::PathPrefix;
use crate::config::WebConfig;
use crate::server::PeerAddresses;

/// True if the browser uses HTTPS. An extension of every request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct IsSecure(pub(super) bool);

/// Marks a request of a user whom a trusted proxy has logged in. An extension where `ingress_login` allows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct IngressUser;

/// Replaces address, host, scheme and path of a request by those that the browser used. `is_tls` is true if the hub does TLS.
pub(super) fn unwrap(request: &mut Request, config: &WebConfig, is_tls: bool, is_from_hub: bool) {
    let peer = request.extensions().get::<PeerAddresses>().copied();
    let proxy = peer.filter(|peer| {
        let address = peer.remote.ip().to_canonical();
        is_from_hub || config.trusted_proxies.contains(&address)
    });
    if proxy.is_none() && names_a_proxy(request.headers()) {
        request.extensions_mut().insert(ThroughProxy);
    }
    // The connection between two hubs is not that of the browser.
    let mut is_secure = is_tls && !is_from_hub;
    let mut prefix = config.base_path.clone();
    if let Some(mut peer) = proxy {
        let headers = request.headers();
        let is_user = config.ingress_login.0.is_some() && names_a_user(headers);
        is_secure |= last(headers, "x-forwarded-proto")
            .is_some_and(|proto| proto.eq_ignore_ascii_case("https"));
        let told = ["x-ingress-path", "x-forwarded-prefix"]
            .into_iter()
            .filter_map(|name| last(headers, name)?.parse::<PathPrefix>().ok())
            .find(|prefix| *prefix != PathPrefix::none());
        prefix = told.unwrap_or(prefix);
        if is_user {
            request.extensions_mut().insert(IngressUser);
        }
        let headers = request.headers();
        let client: Option<IpAddr> =
            last(headers, "x-forwarded-for").and_then(|address| address.parse().ok());
        let host =
            last(headers, "x-forwarded-host").and_then(|host| HeaderValue::from_str(host).ok());
        match client {
            Some(client) => {
                peer.remote.set_ip(client);
                request.extensions_mut().insert(peer);
            }
            None => {
                request.extensions_mut().insert(ThroughProxy);
            }
        }
        if let Some(host) = host {
            request.headers_mut().insert(header::HOST, host);
            without_authority(request);
        }
    }
    // Whether the proxy strips the prefix or not.
    for prefix in [&prefix, &config.base_path] {
        let rest = prefix.strip(request.uri().path()).map(str::to_owned);
        if let Some(rest) = rest {
            replace_path(request, &rest);
            break;
        }
    }
    request.extensions_mut().insert(prefix);
    request.extensions_mut().insert(IsSecure(is_secure));
}

/// Returns true for the one user of an ingress. A second value would be one that the browser has sent.
fn names_a_user(headers: &HeaderMap) -> bool {
    let mut users = headers.get_all("x-remote-user-id").iter();
    let is_named = users.next().is_some_and(|user| !user.is_empty()) && users.next().is_none();
    let prefix = last(headers, "x-ingress-path").map(str::parse::<PathPrefix>);
    is_named && matches!(prefix, Some(Ok(prefix)) if prefix != PathPrefix::none())
}

/// Returns the last value of a header: that of the proxy that is nearest.
fn last<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    let value = headers.get_all(name).iter().next_back()?.to_str().ok()?;
    value.rsplit(',').next().map(str::trim)
}

fn replace_path(request: &mut Request, path: &str) {
    let text = match request.uri().query() {
        Some(query) => format!("{path}?{query}"),
        None => path.to_owned(),
    };
    let Ok(path) = text.parse::<PathAndQuery>() else {
        return;
    };
    let mut parts = request.uri().clone().into_parts();
    parts.path_and_query = Some(path);
    if let Ok(uri) = Uri::from_parts(parts) {
        *request.uri_mut() = uri;
    }
}

/// Drops the host of the request line, which is the proxy's name for the hub.
fn without_authority(request: &mut Request) {
    if request.uri().authority().is_some()
        && let Some(path) = request.uri().path_and_query().cloned()
    {
        *request.uri_mut() = Uri::from(path);
    }
}
