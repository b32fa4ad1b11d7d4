//! The console with a prompt.

use std::path::PathBuf;

use hiflying::AtRequest;

use super::assist::{Assistant, help};
use super::exchange::CommandResult;
use super::line::{self, CommandRules};
use super::link::ConsoleLink;
use super::reader::{LineReader, Typed};
use super::{fill_secret, interrupted, leave, show};
use crate::context::Context;
use crate::error::{Exit, Failure, Kind, Outcome};
use crate::ui::{HINT, paint};

/// Help in one line, printed below the name of the device.
const GREETING: &str = "`help` lists the verbs, Tab completes them, `quit` leaves";

/// Meaning of a typed line.
enum ConsoleInput {
    Leave,
    Help(String),
    Send(AtRequest),
    Nothing,
}

/// Runs until the user leaves, the terminal closes, or a signal comes. A failed command does not end the console;
/// `--timeout` limits each command instead of the whole.
pub async fn run(
    context: &Context,
    mut link: ConsoleLink,
    name: &str,
    rules: CommandRules,
) -> Outcome {
    let outcome = read_commands(context, &mut link, name, rules).await;
    leave(link).await;
    outcome.map(|()| Exit::DONE)
}

async fn read_commands(
    context: &Context,
    link: &mut ConsoleLink,
    name: &str,
    rules: CommandRules,
) -> Result<(), Failure> {
    context
        .ui
        .status(format_args!("connected to {}", link.description()));
    context.ui.status(paint(HINT, GREETING));
    let mut reader = reader(context, link, name)?;
    loop {
        let text = match next_line(&mut reader, link).await? {
            Typed::Line(text) => text,
            Typed::End => return Ok(()),
            Typed::Failed(why) => {
                return Err(Failure::local(format!("cannot read the terminal: {why}")));
            }
        };
        match parse_input(context, &text, rules) {
            ConsoleInput::Leave => return Ok(()),
            ConsoleInput::Help(about) => context.ui.data(help(link.vocabulary(), &about))?,
            ConsoleInput::Send(request) => send(context, link, request).await?,
            ConsoleInput::Nothing => {}
        }
    }
}

/// Shows the prompt once, and keeps the session alive until the user has typed a line.
async fn next_line(reader: &mut LineReader, link: &mut ConsoleLink) -> Result<Typed, Failure> {
    reader.ask();
    loop {
        tokio::select! {
            typed = reader.next() => return Ok(typed),
            () = link.keep_alive() => {}
            () = interrupted() => return Err(Failure::failed("interrupted")),
        }
    }
}

fn reader(context: &Context, link: &ConsoleLink, name: &str) -> Result<LineReader, Failure> {
    let history: Option<PathBuf> = context
        .state_directory()
        .ok()
        .map(|state| state.join("at-history"));
    let assistant = Assistant::new(link.vocabulary(), context.ui.colours_stdout());
    let (reader, warning) = LineReader::start(format!("{name}> "), assistant, history)?;
    if let Some(warning) = warning {
        context
            .ui
            .warn(format_args!("cannot keep the history: {warning}"));
    }
    Ok(reader)
}

fn parse_input(context: &Context, text: &str, rules: CommandRules) -> ConsoleInput {
    let mut words = text.split_whitespace();
    let Some(first) = words.next() else {
        return ConsoleInput::Nothing;
    };
    match (first.to_ascii_lowercase().as_str(), words.next()) {
        ("quit" | "exit", None) => ConsoleInput::Leave,
        ("help" | "?", about) => ConsoleInput::Help(about.unwrap_or("").to_owned()),
        _ => match line::parse(text, rules) {
            Ok(request) => ConsoleInput::Send(request),
            Err(failure) => {
                context.ui.error(&failure);
                ConsoleInput::Nothing
            }
        },
    }
}

/// Sends one command; only a signal or a lost device ends the console.
async fn send(
    context: &Context,
    link: &mut ConsoleLink,
    request: AtRequest,
) -> Result<(), Failure> {
    let request = match fill_secret(context, request).await {
        Ok(request) => request,
        Err(failure) => {
            context.ui.error(&failure);
            return Ok(());
        }
    };
    let limit = context.settings.timeout;
    let result = tokio::select! {
        result = CommandResult::run_within(link, request, limit) => result,
        () = interrupted() => return Err(Failure::failed("interrupted")),
    };
    show(context, &result)?;
    match result.failure {
        // The adapter is gone; no further command can work.
        Some(failure) if failure.kind() == Kind::Local => Err(failure),
        Some(failure) => {
            context.ui.error(&failure);
            Ok(())
        }
        None => Ok(()),
    }
}
