//! The global options: the source of settings with the highest authority.

use std::path::PathBuf;
use std::time::Duration;

use api::duration;
use clap::ArgAction;

use super::hub::{HubChoice, HubLayer};
use super::layer::Layer;
use crate::ui::Colour;

/// Options of every verb; they can stand before or after it.
#[derive(Debug, Clone, Default, PartialEq, clap::Args)]
#[command(next_help_heading = "Global options")]
pub struct GlobalOptions {
    /// Print one JSON document on stdout [env: MAINS_JSON=1]
    #[arg(long, global = true)]
    pub json: bool,
    /// Read this configuration file (TOML) [env: MAINS_CONFIG]
    #[arg(long, global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Use this hub, e.g. http://192.168.1.5:8480 [env: MAINS_HUB, MAINS_TOKEN]
    #[arg(
        long,
        global = true,
        value_name = "URL",
        long_help = "Use this hub, e.g. http://192.168.1.5:8480 [env: MAINS_HUB] [default: the one that runs on this computer, if \
            any]. Its token comes from MAINS_TOKEN. `none` contacts the plugs directly"
    )]
    pub hub: Option<HubChoice>,
    /// Limit the time of the whole command, e.g. 800ms, 5s [env: MAINS_TIMEOUT]
    #[arg(long, global = true, value_name = "DURATION", value_parser = duration::parse, allow_hyphen_values = true)]
    pub timeout: Option<Duration>,
    /// Scan from this local interface only; repeatable [env: MAINS_INTERFACE=A,B]
    #[arg(
        long,
        global = true,
        value_name = "NAME|ADDR",
        value_delimiter = ',',
        value_parser = clap::builder::NonEmptyStringValueParser::new(),
        long_help = "Scan from this local interface only; repeatable [env: MAINS_INTERFACE=A,B] [default: all that are \
            up and not loopback]. A hub scans from its own (`mains help serve`). One without a broadcast address (lo) is scanned at the last address of its prefix, \
            127.255.255.255"
    )]
    pub interface: Vec<String>,
    /// Answer yes to every question; without it and without a terminal, a question is exit code 2
    #[arg(long, global = true)]
    pub yes: bool,
    /// Log to stderr; twice for every detail
    #[arg(short, long, global = true, action = ArgAction::Count)]
    pub verbose: u8,
    /// Print no status lines and warnings on stderr
    #[arg(short, long, global = true)]
    pub quiet: bool,
    /// Colour the output: auto (also obeys NO_COLOR), always or never
    #[arg(
        long,
        global = true,
        value_name = "WHEN",
        value_enum,
        hide_possible_values = true
    )]
    pub color: Option<Colour>,
}

impl Layer {
    pub(super) fn from_flags(options: &GlobalOptions) -> Self {
        let interfaces = (!options.interface.is_empty()).then(|| options.interface.clone());
        Self {
            json: options.json.then_some(true),
            timeout: options.timeout,
            interfaces: interfaces.clone(),
            yes: options.yes.then_some(true),
            quiet: options.quiet.then_some(true),
            color: options.color,
            hub: HubLayer {
                url: options.hub.clone(),
                interfaces,
                ..HubLayer::default()
            },
            ..Self::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn interfaces_are_those_of_the_command_and_of_a_hub_that_it_runs() {
        let options = GlobalOptions {
            interface: vec!["lo".into()],
            ..GlobalOptions::default()
        };
        let layer = Layer::from_flags(&options);
        assert_eq!(layer.interfaces, Some(vec!["lo".to_owned()]));
        assert_eq!(layer.hub.interfaces, Some(vec!["lo".to_owned()]));
        assert_eq!(layer.hub.url, None, "as with MAINS_INTERFACE");
    }
}
