//! The state of one plug: written by the scanner, which receives its reports, and by its tasks, which command and meter it.
//!
//! All changes happen under one short lock, including their events, so that listeners receive events in the order of the changes.
//! Nothing waits under that lock.

mod log;

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use api::{Cause, Event, LogKind, MeterEvent, Metering, Period, PlugView, to_millisecond};
use hiflying::Mac;
use parking_lot::Mutex;
use plugs::net::PlugHandle;
use plugs::{FamilyId, Plug, Reading, RelayState};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::availability::{Availability, AvailabilityChange, PresenceTiming};
use super::plausible::plausible;
use super::relay_history::{RelayHistory, RelayMove, RelayReport};
use super::welded::WeldedRelay;
use crate::energy::Lifetime;
use crate::event::EventBus;
use crate::store::{EnergyState, PlugRecord, Sample};

/// One plug.
#[derive(Debug)]
pub(super) struct RegistryEntry {
    pub(super) mac: Mac,
    pub(super) family: FamilyId,
    /// `true` when its family has a meter.
    pub(super) has_meter: bool,
    /// `true` when its family stores a name in the plug.
    pub(super) has_label: bool,
    /// The token that ends its tasks.
    pub(super) cancel: CancellationToken,
    /// The handle for commands.
    pub(super) handle: PlugHandle,
    /// Notified when its upkeep has work: it is gone or back, or has other settings.
    pub(super) turned: Notify,
    /// Notified when a reading is due out of turn.
    pub(super) meter_due: Notify,
    default_metering: Period,
    bus: EventBus,
    state: Mutex<EntryState>,
}

#[derive(Debug)]
struct EntryState {
    record: PlugRecord,
    res: Option<String>,
    extra: Option<String>,
    reading: Option<Reading>,
    lifetime: Lifetime,
    presence: Availability,
    /// Time at which it was last heard from its assumed address.
    heard_here: Option<Instant>,
    /// Time at which it was last heard by this hub.
    heard: Option<Instant>,
    /// `true` if another plug has its address, so that nothing must be sent there.
    is_displaced: bool,
    relay: RelayHistory,
    /// `true` while the store has an older record.
    is_unsaved: bool,
    /// `true` after a reading with an implausible value.
    is_suspect: bool,
    welded: WeldedRelay,
    /// The last failure of a command that was logged; further ones like it are not.
    failure: Option<String>,
}

/// The initial state of an entry.
#[derive(Debug)]
pub(super) struct NewEntry {
    pub(super) record: PlugRecord,
    pub(super) energy: Option<EnergyState>,
    pub(super) default_metering: Period,
    pub(super) has_meter: bool,
    pub(super) has_label: bool,
    pub(super) cancel: CancellationToken,
    pub(super) handle: PlugHandle,
}

/// The state that its upkeep depends on.
#[derive(Debug, Clone)]
pub(super) struct EntrySnapshot {
    /// `true` unless another device has its address.
    pub(super) is_reachable: bool,
    pub(super) is_here: bool,
    pub(super) metering: Metering,
    /// `true` if its relay moved without a command, and its connection has to be checked.
    pub(super) is_in_doubt: bool,
}

impl RegistryEntry {
    pub(super) fn new(new: NewEntry, bus: EventBus, now: Instant) -> Self {
        let mut record = new.record;
        // The clock of another hub that wrote it can be ahead; a time to come would hold up a rule.
        record.relay_since = record.relay_since.map(|since| since.min(plugs::now()));
        let [a, b, c, d, e, f] = record.mac.octets();
        let seed = u64::from_be_bytes([0, 0, a, b, c, d, e, f]);
        Self {
            mac: record.mac,
            family: record.family,
            has_meter: new.has_meter,
            has_label: new.has_label,
            cancel: new.cancel,
            handle: new.handle,
            turned: Notify::new(),
            meter_due: Notify::new(),
            default_metering: new.default_metering,
            bus,
            state: Mutex::new(EntryState {
                record,
                res: None,
                extra: None,
                reading: None,
                lifetime: new.energy.map_or_else(Lifetime::default, Lifetime::resume),
                presence: Availability::new(now, seed),
                heard_here: None,
                heard: None,
                is_displaced: false,
                relay: RelayHistory::new(),
                is_unsaved: false,
                is_suspect: false,
                welded: WeldedRelay::default(),
                failure: None,
            }),
        }
    }

