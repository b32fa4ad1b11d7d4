//! Ends work early without leaving anything behind: on Ctrl-C, SIGTERM, a closed terminal, the end of `--timeout`, or
//! a panic.
//!
//! Interrupted work is dropped. Work that must clean up first (a module with half of its settings written) registers
//! with [`StopRequest::listen`], is asked to stop, and gets a moment for it.

use std::any::Any;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures_util::FutureExt as _;
use tokio::time::{sleep, sleep_until};
use tokio_util::sync::CancellationToken;

use super::timing::{CLEANUP_TIMEOUT, TIMEOUT_CLEANUP_TIMEOUT};
use crate::context::Context;
use crate::error::Failure;
use crate::shutdown::Signals;

/// Catches the signals that end a process, from the moment it is made.
pub(super) struct Interruption {
    signals: Signals,
    interrupted: bool,
    stop: StopRequest,
}

impl Interruption {
    /// Starts to catch signals. Make it before anything is changed.
    pub(super) fn new() -> Result<Self, Failure> {
        Ok(Self {
            signals: Signals::listen_to_all()?,
            interrupted: false,
            stop: StopRequest::default(),
        })
    }

    /// Returns the request by which work is asked to stop.
    pub(super) fn stop(&self) -> StopRequest {
        self.stop.clone()
    }

    /// Tells whether a signal has come.
    pub(super) fn is_interrupted(&self) -> bool {
        self.interrupted
    }

    /// Runs `work` until it ends, a signal comes or the command's time is over. A panic becomes a failure, so that the
    /// caller can still clean up.
    pub(super) async fn run<T>(
        &mut self,
        context: &Context,
        work: impl Future<Output = Result<T, Failure>>,
    ) -> Result<T, Failure> {
        let work = AssertUnwindSafe(work).catch_unwind();
        tokio::pin!(work);
        let (failure, cleanup_timeout) = tokio::select! {
            biased;
            name = self.signals.next() => {
                self.interrupted = true;
                (Failure::failed(format!("interrupted by {name}")), CLEANUP_TIMEOUT)
            }
            () = end_of_time(context) => (context.out_of_time(), TIMEOUT_CLEANUP_TIMEOUT),
            outcome = &mut work => return settle(outcome),
        };
        if !self.stop.has_listener() {
            return Err(failure);
        }
        self.stop.token.cancel();
        let last = tokio::select! {
            biased;
            _ = self.signals.next() => None,
            outcome = &mut work => Some(settle(outcome)),
            () = sleep(cleanup_timeout) => None,
        };
        match last {
            // The work succeeded in the same moment.
            Some(Ok(value)) => Ok(value),
            Some(Err(end)) => Err(match end.hint_text() {
                Some(hint) => failure.hint(hint),
                None => failure,
            }),
            None => Err(failure),
        }
    }

    /// Runs a clean-up to its end, unless a further signal comes. Signals before it have led here.
    pub(super) async fn finish<T>(&mut self, work: impl Future<Output = T>) -> Option<T> {
        tokio::select! {
            biased;
            outcome = work => Some(outcome),
            _ = self.signals.next() => None,
        }
    }
}

/// A request to stop, for work that must not simply be dropped.
#[derive(Clone, Default)]
pub(super) struct StopRequest {
    token: CancellationToken,
    listeners: Arc<AtomicUsize>,
}

impl StopRequest {
    /// Registers work that stops by itself on [`StopListener::requested`], until the listener is dropped.
    pub(super) fn listen(&self) -> StopListener {
        self.listeners.fetch_add(1, Ordering::Relaxed);
        StopListener(self.clone())
    }

    fn has_listener(&self) -> bool {
        self.listeners.load(Ordering::Relaxed) > 0
    }
}

/// Registration of work that stops by itself.
pub(super) struct StopListener(StopRequest);

impl StopListener {
    /// Waits until the work is asked to stop.
    pub(super) async fn requested(&self) {
        self.0.token.cancelled().await;
    }
}

impl Drop for StopListener {
    fn drop(&mut self) {
        self.0.listeners.fetch_sub(1, Ordering::Relaxed);
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
    Failure::failed(format!("a bug in Mains: {text}"))
        .hint("report it, with the command that you typed")
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::config::RunSettings;
    use crate::error::Kind;
    use crate::ui::{Colour, UiOptions};
    use nix::sys::signal::{Signal as Number, raise};

    /// A signal reaches all tests of this process, so one of them runs at a time.
    static TURN: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

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
        let _turn = TURN.lock().await;
        let mut interruption = Interruption::new().unwrap();
        let work = async {
            tokio::task::yield_now().await;
            if true {
                panic!("in the middle");
            }
            Ok(())
        };
        let failure = interruption.run(&context(None), work).await.unwrap_err();
        assert_eq!(failure.kind(), Kind::Failed);
        assert!(failure.message().contains("in the middle"));
    }

    #[tokio::test]
    async fn a_signal_interrupts_work_but_not_the_clean_up() {
        let _turn = TURN.lock().await;
        let mut interruption = Interruption::new().unwrap();
        raise(Number::SIGTERM).unwrap();
        let endless = std::future::pending::<Result<(), Failure>>();
        let failure = interruption.run(&context(None), endless).await.unwrap_err();
        assert!(failure.message().contains("SIGTERM"), "{failure}");
        assert!(interruption.is_interrupted());
        assert_eq!(interruption.finish(async { 1 }).await, Some(1));
        raise(Number::SIGINT).unwrap();
        assert_eq!(
            interruption.finish(std::future::pending::<()>()).await,
            None
        );
    }

    #[tokio::test(start_paused = true)]
    async fn work_that_listens_may_clean_up() {
        let _turn = TURN.lock().await;
        let mut interruption = Interruption::new().unwrap();
        let stop = interruption.stop();
        let work = async {
            let listener = stop.listen();
            listener.requested().await;
            sleep(Duration::from_secs(1)).await;
            Err::<(), _>(Failure::failed("stopped").hint("all is as before"))
        };
        let context = context(Some(Duration::from_secs(5)));
        let failure = interruption.run(&context, work).await.unwrap_err();
        assert_eq!(failure.kind(), Kind::NoAnswer, "the reason is the time");
        assert_eq!(failure.hint_text(), Some("all is as before"));
    }

    #[tokio::test(start_paused = true)]
    async fn work_that_listens_and_does_not_end_is_dropped() {
        let _turn = TURN.lock().await;
        let mut interruption = Interruption::new().unwrap();
        let stop = interruption.stop();
        let work = async {
            let _listener = stop.listen();
            std::future::pending::<Result<(), Failure>>().await
        };
        let context = context(Some(Duration::from_secs(5)));
        let failure = interruption.run(&context, work).await.unwrap_err();
        assert_eq!(failure.kind(), Kind::NoAnswer);
    }
}
