//! The lease: which of the hubs that share a database is the active one.
//!
//! The holder renews the lease every two seconds and counts from the start of its last renewal by a clock that nobody sets and that
//! goes on while the machine sleeps; so it stops before the lease runs out, also when it cannot reach the database or was stopped
//! itself. A number that rises with each change of the holder fences what is left of an earlier one.
//!
//! * `task`: heartbeats, renewing, taking over, giving up. `succession`: when a standby may take over, as a function of what it
//!   has seen.
//! * `contact`: hubs that are cut off from the plugs. `identity`: the id of a hub.

mod contact;
mod identity;
mod succession;
mod task;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use api::{ErrorChain, HubEntry, HubLease, HubRole, RequestError};
use parking_lot::Mutex;
use plugs::net::CommandPermit;
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use tokio::sync::{Notify, watch};

use crate::store::{Claim, Claimed, HubRecord, SiteState, Store};

pub(crate) use contact::{watch_as_active, watch_as_standby};
pub(crate) use task::{LeaseTask, listen};

/// Time for which a lease lasts; the statements of the store say the same.
const LEASE_DURATION: Duration = Duration::from_secs(10);
/// Time for which the holder acts after the start of a renewal.
const HOLD_DURATION: Duration = Duration::from_secs(8);
/// A hub that was not seen for longer is not running, or cannot reach the database.
pub(crate) const MAX_LAG: Duration = Duration::from_secs(5);
/// Time for which a hub that could not begin to act leaves the lease to others.
const RESIGNED_DURATION: Duration = Duration::from_secs(5);
/// No time: a hub that needs no lease.
const FOR_EVER: u64 = u64::MAX;

/// The part of a hub among those that share its database. Clones share it.
#[derive(Debug, Clone)]
pub struct Lease(Arc<LeaseShared>);

#[derive(Debug)]
struct LeaseShared {
    /// Id of the hub; empty for a hub with a database of its own.
    hub: String,
    started: Instant,
    /// End of the permission to act, by [`plugs::steady_time`] in milliseconds.
    until: AtomicU64,
    standing: watch::Sender<Standing>,
    reaches: Mutex<Option<bool>>,
    summary: Mutex<Value>,
    /// Time at which it gave the lease up because it could not begin to act.
    resigned: Mutex<Option<Instant>>,
    /// Notified when the other hubs should know something at once.
    urgent: Notify,
}

/// Role of a hub, and the site as it was last seen.
#[derive(Debug, Clone)]
pub struct Standing {
    /// The role.
    pub role: HubRole,
    /// The fencing number of an active hub; `None` for a hub with a database of its own.
    pub number: Option<u64>,
    /// The site as the last heartbeat showed it.
    pub site: Option<Arc<SiteState>>,
    /// False while the database cannot be reached.
    pub is_current: bool,
}

impl Default for Lease {
    /// Makes the lease of a hub with a database of its own, which needs none.
    fn default() -> Self {
        Self::new(String::new(), HubRole::Active, FOR_EVER)
    }
}

impl Lease {
    fn new(hub: String, role: HubRole, until: u64) -> Self {
        Self(Arc::new(LeaseShared {
            hub,
            started: Instant::now(),
            until: AtomicU64::new(until),
            standing: watch::Sender::new(Standing {
                role,
                number: None,
                site: None,
                is_current: true,
            }),
            reaches: Mutex::default(),
            summary: Mutex::default(),
            resigned: Mutex::default(),
            urgent: Notify::new(),
        }))
    }

    /// Returns the id of the hub; empty for a hub with a database of its own.
    pub fn hub(&self) -> &str {
        &self.0.hub
    }

    /// Returns the time when the program started.
    pub fn started(&self) -> Instant {
        self.0.started
    }

    /// Returns the role.
    pub fn role(&self) -> HubRole {
        self.0.standing.borrow().role
    }

    /// Returns role and site.
    pub fn standing(&self) -> Standing {
        self.0.standing.borrow().clone()
    }

    /// Reports changes of role and site.
    pub fn changes(&self) -> watch::Receiver<Standing> {
        self.0.standing.subscribe()
    }

    /// Returns the site if there are several hubs that share it.
    pub fn site(&self) -> Option<Arc<SiteState>> {
        self.0.standing.borrow().site.clone()
    }

    /// Returns the active hub, if it is another one that was seen.
    pub fn active_hub(&self) -> Option<HubRecord> {
        let site = self.site()?;
        let holder = site.lease.holder.as_deref()?;
        let others = site.hubs.iter().filter(|hub| hub.id != self.0.hub);
        let mut holders = others.filter(|hub| hub.id == holder);
        holders.next().cloned()
    }

    /// Returns the lease for the API; `None` for a hub with a database of its own.
    pub fn shown(&self) -> Option<HubLease> {
        let site = self.site()?;
        Some(HubLease {
            holder: site.lease.holder.clone(),
            number: site.lease.number,
            until: site.lease.until,
        })
    }

