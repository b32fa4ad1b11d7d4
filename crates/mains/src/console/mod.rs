//! The AT console: commands given as arguments, as lines of input, or typed with editing and history.
//!
//! Refuses dangerous commands before they are sent (`line`), shows replies (`exchange`), helps while typing (`assist`),
//! and closes the link in every case: at the end, on an error or a timeout, on Ctrl-C, SIGTERM and SIGHUP.

pub mod assist;
mod exchange;
mod input;
mod interactive;
pub mod line;
mod link;
mod reader;
mod serial;
mod tcp;
mod udp;

use std::future::Future;
use std::time::Duration;

use hiflying::AtRequest;
use tokio::sync::Mutex;
use tokio::time::timeout;

use self::exchange::{CommandDocument, CommandResult};
use self::line::CommandRules;
use crate::context::Context;
use crate::error::{Exit, Failure, Kind, Outcome};
use crate::shutdown::Signals;
use crate::ui::{DIM, clean, paint};

pub use self::interactive::run as interactive;
pub use self::link::{ConsoleLink, ConsoleTarget};
pub(crate) use self::tcp::TcpConsole;
pub(crate) use self::udp::ModuleSocket;

/// Time to close a link, after which the user is not kept waiting.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(3);

/// Sends the commands one after the other, up to the first that fails: after a refused key, for example, the restart
/// that follows must not happen.
pub async fn run_commands(
    context: &Context,
    mut link: ConsoleLink,
    requests: Vec<AtRequest>,
) -> Outcome {
    let mut transcript = Transcript::new(context, requests.len() > 1);
    let mut outcome = Ok(());
    for request in requests {
        let result = send(context, &mut link, request).await;
        outcome = transcript.add(&result);
        if outcome.is_err() || result.failure.is_some() {
            break;
        }
    }
    leave(link).await;
    outcome.and_then(|()| transcript.finish())
}

/// Sends each line of standard input, up to the first that fails.
pub async fn run_input(context: &Context, mut link: ConsoleLink, rules: CommandRules) -> Outcome {
    let mut transcript = Transcript::new(context, true);
    let mut lines = input::CommandLines::of_stdin();
    let mut outcome = Ok(());
    loop {
        let next = tokio::select! {
            next = within(context, lines.next(rules)) => next,
            () = link.keep_alive() => continue,
        };
        let request = match next {
            Ok(Some(request)) => request,
            Ok(None) => break,
            Err(failure) => {
                outcome = Err(failure);
                break;
            }
        };
        let result = send(context, &mut link, request).await;
        outcome = transcript.add(&result);
        if outcome.is_err() || result.failure.is_some() || context.ui.is_closed() {
            break;
        }
    }
    leave(link).await;
    match outcome {
        Err(failure) => transcript.finish_with(failure),
        Ok(()) => transcript.finish(),
    }
}

/// Closes the link within a bounded time.
async fn leave(link: ConsoleLink) {
    // On a timeout the link is dropped, which leaves command mode without waiting.
    let _ = timeout(CLOSE_TIMEOUT, link.close()).await;
}

/// One result, outcome early by `--timeout` or a signal.
async fn send(context: &Context, link: &mut ConsoleLink, request: AtRequest) -> CommandResult {
    let run = async { Ok(CommandResult::run(link, request.clone()).await) };
    within(context, run)
        .await
        .unwrap_or_else(|failure| CommandResult::failed(request, failure))
}

/// Runs work until `--timeout` or a signal.
pub async fn within<T>(
    context: &Context,
    work: impl Future<Output = Result<T, Failure>>,
) -> Result<T, Failure> {
    until_signal(context.bounded(work)).await
}

/// Runs work until a signal that ends a process. The work is dropped, which leaves command mode.
pub async fn until_signal<T>(work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    tokio::select! {
        // First, so that the listener is there before the work begins.
        biased;
        () = interrupted() => Err(Failure::failed("interrupted")),
        result = work => result,
    }
}