    pub(super) fn view(&self) -> Arc<PlugView> {
        Arc::new(self.view_of(&self.state.lock()))
    }

    pub(super) fn record(&self) -> PlugRecord {
        self.state.lock().record.clone()
    }

    pub(super) fn revision(&self) -> u64 {
        self.state.lock().record.revision
    }

    pub(super) fn name(&self) -> Option<String> {
        self.state.lock().record.name.clone()
    }

    pub(super) fn address(&self) -> Ipv4Addr {
        self.state.lock().record.address
    }

    pub(super) fn energy(&self) -> Option<EnergyState> {
        self.state.lock().lifetime.state()
    }

    pub(super) fn moved(&self) -> Option<RelayMove> {
        self.state.lock().relay.moved().cloned()
    }

    pub(super) fn is_here(&self) -> bool {
        self.state.lock().presence.is_here()
    }

    pub(super) fn is_gone(&self) -> bool {
        self.state.lock().presence.is_gone()
    }

    pub(super) fn snapshot(&self) -> EntrySnapshot {
        let state = self.state.lock();
        EntrySnapshot {
            is_reachable: !state.is_displaced,
            is_here: state.presence.is_here(),
            metering: self.metering(&state),
            is_in_doubt: state.relay.is_in_doubt(),
        }
    }

    /// Returns the position to which the relay has to be moved after an outage.
    pub(super) fn to_restore(&self) -> Option<RelayState> {
        self.state.lock().relay.to_restore()
    }

    /// Attributes the next move to `relay` to `cause`.
    pub(super) fn intend(&self, now: Instant, relay: RelayState, cause: Cause) {
        let mut state = self.state.lock();
        state.relay.intend(now, relay, cause);
        self.log_move(&mut state);
    }

    /// Records that the position was restored, or cannot be.
    pub(super) fn restored(&self) {
        self.state.lock().relay.restored();
    }

    /// Returns the record if the store has an older one, and counts it as saved.
    pub(super) fn take_unsaved(&self) -> Option<PlugRecord> {
        let mut state = self.state.lock();
        std::mem::take(&mut state.is_unsaved).then(|| state.record.clone())
    }

    /// Records that it could not be saved after all.
    pub(super) fn still_unsaved(&self) {
        self.state.lock().is_unsaved = true;
    }

    /// Applies the settings that people changed, once they are saved.
    pub(super) fn edit(&self, saved: &PlugRecord) {
        let mut state = self.state.lock();
        self.log_edit(&state, saved);
        let record = &mut state.record;
        record.name.clone_from(&saved.name);
        record.room.clone_from(&saved.room);
        record.metering = saved.metering;
        record.power_on = saved.power_on;
        record.often_unplugged = saved.often_unplugged;
        record.revision = saved.revision;
        self.publish(&state);
        self.turned.notify_one();
    }

    /// Applies a report of the plug: its identity, its address and the position of its relay.
    ///
    /// Returns whether the record must be saved.
    pub(super) fn sighted(&self, now: Instant, plug: &Plug, timing: PresenceTiming) -> bool {
        let mut state = self.state.lock();
        let before = (state.record.clone(), state.res.clone(), state.extra.clone());
        let (turn, away) = (state.presence.heard(now, timing), state.heard(now));
        state.locate(now, plug.address, timing);
        state.record.seen = plug.seen;
        if plug.family == self.family {
            state.describe(plug);
            if let Some(relay) = plug.relay {
                state.tells(now, relay);
                self.log_move(&mut state);
            }
        }
        let is_moved = before.0.address != state.record.address;
        if is_moved {
            let (from, to) = (before.0.address, state.record.address);
            tracing::info!(plug = %self.mac, %from, %to, "a plug has another address");
            self.log(
                &state,
                LogKind::Plug,
                &format!("has the address {to} now, before it was {from}"),
            );
        }
        self.turn(&state, turn, away);
        let seen = state.record.seen;
        let has_changed = PlugRecord { seen, ..before.0 } != state.record;
        if has_changed || before.1 != state.res || before.2 != state.extra {
            self.publish(&state);
        }
        if is_moved
            || turn.is_some()
            || state.relay.is_in_doubt()
            || state.relay.to_restore().is_some()
        {
            self.turned.notify_one();
        }
        if !state.is_displaced {
            self.handle.locate(Some(state.record.address));
        }
        if plug.family == self.family {
            self.handle.report(plug);
        }
        state.is_unsaved |= has_changed;
        has_changed
    }

