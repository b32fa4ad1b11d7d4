//! Settings that hold for every verb, and where they come from: defaults < file < environment < flags.
//!
//! Each source becomes a [`Layer`] of optional values, and [`Settings`] is what the layers give on top of each other.
//! A key nobody reads is an error with file and line: a typing error must not pass as "default".

use std::env;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Deserializer, de};

use crate::cli::GlobalOptions;
use crate::directories;
use crate::duration;
use crate::error::Failure;
use crate::hub_client::{Endpoint, HubUrl, Token};
use crate::ui::Colour;

/// What one source has to say; everything it leaves out is decided below it.
#[derive(Debug, Default, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Layer {
    /// `json = true`: stdout carries JSON.
    pub json: Option<bool>,
    /// `timeout = "5s"`: the whole command's bound.
    #[serde(default, deserialize_with = "duration_text")]
    pub timeout: Option<Duration>,
    /// `hub = "http://192.168.1.5:8480"`: the hub that does it.
    #[serde(default, deserialize_with = "parsed_text")]
    pub hub: Option<HubUrl>,
    /// `hub_ca = "ca.pem"`: certificates to trust for that hub.
    pub hub_ca: Option<PathBuf>,
    /// `interfaces = ["eth0", "192.168.1.5"]`: local interfaces to scan from.
    pub interfaces: Option<Vec<String>>,
    /// `yes = true`: agree to what would be asked.
    pub yes: Option<bool>,
    /// `quiet = true`: no status lines.
    pub quiet: Option<bool>,
    /// `color = "auto"`, `"always"` or `"never"`.
    pub color: Option<Colour>,
}

impl Layer {
    /// This layer on top of another.
    fn over(self, below: Self) -> Self {
        Self {
            json: self.json.or(below.json),
            hub: self.hub.or(below.hub),
            hub_ca: self.hub_ca.or(below.hub_ca),
            timeout: self.timeout.or(below.timeout),
            interfaces: self.interfaces.or(below.interfaces),
            yes: self.yes.or(below.yes),
            quiet: self.quiet.or(below.quiet),
            color: self.color.or(below.color),
        }
    }

    fn from_flags(options: &GlobalOptions) -> Self {
        Self {
            json: options.json.then_some(true),
            hub: options.hub.clone(),
            hub_ca: None,
            timeout: options.timeout,
            interfaces: (!options.interface.is_empty()).then(|| options.interface.clone()),
            yes: options.yes.then_some(true),
            quiet: options.quiet.then_some(true),
            color: options.color,
        }
    }

    /// Reads the environment twins of the options. An empty variable counts as not set.
    fn from_environment() -> Result<Self, Failure> {
        Ok(Self {
            json: variable("MAINS_JSON")?
                .map(|text| boolean("MAINS_JSON", &text))
                .transpose()?,
            timeout: variable("MAINS_TIMEOUT")?
                .map(|text| {
                    duration::parse(&text)
                        .map_err(|problem| bad_variable("MAINS_TIMEOUT", &text, &problem))
                })
                .transpose()?,
            hub: variable("MAINS_HUB")?
                .map(|text| {
                    text.parse()
                        .map_err(|problem: String| bad_variable("MAINS_HUB", &text, &problem))
                })
                .transpose()?,
            hub_ca: path_variable("MAINS_HUB_CA"),
            interfaces: variable("MAINS_INTERFACE")?
                .map(|text| interface_list(&text))
                .transpose()?,
            ..Self::default()
        })
    }

    /// Reads a configuration file's text; `path` is for the message.
    fn from_toml(text: &str, path: &Path) -> Result<Self, Failure> {
        toml::from_str(text).map_err(|error| {
            let before = error.span().and_then(|span| text.get(..span.start));
            let line = before.map_or(0, |before| before.matches('\n').count());
            let place = match before {
                Some(_) => format!("{}:{}", path.display(), line + 1),
                None => path.display().to_string(),
            };
            // The parser names the key only where the key itself is wrong.
            let key = text
                .lines()
                .nth(line)
                .and_then(|line| line.split_once('='))
                .map(|(key, _)| key.trim());
            let problem = error.message().trim_end().replace('\n', "; ");
            let problem = match key
                .filter(|key| before.is_some() && !problem.contains(&format!("`{key}`")))
            {
                Some(key) => format!("{key}: {problem}"),
                None => problem,
            };
            Failure::usage(format!("{place}: {problem}"))
                .hint("see `mains help` for the keys of the configuration file")
        })
    }

    /// Reads the file that was named, or the default one if it is there.
    fn from_file(named: Option<PathBuf>) -> Result<Self, Failure> {
        let Some(path) = named.clone().or_else(directories::config_file) else {
            return Ok(Self::default());
        };
        match std::fs::read_to_string(&path) {
            Ok(text) => Self::from_toml(&text, &path),
            Err(error) if named.is_none() && is_absent(&error) => Ok(Self::default()),
            Err(error) => Err(Failure::usage(format!(
                "the configuration file {} cannot be read",
                path.display()
            ))
            .caused_by(&error)),
        }
    }
}

/// A home that is a file, or that this user may not look into, has no configuration either.
fn is_absent(error: &std::io::Error) -> bool {
    use std::io::ErrorKind::{NotADirectory, NotFound};
    matches!(error.kind(), NotFound | NotADirectory)
}

