//! The registry of plugs: contact with every plug. Nothing else opens a socket to one.
//!
//! Each plug has a [`plugs::net::PlugTask`], which owns its only TCP connection, and an upkeep task, which meters it and restores
//! its relay after an outage. One scanner for all probes the network by broadcast for plugs and the positions of their relays, and
//! passes each report to its plug by the MAC; so a plug is followed to any address. The state of a plug is in its entry.
//!
//! The registry is independent of groups, schedules and rules, and keeps no history: readings leave by a channel.

mod availability;
mod candidates;
mod config;
mod edit;
mod entry;
mod foreign;
mod metering;
mod newcomers;
mod plausible;
mod power_on;
mod records;
mod relay_history;
mod saver;
mod scanner;
mod state;
mod stats;
mod timers;
mod upkeep;
mod welded;

use std::collections::HashMap;
use std::net::Ipv4Addr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use api::{
    Cause, DelayResponse, ErrorKind, Event, PlugView, RelayCommand, RequestError, SiteName,
    Switched,
};
use harden::LanModule;
use hiflying::Mac;
use jiff::{SignedDuration, Timestamp};
use parking_lot::{Mutex, RwLock};
use plugs::net::Lan;
use plugs::{Capability, Minutes, Plug, Reading, RelayState};
use tokio::sync::{Notify, Semaphore, mpsc};

use crate::store::{EnergyState, PlugRecord};
use entry::{NewEntry, RegistryEntry};
use newcomers::Newcomers;
use records::{ConnectionRecord, SwitchRecord};
use scanner::PresenceScanner;
use state::{COMMAND_TIMEOUT, RegistryState, now, steady_ms, tell_taken};
use stats::RegistryCounters;
use timers::PlugTimers;
use upkeep::PlugUpkeep;

pub use config::{Interfaces, RegistryConfig, RegistryContext};
pub use relay_history::RelayMove;
pub(crate) use state::unknown_plug;
pub use stats::RegistryStats;

/// Maximum number of concurrent searches.
const MAX_SEARCHES: usize = 4;
/// Time for which all plugs are probed on their own before they count as out of reach.
const CONTACT_MARGIN: Duration = Duration::from_secs(2);
/// Maximum number of plugs that wait to be adopted; further ones are adopted when they are heard again. A scan hears all plugs at
/// once, and adopting one waits for the disk.
const MAX_NEWCOMERS: usize = 4_096;

/// Keeps contact with every plug. Clones share the same registry.
#[derive(Debug, Clone)]
pub struct Registry(Arc<RegistryState>);

impl Registry {
    /// Starts to keep contact with these plugs; `energy` holds the lifetime totals, also of forgotten plugs.
    ///
    /// # Errors
    ///
    /// [`RequestError`] of kind `local` when one of the interfaces does not exist, or no socket can be opened on any of them. A
    /// missing network is not an error: it is looked for from time to time.
    pub async fn start(
        config: RegistryConfig,
        records: Vec<PlugRecord>,
        energy: Vec<(Mac, EnergyState)>,
        surroundings: RegistryContext,
    ) -> Result<Self, RequestError> {
        let has_contact = config.has_contact();
        let local = |message| RequestError::new(ErrorKind::Local, message).at("interfaces");
        let interfaces = config.interfaces.now();
        let interfaces = interfaces.map_err(|error| local(error.to_string()))?;
        let lan = Lan::with_families(config.families, &interfaces).await;
        let lan = lan.map_err(|error| local(format!("no network can be used: {error}")))?;
        let lan = lan.permitted_by(surroundings.permit);
        tell_taken(&lan);
        let (newcomers, waiting) = mpsc::channel(MAX_NEWCOMERS);
        let inner = Arc::new(RegistryState {
            adopt: config.adopt,
            adopts_named: config.adopts_named && records.is_empty() && energy.is_empty(),
            metering: config.metering,
            scan: config.scan.get(),
            names: config.names,
            bus: surroundings.bus,
            samples: surroundings.samples,
            store: surroundings.store,
            timers: PlugTimers::load(surroundings.settings).await,
            cancel: surroundings.cancel,
            tracker: surroundings.tracker,
            interfaces: config.interfaces,
            lan,
            has_contact,
            last_contact: AtomicU64::new(steady_ms()),
            entries: RwLock::default(),
            offers: Mutex::default(),
            foreign: Mutex::default(),
            duplicates: Mutex::default(),
            needs: Mutex::default(),
            newcomers,
            past_energy: Mutex::new(energy.into_iter().collect()),
            editing: tokio::sync::Mutex::new(()),
            searching: Semaphore::new(MAX_SEARCHES),
            unsaved: Notify::new(),
            ever: AtomicU64::new(0),
            load: AtomicU32::new(0),
            is_history_full: AtomicBool::new(false),
            counts: RegistryCounters::default(),
        });
        for record in records {
            let energy = inner.past_energy.lock().remove(&record.mac);
            inner.insert(record, energy);
        }
        if !has_contact {
            return Ok(Self(inner));
        }
        let tracker = &inner.tracker;
        tracker.spawn(PresenceScanner::new(Arc::clone(&inner)).run());
        tracker.spawn(saver::run(Arc::clone(&inner)));
        tracker.spawn(Newcomers::new(Arc::clone(&inner)).run(waiting));
        Ok(Self(inner))
    }

