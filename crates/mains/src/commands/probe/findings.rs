//! Conclusions for the owner of the device: the weaknesses, and what to do about each.

use std::net::Ipv4Addr;

use harden::web::WebAccess;
use hiflying::settings::{Mode, SocketSettings};
use hiflying::{Auth, DATA_PORT, DiscoveryWord, PORT};
use plugs::plug::UNKNOWN_MAC;
use plugs::{FamilyId, duplicates};
use serde::Serialize;

use super::evidence::{Facts, SessionFacts};

/// The key with which many modules leave the factory; printed in every manual.
const FACTORY_KEY: &[u8] = b"12345678";

/// Severity of a finding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Severity {
    /// Others can take the device over or read secrets.
    High,
    /// Others can use the device.
    Medium,
    /// Good to know.
    Low,
}

/// A weakness of the device.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Finding {
    /// Fixed id of this kind of finding, for programs.
    pub id: &'static str,
    /// Severity.
    pub severity: Severity,
    /// The weakness and what to do about it, in sentences for people.
    pub text: String,
}

/// Returns the findings, the most severe first.
pub(super) fn find(address: Ipv4Addr, facts: &Facts) -> Vec<Finding> {
    let session = facts.session.as_ref();
    let mut findings: Vec<Finding> = [
        web(address, facts.web),
        session.map(|_| configuration_port()),
        session.and_then(|session| access_point(address, session)),
        facts.data.then(|| switch_port(facts)),
        duplicate(address, facts),
        session.and_then(setup_mode),
        default_word(address, &facts.words),
        session.and_then(|session| servers(address, session)),
    ]
    .into_iter()
    .flatten()
    .collect();
    findings.sort_by_key(|finding| finding.severity);
    findings
}

fn web(address: Ipv4Addr, web: Option<WebAccess>) -> Option<Finding> {
    match web? {
        WebAccess::DefaultLogin(word) => Some(Finding {
            id: "web-default-password",
            severity: Severity::High,
            text: format!(
                "The web page on TCP port 80 accepts the factory login {word}/{word}. `mains harden {address}` sets a \
                 random one."
            ),
        }),
        WebAccess::Unprotected => Some(Finding {
            id: "web-no-password",
            severity: Severity::Medium,
            text: "The web page on TCP port 80 needs no login. Keep the device on a network that strangers cannot \
                   join, and never forward this port."
                .to_owned(),
        }),
        WebAccess::Protected | WebAccess::Unclear => None,
    }
}

fn configuration_port() -> Finding {
    Finding {
        id: "open-configuration-port",
        severity: Severity::High,
        text: format!(
            "Anyone who reaches UDP port {PORT} can read the Wi-Fi key and change every setting: the protocol has no \
             secret, and the device has no way to close the port. Keep the device on a network of its own (a guest \
             network) that strangers cannot join, and never forward this port."
        ),
    }
}

fn access_point(address: Ipv4Addr, session: &SessionFacts) -> Option<Finding> {
    if !matches!(session.mode, Some(Mode::Ap | Mode::ApSta)) {
        return None;
    }
    let credentials = session.access_point.as_ref()?;
    let advice = format!(
        "Set a key of your own with `mains at {address} 'WAKEY=WPA2PSK,AES,?' Z`, or close the network with `mains setup`, \
         after which the device is a station only."
    );
    match (credentials.auth, &credentials.key) {
        (Auth::Open, _) | (_, None) => Some(Finding {
            id: "open-access-point",
            severity: Severity::High,
            text: format!(
                "The device's own Wi-Fi network is open: anyone in range can join it and take over the device. {advice}"
            ),
        }),
        (_, Some(key)) if key.as_bytes() == FACTORY_KEY => Some(Finding {
            id: "default-ap-key",
            severity: Severity::High,
            text: format!(
                "The device's own Wi-Fi network has the factory key, which is public. {advice}"
            ),
        }),
        _ => None,
    }
}

fn switch_port(facts: &Facts) -> Finding {
    let is_reco = facts
        .plug
        .as_ref()
        .is_some_and(|plug| plug.family == FamilyId::RECO);
    let action = if is_reco {
        "switch and meter the plug"
    } else {
        "send commands to the device behind the module"
    };
    Finding {
        id: "open-data-port",
        severity: Severity::Medium,
        text: format!(
            "Anyone who reaches TCP port {DATA_PORT} can {action}, without a password. Keep the device on a network that \
             strangers cannot join, and never forward this port."
        ),
    }
}

fn duplicate(address: Ipv4Addr, facts: &Facts) -> Option<Finding> {
    let mac = facts.plug.as_ref().or(facts.module.as_ref())?.mac;
    let others = facts.neighbours.iter().filter(|(other, _)| *other == mac);
    let addresses: Vec<Ipv4Addr> = [address]
        .into_iter()
        .chain(others.map(|(_, other)| *other))
        .collect();
    (addresses.len() > 1 && mac != UNKNOWN_MAC).then(|| Finding {
        id: "duplicate-mac",
        severity: Severity::High,
        text: format!(
            "{mac} {}, or one imitates the other. Commands may reach the wrong one: unplug this device and run \
             `mains discover` to see which other one still replies.",
            duplicates::sentence(&addresses)
        ),
    })
}

fn setup_mode(session: &SessionFacts) -> Option<Finding> {
    (session.mode == Some(Mode::Ap)).then(|| Finding {
        id: "setup-mode",
        severity: Severity::Low,
        text: "The device is an access point, as it leaves the factory, and not on your Wi-Fi yet. Put it there with \
               `mains setup`."
            .to_owned(),
    })
}

