//! The command line: parsing, and the form of what the parser refuses (exit code 2, JSON with `--json`).
//!
//! The options of a verb stand beside the verb, in `commands/<verb>.rs`, the global ones in `config/flags.rs`.

use std::ffi::OsString;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};

use crate::commands::Verb;
use crate::config::{self, GlobalOptions};
use crate::error::Failure;
use crate::help::help_of;
use crate::ui::{Colour, UiOptions};

/// Find, set up, switch and meter Wi-Fi plugs whose makers have gone; everything stays local
///
/// A PLUG is any of: its name (see `mains name`), its MAC, its serial number, its IPv4 address.
#[derive(Debug, Parser)]
#[command(name = "mains", version = env!("MAINS_VERSION"), propagate_version = false, after_long_help = AFTER_HELP)]
#[command(subcommand_required = true, arg_required_else_help = true)]
#[command(subcommand_value_name = "VERB", subcommand_help_heading = "Verbs")]
struct Root {
    #[command(flatten)]
    options: GlobalOptions,
}

/// A command line that was understood.
#[derive(Debug)]
pub struct Cli {
    /// Options of every verb.
    pub options: GlobalOptions,
    /// The verb.
    pub command: Verb,
}

impl Cli {
    /// Returns the definition of the whole command line.
    pub fn definition() -> clap::Command {
        Verb::augment_subcommands(Root::command())
    }

    /// Returns the definition without the verbs that are not among the arguments. Every verb gets a copy of the options of all, and
    /// thirty copies are most of the memory that a short command touches.
    fn short_definition(arguments: &[OsString]) -> clap::Command {
        let named = |verb: &clap::Command| {
            std::iter::once(verb.get_name())
                .chain(verb.get_all_aliases())
                .any(|name| arguments.iter().any(|word| word == name))
        };
        let mut whole = Self::definition();
        let verbs = whole.get_subcommands_mut().filter(|verb| named(verb));
        Root::command().subcommands(verbs.map(std::mem::take))
    }

    fn parse(definition: clap::Command, arguments: &[OsString]) -> Result<Self, clap::Error> {
        let mut matches = definition.try_get_matches_from(arguments)?;
        Ok(Self {
            options: GlobalOptions::from_arg_matches_mut(&mut matches)?,
            command: Verb::from_arg_matches_mut(&mut matches)?,
        })
    }
}

