//! The upkeep of one plug: metering it, reading its name, and moving its relay back after an outage.

use std::sync::Arc;
use std::time::Duration;

use api::{Cause, Switched};
use plugs::RelayState;
use plugs::net::ContactError;
use tokio::time::{Instant, sleep, sleep_until};

use super::entry::RegistryEntry;
use super::metering::MeteringRhythm;
use super::records::SwitchRecord;
use super::state::{COMMAND_TIMEOUT, RegistryState, now};

/// Maximum time for a reading: one connection that hangs, and a second one.
const METER_TIMEOUT: Duration = Duration::from_secs(5);
/// Maximum time for checking a connection.
const CHECK_TIMEOUT: Duration = Duration::from_secs(2);
/// Maximum time for reading the name that a plug stores, and the delay before another try.
const LABEL_TIMEOUT: Duration = Duration::from_secs(10);
const LABEL_RETRY_DELAY: Duration = Duration::from_secs(60);
/// Interval at which a plug that does not reply is tried over its connection; it may be unreachable on UDP alone.
const GONE_METERING_INTERVAL: Duration = Duration::from_secs(60);
/// Delays before the position before an outage is restored: a plug that has just started may not accept commands yet.
const RESTORE_DELAYS: [Duration; 4] = [
    Duration::ZERO,
    Duration::from_secs(1),
    Duration::from_secs(3),
    Duration::from_secs(10),
];

/// The upkeep of one plug.
pub(super) struct PlugUpkeep {
    inner: Arc<RegistryState>,
    entry: Arc<RegistryEntry>,
    /// The place in the interval at which it is metered.
    share: f64,
    /// `None` while it is not metered.
    pace: Option<MeteringRhythm>,
    /// `true` once a second reading was made due at once, to begin the lifetime total.
    has_hurried: bool,
    /// Time at which the name that the plug stores is read.
    label_due: Option<Instant>,
    is_here: bool,
}

impl PlugUpkeep {
    pub(super) fn new(inner: Arc<RegistryState>, entry: Arc<RegistryEntry>, share: f64) -> Self {
        Self {
            inner,
            entry,
            share,
            pace: None,
            has_hurried: false,
            label_due: None,
            is_here: false,
        }
    }

    /// Maintains the plug until it is removed or the hub ends.
    pub(super) async fn run(mut self) {
        let cancel = self.entry.cancel.clone();
        cancel.run_until_cancelled(self.serve()).await;
    }

    async fn serve(&mut self) {
        self.look();
        let entry = Arc::clone(&self.entry);
        loop {
            let due = self.pace.map(|pace| pace.due());
            let label_due = self.label_due;
            tokio::select! {
                biased;
                () = entry.turned.notified() => {
                    self.look();
                    self.settle_doubt().await;
                    self.restore().await;
                }
                () = entry.meter_due.notified() => self.meter_soon(),
                () = sleep_until(due.map_or_else(Instant::now, Instant::from_std)), if due.is_some() => {
                    self.meter().await;
                }
                () = sleep_until(label_due.unwrap_or_else(Instant::now)), if label_due.is_some() => {
                    self.label().await;
                }
            }
        }
    }

    /// Applies changes by the scanner and by people.
    fn look(&mut self) {
        let snapshot = self.entry.snapshot();
        if self.is_here && !snapshot.is_here {
            // Its end of the connection is gone, or will be.
            self.entry.handle.disconnect();
        }
        let now = now();
        let is_back = snapshot.is_here && !self.is_here;
        self.is_here = snapshot.is_here;
        if is_back {
            self.entry.handle.resubscribe();
            self.label_due = self.entry.has_label.then(Instant::now);
        }
        let interval = self
            .inner
            .metering_interval(self.entry.mac, snapshot.metering);
        let period = match interval.filter(|_| snapshot.is_reachable && self.entry.has_meter) {
            Some(interval) if !snapshot.is_here => Some(interval.max(GONE_METERING_INTERVAL)),
            interval => interval,
        };
        self.pace = match (period, self.pace) {
            (None, _) => None,
            (Some(period), Some(pace)) if pace.period() == period => Some(pace),
            // Not all at once, when a whole house comes back; but not after a whole day either.
            (Some(period), _) if is_back => {
                let first = period.min(self.inner.metering.get());
                let share = self.share * first.div_duration_f64(period);
                Some(MeteringRhythm::new(now, period, share))
            }
            (Some(period), _) => Some(MeteringRhythm::new(now, period, self.share)),
        };
    }

