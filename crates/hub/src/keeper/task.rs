//! The one task that owns a plug's connection: it carries out orders one after the other, and meters in between.

use std::sync::Arc;
use std::time::Duration;

use api::{Cause, Delayed, Metering, RelayCommand, RequestError, Switched};
use jiff::Timestamp;
use plugs::exchange::Outcome;
use plugs::net::{ContactError, Lan, Link};
use plugs::{Minutes, Order, Reading, RelayState};
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, sleep, sleep_until, timeout};

use super::Inner;
use super::pace::Pace;
use super::slot::Slot;

/// How long a meter may take: one connection that hangs, and a second one.
const METER_BUDGET: Duration = Duration::from_secs(5);
/// How long any other order may take.
pub(super) const ORDER_BUDGET: Duration = Duration::from_secs(5);
/// How long it may take to find out whether a connection is good.
const DOUBT_BUDGET: Duration = Duration::from_secs(2);
/// How long a meter that hangs holds up an order.
const METER_PATIENCE: Duration = Duration::from_millis(300);
/// How often a plug that does not answer is tried over its connection; it may be silent on UDP alone.
const GONE_METERING: Duration = Duration::from_secs(60);
/// The pauses before what was before an outage is tried again: a plug that has just started may not take orders yet.
const RESTORE_PAUSES: [Duration; 4] = [
    Duration::ZERO,
    Duration::from_secs(1),
    Duration::from_secs(3),
    Duration::from_secs(10),
];

/// What a plug is told, and where the answer goes.
#[derive(Debug)]
pub(super) enum Errand {
    Switch {
        wanted: RelayCommand,
        cause: Cause,
        reply: oneshot::Sender<Result<Switched, RequestError>>,
    },
    Delay {
        relay: RelayState,
        minutes: Minutes,
        reply: oneshot::Sender<Result<Delayed, RequestError>>,
    },
    Version {
        reply: oneshot::Sender<Result<String, RequestError>>,
    },
    Meter {
        reply: oneshot::Sender<Result<Reading, RequestError>>,
    },
}

/// A plug's task.
pub(super) struct Task {
    pub(super) inner: Arc<Inner>,
    pub(super) slot: Arc<Slot>,
    pub(super) link: Link,
    errands: mpsc::Receiver<Errand>,
    /// Where in the interval it is metered.
    share: f64,
    /// `None` while it is not metered.
    pace: Option<Pace>,
    is_here: bool,
    is_counted: bool,
}

impl Task {
    pub(super) fn new(
        inner: Arc<Inner>,
        slot: Arc<Slot>,
        errands: mpsc::Receiver<Errand>,
        share: f64,
    ) -> Self {
        let link = Link::new(&slot.view().plug);
        Self {
            inner,
            slot,
            link,
            errands,
            share,
            pace: None,
            is_here: false,
            is_counted: false,
        }
    }

    /// Serves the plug until it is removed or the hub ends.
    pub(super) async fn run(mut self) {
        let cancel = self.slot.cancel.clone();
        // What is under way then is nobody's success.
        cancel.run_until_cancelled(self.serve()).await;
    }

    async fn serve(&mut self) {
        self.look();
        loop {
            let slot = Arc::clone(&self.slot);
            let due = self.pace.map(|pace| pace.due());
            tokio::select! {
                biased;
                errand = self.errands.recv() => match errand {
                    Some(errand) => self.carry_out(errand).await,
                    None => return,
                },
                () = slot.turned.notified() => {
                    self.look();
                    self.settle_doubt().await;
                    self.restore().await;
                }
                () = self.link.closed() => {}
                () = sleep_until(due.map_or_else(Instant::now, Instant::from_std)), if due.is_some() => {
                    self.meter().await;
                }
            }
            self.look_at_connection();
        }
    }

