//! The checks of the `Host` and `Origin` headers.
//!
//! A foreign page can make a browser send requests to any address, and can give its own name the address of the hub (DNS
//! rebinding). So the hub replies only to requests for a name or address of its own, and accepts changes only from its own
//! pages. Programs other than browsers send no `Origin` and pass.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use api::{ErrorKind, RequestError};
use axum::http::uri::Authority;
use axum::http::{HeaderMap, Method, Request, header};

use super::forwarded::IngressUser;
use super::passed_on::PassedOn;

/// Returns the address at which programs of this machine reach a listener.
pub(crate) fn own_address(mut listening: SocketAddr) -> SocketAddr {
    match listening.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => listening.set_ip(Ipv4Addr::LOCALHOST.into()),
        IpAddr::V6(ip) if ip.is_unspecified() => listening.set_ip(Ipv6Addr::LOCALHOST.into()),
        _ => {}
    }
    listening
}

/// Names and addresses of the hub, besides the address at which a connection came in.
#[derive(Debug, Clone)]
pub(super) struct AllowedHosts {
    names: Vec<String>,
    addresses: Vec<IpAddr>,
}

impl AllowedHosts {
    /// Collects the listening address and the configured names.
    ///
    /// # Errors
    ///
    /// [`RequestError`] of kind `usage` at the field `hosts` for what is neither a name nor an address.
    pub(super) fn new(listen: SocketAddr, configured: &[String]) -> Result<Self, RequestError> {
        let mut hosts = Self {
            names: vec!["localhost".to_owned()],
            addresses: Vec::new(),
        };
        if !listen.ip().is_unspecified() {
            hosts.addresses.push(listen.ip().to_canonical());
        }
        for text in configured {
            match host(text).or_else(|| host(&format!("[{text}]"))) {
                Some(HostName::Name(name)) => hosts.names.push(name),
                Some(HostName::Address(address)) => hosts.addresses.push(address),
                None => {
                    let message = format!("'{text}' is neither a host name nor an address");
                    return Err(RequestError::usage(message).at("hosts"));
                }
            }
        }
        Ok(hosts)
    }

    /// Checks the host that a request names, and returns it with its port.
    ///
    /// # Errors
    ///
    /// [`RequestError`] of kind `forbidden` for a foreign name; `usage` when there is none, or several.
    pub(super) fn check<B>(
        &self,
        request: &Request<B>,
        local: Option<IpAddr>,
    ) -> Result<Authority, RequestError> {
        let authority = called(request)?;
        // The hub cannot know the names of the proxy, and a page under a foreign one has no login there.
        // The names of a standby are checked by it.
        if request.extensions().get::<IngressUser>().is_some()
            || request.extensions().get::<PassedOn>().is_some()
        {
            return Ok(authority);
        }
        let is_own = match host(authority.as_str()) {
            Some(HostName::Name(name)) => self.names.contains(&name),
            Some(HostName::Address(address)) => {
                address.is_loopback()
                    || Some(address) == local.map(|local| local.to_canonical())
                    || self.addresses.contains(&address)
            }
            None => false,
        };
        if is_own {
            return Ok(authority);
        }
        let shown: String = authority.as_str().chars().take(100).collect();
        let message = format!("'{shown}' is not a name of this hub");
        Err(RequestError::new(ErrorKind::Forbidden, message)
            .hint("add it to `hosts` under `[hub]` in mains.toml if it should be"))
    }
}

#[derive(Debug, PartialEq, Eq)]
enum HostName {
    Name(String),
    Address(IpAddr),
}

/// Reads `name`, `name:port`, `address`, `[address]:port`.
fn host(text: &str) -> Option<HostName> {
    let authority: Authority = text.parse().ok()?;
    let name = authority.host();
    let rest = authority.as_str().strip_prefix(name)?;
    if !(rest.is_empty() || authority.port_u16().is_some()) {
        return None;
    }
    let bare = name
        .strip_prefix('[')
        .and_then(|name| name.strip_suffix(']'));
    if let Ok(address) = bare.unwrap_or(name).parse::<IpAddr>() {
        // An address of version 6 stands in brackets, and only that.
        return (address.is_ipv6() == bare.is_some())
            .then(|| HostName::Address(address.to_canonical()));
    }
    let name = name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase();
    (!name.is_empty() && bare.is_none()).then_some(HostName::Name(name))
}

/// Returns the host that a request names. A host in the request line must be the same.
fn called<B>(request: &Request<B>) -> Result<Authority, RequestError> {
    let mut headers = request.headers().get_all(header::HOST).iter();
    let usage = |message: &str| RequestError::usage(message.to_owned());
    let (Some(host), None) = (headers.next(), headers.next()) else {
        return Err(usage("a request must have one `Host` header"));
    };
    let host: Authority = Authority::try_from(host.as_bytes())
        .map_err(|_| usage("the `Host` header is neither a name nor an address"))?;
    match request.uri().authority() {
        Some(other) if *other != host => Err(usage(
            "the request line and the `Host` header name different hosts",
        )),
        _ => Ok(host),
    }
}

/// Checks that a change does not come from a foreign page.
///
/// # Errors
///
/// [`RequestError`] of kind `forbidden` when it does.
pub(super) fn check(
    method: &Method,
    headers: &HeaderMap,
    called: &Authority,
    is_tls: bool,
) -> Result<(), RequestError> {
    if matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS) {
        return Ok(());
    }
    let is_own_site = headers
        .get_all("sec-fetch-site")
        .iter()
        .all(|site| matches!(site.as_bytes(), b"same-origin" | b"none"));
    let is_own_origin = headers
        .get_all(header::ORIGIN)
        .iter()
        .all(|origin| is_own(origin.as_bytes(), called, is_tls));
    if is_own_site && is_own_origin {
        return Ok(());
    }
    Err(RequestError::new(
        ErrorKind::Forbidden,
        "changes from pages of other sites are not allowed",
    ))
}