fn default_word(address: Ipv4Addr, words: &[DiscoveryWord]) -> Option<Finding> {
    let mut words = words.iter();
    let word = words.find(|word| DiscoveryWord::FACTORY.contains(word))?;
    Some(Finding {
        id: "default-discovery-word",
        severity: Severity::Low,
        text: format!(
            "The device replies to the well-known discovery word {word}, so anyone on the network can find it. Keep the \
             word if apps are to find the device; otherwise `mains harden {address}` gives it one of its own."
        ),
    })
}

fn servers(address: Ipv4Addr, session: &SessionFacts) -> Option<Finding> {
    let calls = |socket: &&SocketSettings| {
        // Socket B has no role: it always calls.
        socket
            .role
            .as_deref()
            .is_none_or(|role| role.eq_ignore_ascii_case("client"))
    };
    let names: Vec<String> = session
        .servers
        .iter()
        .filter(calls)
        .map(|socket| {
            format!(
                "{} port {} of {}",
                socket.protocol, socket.port, socket.host
            )
        })
        .collect();
    (!names.is_empty()).then(|| Finding {
        id: "calls-a-server",
        severity: Severity::Low,
        text: format!(
            "The device connects to a server by itself ({}). Whoever owns that name now can switch it. `mains harden {address}` \
             removes the connection; Mains works without it.",
            names.join(", ")
        ),
    })
}

#[cfg(test)]
mod tests {
    use hiflying::{Credentials, Mac};
    use plugs::Plug;

    use super::*;

    fn ids(facts: &Facts) -> Vec<&'static str> {
        find(Ipv4Addr::LOCALHOST, facts)
            .iter()
            .map(|finding| finding.id)
            .collect()
    }

    fn session(mode: Mode, access_point: &[u8]) -> Facts {
        let access_point = Credentials::parse(access_point).ok();
        let session = SessionFacts {
            mode: Some(mode),
            access_point,
            ..SessionFacts::default()
        };
        Facts {
            session: Some(session),
            ..Facts::default()
        }
    }

    #[test]
    fn nothing_known_means_no_finding() {
        assert!(ids(&Facts::default()).is_empty());
        let facts = Facts {
            http: true,
            web: Some(WebAccess::Protected),
            ..Facts::default()
        };
        assert!(ids(&facts).is_empty());
    }

    #[test]
    fn the_gravest_comes_first() {
        let facts = Facts {
            data: true,
            words: vec![DiscoveryWord::HF_A11],
            web: Some(WebAccess::DefaultLogin("ADMIN")),
            ..session(Mode::Sta, b"OPEN,NONE")
        };
        assert_eq!(
            ids(&facts),
            [
                "web-default-password",
                "open-configuration-port",
                "open-data-port",
                "default-discovery-word"
            ]
        );
        let json = serde_json::to_value(&find(Ipv4Addr::LOCALHOST, &facts)[0]).unwrap();
        assert_eq!(json["severity"], "high");
    }

    #[test]
    fn a_second_device_with_the_mac() {
        let (mac, other) = (Mac::new([1; 6]), Mac::new([2; 6]));
        let address = Ipv4Addr::LOCALHOST;
        let with = |neighbours: &[(Mac, Ipv4Addr)]| Facts {
            plug: Some(Plug::new(mac, FamilyId::RECO, address, plugs::now())),
            neighbours: neighbours.iter().copied().collect(),
            ..Facts::default()
        };
        assert_eq!(ids(&with(&[(other, [127, 0, 0, 3].into())])), [""; 0]);
        let double = with(&[(mac, [127, 0, 0, 3].into())]);
        assert_eq!(ids(&double), ["duplicate-mac"]);
        let text = &find(address, &double)[0].text;
        assert!(
            text.contains("from 127.0.0.1 and 127.0.0.3: two devices"),
            "{text}"
        );
    }

    #[test]
    fn an_access_point_matters_only_while_it_is_there() {
        assert!(ids(&session(Mode::Ap, b"OPEN,NONE,")).contains(&"open-access-point"));
        assert!(ids(&session(Mode::Ap, b"OPEN,NONE,")).contains(&"setup-mode"));
        assert!(ids(&session(Mode::ApSta, b"WPA2PSK,AES,12345678")).contains(&"default-ap-key"));
        assert_eq!(
            ids(&session(Mode::ApSta, b"WPA2PSK,AES,my own key")),
            ["open-configuration-port"]
        );
        assert_eq!(
            ids(&session(Mode::Sta, b"OPEN,NONE")),
            ["open-configuration-port"]
        );
    }

    #[test]
    fn the_key_is_not_in_the_text() {
        let findings = find(
            Ipv4Addr::LOCALHOST,
            &session(Mode::Ap, b"WPA2PSK,AES,12345678"),
        );
        assert!(
            findings
                .iter()
                .all(|finding| !finding.text.contains("12345678"))
        );
    }

    #[test]
    fn a_server_is_named_and_a_listening_socket_is_none() {
        let socket = |role: Option<&str>, host: &str| SocketSettings {
            protocol: "TCP".to_owned(),
            role: role.map(str::to_owned),
            port: 8816,
            host: host.to_owned(),
        };
        let mut facts = session(Mode::Sta, b"OPEN,NONE");
        facts.session.as_mut().unwrap().servers = vec![socket(Some("Server"), "10.10.100.254")];
        assert!(!ids(&facts).contains(&"calls-a-server"));
        facts
            .session
            .as_mut()
            .unwrap()
            .servers
            .push(socket(None, "cloud.example"));
        let findings = find(Ipv4Addr::LOCALHOST, &facts);
        let text = &findings
            .iter()
            .find(|finding| finding.id == "calls-a-server")
            .unwrap()
            .text;
        assert!(text.contains("TCP port 8816 of cloud.example"));
    }
}
