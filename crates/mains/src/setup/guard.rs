//! Lets work be cut short without leaving anything behind: Ctrl-C, SIGTERM, a closed terminal, the end of `--timeout`,
//! a panic.
//!
//! Work that is cut short is dropped. A part of it that has something to put in order first (a module that has been
//! told half of its settings) says so with [`Stop::listen`], is asked to end, and gets a moment for it.

use std::any::Any;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures_util::FutureExt as _;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::{sleep, sleep_until};
use tokio_util::sync::CancellationToken;

use crate::context::Context;
use crate::error::Failure;

/// How long work that listens may take to put things in order after a signal.
const GRACE: Duration = Duration::from_secs(6);
/// The same at the end of `--timeout`, which is meant to be the end: time for a module that answers, not for one that
/// does not.
const LAST_GRACE: Duration = Duration::from_secs(2);

/// Catches the signals that ask us to end, from the moment it is made.
pub(super) struct Guard {
    interrupt: Signal,
    terminate: Signal,
    hang_up: Signal,
    cut_short: bool,
    stop: Stop,
}

impl Guard {
    /// Starts to catch. To be made before anything is touched.
    pub(super) fn new() -> Result<Self, Failure> {
        let catch = |kind| {
            signal(kind)
                .map_err(|error| Failure::local("signals cannot be caught").caused_by(&error))
        };
        Ok(Self {
            interrupt: catch(SignalKind::interrupt())?,
            terminate: catch(SignalKind::terminate())?,
            hang_up: catch(SignalKind::hangup())?,
            cut_short: false,
            stop: Stop::default(),
        })
    }

    /// By which work learns that it shall end.
    pub(super) fn stop(&self) -> Stop {
        self.stop.clone()
    }

    /// Tells whether a signal has come.
    pub(super) fn is_cut_short(&self) -> bool {
        self.cut_short
    }

    /// Runs `work` to its end, or cuts it short when a signal comes or the command's time is over. A panic becomes a
    /// failure: whoever called can still put things back.
    pub(super) async fn run<T>(
        &mut self,
        context: &Context,
        work: impl Future<Output = Result<T, Failure>>,
    ) -> Result<T, Failure> {
        let work = AssertUnwindSafe(work).catch_unwind();
        tokio::pin!(work);
        let (failure, grace) = tokio::select! {
            biased;
            name = self.caught() => {
                self.cut_short = true;
                (Failure::failed(format!("interrupted by {name}")), GRACE)
            }
            () = end_of_time(context) => (context.out_of_time(), LAST_GRACE),
            outcome = &mut work => return settle(outcome),
        };
        if !self.stop.is_heard() {
            return Err(failure);
        }
        self.stop.token.cancel();
        let last = tokio::select! {
            biased;
            _ = self.caught() => None,
            outcome = &mut work => Some(settle(outcome)),
            () = sleep(grace) => None,
        };
        match last {
            // It was done in the same moment.
            Some(Ok(value)) => Ok(value),
            Some(Err(end)) => Err(match end.hint_text() {
                Some(hint) => failure.hint(hint),
                None => failure,
            }),
            None => Err(failure),
        }
    }

    /// Runs what puts things back. A first signal has led here or comes too late to matter: only a further one gives up.
    pub(super) async fn finish<T>(&mut self, work: impl Future<Output = T>) -> Option<T> {
        tokio::select! {
            biased;
            outcome = work => Some(outcome),
            _ = self.caught() => None,
        }
    }

    async fn caught(&mut self) -> &'static str {
        tokio::select! {
            _ = self.interrupt.recv() => "Ctrl-C",
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.hang_up.recv() => "the closing of the terminal",
        }
    }
}

/// How work that must not just be dropped is asked to end.
#[derive(Clone, Default)]
pub(super) struct Stop {
    token: CancellationToken,
    heard: Arc<AtomicBool>,
}

