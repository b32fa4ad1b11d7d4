//! The state that the registry and its tasks share.

use std::collections::{BTreeMap, HashMap};
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use api::{LogEntry, LogKind, Metering, Period, RequestError, SiteName};
use hiflying::Mac;
use parking_lot::{Mutex, RwLock};
use plugs::duplicates::Duplicates;
use plugs::net::Lan;
use plugs::{Capability, FamilyId, Plug};
use tokio::sync::{Notify, Semaphore, mpsc};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::availability::PresenceTiming;
use super::candidates::{CandidateReport, Candidates};
use super::config::Interfaces;
use super::entry::RegistryEntry;
use super::foreign::{ForeignPlugs, PlugOwner};
use super::stats::RegistryCounters;
use super::timers::PlugTimers;
use crate::event::EventBus;
use crate::sites;
use crate::store::{EnergyState, PlugStore, Sample};

/// Maximum time for a command.
pub(super) const COMMAND_TIMEOUT: Duration = Duration::from_secs(5);
/// Maximum interval between probes to a plug that is gone, unless there are very many.
const MAX_GONE_INTERVAL: Duration = Duration::from_secs(5);

/// The state that the registry and its tasks share.
#[derive(Debug)]
pub(super) struct RegistryState {
    pub(super) adopt: bool,
    /// `true` if no plug was ever adopted: then the owner's plugs are those that have a name.
    pub(super) adopts_named: bool,
    pub(super) metering: Period,
    pub(super) scan: Duration,
    pub(super) names: HashMap<Mac, String>,
    pub(super) bus: EventBus,
    pub(super) samples: mpsc::Sender<Sample>,
    pub(super) store: Arc<dyn PlugStore>,
    pub(super) timers: PlugTimers,
    pub(super) cancel: CancellationToken,
    pub(super) tracker: TaskTracker,
    pub(super) interfaces: Interfaces,
    pub(super) lan: Lan,
    /// False on a standby: no task runs.
    pub(super) has_contact: bool,
    /// The last time at which an adopted plug was heard, by [`plugs::steady_time`] in milliseconds; at first the start.
    pub(super) last_contact: AtomicU64,
    pub(super) entries: RwLock<BTreeMap<Mac, Arc<RegistryEntry>>>,
    pub(super) offers: Mutex<Candidates>,
    pub(super) foreign: Mutex<ForeignPlugs>,
    pub(super) duplicates: Mutex<Duplicates>,
    /// Maximum intervals between readings that rules need.
    pub(super) needs: Mutex<HashMap<Mac, Duration>>,
    pub(super) newcomers: mpsc::Sender<Plug>,
    /// Lifetime totals of plugs that were removed.
    pub(super) past_energy: Mutex<HashMap<Mac, EnergyState>>,
    /// Held from a change until it is on disk, so that two concurrent edits cannot both be based on the same revision.
    pub(super) editing: tokio::sync::Mutex<()>,
    pub(super) searching: Semaphore,
    /// Notified when a record must be saved.
    pub(super) unsaved: Notify,
    /// Number of plugs since the start, to spread metering.
    pub(super) ever: AtomicU64,
    /// Minimum interval in seconds between probes to one plug that is gone.
    pub(super) load: AtomicU32,
    pub(super) is_history_full: AtomicBool,
    pub(super) counts: RegistryCounters,
}

/// Returns the time by the clock of the runtime, which tests can set.
pub(super) fn now() -> std::time::Instant {
    tokio::time::Instant::now().into_std()
}

/// Returns the time since the machine started, in milliseconds.
pub(super) fn steady_ms() -> u64 {
    u64::try_from(plugs::steady_time().as_millis()).unwrap_or(u64::MAX)
}

pub(super) fn tell_taken(lan: &Lan) {
    for taken in lan.taken() {
        tracing::error!("{taken}; plugs cannot be heard there until it is free");
    }
}

impl RegistryState {
    /// Returns a plug's entry.
    pub(super) fn entry(&self, mac: Mac) -> Option<Arc<RegistryEntry>> {
        self.entries.read().get(&mac).cloned()
    }

    pub(super) fn known(&self, mac: Mac) -> Result<Arc<RegistryEntry>, RequestError> {
        self.entry(mac).ok_or_else(|| unknown_plug(mac))
    }

    /// Returns all entries, by MAC.
    pub(super) fn entries(&self) -> Vec<Arc<RegistryEntry>> {
        self.entries.read().values().cloned().collect()
    }

    /// Records that a plug was heard that is not adopted.
    pub(super) fn offer(&self, plug: Plug) {
        if !self.lan.families().can(plug.family, Capability::Switch) {
            return;
        }
        let (mac, address) = (plug.mac, plug.address);
        let mut offers = self.offers.lock();
        let offer = offers.heard(plug.clone());
        let owner = self.foreign.lock().heard(mac);
        if let PlugOwner::Site(site, is_new) = owner {
            if is_new {
                let message = heard_of_other_site(mac, &site);
                tracing::warn!(plug = %mac, %address, "{message}");
                let entry = LogEntry::new(plugs::now(), LogKind::Plug, message);
                self.bus.log(entry.about(mac).as_problem(true));
            }
            return;
        }
        let adopts = self.adopt || self.adopts_named && self.names.contains_key(&mac);
        let adopts = adopts && owner == PlugOwner::Nobody;
        if offer != CandidateReport::Ignored && adopts && offers.is_welcome(mac) {
            // Where there is no room it is heard again.
            let _ = self.newcomers.try_send(plug);
        } else if offer == CandidateReport::New {
            tracing::info!(plug = %mac, %address, "found a plug that is not adopted");
        }
    }

    /// Returns the interval at which a plug is metered whose own setting is given.
    pub(super) fn metering_interval(&self, mac: Mac, own: Metering) -> Option<Duration> {
        let own = match own {
            Metering::Off => None,
            Metering::Every(period) => Some(period.get()),
        };
        let need = self.needs.lock().get(&mac).copied();
        own.into_iter().chain(need).min()
    }

    /// Records that an adopted plug was heard.
    pub(super) fn note_contact(&self) {
        self.last_contact.store(steady_ms(), Ordering::Relaxed);
    }

    /// Checks that plugs may be commanded from here.
    pub(super) fn check_lease(&self) -> Result<(), RequestError> {
        if self.lan.may_command() {
            return Ok(());
        }
        let message = "this hub is no longer the active one of its site";
        Err(RequestError::unavailable(message).hint("try again in a moment"))
    }

    /// Sends a sample to the history, without ever blocking a plug.
    pub(super) fn keep(&self, sample: Sample) {
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

    /// Probes one plug; the scanner receives the reply.
    pub(super) async fn probe(&self, family: FamilyId, address: Ipv4Addr) {
        self.counts.probes.up();
        self.lan.probe(family, address).await;
    }

    pub(super) fn timing(&self) -> PresenceTiming {
        let load = Duration::from_secs(self.load.load(Ordering::Relaxed).into());
        PresenceTiming {
            scan: self.scan,
            max_gone_interval: MAX_GONE_INTERVAL.max(load),
        }
    }
}

/// Tells that a plug of another site is heard.
fn heard_of_other_site(plug: Mac, site: &SiteName) -> String {
    let site = sites::title(site);
    format!("plug {plug} is heard here and belongs to {site}; it is not adopted")
}

/// Returns the error for a plug that is not adopted.
pub(crate) fn unknown_plug(mac: Mac) -> RequestError {
    RequestError::not_found(format!("no plug {mac} is adopted"))
        .hint("`GET /api/v1/plugs` lists those that are")
}