/// What holds for this run.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// stdout carries exactly one JSON document (or one a line, where the verb says so).
    pub json: bool,
    /// The hub that was named.
    pub hub: Option<Endpoint>,
    /// The whole command's bound.
    pub timeout: Option<Duration>,
    /// Local interfaces to scan from, by name or address; empty is all that are up and not loopback.
    pub interfaces: Vec<String>,
    /// Agree to what would be asked.
    pub yes: bool,
    /// No status lines.
    pub quiet: bool,
    /// When to colour.
    pub color: Colour,
    /// 0 no logs, 1 debug, 2 trace.
    pub verbosity: u8,
}

impl Settings {
    /// Brings file, environment and flags together.
    pub fn load(options: &GlobalOptions) -> Result<Self, Failure> {
        let named = options
            .config
            .clone()
            .or_else(|| path_variable("MAINS_CONFIG"));
        let layers = Layer::from_flags(options)
            .over(Layer::from_environment()?)
            .over(Layer::from_file(named)?);
        Ok(Self {
            json: layers.json.unwrap_or(false),
            hub: match layers.hub {
                Some(url) => Some(Endpoint {
                    url,
                    token: variable("MAINS_TOKEN")?.map(Token::new),
                    ca_file: layers.hub_ca,
                    is_named: true,
                }),
                None => None,
            },
            timeout: layers.timeout,
            interfaces: layers.interfaces.unwrap_or_default(),
            yes: layers.yes.unwrap_or(false),
            quiet: layers.quiet.unwrap_or(false) && options.verbose == 0,
            color: layers.color.unwrap_or_default(),
            verbosity: options.verbose,
        })
    }
}

/// Tells whether `MAINS_JSON` asks for JSON, before anything else is known; a bad value is reported later.
pub(crate) fn environment_wants_json() -> bool {
    matches!(variable("MAINS_JSON"), Ok(Some(text)) if boolean("MAINS_JSON", &text) == Ok(true))
}

fn variable(name: &str) -> Result<Option<String>, Failure> {
    match env::var(name) {
        Ok(text) if text.is_empty() => Ok(None),
        Ok(text) => Ok(Some(text)),
        Err(env::VarError::NotPresent) => Ok(None),
        Err(env::VarError::NotUnicode(_)) => {
            Err(Failure::usage(format!("{name} is not valid UTF-8")))
        }
    }
}

fn path_variable(name: &str) -> Option<PathBuf> {
    env::var_os(name)
        .filter(|value| !value.is_empty())
        .map(PathBuf::from)
}

fn boolean(name: &str, text: &str) -> Result<bool, Failure> {
    match text.to_ascii_lowercase().as_str() {
        "1" | "true" | "yes" | "on" => Ok(true),
        "0" | "false" | "no" | "off" => Ok(false),
        _ => Err(bad_variable(name, text, "neither 1 nor 0")),
    }
}

fn interface_list(text: &str) -> Result<Vec<String>, Failure> {
    let names: Vec<String> = text.split(',').map(|name| name.trim().to_owned()).collect();
    if names.iter().any(String::is_empty) {
        return Err(bad_variable(
            "MAINS_INTERFACE",
            text,
            "an empty name between commas",
        ));
    }
    Ok(names)
}

fn bad_variable(name: &str, text: &str, problem: &str) -> Failure {
    Failure::usage(format!(
        "the environment variable {name} has the value `{text}`: {problem}"
    ))
}

fn duration_text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Duration>, D::Error> {
    let text = String::deserialize(deserializer)?;
    duration::parse(&text).map(Some).map_err(de::Error::custom)
}

fn parsed_text<'de, D, T>(deserializer: D) -> Result<Option<T>, D::Error>
where
    D: Deserializer<'de>,
    T: FromStr<Err: std::fmt::Display>,
{
    let text = String::deserialize(deserializer)?;
    text.parse().map(Some).map_err(de::Error::custom)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Layer, Failure> {
        Layer::from_toml(text, Path::new("mains.toml"))
    }

    #[test]
    fn reads_every_key() {
        let text = "json = true\ntimeout = \"800ms\"\ninterfaces = [\"eth0\"]\nyes = true\nquiet = true\ncolor = \"never\"\n";
        let layer = read(text).unwrap();
        assert_eq!(layer.timeout, Some(Duration::from_millis(800)));
        assert_eq!(layer.interfaces, Some(vec!["eth0".to_owned()]));
        assert_eq!(
            (layer.json, layer.yes, layer.quiet),
            (Some(true), Some(true), Some(true))
        );
        assert_eq!(layer.color, Some(Colour::Never));
        assert_eq!(read("").unwrap(), Layer::default());
    }

    #[test]
    fn names_file_and_line_of_what_is_wrong() {
        for (text, line, word) in [
            ("json = true\ntimeot = \"5s\"\n", "mains.toml:2:", "timeot"),
            ("\n\ntimeout = \"5\"\n", "mains.toml:3:", "unit"),
            ("timeout = 5\n", "mains.toml:1:", "string"),
            ("color = \"blue\"\n", "mains.toml:1:", "blue"),
            ("json = true\njson = false\n", "mains.toml:2:", "duplicate"),
            ("[hub\n", "mains.toml:1:", ""),
        ] {
            let failure = read(text).unwrap_err();
            assert!(failure.message().starts_with(line), "{failure}");
            assert!(failure.message().contains(word), "{failure}");
            assert!(!failure.message().contains('\n'), "{failure}");
        }
    }

    #[test]
    fn a_higher_layer_wins_where_it_speaks() {
        let high = Layer {
            json: Some(false),
            ..Layer::default()
        };
        let low = Layer {
            json: Some(true),
            quiet: Some(true),
            ..Layer::default()
        };
        let both = high.over(low);
        assert_eq!((both.json, both.quiet), (Some(false), Some(true)));
    }
}
