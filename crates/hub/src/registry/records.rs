//! Records of a switch: its cause and its outcome.

use std::sync::Arc;

use api::{Cause, Switched};
use plugs::RelayState;
use plugs::net::{ContactError, PlugObserver, SwitchObserver};

use super::entry::RegistryEntry;
use super::state::{RegistryState, now};

/// Records one switch of a plug.
#[derive(Debug)]
pub(super) struct SwitchRecord {
    inner: Arc<RegistryState>,
    entry: Arc<RegistryEntry>,
    cause: Cause,
    relay: Option<RelayState>,
}

impl SwitchRecord {
    pub(super) fn new(
        inner: &Arc<RegistryState>,
        entry: &Arc<RegistryEntry>,
        cause: Cause,
    ) -> Box<Self> {
        Box::new(Self {
            inner: Arc::clone(inner),
            entry: Arc::clone(entry),
            cause,
            relay: None,
        })
    }
}

impl SwitchObserver for SwitchRecord {
    fn starting(&mut self, relay: RelayState) -> bool {
        // A command since then has decided otherwise.
        if self.cause == Cause::PowerOn && self.entry.to_restore() != Some(relay) {
            return false;
        }
        self.relay = Some(relay);
        self.entry.intend(now(), relay, self.cause.clone());
        true
    }

    fn finished(&mut self, outcome: &Result<Switched, ContactError>) {
        let counts = &self.inner.counts;
        let (plug, cause) = (self.entry.mac, &self.cause);
        let relay = self.relay.map(RelayState::as_str);
        match outcome {
            Err(ContactError::Withdrawn { .. }) => {}
            Err(error) => {
                counts.failed_switches.up();
                self.entry.log_failure(self.relay, &self.cause, Some(error));
            }
            Ok(switched) => {
                let elapsed_ms = switched.elapsed.as_millis();
                if switched.confirmed {
                    counts.switches.up();
                    tracing::info!(%plug, relay, %cause, elapsed_ms, "switched");
                    self.entry.switched();
                } else {
                    counts.failed_switches.up();
                    tracing::warn!(%plug, relay, %cause, elapsed_ms, "accepted, but the relay did not move");
                    self.entry.log_failure(self.relay, &self.cause, None);
                }
                // A reading at once shows what the load draws now.
                self.entry.meter_due.notify_one();
            }
        }
    }
}

/// Records the events of a plug's connection.
#[derive(Debug)]
pub(super) struct ConnectionRecord {
    pub(super) inner: Arc<RegistryState>,
    pub(super) entry: Arc<RegistryEntry>,
}

impl PlugObserver for ConnectionRecord {
    fn replied(&self) {
        self.inner.note_contact();
        self.entry.answered(now(), self.inner.timing());
    }

    fn connection_changed(&self, is_open: bool) {
        let count = &self.inner.counts.connections;
        if is_open { count.up() } else { count.down() }
    }

    fn connection_lost(&self) {
        self.entry.broke(now());
    }
}
