//! The command line of Mains.
//!
//! This crate parses what the user typed, calls the crates below, prints what came of it and turns it into an exit
//! code. It owns everything that touches the user: options and configuration ([`cli`], [`config`]), what is printed
//! and asked ([`ui`]), failures and their exit codes ([`error`]), the names people give to plugs ([`inventory`])
//! and how a name becomes an address ([`resolve`]). No protocol lives here.

pub mod cli;
pub mod commands;
pub mod config;
pub mod console;
pub mod context;
pub mod directories;
pub mod error;
mod feed;
mod help;
#[cfg_attr(unix, path = "hints/unix.rs")]
#[cfg_attr(windows, path = "hints/windows.rs")]
mod hints;
mod hub_endpoint;
mod hub_names;
pub mod inventory;
#[cfg_attr(unix, path = "job_control/unix.rs")]
#[cfg_attr(windows, path = "job_control/windows.rs")]
mod job_control;
mod logging;
pub mod plug_table;
pub mod resolve;
mod secret;
#[cfg_attr(unix, path = "service_log/unix.rs")]
#[cfg_attr(windows, path = "service_log/windows.rs")]
mod service_log;
#[cfg_attr(unix, path = "service_manager/unix.rs")]
#[cfg_attr(windows, path = "service_manager/windows.rs")]
mod service_manager;
pub mod shutdown;
mod timers;
pub mod ui;
#[cfg_attr(windows, path = "wifi/windows.rs")]
pub mod wifi;

use std::ffi::OsString;
use std::process::ExitCode;

use cli::{Cli, ParsedArguments};
use config::RunSettings;
use context::Context;
use error::{Exit, Failure, FailureDocument, Outcome};
use ui::Ui;

/// Runs the command with the process's arguments (the first is the program's own name).
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    service_manager::host(arguments.into_iter().collect(), run_here)
}

/// Runs the command in this thread.
fn run_here(arguments: Vec<OsString>) -> ExitCode {
    let early = cli::peek(&arguments);
    let Cli {
        mut options,
        command,
    } = match cli::parse(&arguments, early.colour) {
        ParsedArguments::Run(cli) => *cli,
        ParsedArguments::Print(text) => {
            let ui = Ui::new(early);
            return conclude(&ui, ui.data_raw(&text).map(|()| Exit::DONE));
        }
        ParsedArguments::Refused { failure, .. } if early.json => {
            return conclude(&Ui::new(early), Err(failure));
        }
        ParsedArguments::Refused { failure, rendered } => {
            Ui::new(early).error_raw(&rendered);
            return failure.kind().exit_code().into();
        }
    };
    if command.keeps_to_itself() {
        // The user's file is not even read.
        options
            .config
            .get_or_insert_with(|| directories::EMPTY_FILE.into());
    }
    let settings = match command.checks_configuration() {
        true => Ok(RunSettings::load_leniently(&options)),
        false => RunSettings::load(&options),
    };
    match settings {
        Err(failure) => conclude(&Ui::new(early), Err(failure)),
        Ok(settings) => {
            let context = Context::new(settings);
            logging::start(&context, command.is_service());
            if let Some(directory) = directories::runtime()
                && !command.keeps_to_itself()
            {
                hiflying::net::share_ports(directory);
            }
            conclude(
                &context.ui,
                commands::run(&context, command, Cli::definition),
            )
        }
    }
}

/// Reports a failure, and returns the exit code.
fn conclude(ui: &Ui, outcome: Outcome) -> ExitCode {
    match outcome {
        Ok(exit) => exit.into(),
        Err(failure) => {
            report(ui, &failure);
            failure.kind().exit_code().into()
        }
    }
}

fn report(ui: &Ui, failure: &Failure) {
    if ui.is_json() {
        // When stdout itself fails, only stderr is left.
        if let Err(second) = ui.document(&FailureDocument { error: failure }) {
            ui.error(&second);
        }
    } else {
        ui.error(failure);
    }
}