    /// Records the name that it stores.
    pub(super) fn labelled(&self, label: Option<String>) {
        let mut state = self.state.lock();
        if state.extra != label {
            state.extra = label;
            self.publish(&state);
        }
    }

    /// Records that it replied over its connection.
    pub(super) fn answered(&self, now: Instant, timing: PresenceTiming) {
        let mut state = self.state.lock();
        let (turn, away) = (state.presence.heard(now, timing), state.heard(now));
        state.heard_here = Some(now);
        state.record.seen = plugs::now();
        self.turn(&state, turn, away);
        if turn.is_some() {
            self.turned.notify_one();
        }
    }

    /// Records that it has lost or closed its connection.
    pub(super) fn broke(&self, now: Instant) {
        self.state.lock().relay.broke(now);
    }

    /// Determines the cause of the relay's last move, now that the connection has been checked.
    pub(super) fn settle_doubt(&self) {
        let mut state = self.state.lock();
        let (relay, policy) = (state.record.relay, state.record.power_on);
        if state.relay.settle(relay, policy) {
            tracing::info!(plug = %self.mac, "it moved its relay after a short outage");
        }
        self.log_move(&mut state);
    }

    /// Records a reading, and returns the sample for the history.
    pub(super) fn metered(&self, reading: Reading) -> Sample {
        let mut state = self.state.lock();
        let reading = state.plausible(reading);
        let taken = state.lifetime.take(&reading);
        if let Some(note) = taken.note {
            tracing::warn!(plug = %self.mac, "{note}");
        }
        state.reading = Some(reading.clone());
        self.check_relay(&mut state, &reading);
        self.bus.publish(Event::Reading(MeterEvent {
            reading: Arc::new(reading.clone()),
            energy_total_wh: taken.state.map(|energy| energy.total_wh),
        }));
        Sample {
            reading,
            used: taken.used,
            energy: taken.state,
        }
    }

    /// Shows a stored reading while there is no contact to the plug.
    pub(super) fn recall(&self, reading: Reading) {
        let mut state = self.state.lock();
        state.record.seen = state.record.seen.max(reading.at);
        state.reading = Some(reading);
    }

    /// Advances the time. Returns the address to probe, if a probe is due.
    pub(super) fn pass(&self, now: Instant, timing: PresenceTiming) -> Option<Ipv4Addr> {
        let mut state = self.state.lock();
        let (turn, ask) = state.presence.pass(now, timing);
        if turn.is_some() {
            state.is_unsaved = true;
            state.relay.gone();
            self.turn(&state, turn, Duration::ZERO);
            self.turned.notify_one();
        }
        ask.then_some(state.record.address)
    }

    /// Records that another plug was heard from its address.
    pub(super) fn displaced(&self, address: Ipv4Addr) {
        let mut state = self.state.lock();
        if state.record.address == address && !state.is_displaced {
            tracing::debug!(plug = %self.mac, %address, "another plug has its address");
            state.is_displaced = true;
            state.heard_here = None;
            self.handle.locate(None);
            self.turned.notify_one();
        }
    }