    /// Reads the name that the plug stores.
    async fn label(&mut self) {
        match self.entry.handle.label(LABEL_TIMEOUT).await {
            Ok(label) => {
                self.entry.labelled(label);
                self.label_due = None;
            }
            Err(error) => {
                tracing::debug!(plug = %self.entry.mac, %error, "its name cannot be read");
                let retry = self.is_here.then(|| Instant::now() + LABEL_RETRY_DELAY);
                self.label_due = retry;
            }
        }
    }

    async fn meter(&mut self) {
        match self.entry.handle.meter_in_background(METER_TIMEOUT).await {
            Ok(reading) => {
                let sample = self.entry.metered(reading);
                let needs_second = sample.energy.is_none() && sample.reading.energy_wh.is_some();
                self.inner.keep(sample);
                self.inner.counts.readings.up();
                let had_failed = self.pace.as_mut().is_some_and(|pace| pace.done(now()));
                if needs_second && !self.has_hurried {
                    // Two readings that agree begin the lifetime total.
                    self.has_hurried = true;
                    self.meter_soon();
                }
                if had_failed && self.is_here {
                    tracing::info!(plug = %self.entry.mac, "metered again");
                }
            }
            // A command came first; the reading is due at once.
            Err(ContactError::Withdrawn { .. }) => {}
            Err(ContactError::Ended { .. }) => self.pace = None,
            Err(error) => self.meter_failed(&error),
        }
    }

    fn meter_failed(&mut self, error: &ContactError) {
        self.inner.counts.failed_readings.up();
        let is_new = self.pace.as_mut().is_some_and(|pace| pace.failed(now()));
        if is_new && self.is_here {
            tracing::warn!(plug = %self.entry.mac, %error, "cannot be metered; tried less often until it works");
        }
    }

    /// Makes a reading due at once, if the plug is metered at all.
    fn meter_soon(&mut self) {
        if let Some(pace) = &mut self.pace {
            pace.hurry(now());
        }
    }

    /// Determines the cause of a relay's move without a command. A plug that has just had no power has lost its connection.
    async fn settle_doubt(&mut self) {
        if self.entry.snapshot().is_in_doubt {
            // Without a connection there is nothing to find out.
            let _ = self.entry.handle.check_connection(CHECK_TIMEOUT).await;
            self.entry.settle_doubt();
        }
    }

    /// Moves the relay back to its position before an outage. A switch for any other cause in the meantime takes precedence.
    async fn restore(&mut self) {
        for delay in RESTORE_DELAYS {
            if self.entry.to_restore().is_some() {
                sleep(delay).await;
            }
            let Some(relay) = self.entry.to_restore() else {
                return;
            };
            if self.is_restored(relay).await {
                tracing::info!(plug = %self.entry.mac, %relay, "restored after an outage");
                break;
            }
        }
        self.entry.restored();
    }

    async fn is_restored(&self, relay: RelayState) -> bool {
        let record = SwitchRecord::new(&self.inner, &self.entry, Cause::PowerOn);
        let handle = &self.entry.handle;
        let outcome = handle.switch_observed(relay.into(), COMMAND_TIMEOUT, record);
        match outcome.await {
            Ok(Switched { confirmed, .. }) => confirmed,
            Err(error) => {
                tracing::debug!(plug = %self.entry.mac, %error, "not restored yet");
                false
            }
        }
    }
}
