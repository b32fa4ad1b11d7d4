//! Switching, and making sure that it happened.
//!
//! A plug's `+ok` says that it understood. Whether the relay moved, only its presence says; so it is asked on its own until
//! it shows the wanted position, with patience for slow relays. The order is idempotent and repeated once.

use std::time::Duration;

use api::{Cause, ErrorKind, RelayCommand, RequestError, Switched};
use plugs::net::ContactError;
use plugs::{Order, RelayState};
use tokio::time::{Instant, sleep, timeout_at};

use super::slot::Slot;
use super::task::{ORDER_BUDGET, Task};
use super::{Inner, task};

/// When the order is repeated, if the relay has not moved; late, because a slow plug may begin anew with it.
const REPEAT_AFTER: Duration = Duration::from_millis(2200);
/// How long the relay may take after the order was repeated.
const RELAY_TIMEOUT: Duration = Duration::from_millis(2300);
/// When the relay's position is asked for, though the plug has not answered the order: the answer may have been lost.
const DOUBT_AFTER: Duration = Duration::from_millis(400);
/// How long the position is asked for when the plug took the order and never answered it.
const LAST_LOOK: Duration = Duration::from_millis(600);
/// How long the position is asked for before it is turned into the other one.
const FIRST_LOOK: Duration = Duration::from_millis(1500);
/// The gaps between looks, doubled each time.
const FIRST_GAP: Duration = Duration::from_millis(10);
const LONGEST_GAP: Duration = Duration::from_millis(250);

impl Task {
    /// Switches the plug, and reads its position back until it is the wanted one.
    pub(super) async fn switch(
        &mut self,
        wanted: RelayCommand,
        cause: Cause,
    ) -> Result<Switched, RequestError> {
        let start = Instant::now();
        let result = self.switch_from(start, wanted, cause).await;
        let counts = &self.inner.counts;
        match &result {
            Ok(switched) if switched.confirmed => counts.switches.up(),
            Ok(_) | Err(_) => counts.failed_switches.up(),
        }
        result
    }

    async fn switch_from(
        &mut self,
        start: Instant,
        wanted: RelayCommand,
        cause: Cause,
    ) -> Result<Switched, RequestError> {
        self.reachable()?;
        let deadline = start + ORDER_BUDGET;
        let relay = match wanted {
            RelayCommand::On => RelayState::On,
            RelayCommand::Off => RelayState::Off,
            // Read once, so that a lost answer never toggles twice.
            RelayCommand::Toggle => self.relay_now(start).await?.toggled(),
        };
        self.slot.intend(task::now(), relay, cause.clone());
        let confirmed = self.order_and_look(relay, start, deadline).await?;
        let switched = Switched {
            relay: self.slot.relay_since(start.into_std()),
            confirmed,
            elapsed: start.elapsed(),
        };
        let (plug, elapsed_ms) = (self.slot.mac, switched.elapsed.as_millis());
        if confirmed {
            tracing::info!(%plug, %relay, %cause, elapsed_ms, "switched");
        } else {
            tracing::warn!(%plug, %relay, %cause, elapsed_ms, "accepted, but the relay did not move");
        }
        Ok(switched)
    }

    /// Asks for the relay's position as it is just now.
    async fn relay_now(&mut self, start: Instant) -> Result<RelayState, RequestError> {
        let look = Look::at(self, start);
        look.until(start + FIRST_LOOK, |_| true).await;
        look.relay().ok_or_else(|| {
            let message = format!("plug {} does not tell how its relay stands", self.slot.mac);
            RequestError::new(ErrorKind::NoAnswer, message)
        })
    }

    /// Gives the order, and returns whether the relay is where it is wanted.
    async fn order_and_look(
        &mut self,
        relay: RelayState,
        start: Instant,
        deadline: Instant,
    ) -> Result<bool, RequestError> {
        let (lan, order) = (self.lan(), Order::Switch(relay));
        let look = Look::at(self, start);
        let given = tokio::select! {
            biased;
            given = self.link.order(&lan, order, ORDER_BUDGET) => Some(given),
            () = look.in_doubt(relay) => None,
        };
        match given {
            None => return Ok(true),
            Some(Ok(_)) => self.answered(),
            Some(Err(error @ ContactError::NoAnswer { .. })) => {
                // The answer got lost, but perhaps not the order.
                let end = Instant::now() + LAST_LOOK;
                if look.until(end, |seen| seen == relay).await {
                    return Ok(true);
                }
                return Err(RequestError::from(&error));
            }
            Some(Err(error)) => return Err(RequestError::from(&error)),
        }
        let repeat = deadline.min(Instant::now() + REPEAT_AFTER);
        if look.until(repeat, |seen| seen == relay).await {
            return Ok(true);
        }
        tracing::debug!(plug = %self.slot.mac, "accepted but not switched yet: once more");
        let end = deadline.min(Instant::now() + RELAY_TIMEOUT);
        if let Ok(Err(error)) = timeout_at(end, self.link.order(&lan, order, ORDER_BUDGET)).await {
            tracing::debug!(plug = %self.slot.mac, %error, "a repeated order came to nothing");
        }
        Ok(look.until(end, |seen| seen == relay).await)
    }
}

/// An eye on one plug's relay.
struct Look {
    inner: std::sync::Arc<Inner>,
    slot: std::sync::Arc<Slot>,
    since: std::time::Instant,
}

impl Look {
    fn at(task: &Task, since: Instant) -> Self {
        Self {
            inner: std::sync::Arc::clone(&task.inner),
            slot: std::sync::Arc::clone(&task.slot),
            since: since.into_std(),
        }
    }

    fn relay(&self) -> Option<RelayState> {
        self.slot.relay_since(self.since)
    }

    /// Looks until the relay stands as it should, at the latest until `end`: often at first, then less often.
    async fn until(&self, end: Instant, is_right: impl Fn(RelayState) -> bool) -> bool {
        let mut gap = FIRST_GAP;
        loop {
            let mut heard = self.slot.heard.notified();
            if self.relay().is_some_and(&is_right) {
                return true;
            }
            if Instant::now() >= end {
                return false;
            }
            self.inner
                .probe(self.slot.family, self.slot.address())
                .await;
            let next = end.min(Instant::now() + gap);
            while timeout_at(next, heard).await.is_ok() {
                if self.relay().is_some_and(&is_right) {
                    return true;
                }
                heard = self.slot.heard.notified();
            }
            gap = (gap * 2).min(LONGEST_GAP);
        }
    }

    /// Waits until an order that was not answered turns out to have been carried out; perhaps for ever.
    async fn in_doubt(&self, relay: RelayState) {
        sleep(DOUBT_AFTER).await;
        while !self
            .until(Instant::now() + LONGEST_GAP, |seen| seen == relay)
            .await
        {}
    }
}
