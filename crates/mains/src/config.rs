//! Settings, and where they come from: defaults < file < environment < flags.
//!
//! Each source becomes a [`Layer`] of optional values, and [`Settings`] is what the layers give on top of each other.
//! A key nobody reads is an error with file and line: a typing error must not pass as "default".

use std::path::PathBuf;
use std::time::Duration;

use crate::directories;
use crate::error::Failure;
use crate::hub_client::Token;
use crate::ui::UiOptions;

pub(crate) use environment::asks_for_json as environment_asks_for_json;
pub use file::Lines;
pub use flags::GlobalOptions;
pub use hub::{HubChoice, HubLayer, Listen, PlaceLayer};
pub use layer::Layer;
pub use problem::{Origin, Problem};

mod environment;
mod file;
mod flags;
mod hub;
mod layer;
mod problem;

/// What the sources say together, and what is wrong with them.
#[derive(Debug, Default)]
pub struct Sources {
    /// What can be understood.
    pub layer: Layer,
    /// What cannot, or stands where nobody reads it.
    pub problems: Vec<Problem>,
    /// The file that was read.
    pub file: Option<PathBuf>,
    /// Where its keys stand.
    pub lines: Lines,
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

    /// Reads the file that is named, or the default one if it is there, and nothing else.
    pub fn of_file(named: Option<PathBuf>) -> Self {
        let is_named = named.is_some();
        let Some(path) = named.or_else(directories::config_file) else {
            return Self::default();
        };
        match file::read(&path) {
            Ok(Some(contents)) => Self {
                layer: contents.layer,
                problems: contents.problems,
                file: Some(path),
                lines: contents.lines,
            },
            Ok(None) if !is_named => Self::default(),
            Ok(None) => Self {
                problems: vec![Problem::in_file(
                    &path,
                    None,
                    "",
                    "there is no such configuration file",
                )],
                ..Self::default()
            },
            Err(problem) => Self {
                problems: vec![problem],
                ..Self::default()
            },
        }
    }

    /// What a hub is to be like, with everything kept in this directory.
    ///
    /// # Errors
    ///
    /// What keys lack that need one another.
    pub fn hub_config(&self, state: PathBuf) -> Result<::hub::Config, Vec<Problem>> {
        let mut hub = self.layer.hub.clone();
        hub.interfaces = hub.interfaces.or_else(|| self.layer.interfaces.clone());
        hub::config(&hub, &self.layer.place, state).map_err(|problems| {
            let problem = |(key, what)| self.problem(key, what);
            problems.into_iter().map(problem).collect()
        })
    }

    /// A problem with the value of a key that can be understood.
    pub fn problem(&self, key: &str, what: String) -> Problem {
        let origin = environment::twin(key)
            .or_else(|| self.lines.origin(key))
            .unwrap_or(Origin::Elsewhere);
        Problem {
            origin,
            key: key.to_owned(),
            what,
        }
    }
}

/// What holds for this run.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Settings {
    /// Output and questions.
    pub ui: UiOptions,
    /// The whole command's bound.
    pub timeout: Option<Duration>,
    /// Local interfaces to scan from, by name or address; empty is all that are up and not loopback.
    pub interfaces: Vec<String>,
    /// 0 no logs, 1 debug, 2 trace.
    pub verbosity: u8,
    /// Which hub is to do it; `None` is the one that runs here, if there is one.
    pub hub: Option<HubChoice>,
    /// The token for a hub that is named, from the environment.
    pub token: Option<Token>,
    /// The file with that token.
    pub token_file: Option<PathBuf>,
    /// Certificates to trust for a hub instead of the system's.
    pub ca_file: Option<PathBuf>,
    /// The certificate of the hub that runs here.
    pub certificate: Option<PathBuf>,
    /// The command line's own part, for who reads the sources again.
    pub options: GlobalOptions,
}

impl Settings {
    /// Brings file, environment and flags together.
    ///
    /// # Errors
    ///
    /// The first problem with any of them.
    pub fn load(options: &GlobalOptions) -> Result<Self, Failure> {
        let mut sources = Sources::read(options);
        if !sources.problems.is_empty() {
            return Err(sources.problems.swap_remove(0).into());
        }
        Ok(Self::of(sources.layer, options))
    }

    /// What can be understood of file, environment and flags: for the verb that looks what is wrong with them.
    pub fn load_leniently(options: &GlobalOptions) -> Self {
        Self::of(Sources::read(options).layer, options)
    }

    fn of(layer: Layer, options: &GlobalOptions) -> Self {
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
            token: std::env::var("MAINS_TOKEN")
                .ok()
                .filter(|text| !text.is_empty())
                .map(Token::new),
            token_file: layer.hub.token_file,
            ca_file: layer.hub.ca_file,
            certificate: layer.hub.certificate,
            options: options.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_that_need_one_another() {
        let mut sources = Sources::default();
        sources.layer.hub.key = Some("key.pem".into());
        sources.layer.place.latitude = Some(hub::Degrees(52.0));
        let problems = sources.hub_config("/state".into()).unwrap_err();
        let keys: Vec<_> = problems.iter().map(|problem| &problem.key).collect();
        assert_eq!(keys, ["hub.key", "place.latitude"]);
        sources.layer.hub.certificate = Some("certificate.pem".into());
        sources.layer.place.longitude = Some(hub::Degrees(13.0));
        let config = sources.hub_config("/state".into()).unwrap();
        assert_eq!(config.database, PathBuf::from("/state/mains.sqlite"));
        assert!(config.tls.is_some() && config.place.is_some());
    }

    #[test]
    fn a_hub_scans_where_the_commands_do_unless_told_otherwise() {
        let mut sources = Sources::default();
        sources.layer.interfaces = Some(vec!["eth0".into()]);
        let interfaces = |sources: &Sources| sources.hub_config("/s".into()).unwrap().interfaces;
        assert_eq!(interfaces(&sources), ["eth0"]);
        sources.layer.hub.interfaces = Some(vec!["eth1".into()]);
        assert_eq!(interfaces(&sources), ["eth1"]);
    }
}
