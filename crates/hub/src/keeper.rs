//! Keeps contact with every plug. Nobody else opens a socket to one.
//!
//! A plug has one task that owns its only TCP connection and carries out orders on it, one after the other. One scanner for
//! all asks the network by broadcast who is there and how the relays stand, and hands each answer to the plug that it is
//! of, by its MAC; so a plug is followed wherever it goes. What is known of a plug is in its slot, which everybody may read.
//!
//! The keeper knows nothing of groups, schedules and rules, and keeps no history: readings leave by a channel.

mod config;
mod edit;
mod offer;
mod pace;
mod plausible;
mod power_on;
mod presence;
mod relay;
mod saver;
mod scanner;
mod slot;
mod stats;
mod switching;
mod task;

use std::collections::{BTreeMap, HashMap};
use std::net::Ipv4Addr;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::Duration;

use api::{Cause, Delayed, ErrorKind, Period, PlugView, RelayCommand, RequestError, Switched};
use hiflying::Mac;
use jiff::{SignedDuration, Timestamp};
use plugs::net::Lan;
use plugs::{Capability, FamilyId, Minutes, Plug, Reading, RelayState};
use tokio::sync::{Notify, Semaphore, mpsc};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::event::{EventBus, News};
use crate::store::{EnergyState, PlugRecord, PlugStore, Sample};
use offer::{Offer, Offers};
use presence::Patience;
use scanner::Scanner;
use slot::{Beginning, Slot};
use stats::Counts;
use switching::{ConnectionRecord, SwitchRecord};
use task::PlugUpkeep;

pub use config::{Interfaces, KeeperConfig, Surroundings};
pub use relay::Moved;
pub use stats::KeeperStats;

/// The time for a command.
const COMMAND_TIMEOUT: Duration = Duration::from_secs(5);
/// So many searches may go on at once.
const MOST_SEARCHES: usize = 4;
/// So many plugs may wait to be taken in; the others are heard again. A scan hears all plugs at once, and taking one in waits
/// for the disk.
const MOST_NEWCOMERS: usize = 4_096;
/// How often a plug that is gone is asked at least, when there are not very many.
const GONE_GAP: Duration = Duration::from_secs(5);

/// Keeps contact with every plug. A clone is the same keeper.
#[derive(Debug, Clone)]
pub struct Keeper(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    adopt: bool,
    metering: Period,
    scan: Duration,
    names: HashMap<Mac, String>,
    bus: EventBus,
    samples: mpsc::Sender<Sample>,
    store: Arc<dyn PlugStore>,
    cancel: CancellationToken,
    tracker: TaskTracker,
    interfaces: Interfaces,
    lan: Lan,
    slots: RwLock<BTreeMap<Mac, Arc<Slot>>>,
    offers: Mutex<Offers>,
    newcomers: mpsc::Sender<Plug>,
    /// Where the lifetime totals of plugs that were forgotten stand.
    past_energy: Mutex<HashMap<Mac, EnergyState>>,
    /// Held over a change and its way to the disk, so that two edits cannot both think that they came first.
    editing: tokio::sync::Mutex<()>,
    searching: Semaphore,
    /// Rings when a record is to be saved.
    unsaved: Notify,
    /// How many plugs there ever were, to spread metering.
    ever: AtomicU64,
    /// The least gap in seconds between questions to one plug that is gone.
    load: AtomicU32,
    is_history_full: AtomicBool,
    counts: Counts,
}

impl Keeper {
    /// Starts to keep contact with these plugs; `energy` says where the lifetime totals stand, of forgotten ones too.
    ///
    /// # Errors
    ///
    /// [`RequestError`] of kind `local` when one of the interfaces does not exist, or no socket can be opened on any of them. That
    /// there is no network yet is none: it is looked for from time to time.
    pub async fn start(
        config: KeeperConfig,
        records: Vec<PlugRecord>,
        energy: Vec<(Mac, EnergyState)>,
        surroundings: Surroundings,
    ) -> Result<Self, RequestError> {
        let local = |message| RequestError::new(ErrorKind::Local, message).at("interfaces");
        let interfaces = config.interfaces.now();
        let interfaces = interfaces.map_err(|error| local(error.to_string()))?;
        let lan = Lan::with_families(config.families, &interfaces).await;
        let lan = lan.map_err(|error| local(format!("no network can be used: {error}")))?;
        tell_taken(&lan);
        let (newcomers, waiting) = mpsc::channel(MOST_NEWCOMERS);
        let inner = Arc::new(Inner {
            adopt: config.adopt,
            metering: config.metering,
            scan: config.scan.get(),
            names: config.names,
            bus: surroundings.bus,
            samples: surroundings.samples,
            store: surroundings.store,
            cancel: surroundings.cancel,
            tracker: surroundings.tracker,
            interfaces: config.interfaces,
            lan,
            slots: RwLock::default(),
            offers: Mutex::default(),
            newcomers,
            past_energy: Mutex::new(energy.into_iter().collect()),
            editing: tokio::sync::Mutex::new(()),
            searching: Semaphore::new(MOST_SEARCHES),
            unsaved: Notify::new(),
            ever: AtomicU64::new(0),
            load: AtomicU32::new(0),
            is_history_full: AtomicBool::new(false),
            counts: Counts::default(),
        });
        for record in records {
            let energy = inner.take_past_energy(record.mac);
            inner.insert(record, energy);
        }
        let tracker = &inner.tracker;
        tracker.spawn(Scanner::new(Arc::clone(&inner)).run());
        tracker.spawn(saver::run(Arc::clone(&inner)));
        tracker.spawn(Arc::clone(&inner).take_in_newcomers(waiting));
        Ok(Self(inner))
    }