impl Stop {
    /// From now until the result is dropped, the work that called this ends by itself when [`Listening::asked`] says so.
    pub(super) fn listen(&self) -> Listening {
        self.heard.store(true, Ordering::Relaxed);
        Listening(self.clone())
    }

    fn is_heard(&self) -> bool {
        self.heard.load(Ordering::Relaxed)
    }
}

/// Somebody listens.
pub(super) struct Listening(Stop);

impl Listening {
    /// Waits until the work shall end.
    pub(super) async fn asked(&self) {
        self.0.token.cancelled().await;
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        self.0.heard.store(false, Ordering::Relaxed);
    }
}

async fn end_of_time(context: &Context) {
    match context.deadline() {
        Some(deadline) => sleep_until(deadline.into()).await,
        None => std::future::pending().await,
    }
}

fn settle<T>(outcome: Result<Result<T, Failure>, Box<dyn Any + Send>>) -> Result<T, Failure> {
    outcome.unwrap_or_else(|panic| Err(crashed(panic.as_ref())))
}

fn crashed(panic: &(dyn Any + Send)) -> Failure {
    let text = panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("no message");
    Failure::failed(format!("a fault in Mains itself: {text}"))
        .hint("please report it with what you typed")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::RunSettings;
    use crate::error::Kind;
    use crate::ui::{Colour, UiOptions};
    use nix::sys::signal::{Signal as Number, raise};

    fn context(timeout: Option<Duration>) -> Context {
        let settings = RunSettings {
            timeout,
            ui: UiOptions {
                quiet: true,
                colour: Colour::Never,
                ..UiOptions::default()
            },
            ..RunSettings::default()
        };
        Context::new(settings)
    }

    #[tokio::test]
    async fn a_panic_becomes_a_failure() {
        let mut guard = Guard::new().unwrap();
        let work = async {
            tokio::task::yield_now().await;
            if true {
                panic!("in the middle");
            }
            Ok(())
        };
        let failure = guard.run(&context(None), work).await.unwrap_err();
        assert_eq!(failure.kind(), Kind::Failed);
        assert!(failure.message().contains("in the middle"));
    }

    #[tokio::test]
    async fn a_signal_cuts_work_short_but_not_what_follows() {
        let mut guard = Guard::new().unwrap();
        raise(Number::SIGTERM).unwrap();
        let endless = std::future::pending::<Result<(), Failure>>();
        let failure = guard.run(&context(None), endless).await.unwrap_err();
        assert!(failure.message().contains("SIGTERM"), "{failure}");
        assert!(guard.is_cut_short());
        assert_eq!(guard.finish(async { 1 }).await, Some(1));
        raise(Number::SIGINT).unwrap();
        assert_eq!(guard.finish(std::future::pending::<()>()).await, None);
    }

    #[tokio::test(start_paused = true)]
    async fn work_that_listens_may_put_things_in_order() {
        let mut guard = Guard::new().unwrap();
        let stop = guard.stop();
        let order = async {
            let listening = stop.listen();
            listening.asked().await;
            sleep(Duration::from_secs(1)).await;
            Err::<(), _>(Failure::failed("stopped").hint("all is as before"))
        };
        let context = context(Some(Duration::from_secs(5)));
        let failure = guard.run(&context, order).await.unwrap_err();
        assert_eq!(failure.kind(), Kind::NoAnswer, "the reason is the time");
        assert_eq!(failure.hint_text(), Some("all is as before"));
    }

    #[tokio::test(start_paused = true)]
    async fn work_that_listens_and_does_not_end_is_dropped_all_the_same() {
        let mut guard = Guard::new().unwrap();
        let stop = guard.stop();
        let deaf = async {
            let _listening = stop.listen();
            std::future::pending::<Result<(), Failure>>().await
        };
        let context = context(Some(Duration::from_secs(5)));
        let failure = guard.run(&context, deaf).await.unwrap_err();
        assert_eq!(failure.kind(), Kind::NoAnswer);
    }
}
