//! `mains hub check`: the problems of the configuration, with file and line.

use std::path::PathBuf;

use hiflying::net::select;
use hub::Config;

use crate::commands::hub_config;
use crate::config::{ConfigProblem, Sources};
use crate::context::Context;
use crate::error::{Exit, Kind, Outcome};
use crate::help::help_of;
use crate::ui::{BAD, BOLD, GOOD, clean, paint};

/// Options of `mains hub check`.
#[derive(Debug, clap::Args)]
#[command(after_long_help = concat!("\
Reads the configuration as `mains serve` does, and checks all that would keep it from starting: interfaces, listening address and \
the password that it requires, certificates, database, files. Without FILE it checks the environment variables too. A hub may be \
running.

Examples:
  mains hub check
  mains hub check ", help_of!(config_file), "
  mains --json hub check
    [{\"file\":\"", help_of!(config_file_in_json), "\",\"line\":7,\"variable\":null,
      \"key\":\"place.latitude\",\"problem\":\"…\"}]

Exit codes: 0 no problem, 2 problems."))]
pub(super) struct HubCheckArgs {
    /// File to check [default: the one that `mains serve` reads]
    #[arg(value_name = "FILE")]
    file: Option<PathBuf>,
}

/// Runs `mains hub check`.
pub(super) async fn run(context: &Context, args: &HubCheckArgs) -> Outcome {
    let mut sources = match &args.file {
        Some(file) => Sources::of_file(Some(file.clone())),
        None => Sources::read(&context.settings.options),
    };
    let mut problems = std::mem::take(&mut sources.problems);
    let state = context.state_directory()?;
    if let Err(found) = sources.mqtt_config(state.clone()) {
        problems.extend(found);
    }
    match hub_config::config(&sources, state) {
        Ok(config) => problems.extend(surroundings(&sources, &config).await),
        Err(found) => problems.extend(found),
    }
    problems.extend(files(&sources));
    report(context, &sources, &problems)
}

fn report(context: &Context, sources: &Sources, problems: &[ConfigProblem]) -> Outcome {
    let ui = &context.ui;
    if ui.is_json() {
        ui.document(&problems)?;
    } else {
        for problem in problems {
            ui.data(clean(&problem.to_string()))?;
        }
    }
    let what = match &sources.file {
        Some(file) => clean(&file.display().to_string()).into_owned(),
        None => "no configuration file; defaults apply".to_owned(),
    };
    let (style, found) = match problems.len() {
        0 => (GOOD, "no problem".to_owned()),
        1 => (BAD, "1 problem".to_owned()),
        count => (BAD, format!("{count} problems")),
    };
    ui.status(format_args!(
        "{}: {}",
        paint(BOLD, &what),
        paint(style, found)
    ));
    if problems.is_empty() {
        return Ok(Exit::DONE);
    }
    Ok(Exit::with(Kind::Usage))
}

/// Returns the problems of a valid configuration on this computer.
async fn surroundings(sources: &Sources, config: &Config) -> Vec<ConfigProblem> {
    let mut problems = Vec::new();
    if let Err(error) = select(&config.interfaces) {
        let key = match sources.layer.hub.interfaces {
            Some(_) => "hub.interfaces",
            None => "interfaces",
        };
        problems.push(sources.problem(key, error.to_string()));
    }
    for (key, error) in hub::check(config).await {
        let what = match error.hint_text() {
            Some(hint) => format!("{error}; {hint}"),
            None => error.to_string(),
        };
        problems.push(sources.problem(&format!("hub.{key}"), what));
    }
    problems
}

/// Returns the problems of the files for users of a hub.
fn files(sources: &Sources) -> Vec<ConfigProblem> {
    let (hub, mqtt) = (&sources.layer.hub, &sources.layer.mqtt);
    let unreadable = |(key, file): (&'static str, &Option<PathBuf>)| {
        let file = file.as_ref().filter(|file| !file.as_os_str().is_empty())?;
        let error = std::fs::File::open(file).err()?;
        let file = file.display();
        Some(sources.problem(key, format!("{file} cannot be read: {error}")))
    };
    [
        ("hub.token_file", &hub.token_file),
        ("hub.ca_file", &hub.ca_file),
        ("hub.database_ca_file", &hub.database_ca_file),
        ("mqtt.password_file", &mqtt.password_file),
        ("mqtt.ca_file", &mqtt.ca_file),
        ("mqtt.certificate_file", &mqtt.certificate_file),
        ("mqtt.key_file", &mqtt.key_file),
    ]
    .into_iter()
    .filter_map(unreadable)
    .collect()
}