    /// Adopts no plug automatically until [`set_foreign`](Self::set_foreign) tells which belong to other sites.
    pub(crate) fn await_foreign(&self) {
        self.0.foreign.lock().wait();
    }

    /// Sets the plugs that other sites have adopted.
    pub(crate) fn set_foreign(&self, owners: HashMap<Mac, SiteName>) {
        self.0.foreign.lock().set(owners);
    }

    /// Returns the other site that has adopted a plug.
    pub fn foreign_site(&self, plug: Mac) -> Option<SiteName> {
        self.0.foreign.lock().owner(plug).cloned()
    }

    /// Shows stored readings of plugs that are not contacted.
    pub(crate) fn recall(&self, readings: Vec<Reading>) {
        for reading in readings {
            if let Some(entry) = self.0.entry(reading.plug) {
                entry.recall(reading);
            }
        }
    }

    /// Returns all adopted plugs, by MAC.
    pub fn views(&self) -> Vec<Arc<PlugView>> {
        self.0.entries().iter().map(|entry| entry.view()).collect()
    }

    /// Returns an adopted plug.
    pub fn view(&self, mac: Mac) -> Option<Arc<PlugView>> {
        Some(self.0.entry(mac)?.view())
    }

    /// Returns an adopted plug.
    ///
    /// # Errors
    ///
    /// [`RequestError`] of kind `not_found` if it is not adopted.
    pub fn one(&self, mac: Mac) -> Result<Arc<PlugView>, RequestError> {
        Ok(self.0.known(mac)?.view())
    }

    /// Returns the revision of an adopted plug: its ETag.
    pub fn revision(&self, mac: Mac) -> Result<u64, RequestError> {
        Ok(self.0.known(mac)?.revision())
    }

    /// Returns the last move of the plug's relay since the hub started, with its time and cause.
    pub fn moved(&self, mac: Mac) -> Option<RelayMove> {
        self.0.entry(mac)?.moved()
    }

    /// Returns the plugs that reply from more than one address, with these.
    pub fn duplicates(&self) -> Vec<(Mac, Vec<Ipv4Addr>)> {
        self.0.duplicates.lock().all()
    }

    /// Returns the time for which no adopted plug was heard; `None` without plugs.
    pub(crate) fn without_contact(&self) -> Option<Duration> {
        let last = self.0.last_contact.load(Ordering::Relaxed);
        let time = Duration::from_millis(steady_ms().saturating_sub(last));
        (!self.0.entries().is_empty()).then_some(time)
    }

    /// Returns the time after which an adopted plug that is there has been heard, with two probes to spare.
    pub(crate) fn contact_timeout(&self) -> Duration {
        self.0.timing().quiet() + CONTACT_MARGIN
    }

    /// Returns the counters since the start.
    pub fn stats(&self) -> RegistryStats {
        let entries = self.0.entries();
        let count = |number: usize| u64::try_from(number).unwrap_or(u64::MAX);
        RegistryStats {
            plugs: count(entries.len()),
            available: count(entries.iter().filter(|entry| entry.is_here()).count()),
            offered: count(self.offered().len()),
            ..self.0.counts.stats()
        }
    }

    /// Switches a plug, and reads its relay back until it is in the commanded position. A reading follows at once.
    ///
    /// # Errors
    ///
    /// [`RequestError`]: `not_found`, `no_answer`, `refused`, `bad_answer`; `unavailable` when too many commands wait for this plug
    /// or the hub ends. A command that was accepted but not carried out is not an error here but [`Switched::confirmed`].
    pub async fn switch(
        &self,
        mac: Mac,
        action: RelayCommand,
        cause: Cause,
    ) -> Result<Switched, RequestError> {
        let entry = self.0.known(mac)?;
        self.0.check_lease()?;
        let record = SwitchRecord::new(&self.0, &entry, cause);
        let outcome = entry
            .handle
            .switch_observed(action, COMMAND_TIMEOUT, record);
        outcome.await.map_err(|error| RequestError::from(&error))
    }

    /// Sets a plug's own timer. The plug only acknowledges it; its later switch cannot be confirmed in advance.
    pub async fn delay(
        &self,
        mac: Mac,
        relay: RelayState,
        minutes: Minutes,
    ) -> Result<DelayResponse, RequestError> {
        let entry = self.0.known(mac)?;
        self.0.check_lease()?;
        let outcome = entry.handle.delay(relay, minutes, COMMAND_TIMEOUT).await;
        outcome.map_err(|error| RequestError::from(&error))?;
        let delay = SignedDuration::from_mins(i64::from(minutes.count()));
        let now = plugs::now();
        let timer = DelayResponse {
            relay,
            minutes: minutes.count(),
            due: now.saturating_add(delay).unwrap_or(Timestamp::MAX),
        };
        self.0.timers.set(mac, timer, now);
        let inner = Arc::clone(&self.0);
        // A stalled disk must not delay the response: the plug has its timer.
        self.0
            .tracker
            .spawn(async move { inner.timers.save().await });
        Ok(timer)
    }