    /// Looks at what the scanner and people have changed.
    fn look(&mut self) {
        let outlook = self.slot.outlook();
        self.link.move_to(outlook.address);
        if !outlook.is_reachable || (self.is_here && !outlook.is_here) {
            // Its end of the connection is gone, or will be.
            self.link.close();
        }
        let now = now();
        let is_back = outlook.is_here && !self.is_here;
        self.is_here = outlook.is_here;
        let period = match outlook.metering {
            _ if !outlook.is_reachable => None,
            Metering::Off => None,
            Metering::Every(period) if outlook.is_here => Some(period.get()),
            Metering::Every(period) => Some(period.get().max(GONE_METERING)),
        };
        self.pace = match (period, self.pace) {
            (None, _) => None,
            (Some(period), Some(pace)) if pace.period() == period => Some(pace),
            // Not all at once, when a whole house comes back; but not after a whole day either.
            (Some(period), _) if is_back => {
                let first = period.min(self.inner.metering.get());
                Some(Pace::new(
                    now,
                    period,
                    self.share * first.div_duration_f64(period),
                ))
            }
            (Some(period), _) => Some(Pace::new(now, period, self.share)),
        };
    }

    /// Waits until an order has waited for as long as it may have to.
    async fn impatience(slot: &Slot, errands: &mpsc::Receiver<Errand>) {
        let hurried = slot.hurry.notified();
        if errands.is_empty() {
            hurried.await;
        }
        sleep(METER_PATIENCE).await;
    }

    async fn meter(&mut self) {
        let lan = self.inner.lan();
        let result = tokio::select! {
            biased;
            result = self.link.order(&lan, Order::Meter, METER_BUDGET) => Some(result),
            () = Self::impatience(&self.slot, &self.errands) => None,
        };
        match result {
            Some(Ok(Outcome::Measured(measurement))) => {
                self.answered();
                let reading = measurement.reading(self.slot.mac, Timestamp::now());
                self.inner.keep(self.slot.metered(reading));
                self.inner.counts.readings.up();
                let had_failed = self.pace.as_mut().is_some_and(|pace| pace.done(now()));
                if had_failed && self.is_here {
                    tracing::info!(plug = %self.slot.mac, "metered again");
                }
            }
            Some(Ok(other)) => {
                self.meter_failed(&format!("it answered something else: {other:?}"));
            }
            Some(Err(error)) => {
                if matches!(
                    error,
                    ContactError::Refused { .. } | ContactError::BadAnswer { .. }
                ) {
                    self.answered();
                }
                self.meter_failed(&error.to_string());
            }
            // The order comes first; then it is due at once.
            None => {}
        }
        self.look_at_connection();
    }

    fn meter_failed(&mut self, why: &str) {
        self.inner.counts.failed_readings.up();
        let is_new = self.pace.as_mut().is_some_and(|pace| pace.failed(now()));
        if is_new && self.is_here {
            tracing::warn!(plug = %self.slot.mac, why, "cannot be metered; tried less often until it works");
        }
    }

    async fn carry_out(&mut self, errand: Errand) {
        match errand {
            // Nobody waits for it any longer: it would come as a surprise.
            Errand::Switch { reply, .. } if reply.is_closed() => {}
            Errand::Delay { reply, .. } if reply.is_closed() => {}
            Errand::Version { reply } if reply.is_closed() => {}
            Errand::Meter { reply } if reply.is_closed() => {}
            Errand::Switch {
                wanted,
                cause,
                reply,
            } => {
                let result = self.switch(wanted, cause).await;
                let is_on_the_line = result.is_ok();
                let _ = reply.send(result);
                if is_on_the_line {
                    self.meter_soon();
                }
            }
            Errand::Delay {
                relay,
                minutes,
                reply,
            } => {
                let _ = reply.send(self.delay(relay, minutes).await);
            }
            Errand::Version { reply } => {
                let _ = reply.send(self.version().await);
            }
            Errand::Meter { reply } => {
                let _ = reply.send(self.read().await);
            }
        }
    }

    /// A reading at once, if it is metered at all.
    fn meter_soon(&mut self) {
        if let Some(pace) = &mut self.pace {
            pace.hurry(now());
        }
    }

    async fn delay(
        &mut self,
        relay: RelayState,
        minutes: Minutes,
    ) -> Result<Delayed, RequestError> {
        let order = Order::Delay(relay, minutes);
        self.order(order).await?;
        let wait = jiff::SignedDuration::from_mins(i64::from(minutes.count()));
        Ok(Delayed {
            relay,
            minutes,
            due: Timestamp::now()
                .saturating_add(wait)
                .unwrap_or(Timestamp::MAX),
        })
    }