    /// Publishes a change of its availability; `away` is the time since the report before, if there is one now.
    fn turn(&self, state: &EntryState, turn: Option<AvailabilityChange>, away: Duration) {
        let (name, address) = (state.record.name.as_deref(), state.record.address);
        match turn {
            Some(AvailabilityChange::Gone) => {
                tracing::warn!(plug = %self.mac, name, %address, "a plug is gone: it does not answer");
                let entry = self.log_entry(state, LogKind::Availability, "does not answer");
                self.bus
                    .log(entry.as_problem(!state.record.often_unplugged));
            }
            Some(AvailabilityChange::Back) => {
                tracing::info!(plug = %self.mac, name, %address, "a plug is back");
                let away = api::text::lasting(away);
                self.log(
                    state,
                    LogKind::Availability,
                    &format!("is back; it was away for {away}"),
                );
            }
            Some(AvailabilityChange::First) => {
                tracing::debug!(plug = %self.mac, name, %address, "heard");
            }
            None => return,
        }
        let view = Arc::new(self.view_of(state));
        self.bus.publish(Event::Availability(view));
    }

    fn publish(&self, state: &EntryState) {
        self.bus.publish(Event::Plug(Arc::new(self.view_of(state))));
    }

    fn metering(&self, state: &EntryState) -> Metering {
        if !self.has_meter {
            return Metering::Off;
        }
        let default = Metering::Every(self.default_metering);
        state.record.metering.unwrap_or(default)
    }

    fn view_of(&self, state: &EntryState) -> PlugView {
        let record = &state.record;
        PlugView {
            plug: Plug {
                serial: record.serial.clone(),
                relay: record.relay,
                model: record.model.clone(),
                name: record.name.clone(),
                res: state.res.clone(),
                extra: state.extra.clone(),
                ..Plug::new(record.mac, record.family, record.address, record.seen)
            },
            available: state.presence.is_here(),
            reading: state.reading.clone(),
            energy_total_wh: state.lifetime.state().map(|energy| energy.total_wh),
            room: record.room.clone(),
            metering: self.metering(state),
            power_on: record.power_on,
            relay_since: record.relay_since,
            still_drawing_w: state.welded.drawn_w(),
            often_unplugged: record.often_unplugged,
        }
    }
}

impl EntryState {
    /// Records that the plug was heard. Returns the time since it was heard before, which a clock that is set does not change while
    /// the hub runs.
    fn heard(&mut self, now: Instant) -> Duration {
        match self.heard.replace(now) {
            Some(before) => now.saturating_duration_since(before),
            None => plugs::now().duration_since(self.record.seen).unsigned_abs(),
        }
    }

    /// Sets the plug's assumed address to `address`, unless the plug was just heard from the present one.
    fn locate(&mut self, now: Instant, address: Ipv4Addr, timing: PresenceTiming) {
        let was_just_here = !self.is_displaced
            && self
                .heard_here
                .is_some_and(|heard| now.saturating_duration_since(heard) < timing.quiet());
        if address != self.record.address {
            if was_just_here {
                return;
            }
            self.record.address = address;
        }
        self.is_displaced = false;
        self.heard_here = Some(now);
    }

    fn describe(&mut self, plug: &Plug) {
        let record = &mut self.record;
        if plug.serial.is_some() {
            record.serial.clone_from(&plug.serial);
        }
        // Earlier versions took the id of a Reco plug's module for its model.
        if plug.model.is_some() || plug.family == FamilyId::RECO {
            record.model.clone_from(&plug.model);
        }
        self.res.clone_from(&plug.res);
        // The name that a plug stores does not come with its reports.
        if plug.extra.is_some() {
            self.extra.clone_from(&plug.extra);
        }
    }

    /// Applies a report of the relay's position.
    fn tells(&mut self, now: Instant, relay: RelayState) {
        let told = RelayReport {
            now,
            at: to_millisecond(plugs::now()),
            before: self.record.relay.replace(relay),
            relay,
            policy: self.record.power_on,
        };
        if told.before != Some(relay) {
            // A move while no hub was running has no known time.
            let is_known = told.before.is_some() && !self.relay.is_first_report();
            self.record.relay_since = is_known.then_some(told.at);
        }
        self.relay.tells(told);
    }

    /// Leaves out implausible values of a reading, and logs the first occurrence.
    fn plausible(&mut self, reading: Reading) -> Reading {
        let checked = plausible(reading.clone());
        let is_suspect = checked != reading;
        if is_suspect && !self.is_suspect {
            tracing::warn!(plug = %reading.plug, ?reading, "a reading that cannot be; the values in question are left out");
        }
        self.is_suspect = is_suspect;
        checked
    }
}
