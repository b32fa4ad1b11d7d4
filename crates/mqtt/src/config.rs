//! Settings of MQTT: the keys of `[mqtt]`, parsed and checked. The command line reads them.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use api::SiteName;
use zeroize::Zeroizing;

use crate::discovery::DiscoverySettings;
use crate::topic::Topics;

/// Settings of MQTT.
#[derive(Debug, Clone)]
pub struct MqttConfig {
    /// The broker.
    pub url: BrokerUrl,
    /// The topics, below the base topic.
    pub topics: Topics,
    /// The user to log in as.
    pub username: Option<String>,
    /// The password.
    pub password: PasswordSource,
    /// Certificates (PEM) to trust instead of the system's.
    pub ca_file: Option<PathBuf>,
    /// Certificate and key (PEM) by which the hub identifies itself.
    pub client_certificate: Option<ClientCertificateFiles>,
    /// Home Assistant discovery.
    pub discovery: DiscoverySettings,
    /// The site of the hub.
    pub site: SiteName,
    /// State directory of the hub.
    pub state: PathBuf,
    /// True to empty all topics at the end, for a home that does not come back.
    pub is_temporary: bool,
}

/// Source of the password.
#[derive(Clone, Default, PartialEq, Eq)]
pub enum PasswordSource {
    /// There is no password.
    #[default]
    None,
    /// The first line of a file, which is read at each login.
    File(PathBuf),
    /// The password itself.
    Given(Zeroizing<Vec<u8>>),
}

impl fmt::Debug for PasswordSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => f.write_str("None"),
            Self::File(path) => f.debug_tuple("File").field(path).finish(),
            Self::Given(_) => f.write_str("Given"),
        }
    }
}

/// Files of a client certificate, in PEM.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientCertificateFiles {
    /// The certificate chain.
    pub certificate: PathBuf,
    /// Its private key.
    pub key: PathBuf,
}

/// Address of a broker, `mqtt://host[:port]` or `mqtts://host[:port]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BrokerUrl {
    /// Name or address, without brackets.
    pub host: String,
    /// TCP port.
    pub port: u16,
    /// True for TLS.
    pub is_tls: bool,
}

/// Port of MQTT.
const PORT: u16 = 1883;
/// Port of MQTT over TLS.
const TLS_PORT: u16 = 8883;

impl fmt::Display for BrokerUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.is_tls { "mqtts" } else { "mqtt" };
        let (host, port) = (&self.host, self.port);
        match host.contains(':') {
            true => write!(f, "{scheme}://[{host}]:{port}"),
            false => write!(f, "{scheme}://{host}:{port}"),
        }
    }
}

impl FromStr for BrokerUrl {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (is_tls, rest) = match text.trim().split_once("://") {
            Some(("mqtt" | "tcp", rest)) => (false, rest),
            Some(("mqtts" | "ssl" | "tls", rest)) => (true, rest),
            Some(_) => return Err("a broker's address begins with `mqtt://` or `mqtts://`"),
            None => (false, text.trim()),
        };
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        if rest.contains('@') {
            return Err(
                "user and password do not belong in the address; set `username` and `password_file`",
            );
        }
        if rest.contains(['/', '?', '#']) {
            return Err(
                "the address of a broker has no path; write it like `mqtt://127.0.0.1:1883`",
            );
        }
        let (host, port) = split_port(rest)?;
        if host.is_empty() || host.contains(|c: char| c.is_whitespace() || c.is_control()) {
            return Err("the broker's name is missing; write it like `mqtt://127.0.0.1:1883`");
        }
        Ok(Self {
            host: host.to_owned(),
            port: port.unwrap_or(if is_tls { TLS_PORT } else { PORT }),
            is_tls,
        })
    }
}

/// Splits `host:port`, `[address]:port` or a bare IPv6 address.
fn split_port(text: &str) -> Result<(&str, Option<u16>), &'static str> {
    let (host, port) = match text.strip_prefix('[') {
        Some(rest) => {
            let (host, rest) = rest.split_once(']').ok_or("a `]` is missing")?;
            match rest.strip_prefix(':') {
                Some(port) => (host, Some(port)),
                None if rest.is_empty() => (host, None),
                None => return Err("after `]` comes a colon with the port, or nothing"),
            }
        }
        None if text.matches(':').count() > 1 => (text, None),
        None => match text.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (text, None),
        },
    };
    let Some(port) = port else {
        return Ok((host, None));
    };
    match port.parse() {
        Ok(0) | Err(_) => Err("the port is a number from 1 to 65535"),
        Ok(port) => Ok((host, Some(port))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_brokers() {
        for (text, shown) in [
            ("mqtt://127.0.0.1", "mqtt://127.0.0.1:1883"),
            ("mqtts://nas.example/", "mqtts://nas.example:8883"),
            ("nas:1884", "mqtt://nas:1884"),
            ("mqtt://[::1]:1", "mqtt://[::1]:1"),
            ("mqtts://[fe80::1]", "mqtts://[fe80::1]:8883"),
            ("mqtt://::1", "mqtt://[::1]:1883"),
            ("tcp://nas", "mqtt://nas:1883"),
        ] {
            assert_eq!(text.parse::<BrokerUrl>().unwrap().to_string(), shown);
        }
        for bad in [
            "",
            "mqtt://",
            "http://nas",
            "ws://nas",
            "mqtt://me:secret@nas",
            "mqtt://nas:0",
            "mqtt://nas:65536",
            "mqtt://nas:",
            "mqtt://nas/x",
            "mqtt://[::1",
            "mqtt://[::1]x",
            "mqtt://a b",
        ] {
            assert!(bad.parse::<BrokerUrl>().is_err(), "{bad}");
        }
    }
}