    /// Returns all adopted plugs, by MAC.
    pub fn views(&self) -> Vec<Arc<PlugView>> {
        self.0.slots().iter().map(|slot| slot.view()).collect()
    }

    /// Returns an adopted plug.
    pub fn view(&self, mac: Mac) -> Option<Arc<PlugView>> {
        Some(self.0.slot(mac)?.view())
    }

    /// Returns the revision of an adopted plug: its ETag.
    pub fn revision(&self, mac: Mac) -> Option<u64> {
        Some(self.0.slot(mac)?.revision())
    }

    /// Returns when the plug's relay moved last since the hub started, and on whose behalf.
    pub fn moved(&self, mac: Mac) -> Option<Moved> {
        self.0.slot(mac)?.moved()
    }

    /// Returns what was counted since the start.
    pub fn stats(&self) -> KeeperStats {
        let slots = self.0.slots();
        let count = |number: usize| u64::try_from(number).unwrap_or(u64::MAX);
        KeeperStats {
            plugs: count(slots.len()),
            available: count(slots.iter().filter(|slot| slot.is_here()).count()),
            offered: count(self.offered().len()),
            ..self.0.counts.stats()
        }
    }

    /// Switches a plug, and reads its position back until it is the wanted one. A reading follows at once.
    ///
    /// # Errors
    ///
    /// [`RequestError`]: `not_found`, `no_answer`, `refused`, `bad_answer`; `unavailable` when too many orders wait for this plug
    /// or the hub ends. That a plug accepted and did not switch is not an error here but [`Switched::confirmed`].
    pub async fn switch(
        &self,
        mac: Mac,
        action: RelayCommand,
        cause: Cause,
    ) -> Result<Switched, RequestError> {
        let slot = self.0.known(mac)?;
        let record = SwitchRecord::new(&self.0, &slot, cause);
        let outcome = slot.handle.switch_observed(action, COMMAND_TIMEOUT, record);
        outcome.await.map_err(|error| RequestError::from(&error))
    }

    /// Sets a plug's own timer.
    ///
    /// # Errors
    ///
    /// As [`Keeper::switch`].
    pub async fn delay(
        &self,
        mac: Mac,
        relay: RelayState,
        minutes: Minutes,
    ) -> Result<Delayed, RequestError> {
        let slot = self.0.known(mac)?;
        let outcome = slot.handle.delay(relay, minutes, COMMAND_TIMEOUT).await;
        outcome.map_err(|error| RequestError::from(&error))?;
        let delay = SignedDuration::from_mins(i64::from(minutes.count()));
        Ok(Delayed {
            relay,
            minutes,
            due: Timestamp::now()
                .saturating_add(delay)
                .unwrap_or(Timestamp::MAX),
        })
    }

    /// Reads the version of a plug's firmware.
    ///
    /// # Errors
    ///
    /// As [`Keeper::switch`].
    pub async fn version(&self, mac: Mac) -> Result<String, RequestError> {
        let slot = self.0.known(mac)?;
        let outcome = slot.handle.version(COMMAND_TIMEOUT).await;
        Ok(outcome.map_err(|error| RequestError::from(&error))?.1)
    }

    /// Reads a plug's meter now. Whatever the interval, it is a reading like any other.
    ///
    /// # Errors
    ///
    /// As [`Keeper::switch`]; `usage` for a plug without a meter.
    pub async fn meter(&self, mac: Mac) -> Result<Reading, RequestError> {
        let slot = self.0.known(mac)?;
        let outcome = slot.handle.meter(COMMAND_TIMEOUT).await;
        let sample = slot.metered(outcome.map_err(|error| RequestError::from(&error))?);
        let reading = sample.reading.clone();
        self.0.keep(sample);
        self.0.counts.readings.up();
        Ok(reading)
    }

    /// Tells whether a plug has an ability; a plug that is not adopted has none.
    pub fn can(&self, mac: Mac, capability: Capability) -> bool {
        let slot = self.0.slot(mac);
        slot.is_some_and(|slot| self.0.lan.families().can(slot.family, capability))
    }
}

pub(crate) fn now() -> std::time::Instant {
    tokio::time::Instant::now().into_std()
}

fn tell_taken(lan: &Lan) {
    for taken in lan.taken() {
        tracing::error!("{taken}; plugs cannot be heard there until it is free");
    }
}

impl Inner {
    /// Returns a plug's slot.
    fn slot(&self, mac: Mac) -> Option<Arc<Slot>> {
        let slots = self.slots.read().unwrap_or_else(PoisonError::into_inner);
        slots.get(&mac).cloned()
    }

