//! Environment variables of the options and of the keys of the configuration file.
//!
//! A variable is read by the same code as its key; this table maps the one to the other.

use std::env;
use std::ffi::OsString;
use std::path::PathBuf;

use serde::Deserialize;
use serde_json::{Value, json};

use super::layer::Layer;
use super::problem::{ConfigOrigin, ConfigProblem};
use VariableForm::{List, Number, Switch, Text};

/// Type of value in a variable's text.
#[derive(Debug, Clone, Copy)]
enum VariableForm {
    Text,
    Switch,
    Number,
    /// Separated by commas.
    List,
}

/// Variables with their keys.
const VARIABLES: [(&str, &str, VariableForm); 40] = [
    ("MAINS_JSON", "json", Switch),
    ("MAINS_TIMEOUT", "timeout", Text),
    ("MAINS_INTERFACE", "interfaces", List),
    ("MAINS_HUB", "hub.url", Text),
    ("MAINS_HUB_TOKEN_FILE", "hub.token_file", Text),
    ("MAINS_HUB_CA_FILE", "hub.ca_file", Text),
    ("MAINS_HUB_SITE", "hub.site", Text),
    ("MAINS_HUB_LISTEN", "hub.listen", Text),
    ("MAINS_HUB_HOSTS", "hub.hosts", List),
    ("MAINS_HUB_CERTIFICATE", "hub.certificate", Text),
    ("MAINS_HUB_KEY", "hub.key", Text),
    ("MAINS_HUB_INTERFACES", "hub.interfaces", List),
    ("MAINS_HUB_ADOPT", "hub.adopt", Switch),
    ("MAINS_HUB_METERING", "hub.metering", Text),
    ("MAINS_HUB_SCAN", "hub.scan", Text),
    ("MAINS_HUB_DATABASE", "hub.database", Text),
    (
        "MAINS_HUB_DATABASE_PASSWORD_FILE",
        "hub.database_password_file",
        Text,
    ),
    ("MAINS_HUB_DATABASE_CA_FILE", "hub.database_ca_file", Text),
    ("MAINS_HUB_SPOOL", "hub.spool", Text),
    ("MAINS_HUB_KEEP_READINGS", "hub.keep_readings", Text),
    ("MAINS_HUB_KEEP_MINUTES", "hub.keep_minutes", Text),
    ("MAINS_HUB_BACKUP", "hub.backup", Text),
    ("MAINS_HUB_BACKUP_DIRECTORY", "hub.backup_directory", Text),
    ("MAINS_HUB_KEEP_BACKUPS", "hub.keep_backups", Number),
    ("MAINS_PLACE_LATITUDE", "place.latitude", Number),
    ("MAINS_PLACE_LONGITUDE", "place.longitude", Number),
    ("MAINS_PLACE_TIMEZONE", "place.timezone", Text),
    ("MAINS_WEB_BASE_PATH", "web.base_path", Text),
    ("MAINS_WEB_FRAME_ANCESTORS", "web.frame_ancestors", List),
    ("MAINS_WEB_TRUSTED_PROXIES", "web.trusted_proxies", List),
    ("MAINS_WEB_INGRESS_LOGIN", "web.ingress_login", Text),
    ("MAINS_MQTT_URL", "mqtt.url", Text),
    ("MAINS_MQTT_BASE", "mqtt.base", Text),
    ("MAINS_MQTT_USERNAME", "mqtt.username", Text),
    ("MAINS_MQTT_PASSWORD_FILE", "mqtt.password_file", Text),
    ("MAINS_MQTT_CA_FILE", "mqtt.ca_file", Text),
    ("MAINS_MQTT_CERTIFICATE_FILE", "mqtt.certificate_file", Text),
    ("MAINS_MQTT_KEY_FILE", "mqtt.key_file", Text),
    ("MAINS_MQTT_DISCOVERY", "mqtt.discovery", Text),
    ("MAINS_MQTT_DISCOVERY_PREFIX", "mqtt.discovery_prefix", Text),
];

/// Reads all variables. An empty variable counts as not set.
pub(super) fn read(variable: impl Fn(&str) -> Option<OsString>) -> (Layer, Vec<ConfigProblem>) {
    let mut layer = Layer::default();
    let mut problems = Vec::new();
    for (name, key, form) in VARIABLES {
        let Some(text) = variable(name).filter(|text| !text.is_empty()) else {
            continue;
        };
        match understand(&text, key, form) {
            Ok(one) => layer = one.over(layer),
            Err(what) => problems.push(ConfigProblem {
                origin: ConfigOrigin::Variable(name),
                key: key.to_owned(),
                what,
            }),
        }
    }
    (layer, problems)
}

fn understand(text: &OsString, key: &str, form: VariableForm) -> Result<Layer, String> {
    let text = text.to_str().ok_or("it is not valid UTF-8")?;
    let problem = |what: &dyn std::fmt::Display| match may_hold_secret(text) {
        true => what.to_string(),
        false => format!("it has the value `{text}`: {what}"),
    };
    let value = form.value(text).map_err(|what| problem(&what))?;
    let document = match key.split_once('.') {
        Some((section, key)) => json!({section: {key: value}}),
        None => json!({key: value}),
    };
    Layer::deserialize(document).map_err(|error| problem(&error))
}

/// Returns true for an address with a user, or with something that is called a password: such a value is not shown.
fn may_hold_secret(text: &str) -> bool {
    text.contains("://") && (text.contains('@') || text.contains("password"))
}

