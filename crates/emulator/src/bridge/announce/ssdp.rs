//! The search of UPnP.

use std::net::Ipv4Addr;

use super::super::config::BridgeConfig;

/// The group and the port of SSDP.
pub(in super::super) const GROUP: Ipv4Addr = Ipv4Addr::new(239, 255, 255, 250);
pub(in super::super) const PORT: u16 = 1900;

const ROOT: &str = "upnp:rootdevice";
const BASIC: &str = "urn:schemas-upnp-org:device:basic:1";
/// Older firmware does not report its id here.
const ID_SINCE: u32 = 9;

/// Answers a search, with one reply for each device type that the bridge has; empty when it is not searched for.
pub(in super::super) fn answers(config: &BridgeConfig, datagram: &[u8]) -> Vec<String> {
    let Some(target) = searched(datagram) else {
        return Vec::new();
    };
    let uuid = format!("uuid:2f402f80-da50-11e1-9b23-{}", config.compact_mac());
    let all = [
        (ROOT, format!("{uuid}::{ROOT}")),
        (uuid.as_str(), uuid.clone()),
        (BASIC, uuid.clone()),
    ];
    let is_meant = |kind: &str| target == "ssdp:all" || target.eq_ignore_ascii_case(kind);
    all.iter()
        .filter(|(kind, _)| is_meant(kind))
        .map(|(kind, name)| answer(config, kind, name))
        .collect()
}

/// Reads what is searched for.
fn searched(datagram: &[u8]) -> Option<String> {
    let mut headers = [httparse::EMPTY_HEADER; 32];
    let mut request = httparse::Request::new(&mut headers);
    let is_whole = request
        .parse(datagram)
        .is_ok_and(|status| status.is_complete());
    if !is_whole || request.method != Some("M-SEARCH") {
        return None;
    }
    let target = request
        .headers
        .iter()
        .find(|header| header.name.eq_ignore_ascii_case("st"))?;
    str::from_utf8(target.value)
        .ok()
        .map(|text| text.trim().to_owned())
}

fn answer(config: &BridgeConfig, kind: &str, name: &str) -> String {
    let (address, port) = (config.listen, config.http_port);
    let version = match config.api.to_string() {
        version if version == "none" => "0.1".to_owned(),
        version => version,
    };
    let id = match config.api.has(ID_SINCE) {
        true => format!(
            "hue-bridgeid: {}\r\n",
            config.bridge_id().to_ascii_uppercase()
        ),
        false => String::new(),
    };
    format!(
        "HTTP/1.1 200 OK\r\nHOST: {GROUP}:{PORT}\r\nEXT:\r\nCACHE-CONTROL: max-age=100\r\n\
         LOCATION: http://{address}:{port}/description.xml\r\nSERVER: Hue/1.0 UPnP/1.0 IpBridge/{version}\r\n\
         {id}ST: {kind}\r\nUSN: {name}\r\n\r\n"
    )
}

#[cfg(test)]
mod tests {
    use super::super::super::config::TwinModel;
    use super::*;

    fn answers_to(target: &str, api: &str) -> Vec<String> {
        let mut config = BridgeConfig::new(TwinModel::Round, Ipv4Addr::new(192, 0, 2, 10));
        config.api = api.parse().unwrap();
        let search = format!(
            "M-SEARCH * HTTP/1.1\r\nHOST: {GROUP}:{PORT}\r\nMAN: \"ssdp:discover\"\r\nMX: 1\r\nst: {target}\r\n\r\n"
        );
        answers(&config, search.as_bytes())
    }

    #[test]
    fn each_thing_that_a_bridge_is() {
        for (target, count) in [
            ("ssdp:all", 3),
            (ROOT, 1),
            (BASIC, 1),
            ("urn:schemas-upnp-org:device:Basic:1", 1),
            ("uuid:2f402f80-da50-11e1-9b23-00178800020a", 1),
            ("urn:schemas-upnp-org:device:MediaRenderer:1", 0),
        ] {
            let answers = answers_to(target, "1.13.0");
            assert_eq!(answers.len(), count, "{target}");
            for answer in answers {
                assert!(
                    answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.ends_with("\r\n\r\n"),
                    "{answer}"
                );
                assert!(answer.contains("IpBridge/1.13.0\r\n"), "{answer}");
                assert!(
                    answer.contains("hue-bridgeid: 001788FFFE00020A\r\n"),
                    "{answer}"
                );
                assert!(
                    answer.contains("LOCATION: http://192.0.2.10:80/description.xml\r\n"),
                    "{answer}"
                );
            }
        }
        assert!(!answers_to(ROOT, "1.3.0")[0].contains("hue-bridgeid"));
    }

    #[test]
    fn what_is_no_search() {
        let config = BridgeConfig::new(TwinModel::Round, Ipv4Addr::new(192, 0, 2, 10));
        for text in [
            "",
            "NOTIFY * HTTP/1.1\r\nST: ssdp:all\r\n\r\n",
            "M-SEARCH * HTTP/1.1\r\n\r\n",
            "M-SEARCH",
        ] {
            assert_eq!(
                answers(&config, text.as_bytes()),
                Vec::<String>::new(),
                "{text}"
            );
        }
    }

    proptest::proptest! {
        #[test]
        fn never_panics(bytes: Vec<u8>) {
            let config = BridgeConfig::new(TwinModel::Round, Ipv4Addr::new(192, 0, 2, 10));
            let _ = answers(&config, &bytes);
        }
    }
}