    fn known(&self, mac: Mac) -> Result<Arc<Slot>, RequestError> {
        self.slot(mac)
            .ok_or_else(|| RequestError::not_found(format!("there is no plug {mac}")))
    }

    /// Returns all slots, by MAC.
    fn slots(&self) -> Vec<Arc<Slot>> {
        let slots = self.slots.read().unwrap_or_else(PoisonError::into_inner);
        slots.values().cloned().collect()
    }

    fn take_slot(&self, mac: Mac) -> Option<Arc<Slot>> {
        let mut slots = self.slots.write().unwrap_or_else(PoisonError::into_inner);
        slots.remove(&mac)
    }

    /// Begins to keep a plug.
    fn insert(self: &Arc<Self>, record: PlugRecord, energy: Option<EnergyState>) -> Arc<PlugView> {
        let mac = record.mac;
        let families = self.lan.families();
        let plug = Plug::new(mac, record.family, record.address, record.seen);
        let (task, handle) = self.lan.reported_plug(plug);
        let beginning = Beginning {
            energy,
            default_metering: self.metering,
            has_meter: families.can(record.family, Capability::Meter),
            record,
            cancel: self.cancel.child_token(),
            handle,
        };
        let slot = Arc::new(Slot::new(beginning, self.bus.clone(), now()));
        let mut slots = self.slots.write().unwrap_or_else(PoisonError::into_inner);
        slots.insert(mac, Arc::clone(&slot));
        drop(slots);
        self.offers().adopted(mac);
        let share = pace::share(self.ever.fetch_add(1, Ordering::Relaxed));
        let observer = Arc::new(ConnectionRecord {
            inner: Arc::clone(self),
            slot: Arc::clone(&slot),
        });
        let (task, cancel) = (task.observed_by(observer), slot.cancel.clone());
        self.tracker.spawn(async move {
            // A command that is under way then has failed.
            cancel.run_until_cancelled(task.run()).await;
        });
        let upkeep = PlugUpkeep::new(Arc::clone(self), Arc::clone(&slot), share);
        self.tracker.spawn(upkeep.run());
        let view = slot.view();
        self.bus.publish(News::Plug(Arc::clone(&view)));
        view
    }

    /// Notes that a plug was heard that is not adopted.
    fn offer(&self, plug: Plug) {
        if !self.lan.families().can(plug.family, Capability::Switch) {
            return;
        }
        let (mac, address) = (plug.mac, plug.address);
        let mut offers = self.offers();
        let offer = offers.heard(plug.clone());
        if offer != Offer::Ignored && self.adopt && offers.is_welcome(mac) {
            // Where there is no room it is heard again.
            let _ = self.newcomers.try_send(plug);
        } else if offer == Offer::New {
            tracing::info!(plug = %mac, %address, "found a plug that is not adopted");
        }
    }

    async fn take_in_newcomers(self: Arc<Self>, mut waiting: mpsc::Receiver<Plug>) {
        let taking = async {
            while let Some(plug) = waiting.recv().await {
                let mac = plug.mac;
                if let Err(error) = self.take_in(plug).await {
                    tracing::warn!(plug = %mac, %error, "cannot be adopted");
                }
            }
        };
        self.cancel.run_until_cancelled(taking).await;
    }

    fn offers(&self) -> MutexGuard<'_, Offers> {
        self.offers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn offered_plug(&self, mac: Mac) -> Option<Plug> {
        self.offers().one(mac).cloned()
    }

    fn all_offered(&self) -> Vec<Plug> {
        self.offers().fresh(Timestamp::now())
    }

    fn dismiss(&self, mac: Mac) {
        self.offers().dismiss(mac);
    }

    fn past_energy(&self) -> MutexGuard<'_, HashMap<Mac, EnergyState>> {
        self.past_energy
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn take_past_energy(&self, mac: Mac) -> Option<EnergyState> {
        self.past_energy().remove(&mac)
    }

    fn remember_energy(&self, mac: Mac, energy: EnergyState) {
        self.past_energy().insert(mac, energy);
    }

    /// Sends a sample on its way into history, which must never hold up a plug.
    fn keep(&self, sample: Sample) {
        let is_full = match self.samples.try_send(sample) {
            Ok(()) => false,
            Err(_) => {
                self.counts.lost_readings.up();
                true
            }
        };
        let was_full = self.is_history_full.swap(is_full, Ordering::Relaxed);
        if is_full && !was_full && !self.cancel.is_cancelled() {
            tracing::warn!("history does not keep up; readings are lost to it");
        }
    }

    /// Asks one plug who it is and how its relay stands; the scanner hears the answer.
    async fn probe(&self, family: FamilyId, address: Ipv4Addr) {
        self.counts.probes.up();
        self.lan.probe(family, address).await;
    }

    fn patience(&self) -> Patience {
        let load = Duration::from_secs(self.load.load(Ordering::Relaxed).into());
        Patience {
            scan: self.scan,
            longest_gap: GONE_GAP.max(load),
        }
    }

    fn set_load(&self, seconds: u32) {
        self.load.store(seconds, Ordering::Relaxed);
    }
}
