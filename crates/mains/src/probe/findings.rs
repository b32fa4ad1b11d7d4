//! What the facts mean for whoever owns the device: each finding says what is open, and what to do about it.

use std::net::Ipv4Addr;

use hiflying::settings::{Mode, SocketSettings};
use hiflying::{Auth, DATA_PORT, DiscoveryWord, PORT};
use plugs::FamilyId;
use serde::Serialize;

use super::evidence::{Facts, Session};
use super::web::Web;

/// The key with which many modules leave the factory; printed in every manual.
const FACTORY_KEY: &[u8] = b"12345678";

/// How much a finding matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Others can take the device over or read secrets.
    High,
    /// Others can use the device.
    Medium,
    /// Good to know.
    Low,
}

/// One thing that the owner should know.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// Fixed name of this kind of finding, for programs.
    pub id: &'static str,
    /// How much it matters.
    pub severity: Severity,
    /// What is open and what to do, in sentences for people.
    pub text: String,
}

/// Draws the conclusions, the gravest first.
pub(super) fn find(address: Ipv4Addr, facts: &Facts) -> Vec<Finding> {
    let session = facts.session.as_ref();
    let mut findings: Vec<Finding> = [
        web(address, facts.web),
        session.map(|_| configuration_port()),
        session.and_then(|session| access_point(address, session)),
        facts.data.then(|| switch_port(facts)),
        session.and_then(setup_mode),
        default_word(&facts.words),
        session.and_then(servers),
    ]
    .into_iter()
    .flatten()
    .collect();
    findings.sort_by_key(|finding| finding.severity);
    findings
}

fn web(address: Ipv4Addr, web: Option<Web>) -> Option<Finding> {
    match web? {
        Web::DefaultLogin(word) => Some(Finding {
            id: "web-default-password",
            severity: Severity::High,
            text: format!(
                "The web page on TCP port 80 accepts the factory's login {word}/{word}. Set your own: \
                 `mains at {address} 'WEBU=?'` and type USER,PASSWORD when asked."
            ),
        }),
        Web::Unprotected => Some(Finding {
            id: "web-no-password",
            severity: Severity::Medium,
            text: "The web page on TCP port 80 shows itself without a login. Keep the device on a network that \
                   strangers cannot join, and never forward this port."
                .to_owned(),
        }),
        Web::Protected | Web::Unclear => None,
    }
}

fn configuration_port() -> Finding {
    Finding {
        id: "open-configuration-port",
        severity: Severity::High,
        text: format!(
            "Whoever reaches UDP port {PORT} can read the Wi-Fi key and change every setting: the protocol has no \
             secret, and nothing on the device can close it. Keep it on a network of its own (a guest network) that \
             strangers cannot join, and never forward this port."
        ),
    }
}

fn access_point(address: Ipv4Addr, session: &Session) -> Option<Finding> {
    if !matches!(session.mode, Some(Mode::Ap | Mode::ApSta)) {
        return None;
    }
    let credentials = session.access_point.as_ref()?;
    let way = format!(
        "Set a key of your own: `mains at {address} 'WAKEY=WPA2PSK,AES,?' Z`, or end it by `mains setup`, after which the \
         device is a station only."
    );
    match (credentials.auth, &credentials.key) {
        (Auth::Open, _) | (_, None) => Some(Finding {
            id: "open-access-point",
            severity: Severity::High,
            text: format!(
                "The device's own Wi-Fi network is open: everybody in reach can join and own it. {way}"
            ),
        }),
        (_, Some(key)) if key.as_bytes() == FACTORY_KEY => Some(Finding {
            id: "default-ap-key",
            severity: Severity::High,
            text: format!(
                "The device's own Wi-Fi network has the key of the factory, which everybody knows. {way}"
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
    let who = if is_reco {
        "switch and meter the plug"
    } else {
        "talk to what is behind the module"
    };
    Finding {
        id: "open-data-port",
        severity: Severity::Medium,
        text: format!(
            "Whoever reaches TCP port {DATA_PORT} can {who}, without a password. Keep it on a network that strangers \
             cannot join, and never forward this port."
        ),
    }
}

fn setup_mode(session: &Session) -> Option<Finding> {
    (session.mode == Some(Mode::Ap)).then(|| Finding {
        id: "setup-mode",
        severity: Severity::Low,
        text: "The device is an access point, as it leaves the factory: it is not on your Wi-Fi yet. `mains setup` puts \
               it there."
            .to_owned(),
    })
}

fn default_word(words: &[DiscoveryWord]) -> Option<Finding> {
    let word = words.first()?;
    Some(Finding {
        id: "default-discovery-word",
        severity: Severity::Low,
        text: format!(
            "It answers the well-known discovery word {word}, so everybody on the network finds it at once. Leave it if \
             apps shall find it; AT+ASWD sets another, and then programs must be told that word."
        ),
    })
}

fn servers(session: &Session) -> Option<Finding> {
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
            "It calls a server by itself ({}). Whoever owns that name now can switch it. Block its way to the Internet in \
             your router; everything here works without.",
            names.join(", ")
        ),
    })
}

#[cfg(test)]
mod tests {
    use hiflying::Credentials;

    use super::*;

    fn ids(facts: &Facts) -> Vec<&'static str> {
        find(Ipv4Addr::LOCALHOST, facts)
            .iter()
            .map(|finding| finding.id)
            .collect()
    }

    fn session(mode: Mode, access_point: &[u8]) -> Facts {
        let access_point = Credentials::parse(access_point).ok();
        let session = Session {
            mode: Some(mode),
            access_point,
            ..Session::default()
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
            web: Some(Web::Protected),
            ..Facts::default()
        };
        assert!(ids(&facts).is_empty());
    }

    #[test]
    fn the_gravest_comes_first() {
        let facts = Facts {
            data: true,
            words: vec![DiscoveryWord::HF_A11],
            web: Some(Web::DefaultLogin("ADMIN")),
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