impl VariableForm {
    fn value(self, text: &str) -> Result<Value, &'static str> {
        match self {
            Text => Ok(text.into()),
            Switch => boolean(text).map(Value::from).ok_or("neither 1 nor 0"),
            // JSON, by which it is read, has no other numbers.
            Number => match (text.trim().parse::<u32>(), text.trim().parse::<f64>()) {
                (Ok(number), _) => Ok(number.into()),
                (_, Ok(number)) if number.is_finite() => Ok(number.into()),
                _ => Err("not a number"),
            },
            List => {
                let names: Vec<&str> = text.split(',').map(str::trim).collect();
                if names.contains(&"") {
                    return Err("an empty name between commas");
                }
                Ok(names.into())
            }
        }
    }
}

/// Returns the variable that is the variable_of of a key, where it is set.
pub(super) fn variable_of(key: &str) -> Option<ConfigOrigin> {
    let (name, ..) = VARIABLES
        .into_iter()
        .find(|(_, variable_of, _)| *variable_of == key)?;
    let is_set = env::var_os(name).is_some_and(|text| !text.is_empty());
    is_set.then_some(ConfigOrigin::Variable(name))
}

/// Reads `MAINS_JSON` before anything else is known; a bad value is reported later.
pub(crate) fn asks_for_json() -> bool {
    env::var("MAINS_JSON").is_ok_and(|text| boolean(&text) == Some(true))
}

/// Returns a path from a variable.
pub(super) fn path(name: &str) -> Option<PathBuf> {
    env::var_os(name)
        .filter(|value| !value.is_empty())
        .map(PathBuf::from)
}

fn boolean(text: &str) -> Option<bool> {
    match text.to_ascii_lowercase().as_str() {
        "1" | "true" | "yes" | "on" => Some(true),
        "0" | "false" | "no" | "off" => Some(false),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn only(name: &'static str, text: &'static str) -> (Layer, Vec<ConfigProblem>) {
        read(|asked| (asked == name).then(|| text.into()))
    }

    #[test]
    fn every_variable_is_a_key() {
        for (name, _, form) in VARIABLES {
            let text = match (name, form) {
                ("MAINS_HUB_LISTEN", _) => "127.0.0.1:1",
                ("MAINS_HUB", _) => "http://nas",
                ("MAINS_PLACE_TIMEZONE", _) => "Europe/Berlin",
                ("MAINS_HUB_BACKUP", _) => "1d",
                ("MAINS_HUB_SPOOL", _) => "1GB",
                ("MAINS_MQTT_DISCOVERY", _) => "device",
                ("MAINS_WEB_BASE_PATH", _) => "/mains",
                ("MAINS_WEB_FRAME_ANCESTORS", _) => "https://home.example",
                ("MAINS_WEB_TRUSTED_PROXIES", _) => "127.0.0.1",
                ("MAINS_WEB_INGRESS_LOGIN", _) => "admin",
                (_, Switch | Number) => "1",
                (_, List | Text) => "5s",
            };
            let (layer, problems) = only(name, text);
            assert_eq!(problems, [], "{name}");
            assert_ne!(layer, Layer::default(), "{name}");
            assert_eq!(only(name, ""), (Layer::default(), Vec::new()), "{name}");
        }
    }

    #[test]
    fn a_problem_shows_no_password() {
        for (name, text) in [
            ("MAINS_HUB", "http://me:secret@nas:8480"),
            ("MAINS_HUB_DATABASE", "postgres://me:secret@nas/mains"),
            ("MAINS_HUB_DATABASE", "postgres://nas/mains?password=secret"),
            ("MAINS_MQTT_URL", "mqtt://me:secret@nas"),
            ("MAINS_MQTT_URL", "mqtt://me:secret@nas:x"),
        ] {
            let (_, problems) = only(name, text);
            let [problem] = problems.as_slice() else {
                panic!("{name}: {problems:?}");
            };
            let problem = problem.to_string();
            assert!(problem.contains(name), "{problem}");
            assert!(!problem.contains("secret"), "{problem}");
        }
    }

    #[test]
    fn a_problem_shows_name_and_value() {
        for (name, text) in [
            ("MAINS_JSON", "maybe"),
            ("MAINS_TIMEOUT", "5"),
            ("MAINS_INTERFACE", "lo,,eth0"),
            ("MAINS_HUB", "ftp://x"),
            ("MAINS_HUB_LISTEN", "127.0.0.1"),
            ("MAINS_HUB_METERING", "0s"),
            ("MAINS_HUB_SCAN", "1h"),
            ("MAINS_HUB_DATABASE", "postgres://x"),
            ("MAINS_HUB_BACKUP", "never"),
            ("MAINS_HUB_KEEP_BACKUPS", "0"),
            ("MAINS_PLACE_LATITUDE", "north"),
            ("MAINS_PLACE_LATITUDE", "-90.5"),
            ("MAINS_PLACE_LONGITUDE", "inf"),
            ("MAINS_PLACE_TIMEZONE", "Mars"),
            ("MAINS_WEB_INGRESS_LOGIN", "everybody"),
            ("MAINS_MQTT_URL", "http://nas"),
            ("MAINS_MQTT_BASE", "mains/+"),
        ] {
            let (_, problems) = only(name, text);
            let [problem] = problems.as_slice() else {
                panic!("{name}: {problems:?}");
            };
            let problem = problem.to_string();
            assert!(
                problem.contains(name) && problem.contains(text),
                "{problem}"
            );
        }
    }
}
