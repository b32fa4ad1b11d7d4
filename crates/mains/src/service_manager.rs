//! Reports the state of the hub to a service manager such as systemd, by `NOTIFY_SOCKET`. Without one, nothing is sent.

use sd_notify::NotifyState;
use tokio::time::{MissedTickBehavior, interval};

/// Reports that the hub serves, or is about to end.
pub(crate) fn report(states: &[NotifyState<'_>]) {
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