    async fn version(&mut self) -> Result<String, RequestError> {
        match self.order(Order::Version).await? {
            Outcome::Version(text) => Ok(text),
            other => Err(self.something_else(&other)),
        }
    }

    /// Meters because somebody asked; whatever the interval, it is a reading like any other.
    async fn read(&mut self) -> Result<Reading, RequestError> {
        match self.order(Order::Meter).await? {
            Outcome::Measured(measurement) => {
                let reading = measurement.reading(self.slot.mac, Timestamp::now());
                let sample = self.slot.metered(reading);
                let reading = sample.reading.clone();
                self.inner.keep(sample);
                self.inner.counts.readings.up();
                Ok(reading)
            }
            other => Err(self.something_else(&other)),
        }
    }

    fn something_else(&self, outcome: &Outcome) -> RequestError {
        let mac = self.slot.mac;
        let message = format!("plug {mac} answered something else: {outcome:?}");
        RequestError::new(api::ErrorKind::BadAnswer, message)
    }

    async fn order(&mut self, order: Order) -> Result<Outcome, RequestError> {
        let lan = self.inner.lan();
        self.reachable()?;
        let result = self.link.order(&lan, order, ORDER_BUDGET).await;
        if result.is_ok() {
            self.answered();
        }
        result.map_err(|error| RequestError::from(&error))
    }

    /// Makes sure that an order does not reach another plug.
    pub(super) fn reachable(&mut self) -> Result<(), RequestError> {
        let outlook = self.slot.outlook();
        self.link.move_to(outlook.address);
        if outlook.is_reachable {
            return Ok(());
        }
        let message = format!(
            "plug {} does not answer: another device has its address {}",
            self.slot.mac, outlook.address
        );
        Err(RequestError::new(api::ErrorKind::NoAnswer, message))
    }

    /// Waits, unless an order comes. Returns whether none did.
    async fn pause(&mut self, pause: Duration) -> bool {
        let hurried = self.slot.hurry.notified();
        if !self.errands.is_empty() {
            return false;
        }
        timeout(pause, hurried).await.is_err()
    }

    /// The relay moved without an order. A plug that has just had no power knows nothing of its connection any more.
    async fn settle_doubt(&mut self) {
        if !self.slot.outlook().is_in_doubt {
            return;
        }
        if self.link.is_open() {
            let lan = self.inner.lan();
            // What it answers does not matter.
            let _ = self.link.order(&lan, Order::Meter, DOUBT_BUDGET).await;
        }
        self.look_at_connection();
        self.slot.settle_doubt();
    }

    /// Moves the relay back to where it was before an outage.
    async fn restore(&mut self) {
        for pause in RESTORE_PAUSES {
            if self.slot.outlook().restore.is_some() && !self.pause(pause).await {
                // First come the orders that wait. Whoever switches decides; otherwise it goes on afterwards.
                self.slot.turned.notify_one();
                return;
            }
            let Some(relay) = self.slot.outlook().restore else {
                return;
            };
            match self.switch(relay.into(), Cause::PowerOn).await {
                Ok(Switched {
                    confirmed: true, ..
                }) => {
                    tracing::info!(plug = %self.slot.mac, %relay, "as it is to be after an outage");
                    break;
                }
                Ok(_) => {}
                Err(error) => tracing::debug!(plug = %self.slot.mac, %error, "not restored yet"),
            }
        }
        self.slot.restored();
        self.meter_soon();
    }

    pub(super) fn answered(&self) {
        self.slot.answered(now(), self.inner.patience());
    }

    pub(super) fn lan(&self) -> Lan {
        self.inner.lan()
    }

    fn look_at_connection(&mut self) {
        if self.link.has_broken() {
            self.slot.broke(now());
        }
        let is_open = self.link.is_open();
        if is_open != self.is_counted {
            self.is_counted = is_open;
            let count = &self.inner.counts.connections;
            if is_open { count.up() } else { count.down() }
        }
    }
}

impl Drop for Task {
    fn drop(&mut self) {
        self.link.close();
        self.look_at_connection();
    }
}

pub(super) fn now() -> std::time::Instant {
    Instant::now().into_std()
}
