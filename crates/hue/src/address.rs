//! The address of a bridge, as people write it.

use std::fmt;
use std::net::Ipv6Addr;
use std::str::FromStr;

use crate::identity::BridgeId;

/// Maximum length of a host name (RFC 1035).
const MAX_HOST: usize = 253;

/// The protocol spoken with a bridge.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, strum::Display)]
#[strum(serialize_all = "lowercase")]
pub enum Scheme {
    /// Unencrypted, the only one that the round bridge knows.
    Http,
    /// Encrypted, with the bridge's certificate.
    Https,
}

impl Scheme {
    /// Returns the default port.
    pub const fn port(self) -> u16 {
        match self {
            Self::Http => 80,
            Self::Https => 443,
        }
    }
}

/// The address of a bridge: `host[:port]`, `http://host[:port]` or `https://host[:port]`.
///
/// Without a scheme HTTPS is tried first, then HTTP; a port without a scheme is tried with both.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Address {
    /// The scheme, if given.
    pub scheme: Option<Scheme>,
    /// An IPv4 address, a name, or an IPv6 address without its brackets.
    pub host: String,
    /// The port, if given.
    pub port: Option<u16>,
}

impl Address {
    /// Returns the port to use with a scheme.
    pub fn port_for(&self, scheme: Scheme) -> u16 {
        self.port.unwrap_or(scheme.port())
    }

    /// Returns `host` or `host:port` as a `Host` header and a URL carry it, an IPv6 address in brackets.
    pub fn authority(&self) -> String {
        let host = match self.host.parse::<Ipv6Addr>() {
            Ok(address) => format!("[{address}]"),
            Err(_) => self.host.clone(),
        };
        match self.port {
            Some(port) => format!("{host}:{port}"),
            None => host,
        }
    }
}

/// Parse error of an [`Address`] or [`BridgeName`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not the address of a bridge (e.g. 192.168.1.20, bridge.local:8080, https://192.168.1.20)")]
pub struct AddressError;

impl FromStr for Address {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (scheme, rest) = split_scheme(text)?;
        // A pasted link often ends with a slash.
        let authority = rest.strip_suffix('/').unwrap_or(rest);
        let (host, port) = split_port(authority)?;
        if !is_host(host) {
            return Err(AddressError);
        }
        Ok(Self {
            scheme,
            // Normalised: `::0` is `::`.
            host: match host.parse::<Ipv6Addr>() {
                Ok(address) => address.to_string(),
                Err(_) => host.to_ascii_lowercase(),
            },
            port,
        })
    }
}

fn split_scheme(text: &str) -> Result<(Option<Scheme>, &str), AddressError> {
    let Some((scheme, rest)) = text.split_once("://") else {
        return Ok((None, text));
    };
    let scheme = [Scheme::Http, Scheme::Https]
        .into_iter()
        .find(|known| scheme.eq_ignore_ascii_case(&known.to_string()));
    Ok((Some(scheme.ok_or(AddressError)?), rest))
}

fn split_port(authority: &str) -> Result<(&str, Option<u16>), AddressError> {
    if authority.parse::<Ipv6Addr>().is_ok() {
        return Ok((authority, None));
    }
    let (host, port) = match authority.strip_prefix('[') {
        Some(rest) => {
            let (host, behind) = rest.split_once(']').ok_or(AddressError)?;
            host.parse::<Ipv6Addr>().map_err(|_| AddressError)?;
            match behind {
                "" => (host, None),
                behind => (host, Some(behind.strip_prefix(':').ok_or(AddressError)?)),
            }
        }
        None => match authority.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (authority, None),
        },
    };
    match port {
        None => Ok((host, None)),
        Some(port) => match port.parse() {
            Ok(0) | Err(_) => Err(AddressError),
            Ok(port) => Ok((host, Some(port))),
        },
    }
}

fn is_host(host: &str) -> bool {
    if host.parse::<Ipv6Addr>().is_ok() {
        return true;
    }
    let is_label = |label: &str| {
        !label.is_empty()
            && label
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
    };
    // Digits and dots alone are meant as an IPv4 address.
    let is_numeric = host
        .bytes()
        .all(|byte| byte.is_ascii_digit() || byte == b'.');
    match is_numeric {
        true => host.parse::<std::net::Ipv4Addr>().is_ok(),
        false => {
            host.len() <= MAX_HOST
                && host
                    .strip_suffix('.')
                    .unwrap_or(host)
                    .split('.')
                    .all(is_label)
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(scheme) = self.scheme {
            write!(f, "{scheme}://")?;
        }
        f.write_str(&self.authority())
    }
}

json_is_text!(Address);

/// A bridge as people name it: by its id or its address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BridgeName {
    /// Its id, 16 hex digits.
    Id(BridgeId),
    /// Its address.
    Address(Address),
}

impl FromStr for BridgeName {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.parse() {
            Ok(id) => Ok(Self::Id(id)),
            Err(_) => text.parse().map(Self::Address),
        }
    }
}

impl fmt::Display for BridgeName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Id(id) => id.fmt(f),
            Self::Address(address) => address.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> Address {
        text.parse().unwrap_or_else(|_| panic!("{text}"))
    }

    #[test]
    fn addresses_as_people_write_them() {
        let plain = address("192.0.2.10");
        assert_eq!((plain.scheme, plain.port), (None, None));
        assert_eq!(plain.port_for(Scheme::Https), 443);
        assert_eq!(address("192.0.2.10:8080").port_for(Scheme::Http), 8080);
        assert_eq!(
            address("HTTPS://Bridge.Local/").to_string(),
            "https://bridge.local"
        );
        assert_eq!(
            address("http://[fe80::1]:81").to_string(),
            "http://[fe80::1]:81"
        );
        assert_eq!(address("fe80::1").authority(), "[fe80::1]");
        assert_eq!(address("::0"), address("[::]"));
    }

    #[test]
    fn what_is_no_address() {
        for text in [
            "",
            " ",
            ":80",
            "a:",
            "a:0",
            "a:65536",
            "a:b",
            "ftp://a",
            "http://",
            "a b",
            "a/b",
            "http://a/api",
            "a..b",
            "192.0.2.256",
            "1.2.3",
            "[fe80::1",
            "[a]:1",
            "[fe80::1]80",
            "user@host",
            "h\u{e4}",
        ] {
            assert!(text.parse::<Address>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn an_id_is_not_a_host() {
        let id = "001788FFFE010203".parse().unwrap();
        assert!(matches!(id, BridgeName::Id(_)));
        let host = "bridge".parse().unwrap();
        assert!(matches!(host, BridgeName::Address(_)));
    }

    proptest::proptest! {
        #[test]
        fn what_is_written_is_read(text in "(http://|https://)?[a-z][a-z0-9.-]{0,8}[a-z](:[1-9][0-9]{0,3})?") {
            if let Ok(address) = text.parse::<Address>() {
                proptest::prop_assert_eq!(address.to_string().parse::<Address>(), Ok(address));
            }
        }

        #[test]
        fn never_panics(text: String) {
            let _ = text.parse::<BridgeName>();
        }
    }
}