    /// Returns the time for which an active hub may act without renewing; `None` on a standby, and without other hubs.
    pub(crate) fn time_left(&self) -> Option<Duration> {
        let until = self.0.until.load(Ordering::Acquire);
        let is_limited = self.role() == HubRole::Active && until != FOR_EVER;
        is_limited.then(|| Duration::from_millis(until.saturating_sub(steady_ms(Duration::ZERO))))
    }

    /// Returns the hubs for the API.
    pub fn hubs(&self) -> Vec<HubEntry> {
        let site = self.site();
        let hubs = site.iter().flat_map(|site| &site.hubs);
        let entry = |hub: &HubRecord| HubEntry {
            id: hub.id.clone(),
            url: hub.url.clone(),
            version: hub.version.clone(),
            role: hub.role,
            seen: hub.seen,
            lag_s: hub.lag.as_millis() as f64 / 1e3,
            reaches: hub.reaches,
        };
        hubs.map(entry).collect()
    }

    /// Returns true if a text is the secret by which the hubs of the site recognise each other.
    pub(crate) fn is_secret(&self, text: &[u8]) -> bool {
        let site = self.site();
        site.is_some_and(|site| !site.secret.0.is_empty() && site.secret.0.as_bytes() == text)
    }

    /// Returns some characters that are the same for all hubs of the site, and tell it from others; `None` for a hub with a
    /// database of its own.
    pub(crate) fn mark(&self) -> Option<String> {
        let site = self.site()?;
        let digest = Sha256::digest(site.secret.0.as_bytes());
        Some(
            digest
                .iter()
                .take(4)
                .map(|byte| format!("{byte:02x}"))
                .collect(),
        )
    }

    /// Sets the figures that other sites see.
    pub(crate) fn set_summary(&self, summary: Value) {
        *self.0.summary.lock() = summary;
    }

    /// Sets whether plugs are reached; the other hubs learn of a change at once.
    pub(crate) fn set_reaches(&self, reaches: Option<bool>) {
        let mut place = self.0.reaches.lock();
        if std::mem::replace(&mut *place, reaches) != reaches {
            self.0.urgent.notify_one();
        }
    }

    fn reaches(&self) -> Option<bool> {
        *self.0.reaches.lock()
    }

    /// Claims something for this hub, so that it is done at most once.
    ///
    /// # Errors
    ///
    /// [`RequestError`] of kind `unavailable` when the database cannot say so, and there are other hubs.
    pub(crate) async fn claim(
        &self,
        store: &dyn Store,
        claim: &Claim,
    ) -> Result<Claimed, RequestError> {
        let standing = self.standing();
        let (Some(shared), Some(number)) = (store.shared(), standing.number) else {
            return Ok(match self.is_valid() {
                true => Claimed::New,
                false => Claimed::Taken,
            });
        };
        // Without other hubs the database costs history, never the switching.
        let is_alone = self.0.until.load(Ordering::Acquire) == FOR_EVER;
        if is_alone && !standing.is_current {
            return Ok(Claimed::New);
        }
        match shared.claim(number, claim).await {
            Ok(claimed) => Ok(claimed),
            Err(_) if is_alone => Ok(Claimed::New),
            Err(error) => {
                let error = ErrorChain(&error).to_string();
                tracing::warn!(%error, id = %claim.id, "it cannot be claimed");
                let message =
                    "the database cannot be reached, so another hub of this site could do the same";
                Err(RequestError::unavailable(message))
            }
        }
    }

    /// Leaves the lease to other hubs for some seconds, because this one cannot begin to act.
    pub(crate) fn resign(&self) {
        self.hold_until(0);
        let mut resigned = self.0.resigned.lock();
        *resigned = Some(Instant::now());
        self.0.standing.send_modify(|standing| {
            standing.role = HubRole::Standby;
            standing.number = None;
        });
        self.0.urgent.notify_one();
    }

    fn has_resigned(&self) -> bool {
        let resigned = self.0.resigned.lock();
        resigned.is_some_and(|at| at.elapsed() < RESIGNED_DURATION)
    }

    fn hold_until(&self, until: u64) {
        self.0.until.store(until, Ordering::Release);
    }
}

impl CommandPermit for Lease {
    fn is_valid(&self) -> bool {
        let until = self.0.until.load(Ordering::Acquire);
        until == FOR_EVER || steady_ms(Duration::ZERO) < until
    }

    fn max_delivery(&self) -> Option<Duration> {
        // The system would repeat it for minutes, long after another hub has the lease.
        (!self.0.hub.is_empty()).then_some(LEASE_DURATION - HOLD_DURATION)
    }
}

/// Returns a time from now by a clock that nobody sets, in milliseconds.
fn steady_ms(later: Duration) -> u64 {
    let time = plugs::steady_time().saturating_add(later);
    u64::try_from(time.as_millis()).unwrap_or(FOR_EVER - 1)
}
