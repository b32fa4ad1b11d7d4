//! Reports the state of the hub to a service manager such as systemd, by `NOTIFY_SOCKET`. Without one, nothing is sent.

use std::ffi::OsString;
use std::process::ExitCode;

use sd_notify::NotifyState;
use tokio::time::{MissedTickBehavior, interval};

use crate::error::Outcome;
use crate::ui::Ui;

// Options of `mains serve` about services: none, because packages install units. A doc comment would become the help of the verb.
#[derive(Debug, clap::Args)]
pub(crate) struct ServiceArgs {}

impl ServiceArgs {
    /// Returns `None`: there is nothing to do but to serve.
    pub(crate) fn apply(&self, _: &Ui) -> Option<Outcome> {
        None
    }
}

/// Runs the program: a service is a process like any other.
pub(crate) fn host(arguments: Vec<OsString>, program: fn(Vec<OsString>) -> ExitCode) -> ExitCode {
    program(arguments)
}

/// Reports that the hub serves at this address.
pub(crate) fn report_ready(url: &str) {
    report(&[
        NotifyState::Ready,
        NotifyState::Status(&format!("serving at {url}")),
    ]);
}

/// Reports that the hub is about to end.
pub(crate) fn report_stopping() {
    report(&[NotifyState::Stopping]);
}

fn report(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        tracing::warn!(%error, "the service manager cannot be reached");
    }
}

/// Pings the watchdog of the service manager, twice in its time limit; waits for ever if there is none.
pub(crate) async fn ping_watchdog() {
    let Some(limit) = sd_notify::watchdog_enabled().filter(|limit| !limit.is_zero()) else {
        return std::future::pending().await;
    };
    let mut pings = interval(limit / 2);
    pings.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        pings.tick().await;
        report(&[NotifyState::Watchdog]);
    }
}