/// The end of the help.
const AFTER_HELP: &str = concat!("\
Exit codes:
  0  done, and confirmed where a confirmation exists
  1  failed for another reason
  2  wrong usage or configuration
  3  no such plug or bridge
  4  no reply in time
  5  the plug or bridge refused, or did not do what it accepted
  6  unintelligible reply
  7  something local is missing or taken: UDP port 48899, a permission, a Wi-Fi adapter
  8  hub, broker or database cannot be reached

With --json stdout carries one JSON document, also for a failure: {\"error\":{\"kind\",\"message\",\"hint\"}}. Verbs \
that take several plugs print an array with one element for each, in order: a result, or {\"plug\",\"error\"}. \
`completions`, `man`, `demo --tour`, `emulate`, `record` and `replay` ignore --json.

With --timeout a command that has not finished in time ends with code 4; `discover` prints what it has found by then, and \
endless verbs (`watch`, `events`, `discover --watch`, `emulate`, `record`, `replay`, `demo`) just end.

Configuration file (TOML): ", help_of!(config_place), ". Every key \
is optional; flags override the environment, the environment overrides the file:
  interfaces = [\"eth0\"]
  timeout = \"5s\"
  color = \"auto\"
  json = false
  yes = false
  quiet = false
  hub = \"http://192.168.1.5:8480\"     # or as `url` in the table [hub]
`mains help serve` shows the tables [hub] and [place]. `mains hub check` lists every problem of the file.

Names and last addresses of plugs are kept in ", help_of!(state_place), ".

`mains help <verb>` describes a verb in full. No plug at hand? Try `mains demo`.");

/// The last line of a verb's help.
const GLOBAL_OPTIONS: &str = "\
Global options, described by `mains help`: --json, --config, --hub, --timeout, --interface, --yes, --verbose, --quiet, --color.";

/// Reads how output is to look before the arguments are understood, because they may not be: looks for `--json`, `--quiet`
/// and `--color` anywhere before a `--`.
pub fn peek(arguments: &[OsString]) -> UiOptions {
    let mut options = UiOptions {
        json: config::environment_asks_for_json(),
        ..UiOptions::default()
    };
    let words: Vec<&str> = arguments
        .iter()
        .skip(1)
        .map_while(|word| (word != "--").then(|| word.to_str().unwrap_or("")))
        .collect();
    for (index, word) in words.iter().enumerate() {
        match *word {
            "--json" => options.json = true,
            "--quiet" | "-q" => options.quiet = true,
            "--color=always" => options.colour = Colour::Always,
            "--color=never" => options.colour = Colour::Never,
            "--color" => match words.get(index + 1) {
                Some(&"always") => options.colour = Colour::Always,
                Some(&"never") => options.colour = Colour::Never,
                _ => {}
            },
            _ => {}
        }
    }
    options
}

/// Result of parsing the arguments.
#[derive(Debug)]
pub enum ParsedArguments {
    /// A verb to run.
    Run(Box<Cli>),
    /// Help or version, asked for: data, exit code 0.
    Print(String),
    /// Arguments that the parser refuses.
    Refused {
        /// The failure, for JSON.
        failure: Failure,
        /// Its text for people, with the parser's own styles and tips.
        rendered: String,
    },
}

fn definition(colour: Colour) -> clap::Command {
    Cli::definition().color(match colour {
        Colour::Auto => clap::ColorChoice::Auto,
        Colour::Always => clap::ColorChoice::Always,
        Colour::Never => clap::ColorChoice::Never,
    })
}

/// Parses the arguments; the first is the program's name. In a stack frame of its own, which is given back before the verb runs.
#[inline(never)]
pub fn parse(arguments: &[OsString], colour: Colour) -> ParsedArguments {
    let result = match Cli::parse(Cli::short_definition(arguments), arguments) {
        // What is refused is explained by all that there is.
        Err(error) if error.kind() != ErrorKind::DisplayVersion => {
            Cli::parse(definition(colour), arguments)
        }
        result => result,
    };
    match result {
        Ok(cli) => ParsedArguments::Run(Box::new(cli)),
        Err(error) if error.kind() == ErrorKind::DisplayHelp => {
            explain(&help(arguments, colour).unwrap_or(error), arguments)
        }
        Err(error) => explain(&error, arguments),
    }
}

/// Returns the help that was asked for; that of a verb is without the global options, which would hide its examples.
fn help(arguments: &[OsString], colour: Colour) -> Option<clap::Error> {
    let mut command = definition(colour);
    command.build();
    let command = command.mut_subcommands(without_global_options);
    command.try_get_matches_from(arguments).err()
}

fn without_global_options(command: clap::Command) -> clap::Command {
    let examples = command.get_after_long_help().map(ToString::to_string);
    let hide = |arg: clap::Arg| match arg.is_global_set() {
        true => arg.hide(true),
        false => arg,
    };
    let command = command
        .mut_args(hide)
        .mut_subcommands(without_global_options);
    match examples {
        Some(examples) => command.after_long_help(format!("{examples}\n\n{GLOBAL_OPTIONS}")),
        None => command,
    }
}

/// Returns the intended verb with the one below it (`hue lights`), as far as refused arguments reveal it: up to the word
/// that is wrong.
fn verb_in(arguments: &[OsString], error: &clap::Error) -> Option<String> {
    let wrong = match error.get(ContextKind::InvalidSubcommand) {
        Some(ContextValue::String(word)) => Some(word.as_str()),
        _ => None,
    };
    let mut all = Cli::definition();
    all.build();
    let mut command = &all;
    let mut path = Vec::new();
    let words = arguments.iter().skip(1).filter_map(|word| word.to_str());
    for word in words.take_while(|word| *word != "--" && Some(*word) != wrong) {
        if let Some(below) = command.find_subcommand(word).filter(|_| word != "help") {
            command = below;
            path.push(word);
        }
    }
    (!path.is_empty()).then(|| path.join(" "))
}

fn explain(error: &clap::Error, arguments: &[OsString]) -> ParsedArguments {
    let rendered = error.render().ansi().to_string();
    let failure = match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => {
            return ParsedArguments::Print(rendered);
        }
        ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand | ErrorKind::MissingSubcommand => {
            let verb = verb_in(arguments, error);
            let missing = verb
                .as_ref()
                .map_or("a verb is missing".to_owned(), |verb| {
                    format!("a verb is missing after `{verb}`")
                });
            Failure::usage(missing).hint(more_help(verb.as_deref()))
        }
        _ => usage_failure(error, verb_in(arguments, error).as_deref()),
    };
    ParsedArguments::Refused { failure, rendered }
}

/// Returns the parser's sentence without its headline, its usage block and its tips; the tips become the hint.
fn usage_failure(error: &clap::Error, verb: Option<&str>) -> Failure {
    let text = error.render().to_string();
    let body = text.strip_prefix("error: ").unwrap_or(&text);
    let message: Vec<&str> = body
        .lines()
        .take_while(|line| !line.starts_with("Usage:") && !line.trim_start().starts_with("tip:"))
        .map(str::trim)
        .filter(|line| !line.is_empty() && !line.starts_with("For more information"))
        .collect();
    let tips: Vec<&str> = text
        .lines()
        .filter_map(|line| line.trim_start().strip_prefix("tip: "))
        .collect();
    let hint = if tips.is_empty() {
        more_help(verb)
    } else {
        tips.join("; ")
    };
    Failure::usage(message.join(" ")).hint(hint)
}

fn more_help(verb: Option<&str>) -> String {
    match verb {
        Some(verb) => format!("`mains help {verb}` shows how to use it"),
        None => "`mains help` lists the verbs".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<OsString> {
        line.split(' ').map(OsString::from).collect()
    }

    #[test]
    fn the_definition_is_sound() {
        Cli::definition().debug_assert();
    }

    #[test]
    fn the_help_that_is_pointed_to_is_that_of_the_nearest_verb() {
        let hint = |line: &str| match parse(&words(line), Colour::Auto) {
            ParsedArguments::Refused { failure, .. } => {
                failure.hint_text().unwrap_or_default().to_owned()
            }
            other => panic!("{line}: {other:?}"),
        };
        for (line, verb) in [
            ("mains hue", "hue"),
            ("mains hue lights", "hue lights"),
            ("mains --json hue --app-key-file f clip a", "hue clip"),
            ("mains hue move lights", "hue move"),
            ("mains hue nothing lights", "hue"),
            ("mains help hue nothing", "hue"),
            ("mains on", "on"),
        ] {
            let expected = format!("`mains help {verb}` shows how to use it");
            assert_eq!(hint(line), expected, "{line}");
        }
        assert!(hint("mains hue ligths").contains("'lights'"));
    }

    #[test]
    fn a_line_that_is_understood_needs_only_its_verbs() {
        for line in [
            "mains --version",
            "mains -V",
            "mains on kitchen --json",
            "mains ls",
            "mains name plug on",
            "mains --color never hue lights bridge",
            "mains hub tokens list",
        ] {
            let arguments = words(line);
            let short = Cli::parse(Cli::short_definition(&arguments), &arguments);
            let whole = Cli::parse(Cli::definition(), &arguments);
            assert_eq!(format!("{short:?}"), format!("{whole:?}"), "{line}");
        }
        let verbs = Cli::short_definition(&words("mains name plug on"));
        assert_eq!(verbs.get_subcommands().count(), 2);
    }

    #[test]
    fn looks_ahead_only_as_far_as_the_options_go() {
        assert!(peek(&words("mains on --json")).json);
        assert!(!peek(&words("mains name x -- --json")).json);
        assert_eq!(peek(&words("mains --color never on")).colour, Colour::Never);
        assert_eq!(
            peek(&words("mains --color=always on")).colour,
            Colour::Always
        );
    }
}
