//! The AT console: commands given as arguments, as lines of input, or typed with editing and history.
//!
//! Owns what happens between a person and a link: which commands are refused before they are sent (`line`), how a
//! reply is shown (`exchange`), help while typing (`assist`), and that the link is left in every case: at the end,
//! on an error, when the time is up, on Ctrl-C, SIGTERM and SIGHUP.

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
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::timeout;

use self::exchange::{Document, Exchange};
use self::line::Rules;
use crate::context::Context;
use crate::error::{Exit, Failure, Kind, Outcome};
use crate::shutdown::Signals;
use crate::ui::{DIM, clean, paint};

pub use self::interactive::run as interactive;
pub use self::link::{Link, Where};
pub(crate) use self::tcp::TcpConsole;
pub(crate) use self::udp::UdpSocket;

/// Leaving is a courtesy to the device; it must not keep the user.
const LEAVE_WAIT: Duration = Duration::from_secs(3);

/// Sends the commands one after the other, up to the first that fails: after a refused key, for example, the restart
/// that follows must not happen.
pub async fn run_commands(context: &Context, mut link: Link, requests: Vec<AtRequest>) -> Outcome {
    let mut transcript = Transcript::new(context, requests.len() > 1);
    let mut outcome = Ok(());
    for request in requests {
        let exchange = cut_short(context, &mut link, request).await;
        outcome = transcript.add(&exchange);
        if outcome.is_err() || exchange.failure.is_some() {
            break;
        }
    }
    leave(link).await;
    outcome.and_then(|()| transcript.finish())
}

/// Sends each line of standard input, up to the first that fails.
pub async fn run_input(context: &Context, mut link: Link, rules: Rules) -> Outcome {
    let mut transcript = Transcript::new(context, true);
    let mut lines = input::Lines::of_stdin();
    let mut ended = Ok(());
    loop {
        let next = tokio::select! {
            next = within(context, lines.next(rules)) => next,
            () = link.keep_alive() => continue,
        };
        let request = match next {
            Ok(Some(request)) => request,
            Ok(None) => break,
            Err(failure) => {
                ended = Err(failure);
                break;
            }
        };
        let exchange = cut_short(context, &mut link, request).await;
        ended = transcript.add(&exchange);
        if ended.is_err() || exchange.failure.is_some() || context.ui.is_closed() {
            break;
        }
    }
    leave(link).await;
    match ended {
        Err(failure) => transcript.finish_with(failure),
        Ok(()) => transcript.finish(),
    }
}

/// Leaves the link in good order, but does not wait for ever.
async fn leave(link: Link) {
    // Out of time: the link was dropped, and says its farewell without waiting.
    let _ = timeout(LEAVE_WAIT, link.close()).await;
}

/// One exchange, ended early by `--timeout` or a signal.
async fn cut_short(context: &Context, link: &mut Link, request: AtRequest) -> Exchange {
    let run = async { Ok(Exchange::run(link, request.clone()).await) };
    within(context, run)
        .await
        .unwrap_or_else(|failure| Exchange::failed(request, failure))
}

/// Runs something until `--timeout` or a signal.
pub async fn within<T>(
    context: &Context,
    work: impl Future<Output = Result<T, Failure>>,
) -> Result<T, Failure> {
    until_signal(context.bounded(work)).await
}

/// Runs something until a signal that ends a process; what was begun is dropped, and so says its farewell.
pub async fn until_signal<T>(work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    tokio::select! {
        result = work => result,
        () = interrupted() => Err(Failure::failed("interrupted")),
    }
}

/// Waits for Ctrl-C, for SIGTERM, or for the terminal to go.
pub(crate) async fn interrupted() {
    let (Ok(mut signals), Ok(mut hangup)) = (Signals::listen(), signal(SignalKind::hangup()))
    else {
        // Without handlers the signals do what they always did.
        return std::future::pending().await;
    };
    tokio::select! {
        () = signals.received() => {}
        _ = hangup.recv() => {}
    }
}

/// What was asked and answered: printed at once for people, kept for the one document of `--json`.
struct Transcript<'a> {
    context: &'a Context,
    /// With several commands each reply stands below its command.
    with_commands: bool,
    documents: Vec<Document>,
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

    fn add(&mut self, exchange: &Exchange) -> Result<(), Failure> {
        self.failure.clone_from(&exchange.failure);
        if self.context.ui.is_json() {
            self.documents.push(exchange.document());
            return Ok(());
        }
        if self.with_commands {
            self.context
                .ui
                .data(paint(DIM, clean(&exchange.command())))?;
        }
        show(self.context, exchange)
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

    /// Ends because of something that is no answer to a command: alone it is the one document, behind
    /// others it only decides the exit code and is told on stderr.
    fn finish_with(self, failure: Failure) -> Outcome {
        if !self.context.ui.is_json() || self.documents.is_empty() {
            return Err(failure);
        }
        self.context.ui.document(&self.documents)?;
        self.context.ui.error(&failure);
        Ok(Exit::with(failure.kind()))
    }
}

/// Shows a reply to a person.
fn show(context: &Context, exchange: &Exchange) -> Result<(), Failure> {
    match exchange.text() {
        Some(text) => context.ui.data(text.as_str()),
        None if exchange.failure.is_none() => {
            context
                .ui
                .status(paint(DIM, "(no answer, as expected of this command)"));
            Ok(())
        }
        None => Ok(()),
    }
}

/// Asks for the secrets that a command leaves open with `?`, without showing them.
pub async fn fill_secret(context: &Context, request: AtRequest) -> Result<AtRequest, Failure> {
    if line::missing_secret(&request).is_none() {
        return Ok(request);
    }
    let prompt = format!("{request} with the secret");
    let how_else = "give the whole line on stdin, with `-` as the command";
    let secret = context.ui.secret(&prompt, how_else).await?;
    if secret.is_empty() {
        return Err(Failure::new(
            Kind::Usage,
            "no secret was typed; nothing was sent",
        ));
    }
    Ok(line::with_secret(&request, &secret))
}
