//! `[mqtt]`: the broker that a hub publishes to.

use std::path::{Path, PathBuf};
use std::str::FromStr;

use api::SiteName;
use mqtt::MqttConfig;
use mqtt::config::{BrokerUrl, ClientCertificateFiles, PasswordSource};
use mqtt::discovery::{DiscoveryForm, DiscoverySettings};
use mqtt::topic::{TopicPrefix, Topics};
use serde::Deserialize;
use zeroize::Zeroizing;

use super::hub::{both, parsed};

/// First levels of the topics of discovery, as Home Assistant expects them.
const DISCOVERY_PREFIX: &str = "homeassistant";
/// Variable with the password. It is no key: a password does not belong in a file that others may read.
const PASSWORD_VARIABLE: &str = "MAINS_MQTT_PASSWORD";

/// Values of one source in `[mqtt]`.
#[derive(Debug, Default, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct MqttLayer {
    /// The broker; without one there is no MQTT.
    #[serde(deserialize_with = "parsed")]
    pub url: Option<OrEmpty<BrokerUrl>>,
    /// First levels of all topics.
    #[serde(deserialize_with = "parsed")]
    pub base: Option<OrEmpty<TopicPrefix>>,
    /// User to log in as.
    pub username: Option<String>,
    /// File with the password.
    pub password_file: Option<PathBuf>,
    /// Certificates (PEM) to trust instead of the system's.
    pub ca_file: Option<PathBuf>,
    /// Client certificate (PEM).
    pub certificate_file: Option<PathBuf>,
    /// The private key of the client certificate (PEM).
    pub key_file: Option<PathBuf>,
    /// Form of Home Assistant discovery.
    #[serde(deserialize_with = "parsed")]
    pub discovery: Option<DiscoveryForm>,
    /// First levels of the topics of discovery.
    #[serde(deserialize_with = "parsed")]
    pub discovery_prefix: Option<OrEmpty<TopicPrefix>>,
}

impl MqttLayer {
    /// Puts this layer on top of another.
    pub(super) fn over(self, below: Self) -> Self {
        Self {
            url: self.url.or(below.url),
            base: self.base.or(below.base),
            username: self.username.or(below.username),
            password_file: self.password_file.or(below.password_file),
            ca_file: self.ca_file.or(below.ca_file),
            certificate_file: self.certificate_file.or(below.certificate_file),
            key_file: self.key_file.or(below.key_file),
            discovery: self.discovery.or(below.discovery),
            discovery_prefix: self.discovery_prefix.or(below.discovery_prefix),
        }
    }

    /// Makes the paths of other files relative to the directory of the configuration file.
    pub(super) fn beside(&mut self, file: &Path) {
        let Some(folder) = file.parent() else { return };
        [
            &mut self.password_file,
            &mut self.ca_file,
            &mut self.certificate_file,
            &mut self.key_file,
        ]
        .into_iter()
        .filter_map(Option::as_mut)
        .filter(|path| !path.as_os_str().is_empty())
        .for_each(|path| *path = folder.join(&*path));
    }
}

/// A value, or an empty text for the default.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrEmpty<T>(Option<T>);

impl<T: FromStr> FromStr for OrEmpty<T> {
    type Err = T::Err;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "" => Ok(Self(None)),
            text => text.parse().map(Some).map(Self),
        }
    }
}

impl<T> From<T> for OrEmpty<T> {
    fn from(value: T) -> Self {
        Self(Some(value))
    }
}

fn given<T: Clone>(value: &Option<OrEmpty<T>>) -> Option<T> {
    value.as_ref()?.0.clone()
}

fn path(value: &Option<PathBuf>) -> Option<PathBuf> {
    value.clone().filter(|path| !path.as_os_str().is_empty())
}

