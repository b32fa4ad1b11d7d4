//! The UPnP search (SSDP), which the round bridge answers, and older firmware of the square one.

use std::net::Ipv4Addr;

use super::candidate::candidate;
use crate::address::{Address, Scheme};

/// The multicast group.
pub(super) const GROUP: Ipv4Addr = Ipv4Addr::new(239, 255, 255, 250);
pub(super) const PORT: u16 = 1900;
/// The TTL that the standard recommends.
pub(super) const HOPS: u32 = 2;

/// The search targets. Bridges answer both, emulators one or the other.
const TARGETS: [&str; 2] = ["upnp:rootdevice", "urn:schemas-upnp-org:device:basic:1"];
const MAX_HEADERS: usize = 32;

/// Returns the queries.
pub(super) fn queries() -> Vec<Vec<u8>> {
    let search = |target: &&str| {
        format!(
            "M-SEARCH * HTTP/1.1\r\nHOST: {GROUP}:{PORT}\r\nMAN: \"ssdp:discover\"\r\nMX: 1\r\nST: {target}\r\n\r\n"
        )
        .into_bytes()
    };
    TARGETS.iter().map(search).collect()
}

/// Returns the address of the bridge that sent a reply; none if the sender is not a bridge.
pub(super) fn parse(datagram: &[u8], from: Ipv4Addr) -> Vec<Address> {
    let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
    let mut response = httparse::Response::new(&mut headers);
    let is_whole = response
        .parse(datagram)
        .is_ok_and(|status| status.is_complete());
    if !is_whole || response.code != Some(200) {
        return Vec::new();
    }
    let header = |name: &str| {
        let found = response
            .headers
            .iter()
            .find(|header| header.name.eq_ignore_ascii_case(name));
        found.and_then(|header| str::from_utf8(header.value).ok())
    };
    let is_bridge = header("hue-bridgeid").is_some()
        || header("server").is_some_and(|server| server.contains("IpBridge"));
    if !is_bridge {
        return Vec::new();
    }
    let address = header("location").and_then(location);
    address
        .or_else(|| candidate(from, Scheme::Http, 80))
        .into_iter()
        .collect()
}

/// Parses the host of `http://192.0.2.10:80/description.xml`. A name is not resolved: a bridge gives its address.
fn location(text: &str) -> Option<Address> {
    let authority = text.strip_prefix("http://")?.split('/').next()?;
    let address: Address = format!("http://{authority}").parse().ok()?;
    candidate(
        address.host.parse().ok()?,
        Scheme::Http,
        address.port_for(Scheme::Http),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const FROM: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 99);

    fn read(headers: &str) -> Vec<String> {
        let text = format!("HTTP/1.1 200 OK\r\n{headers}\r\n\r\n");
        parse(text.as_bytes(), FROM)
            .iter()
            .map(ToString::to_string)
            .collect()
    }

    #[test]
    fn a_search_as_the_standard_writes_it() {
        let queries = queries();
        let first = str::from_utf8(&queries[0]).unwrap();
        assert_eq!(
            first,
            "M-SEARCH * HTTP/1.1\r\nHOST: 239.255.255.250:1900\r\nMAN: \"ssdp:discover\"\r\nMX: 1\r\nST: upnp:rootdevice\r\n\r\n"
        );
    }

    #[test]
    fn bridges() {
        let square = "SERVER: Linux/3.14.0 UPnP/1.0 IpBridge/1.43.0\r\nhue-bridgeid: 001788FFFE010203\r\nLOCATION: http://192.0.2.10:80/description.xml";
        assert_eq!(read(square), ["192.0.2.10"]);
        let old = "server: FreeRTOS/6.0.5, UPnP/1.0, IpBridge/0.1\r\nlocation: http://192.0.2.11/description.xml";
        assert_eq!(read(old), ["192.0.2.11"]);
        let emulated =
            "Server: x\r\nHue-BridgeID: 001788FFFE010203\r\nLocation: http://192.0.2.12:8080/d.xml";
        assert_eq!(read(emulated), ["http://192.0.2.12:8080"]);
    }

    #[test]
    fn a_location_that_leads_nowhere_is_where_it_came_from() {
        for location in [
            "",
            "x",
            "http://example.org/d.xml",
            "http://0.0.0.0/",
            "https://192.0.2.10/",
            "http://[::1]/",
        ] {
            let read = read(&format!("hue-bridgeid: 1\r\nLOCATION: {location}"));
            assert_eq!(read, ["192.0.2.99"], "{location}");
        }
    }

    #[test]
    fn what_is_no_bridge() {
        assert!(
            read("SERVER: Linux UPnP/1.0 MiniDLNA\r\nLOCATION: http://192.0.2.10/d.xml").is_empty()
        );
        for datagram in [
            "",
            "NOTIFY * HTTP/1.1\r\nhue-bridgeid: 1\r\n\r\n",
            "HTTP/1.1 404 X\r\nhue-bridgeid: 1\r\n\r\n",
            "HTTP/1.1 200 OK\r\nhue-bridgeid: 1",
        ] {
            assert!(parse(datagram.as_bytes(), FROM).is_empty(), "{datagram:?}");
        }
    }

    proptest::proptest! {
        #[test]
        fn never_panics(bytes: Vec<u8>, text in "(?s)HTTP/1.1 200 OK\r\nhue-bridgeid: 1\r\nLOCATION: .{0,40}\r\n\r\n") {
            let _ = parse(&bytes, FROM);
            let _ = parse(text.as_bytes(), FROM);
        }
    }
}