    /// Returns the timer of a plug that was set here last and is not due yet. A plug cannot be asked for its timer, and nothing is
    /// known of one that was set elsewhere.
    ///
    /// # Errors
    ///
    /// [`RequestError`] of kind `not_found` if the plug is not adopted.
    pub fn timer(&self, mac: Mac) -> Result<Option<DelayResponse>, RequestError> {
        let entry = self.0.known(mac)?;
        Ok(self.0.timers.of(entry.mac, plugs::now()))
    }

    /// Reads the version of a plug's firmware.
    pub async fn version(&self, mac: Mac) -> Result<String, RequestError> {
        let entry = self.0.known(mac)?;
        let outcome = entry.handle.version(COMMAND_TIMEOUT).await;
        Ok(outcome.map_err(|error| RequestError::from(&error))?.1)
    }

    /// Reads a plug's meter now. The reading counts like any other, regardless of the interval.
    ///
    /// # Errors
    ///
    /// As [`Registry::switch`]; `usage` for a plug without a meter.
    pub async fn meter(&self, mac: Mac) -> Result<Reading, RequestError> {
        let entry = self.0.known(mac)?;
        let outcome = entry.handle.meter(COMMAND_TIMEOUT).await;
        let sample = entry.metered(outcome.map_err(|error| RequestError::from(&error))?);
        let reading = sample.reading.clone();
        self.0.keep(sample);
        self.0.counts.readings.up();
        Ok(reading)
    }

    /// Returns the Wi-Fi module of a plug, for AT commands beside the plug's own.
    pub(crate) fn module(&self, mac: Mac) -> Result<LanModule, RequestError> {
        let view = self.0.known(mac)?.view();
        Ok(LanModule::new(self.0.lan.clone(), view.plug.clone()))
    }

    /// Reads the discovery words that plugs were given from this state directory.
    pub(crate) fn learn_words(&self, directory: &Path) {
        self.0.lan.set_words(harden::record::words(directory));
    }

    /// Meters plugs at least this often, whatever their own interval.
    pub fn require_metering(&self, needs: HashMap<Mac, Duration>) {
        *self.0.needs.lock() = needs;
        for entry in self.0.entries() {
            entry.turned.notify_one();
        }
    }

    /// Returns the interval at which a plug is metered: its own, or a shorter one that a rule needs; `None` if it is not metered.
    pub fn metering_interval(&self, mac: Mac) -> Option<Duration> {
        let entry = self.0.entry(mac)?;
        self.0.metering_interval(mac, entry.view().metering)
    }

    /// Returns the longest delay of a plug's own timer; `None` if it has none or is not adopted.
    pub fn max_delay(&self, mac: Mac) -> Option<Minutes> {
        let family = self.0.lan.families().get(self.0.entry(mac)?.family)?;
        let has_timer = family.capabilities().contains(&Capability::Timer);
        has_timer.then(|| family.max_delay())
    }

    /// Returns `true` if a plug has an ability; a plug that is not adopted has none.
    pub fn can(&self, mac: Mac, capability: Capability) -> bool {
        let entry = self.0.entry(mac);
        entry.is_some_and(|entry| self.0.lan.families().can(entry.family, capability))
    }
}

impl RegistryState {
    /// Adds a plug to the registry and starts its tasks.
    fn insert(self: &Arc<Self>, record: PlugRecord, energy: Option<EnergyState>) -> Arc<PlugView> {
        let mac = record.mac;
        let families = self.lan.families();
        let plug = Plug::new(mac, record.family, record.address, record.seen);
        let (task, handle) = self.lan.reported_plug(plug);
        let new = NewEntry {
            energy,
            default_metering: self.metering,
            has_meter: families.can(record.family, Capability::Meter),
            has_label: families.can(record.family, Capability::Label),
            record,
            cancel: self.cancel.child_token(),
            handle,
        };
        let entry = Arc::new(RegistryEntry::new(new, self.bus.clone(), now()));
        let mut entries = self.entries.write();
        entries.insert(mac, Arc::clone(&entry));
        drop(entries);
        self.offers.lock().adopted(mac);
        let share = metering::share(self.ever.fetch_add(1, Ordering::Relaxed));
        let observer = Arc::new(ConnectionRecord {
            inner: Arc::clone(self),
            entry: Arc::clone(&entry),
        });
        let (task, cancel) = (task.observed_by(observer), entry.cancel.clone());
        if !self.has_contact {
            return entry.view();
        }
        self.tracker.spawn(async move {
            // A command that is under way then has failed.
            cancel.run_until_cancelled(task.run()).await;
        });
        let upkeep = PlugUpkeep::new(Arc::clone(self), Arc::clone(&entry), share);
        self.tracker.spawn(upkeep.run());
        let view = entry.view();
        self.bus.publish(Event::Plug(Arc::clone(&view)));
        view
    }
}