/// Puts together the settings of MQTT; `None` without a broker.
pub(super) fn config(
    layer: &MqttLayer,
    site: SiteName,
    state: PathBuf,
) -> Result<Option<MqttConfig>, Vec<(&'static str, String)>> {
    let Some(url) = given(&layer.url) else {
        return Ok(None);
    };
    let mut problems = Vec::new();
    let certificate = both(
        ("mqtt.certificate_file", path(&layer.certificate_file)),
        ("mqtt.key_file", path(&layer.key_file)),
    );
    problems.extend(certificate.as_ref().err().cloned());
    let files = [
        ("mqtt.ca_file", &layer.ca_file),
        ("mqtt.certificate_file", &layer.certificate_file),
    ];
    for (key, file) in files {
        if path(file).is_some() && !url.is_tls {
            let what = "it needs an address that begins with `mqtts://`".to_owned();
            problems.push((key, what));
        }
    }
    let username = layer.username.clone().filter(|name| !name.is_empty());
    let password = password(layer);
    if username.is_none() && password != PasswordSource::None {
        problems.push(("mqtt.password_file", "it needs `mqtt.username`".to_owned()));
    }
    let (true, Ok(certificate)) = (problems.is_empty(), certificate) else {
        return Err(problems);
    };
    let base = given(&layer.base).unwrap_or_default().of_site(&site);
    let topics = Topics::new(base);
    let prefix = given(&layer.discovery_prefix);
    Ok(Some(MqttConfig {
        url,
        username,
        password,
        ca_file: path(&layer.ca_file),
        client_certificate: certificate
            .map(|(certificate, key)| ClientCertificateFiles { certificate, key }),
        discovery: DiscoverySettings {
            form: layer.discovery.unwrap_or_default(),
            prefix: prefix.unwrap_or_else(|| DISCOVERY_PREFIX.parse().expect("it is a plain word")),
            topics: topics.clone(),
        },
        topics,
        site,
        state,
        is_temporary: false,
    }))
}

fn password(layer: &MqttLayer) -> PasswordSource {
    let variable = std::env::var_os(PASSWORD_VARIABLE).filter(|text| !text.is_empty());
    match (variable, path(&layer.password_file)) {
        (Some(text), _) => PasswordSource::Given(Zeroizing::new(text.into_encoded_bytes())),
        (None, Some(file)) => PasswordSource::File(file),
        (None, None) => PasswordSource::None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layer(text: &str) -> MqttLayer {
        toml::from_str(text).unwrap()
    }

    #[test]
    fn without_an_address_there_is_no_mqtt() {
        for text in ["", "url = \"\"", "base = \"home\""] {
            assert!(
                config(&layer(text), SiteName::default(), "/s".into())
                    .unwrap()
                    .is_none(),
                "{text}"
            );
        }
    }

    #[test]
    fn defaults_and_empty_values() {
        let text = "url = \"mqtts://nas\"\nusername = \"\"\npassword_file = \"\"\nca_file = \"\"\nbase = \"\"\n";
        let config = config(&layer(text), SiteName::default(), "/s".into())
            .unwrap()
            .unwrap();
        assert_eq!(config.url.to_string(), "mqtts://nas:8883");
        assert_eq!(config.topics.base().as_str(), "mains");
        assert_eq!(config.discovery.prefix.as_str(), "homeassistant");
        assert_eq!(config.discovery.form, DiscoveryForm::Entity);
        assert_eq!((config.username, config.ca_file), (None, None));
        assert_eq!(config.password, PasswordSource::None);
    }

    #[test]
    fn keys_that_need_one_another() {
        for (text, keys) in [
            ("password_file = \"p\"", &["mqtt.password_file"][..]),
            ("ca_file = \"c\"", &["mqtt.ca_file"]),
            ("key_file = \"k\"", &["mqtt.key_file"]),
            (
                "certificate_file = \"c\"",
                &["mqtt.certificate_file", "mqtt.certificate_file"],
            ),
        ] {
            let text = format!("url = \"mqtt://nas\"\n{text}\n");
            let problems = config(&layer(&text), SiteName::default(), "/s".into()).unwrap_err();
            let found: Vec<_> = problems.iter().map(|(key, _)| *key).collect();
            assert_eq!(found, keys, "{text}");
        }
    }

    #[test]
    fn a_base_topic_or_address_that_cannot_be_is_named() {
        for (text, word) in [
            ("base = \"mains/#\"", "wildcards"),
            ("base = \"/mains\"", "slash"),
            ("discovery_prefix = \"+\"", "wildcards"),
            ("discovery = \"on\"", "device"),
            ("url = \"http://nas\"", "mqtt://"),
            ("url = \"mqtt://me:secret@nas\"", "password_file"),
        ] {
            let error = toml::from_str::<MqttLayer>(text).unwrap_err().to_string();
            assert!(error.contains(word), "{error}");
        }
    }
}
