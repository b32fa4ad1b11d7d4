//! Settings and their sources: defaults < file < environment < flags.
//!
//! Each source becomes a [`Layer`] of optional values, and [`RunSettings`] is what the layers give on top of each other.
//! An unknown key is an error with file and line: a typing error must not pass as "default".

use std::path::PathBuf;
use std::time::Duration;

use crate::directories;
use crate::error::Failure;
use crate::ui::UiOptions;
use api::client::Token;

pub(crate) use environment::asks_for_json as environment_asks_for_json;
pub use file::KeyLines;
pub use flags::GlobalOptions;
#[cfg(test)]
pub(crate) use hub::Degrees;
pub(crate) use hub::both;
pub use hub::{DatabaseChoice, HubChoice, HubLayer, Listen, PlaceLayer};
pub use layer::Layer;
pub use mqtt::MqttLayer;
pub use problem::{ConfigOrigin, ConfigProblem};
pub use web::WebLayer;

mod environment;
mod file;
mod flags;
mod hub;
mod layer;
mod mqtt;
mod problem;
mod web;

/// The sources put together, and what is wrong with them.
#[derive(Debug, Default)]
pub struct Sources {
    /// Values of all keys that could be read.
    pub layer: Layer,
    /// Unknown keys and values that could not be read.
    pub problems: Vec<ConfigProblem>,
    /// Path of the file that was read.
    pub file: Option<PathBuf>,
    /// Positions of the file's keys.
    pub lines: KeyLines,
}

impl Sources {
    /// Reads file, environment and flags.
    pub fn read(options: &GlobalOptions) -> Self {
        let (environment, mut problems) = environment::read(|name| std::env::var_os(name));
        let named = options
            .config
            .clone()
            .or_else(|| environment::path("MAINS_CONFIG"));
        let mut file = Self::of_file(named);
        problems.append(&mut file.problems);
        Self {
            layer: Layer::from_flags(options)
                .over(environment)
                .over(file.layer),
            problems,
            ..file
        }
    }

    /// Reads the named file, or the default one where it exists, and nothing else.
    pub fn of_file(named: Option<PathBuf>) -> Self {
        let is_named = named.is_some();
        let Some(path) = named.or_else(directories::config_file) else {
            return Self::default();
        };
        let problem = match file::read(&path) {
            Ok(Some(contents)) => {
                return Self {
                    layer: contents.layer,
                    problems: contents.problems,
                    file: Some(path),
                    lines: contents.lines,
                };
            }
            Ok(None) if !is_named => return Self::default(),
            Ok(None) => {
                ConfigProblem::in_file(&path, None, "", "there is no such configuration file")
            }
            Err(problem) => problem,
        };
        Self {
            problems: vec![problem],
            ..Self::default()
        }
    }

    /// Returns the settings of MQTT of a hub with this state directory; `None` without a broker.
    pub fn mqtt_config(
        &self,
        state: PathBuf,
    ) -> Result<Option<::mqtt::MqttConfig>, Vec<ConfigProblem>> {
        let site = self.layer.hub.site();
        mqtt::config(&self.layer.mqtt, site, state).map_err(|problems| {
            let problem = |(key, what)| self.problem(key, what);
            problems.into_iter().map(problem).collect()
        })
    }

    /// Returns a problem with the value of a key that could be read.
    pub fn problem(&self, key: &str, what: String) -> ConfigProblem {
        let origin = environment::variable_of(key)
            .or_else(|| self.lines.origin(key))
            .unwrap_or(ConfigOrigin::Elsewhere);
        ConfigProblem {
            origin,
            key: key.to_owned(),
            what,
        }
    }
}

/// Settings of this run.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct RunSettings {
    /// Output and questions.
    pub ui: UiOptions,
    /// Time limit of the whole command.
    pub timeout: Option<Duration>,
    /// Local interfaces to scan from, by name or address; empty is all that are up and not loopback.
    pub interfaces: Vec<String>,
    /// Verbosity of the log: 0 none, 1 debug, 2 trace.
    pub verbosity: u8,
    /// Hub that does the work; `None` is the one that runs on this computer, if any.
    pub hub: Option<HubChoice>,
    /// Token for a named hub, from the environment.
    pub token: Option<Token>,
    /// File with that token.
    pub token_file: Option<PathBuf>,
    /// Certificates to trust for a hub instead of the system's.
    pub ca_file: Option<PathBuf>,
    /// Certificate of the hub that runs on this computer.
    pub certificate: Option<PathBuf>,
    /// Global options of the command line, for verbs that read the sources again.
    pub options: GlobalOptions,
}

impl RunSettings {
    /// Brings file, environment and flags together.
    pub fn load(options: &GlobalOptions) -> Result<Self, Failure> {
        let sources = Sources::read(options);
        match sources.problems.into_iter().next() {
            Some(problem) => Err(problem.into()),
            None => Ok(Self::of(sources.layer, options)),
        }
    }

    /// Brings together what can be read of file, environment and flags, for the verb that checks them.
    pub fn load_leniently(options: &GlobalOptions) -> Self {
        Self::of(Sources::read(options).layer, options)
    }

    fn of(layer: Layer, options: &GlobalOptions) -> Self {
        let token = std::env::var("MAINS_TOKEN").ok();
        Self {
            ui: UiOptions {
                json: layer.json.unwrap_or(false),
                quiet: layer.quiet.unwrap_or(false) && options.verbose == 0,
                yes: layer.yes.unwrap_or(false),
                colour: layer.color.unwrap_or_default(),
            },
            timeout: layer.timeout,
            interfaces: layer.interfaces.unwrap_or_default(),
            verbosity: options.verbose,
            hub: layer.hub.url,
            token: token.filter(|text| !text.is_empty()).map(Token::new),
            token_file: layer.hub.token_file,
            ca_file: layer.hub.ca_file,
            certificate: layer.hub.certificate,
            options: options.clone(),
        }
    }
}
