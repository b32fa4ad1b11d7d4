//! The client of a login, as the limit on attempts counts it.
//!
//! The programs of this machine are told apart by their users, so that another user, or a reverse proxy, does not use up the
//! attempts of who sits at the machine.

use std::convert::Infallible;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{Extensions, HeaderMap};

use crate::server::PeerAddresses;

/// Headers that a reverse proxy adds, and no browser.
const PROXY_HEADERS: [&str; 6] = [
    "forwarded",
    "via",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-proto",
    "x-real-ip",
];

/// A request that came through a reverse proxy which did not reveal its client, or which is not trusted; an extension.
#[derive(Debug, Clone, Copy)]
pub(super) struct ThroughProxy;

/// Returns true if a reverse proxy has passed a request on.
pub(super) fn names_a_proxy(headers: &HeaderMap) -> bool {
    PROXY_HEADERS.iter().any(|name| headers.contains_key(*name))
}

/// The client of a login.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum LoginClient {
    /// A program of this machine, with the id of its user if the system reveals it.
    Local(Option<u32>),
    /// Another machine, or a reverse proxy, and its address.
    Remote(IpAddr),
}

impl fmt::Display for LoginClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Local(Some(user)) => write!(f, "this machine (user {user})"),
            Self::Local(None) => f.write_str("this machine"),
            Self::Remote(address) => address.fmt(f),
        }
    }
}

/// The connection of a request, from which its client follows.
#[derive(Debug, Clone, Copy)]
pub(super) struct ClientConnection {
    peer: Option<PeerAddresses>,
    is_through_proxy: bool,
}

impl ClientConnection {
    /// Returns the connection of a request with these extensions.
    pub(super) fn of(extensions: &Extensions) -> Self {
        Self {
            peer: extensions.get().copied(),
            is_through_proxy: extensions.get::<ThroughProxy>().is_some(),
        }
    }

    /// Returns the client.
    pub(super) async fn client(&self) -> LoginClient {
        // In tests of the router there is no connection.
        let address = self.peer.map_or(Ipv4Addr::UNSPECIFIED.into(), |peer| {
            peer.remote.ip().to_canonical()
        });
        match self.peer {
            Some(peer) if address.is_loopback() && !self.is_through_proxy => {
                LoginClient::Local(user_of(peer).await)
            }
            _ => LoginClient::Remote(address),
        }
    }
}

impl<S: Sync> FromRequestParts<S> for ClientConnection {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(Self::of(&parts.extensions))
    }
}

/// Returns the user whose program has the other end of a connection within this machine; `None` where the system does not reveal it.
async fn user_of(peer: PeerAddresses) -> Option<u32> {
    for table in ["/proc/self/net/tcp", "/proc/self/net/tcp6"] {
        // A system without the table reveals nothing.
        let text = tokio::fs::read_to_string(table).await;
        let user = text.ok().and_then(|text| user_in(&text, peer));
        if user.is_some() {
            return user;
        }
    }
    None
}

/// Finds the user of the client's end of a connection in the kernel's table.
fn user_in(table: &str, peer: PeerAddresses) -> Option<u32> {
    let wanted = [peer.remote, peer.local].map(canonical);
    table.lines().find_map(|line| {
        let mut fields = line.split_ascii_whitespace().skip(1);
        let ends = [fields.next()?, fields.next()?];
        let user = fields.nth(4)?;
        (ends.map(socket_address) == wanted.map(Some))
            .then(|| user.parse().ok())
            .flatten()
    })
}

fn canonical(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}

/// Reads an address of the kernel's table: words in the byte order of the machine, in hexadecimal digits.
fn socket_address(text: &str) -> Option<SocketAddr> {
    let (address, port) = text.split_once(':')?;
    let word = |at: usize| {
        let word = address.get(at..at + 8)?;
        Some(u32::from_str_radix(word, 16).ok()?.to_ne_bytes())
    };
    let ip = match address.len() {
        8 => IpAddr::from(word(0)?),
        32 => {
            let words = [word(0)?, word(8)?, word(16)?, word(24)?];
            let bytes: [u8; 16] = words.as_flattened().try_into().ok()?;
            Ipv6Addr::from(bytes).to_canonical()
        }
        _ => return None,
    };
    Some(SocketAddr::new(ip, u16::from_str_radix(port, 16).ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peer(remote: &str, local: &str) -> PeerAddresses {
        PeerAddresses {
            remote: remote.parse().unwrap(),
            local: local.parse().unwrap(),
        }
    }

    /// A table as a little-endian kernel prints it.
    #[cfg(target_endian = "little")]
    #[test]
    fn the_client_is_found_and_not_the_hub() {
        let table = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n   \
            0: 0100007F:2120 0100007F:C350 01 00000000:00000000 00:00000000 00000000   990        0 179 1 0 20 4 0 10 -1\n   \
            1: 0100007F:C350 0100007F:2120 01 00000000:00000000 00:00000000 00000000  1000        0 180 1 0 20 4 0 10 -1\n   \
            2: 00000000000000000000000001000000:C351 00000000000000000000000001000000:2120 01 0:0 00:0 0 1001 0 181\n   \
            3: 0000000000000000FFFF00000100007F:C352 0000000000000000FFFF00000100007F:2120 01 0:0 00:0 0 1002 0 182\n";
        let found = |remote, local| user_in(table, peer(remote, local));
        assert_eq!(found("127.0.0.1:50000", "127.0.0.1:8480"), Some(1000));
        assert_eq!(found("[::1]:50001", "[::1]:8480"), Some(1001));
        assert_eq!(found("127.0.0.1:50002", "127.0.0.1:8480"), Some(1002));
        let mapped = found("[::ffff:127.0.0.1]:50000", "[::ffff:127.0.0.1]:8480");
        assert_eq!(mapped, Some(1000));
        assert_eq!(found("127.0.0.1:50003", "127.0.0.1:8480"), None);
        for odd in [
            "",
            "x",
            "0: 1:2 3:4 01 a b c",
            "0: \u{fc}\u{fc}\u{fc}\u{fc}:1 x:y 0 0 0 0 7",
        ] {
            assert_eq!(user_in(odd, peer("127.0.0.1:1", "127.0.0.1:2")), None);
        }
    }

    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn the_user_of_a_real_connection() {
        use std::os::unix::fs::MetadataExt as _;

        let own = std::fs::metadata("/proc/self").unwrap().uid();
        for address in ["127.0.0.1:0", "[::1]:0"] {
            let Ok(listener) = tokio::net::TcpListener::bind(address).await else {
                continue;
            };
            let local = listener.local_addr().unwrap();
            let client = tokio::net::TcpStream::connect(local).await.unwrap();
            let (_server, remote) = listener.accept().await.unwrap();
            assert_eq!(user_of(PeerAddresses { remote, local }).await, Some(own));
            drop(client);
        }
    }
}