/// Returns true for an origin of the hub. Behind a proxy that does TLS the scheme can be `https`; it is never weaker than the hub's.
fn is_own(origin: &[u8], called: &Authority, is_tls: bool) -> bool {
    let Ok(origin) = str::from_utf8(origin) else {
        return false;
    };
    match origin.split_once("://") {
        Some(("https", authority)) => authority.eq_ignore_ascii_case(called.as_str()),
        Some(("http", authority)) => !is_tls && authority.eq_ignore_ascii_case(called.as_str()),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hosts() -> AllowedHosts {
        let configured = [
            "Nas.local".to_owned(),
            "192.168.1.5".into(),
            "2001:db8::1".into(),
        ];
        AllowedHosts::new(([0, 0, 0, 0], 8480).into(), &configured).unwrap()
    }

    fn request(host: &[u8], uri: &str) -> Request<()> {
        let request = Request::builder().uri(uri).header(header::HOST, host);
        request.body(()).unwrap()
    }

    #[test]
    fn own_names() {
        let local = Some("10.0.0.1".parse().unwrap());
        for own in [
            "localhost",
            "localhost:8480",
            "LOCALHOST",
            "localhost.",
            "127.0.0.1",
            "127.0.0.1:1",
            "[::1]:8480",
            "nas.local",
            "NAS.LOCAL.:443",
            "192.168.1.5:8480",
            "10.0.0.1:8480",
            "[2001:db8::1]",
            "[::ffff:10.0.0.1]",
        ] {
            assert!(
                hosts().check(&request(own.as_bytes(), "/"), local).is_ok(),
                "{own}"
            );
        }
    }

    #[test]
    fn foreign_names() {
        let local = Some("10.0.0.1".parse().unwrap());
        for foreign in [
            "evil.example",
            "localhost.evil.example",
            "evil.example:8480",
            "10.0.0.2",
            "0.0.0.0",
            "[::]",
            "[::2]",
            "evil@localhost",
            "localhost@evil.example",
            "localhost:",
            "localhost:x",
            "localhost:99999",
            "127.1",
            "0x7f.0.0.1",
            "2130706433",
            "nas",
            "nas.local.evil.example",
            "xn--nas-.local",
            "[localhost]",
            ".",
            "..",
        ] {
            let error = hosts()
                .check(&request(foreign.as_bytes(), "/"), local)
                .unwrap_err();
            assert!(
                matches!(error.kind(), ErrorKind::Forbidden | ErrorKind::Usage),
                "{foreign}: {error:?}"
            );
        }
    }

    #[test]
    fn a_request_has_one_host() {
        let none = Request::new(());
        let mut two = request(b"localhost", "/");
        two.headers_mut()
            .append(header::HOST, "localhost".parse().unwrap());
        let other = request(b"localhost", "http://evil.example/");
        for request in [
            none,
            two,
            other,
            request(b"local host", "/"),
            request(b"\xff", "/"),
        ] {
            assert_eq!(
                hosts().check(&request, None).unwrap_err().kind(),
                ErrorKind::Usage
            );
        }
        let same = request(b"localhost:8480", "http://localhost:8480/");
        assert!(hosts().check(&same, None).is_ok());
        // Of a hidden name in the request line nothing comes through, either.
        let foreign = request(b"evil.example", "http://evil.example/");
        assert_eq!(
            hosts().check(&foreign, None).unwrap_err().kind(),
            ErrorKind::Forbidden
        );
    }

    #[test]
    fn what_the_owner_adds_must_be_a_name() {
        let listen = ([127, 0, 0, 1], 8480).into();
        for bad in ["", "http://nas", "a b", "nas/", "a@b", "[::1"] {
            let error = AllowedHosts::new(listen, &[bad.to_owned()]).unwrap_err();
            assert_eq!(error.field(), Some("hosts"), "{bad}");
        }
    }

    fn changes(headers: &[(&'static str, &'static str)], is_tls: bool) -> bool {
        let headers: HeaderMap = headers
            .iter()
            .map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()))
            .collect();
        let called = Authority::from_static("nas.local:8480");
        check(&Method::GET, &headers, &called, is_tls).unwrap();
        check(&Method::PUT, &headers, &called, is_tls).is_ok()
    }

    #[test]
    fn own_pages_and_programs_may_change() {
        assert!(changes(&[], false));
        assert!(changes(&[("origin", "http://nas.local:8480")], false));
        assert!(changes(&[("origin", "https://NAS.local:8480")], false));
        assert!(changes(
            &[
                ("origin", "https://nas.local:8480"),
                ("sec-fetch-site", "same-origin")
            ],
            true
        ));
        assert!(changes(&[("sec-fetch-site", "none")], true));
    }

    #[test]
    fn strangers_pages_may_not() {
        for (name, value) in [
            ("origin", "http://evil.example"),
            ("origin", "null"),
            ("origin", ""),
            ("origin", "nas.local:8480"),
            ("origin", "http://nas.local"),
            ("origin", "http://nas.local:8481"),
            ("origin", "file://nas.local:8480"),
            ("origin", "http://nas.local:8480.evil.example"),
            ("origin", "http://evil@nas.local:8480"),
            ("sec-fetch-site", "cross-site"),
            ("sec-fetch-site", "same-site"),
            ("sec-fetch-site", ""),
        ] {
            assert!(!changes(&[(name, value)], false), "{name}: {value}");
        }
        assert!(
            !changes(&[("origin", "http://nas.local:8480")], true),
            "the lesser scheme"
        );
    }
}