/// One listener for the whole process, which keeps a signal that comes between two pieces of work for the next.
static SIGNALS: Mutex<Option<Signals>> = Mutex::const_new(None);

/// Waits for Ctrl-C, SIGTERM, or the closing of the terminal.
pub(crate) async fn interrupted() {
    let mut listener = SIGNALS.lock().await;
    if listener.is_none() {
        *listener = Signals::listen_to_all().ok();
    }
    let Some(signals) = listener.as_mut() else {
        // Without handlers the signals end the process.
        return std::future::pending().await;
    };
    signals.received().await;
}

/// Commands and replies: printed at once for people, kept for the one document of `--json`.
struct Transcript<'a> {
    context: &'a Context,
    /// True to print each command above its reply.
    with_commands: bool,
    documents: Vec<CommandDocument>,
    failure: Option<Failure>,
}

impl<'a> Transcript<'a> {
    fn new(context: &'a Context, with_commands: bool) -> Self {
        Self {
            context,
            with_commands,
            documents: Vec::new(),
            failure: None,
        }
    }

    fn add(&mut self, result: &CommandResult) -> Result<(), Failure> {
        self.failure.clone_from(&result.failure);
        if self.context.ui.is_json() {
            self.documents.push(result.document());
            return Ok(());
        }
        if self.with_commands {
            self.context.ui.data(paint(DIM, clean(&result.command())))?;
        }
        show(self.context, result)
    }

    fn finish(self) -> Outcome {
        match self.failure {
            Some(failure) if !self.context.ui.is_json() => Err(failure),
            failure => {
                if self.context.ui.is_json() {
                    self.context.ui.document(&self.documents)?;
                }
                Ok(failure.map_or(Exit::DONE, |failure| Exit::with(failure.kind())))
            }
        }
    }

    /// Ends on a failure that is not the result of a command: alone it is the one document; after others it sets the
    /// exit code and is printed on stderr.
    fn finish_with(self, failure: Failure) -> Outcome {
        if !self.context.ui.is_json() || self.documents.is_empty() {
            return Err(failure);
        }
        self.context.ui.document(&self.documents)?;
        self.context.ui.error(&failure);
        Ok(Exit::with(failure.kind()))
    }
}

/// Shows a reply to people.
fn show(context: &Context, result: &CommandResult) -> Result<(), Failure> {
    match result.text() {
        Some(text) => context.ui.data(text.as_str()),
        None if result.failure.is_none() => {
            context
                .ui
                .status(paint(DIM, "(no reply, as expected for this command)"));
            Ok(())
        }
        None => Ok(()),
    }
}

/// Asks for the secret that a command leaves out with `?`, without showing it.
pub async fn fill_secret(context: &Context, request: AtRequest) -> Result<AtRequest, Failure> {
    let Some(start) = line::missing_secret(&request) else {
        return Ok(request);
    };
    let prompt = format!("Secret for {request}");
    let how_else = "pass the whole line on standard input, with `-` as the command";
    let secret = context.ui.secret(&prompt, how_else).await?;
    if secret.is_empty() {
        return Err(Failure::new(
            Kind::Usage,
            "no secret was typed; nothing was sent",
        ));
    }
    Ok(line::with_secret(&request, start, &secret))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_signal_between_two_pieces_of_work_ends_the_next() {
        // The first work makes the listener; another test may raise a signal, too.
        let _ = until_signal(async { Ok(()) }).await;
        let _ = until_signal(async { Ok(()) }).await;
        nix::sys::signal::raise(nix::sys::signal::Signal::SIGTERM).unwrap();
        let next = until_signal(std::future::pending::<Result<(), Failure>>());
        let ended = timeout(Duration::from_secs(10), next).await;
        assert_eq!(ended.unwrap().unwrap_err().message(), "interrupted");
    }
}
