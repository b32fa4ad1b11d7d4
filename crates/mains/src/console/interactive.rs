//! The console with a prompt.

use std::path::PathBuf;

use hiflying::AtRequest;

use super::assist::{Assistant, help};
use super::exchange::Exchange;
use super::line::{self, Rules};
use super::link::Link;
use super::reader::{Reader, Typed};
use super::{fill_secret, interrupted, leave, show};
use crate::context::Context;
use crate::error::{Exit, Failure, Kind, Outcome};
use crate::ui::{HINT, paint};

/// What the user is told once, below the line that says who answers.
const GREETING: &str = "`help` lists the verbs, Tab completes them, `quit` leaves";

enum Wish {
    Leave,
    Help(String),
    Send(AtRequest),
    Nothing,
}

/// Runs until the user leaves, the terminal goes, or a signal ends it. A command that fails ends
/// nothing here; `--timeout` bounds each command instead of the whole.
pub async fn run(context: &Context, link: Link, name: &str, rules: Rules) -> Outcome {
    let mut link = link;
    let outcome = converse(context, &mut link, name, rules).await;
    leave(link).await;
    outcome.map(|()| Exit::DONE)
}

async fn converse(
    context: &Context,
    link: &mut Link,
    name: &str,
    rules: Rules,
) -> Result<(), Failure> {
    context
        .ui
        .status(format_args!("{} answers", link.description()));
    context.ui.status(paint(HINT, GREETING));
    let mut reader = reader(context, link, name)?;
    loop {
        let text = match next_line(&mut reader, link).await? {
            Typed::Line(text) => text,
            Typed::Over => return Ok(()),
            Typed::Failed(why) => {
                return Err(Failure::local(format!(
                    "the terminal cannot be read: {why}"
                )));
            }
        };
        match wish(context, &text, rules) {
            Wish::Leave => return Ok(()),
            Wish::Help(about) => context.ui.data(help(link.vocabulary(), &about))?,
            Wish::Send(request) => send(context, link, request).await?,
            Wish::Nothing => {}
        }
    }
}

/// Shows the prompt once, and keeps the session alive for as long as the user thinks.
async fn next_line(reader: &mut Reader, link: &mut Link) -> Result<Typed, Failure> {
    reader.ask();
    loop {
        tokio::select! {
            typed = reader.next() => return Ok(typed),
            () = link.keep_alive() => {}
            () = interrupted() => return Err(Failure::failed("interrupted")),
        }
    }
}

fn reader(context: &Context, link: &Link, name: &str) -> Result<Reader, Failure> {
    let history: Option<PathBuf> = context
        .state_directory()
        .ok()
        .map(|state| state.join("at-history"));
    let assistant = Assistant::new(link.vocabulary(), context.ui.colours_stdout());
    let (reader, warning) = Reader::start(format!("{name}> "), assistant, history)?;
    if let Some(warning) = warning {
        context
            .ui
            .warn(format_args!("the history is not kept: {warning}"));
    }
    Ok(reader)
}

fn wish(context: &Context, text: &str, rules: Rules) -> Wish {
    let mut words = text.split_whitespace();
    match (
        words
            .next()
            .unwrap_or_default()
            .to_ascii_lowercase()
            .as_str(),
        words.next(),
    ) {
        ("", _) => Wish::Nothing,
        ("quit" | "exit", None) => Wish::Leave,
        ("help" | "?", about) => Wish::Help(about.unwrap_or_default().to_owned()),
        _ => match line::parse(text, rules) {
            Ok(request) => Wish::Send(request),
            Err(failure) => {
                context.ui.error(&failure);
                Wish::Nothing
            }
        },
    }
}

/// Sends one command; only a signal ends the conversation.
async fn send(context: &Context, link: &mut Link, request: AtRequest) -> Result<(), Failure> {
    let request = match fill_secret(context, request).await {
        Ok(request) => request,
        Err(failure) => {
            context.ui.error(&failure);
            return Ok(());
        }
    };
    let bound = context.settings.timeout;
    let exchange = tokio::select! {
        exchange = Exchange::run_within(link, request, bound) => exchange,
        () = interrupted() => return Err(Failure::failed("interrupted")),
    };
    show(context, &exchange)?;
    match exchange.failure {
        // The adapter has gone; nothing that follows could work.
        Some(failure) if failure.kind() == Kind::Local => Err(failure),
        Some(failure) => {
            context.ui.error(&failure);
            Ok(())
        }
        None => Ok(()),
    }
}
