//! The task that writes heartbeats, renews the lease or takes it over, and gives it up.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use api::{ErrorChain, HubRole};
use plugs::net::CommandPermit as _;
use tokio::time::{Instant, sleep, sleep_until, timeout};
use tokio_util::sync::CancellationToken;

use super::succession::{LeaseDecision, Succession};
use super::{FOR_EVER, HOLD_DURATION, Lease, MAX_LAG, Standing, identity, steady_ms};
use crate::pinned;
use crate::store::{Heartbeat, SharedStore, SiteState, Store, StoreError};

/// Interval of renewals, and of looking at the lease on a standby.
const RENEW_INTERVAL: Duration = Duration::from_secs(2);
const POLL_INTERVAL: Duration = Duration::from_secs(1);
/// Time in which a hub that runs sends a heartbeat.
const COPY_DELAY: Duration = Duration::from_secs(3);
/// Bound on asking another hub.
const ASK_TIMEOUT: Duration = Duration::from_secs(2);
/// Bound on giving the lease up when the hub ends.
const RELEASE_TIMEOUT: Duration = Duration::from_secs(1);
/// Delay before the database is listened to again.
const LISTEN_RETRY_DELAY: Duration = Duration::from_secs(1);

/// Keeps the lease of one hub.
#[derive(Debug)]
pub(crate) struct LeaseTask {
    lease: Lease,
    store: Arc<dyn Store>,
    /// Parts of the heartbeat that do not change.
    url: String,
    certificate: Option<String>,
    succession: Succession,
    /// The highest fencing number that was seen.
    highest: u64,
}

impl LeaseTask {
    /// Makes the lease of a hub with its first heartbeat, and takes it if it is free. Without a shared database there is no task.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the database cannot be used.
    pub(crate) async fn join(
        store: &Arc<dyn Store>,
        state: &Path,
        url: String,
        certificate: Option<String>,
    ) -> Result<(Lease, Option<Self>), StoreError> {
        let Some(shared) = store.shared() else {
            return Ok((Lease::default(), None));
        };
        let mut id = identity::read_or_make(state);
        if is_used_elsewhere(shared, &id, &url).await? {
            tracing::warn!(
                id,
                directory = %state.display(),
                "another hub that runs has the id of this one, whose state directory seems to be a copy; a new id is used"
            );
            id = identity::make(state);
        }
        let lease = Lease::new(id, HubRole::Standby, 0);
        let mut task = Self {
            lease: lease.clone(),
            store: Arc::clone(store),
            url,
            certificate,
            succession: Succession::default(),
            highest: 0,
        };
        let site = shared.beat(&task.heartbeat()).await?;
        task.look(shared, site).await;
        Ok((lease, Some(task)))
    }

    /// Keeps the lease until cancelled, and then gives it up.
    pub(crate) async fn run(mut self, cancel: CancellationToken) {
        let store = Arc::clone(&self.store);
        let Some(shared) = store.shared() else {
            return;
        };
        let work = async {
            loop {
                let next = Instant::now()
                    + match self.lease.role() {
                        HubRole::Active => RENEW_INTERVAL,
                        HubRole::Standby => POLL_INTERVAL,
                    };
                self.beat(shared).await;
                tokio::select! {
                    () = sleep_until(next) => {}
                    () = self.lease.0.urgent.notified() => {}
                }
            }
        };
        cancel.run_until_cancelled(work).await;
        self.release(shared).await;
    }

    async fn beat(&mut self, shared: &dyn SharedStore) {
        let begin = steady_ms(Duration::ZERO);
        let heartbeat = self.heartbeat();
        match shared.beat(&heartbeat).await {
            Ok(site) if self.lease.has_resigned() => self.look(shared, site).await,
            Ok(site) => match heartbeat.held {
                Some(number) if site.is_renewed => self.renewed(shared, number, begin, site).await,
                Some(_) => {
                    self.lost("another hub has taken the lease");
                    self.show(HubRole::Standby, None, Some(site));
                }
                None => self.look(shared, site).await,
            },
            Err(error) => self.failed(&error),
        }
    }

    fn heartbeat(&self) -> Heartbeat {
        let standing = self.lease.standing();
        let summary = &self.lease.0.summary;
        Heartbeat {
            id: self.lease.hub().to_owned(),
            url: self.url.clone(),
            role: standing.role,
            held: standing.number,
            reaches: self.lease.reaches(),
            certificate: self.certificate.clone(),
            summary: summary.lock().clone(),
        }
    }

    /// Goes on acting, unless another hub reaches the plugs and this one does not.
    async fn renewed(
        &mut self,
        shared: &dyn SharedStore,
        number: u64,
        begin: u64,
        site: SiteState,
    ) {
        let own = self.lease.hub();
        let mut others = site.hubs.iter().filter(|hub| hub.id != own);
        let is_succeeded = self.lease.reaches() == Some(false)
            && others
                .clone()
                .any(|hub| hub.reaches == Some(true) && hub.lag <= MAX_LAG);
        if is_succeeded {
            self.lost("this hub reaches no plug, and another one does");
            self.succession.give_up(plugs::steady_time());
            self.show(HubRole::Standby, None, Some(site));
            let released = shared.release(self.lease.hub(), number).await;
            if let Err(error) = released {
                tracing::debug!(error = %ErrorChain(&error), "the lease runs out instead");
            }
            return;
        }
        // Without other hubs the database costs history, never the switching.
        let until = match others.next() {
            None => FOR_EVER,
            Some(_) => begin.saturating_add(millis(HOLD_DURATION)),
        };
        self.lease.hold_until(until);
        self.show(HubRole::Active, Some(number), Some(site));
    }

    /// Takes the lease if it is free.
    async fn look(&mut self, shared: &dyn SharedStore, site: SiteState) {
        if self.lease.has_resigned() {
            if site.lease.holder.as_deref() == Some(self.lease.hub()) {
                // Where that fails it runs out.
                let _ = shared.release(self.lease.hub(), site.lease.number).await;
            }
            self.show(HubRole::Standby, None, Some(site));
            return;
        }
        self.highest = self.highest.max(site.lease.number);
        let (hub, now) = (self.lease.hub(), plugs::steady_time());
        let decision = self
            .succession
            .decide(hub, &site, self.lease.reaches(), now);
        let takes = match decision {
            LeaseDecision::Take => true,
            LeaseDecision::Leave => false,
            LeaseDecision::Ask { url, certificate } => {
                if self.replies(&url, certificate.as_deref()).await {
                    self.succession.replied();
                }
                false
            }
        };
        if !takes {
            self.show(HubRole::Standby, None, Some(site));
            return;
        }
        let begin = steady_ms(Duration::ZERO);
        match shared
            .take(self.lease.hub(), &site.lease, self.highest)
            .await
        {
            Ok(Some(number)) => {
                self.lease
                    .hold_until(begin.saturating_add(millis(HOLD_DURATION)));
                self.highest = number;
                tracing::info!(number, "this hub is the active one now");
                self.show(HubRole::Active, Some(number), Some(site));
                self.lease.0.urgent.notify_one();
            }
            Ok(None) => self.show(HubRole::Standby, None, Some(site)),
            Err(error) => self.failed(&error),
        }
    }

    /// The database cannot be reached: an active hub goes on as long as its lease allows.
    fn failed(&mut self, error: &StoreError) {
        let standing = self.lease.standing();
        if standing.is_current {
            tracing::warn!(error = %ErrorChain(error), "the other hubs of this site cannot be heard");
        }
        if standing.role == HubRole::Active && !self.lease.is_valid() {
            self.lost("the database cannot be reached");
        }
        self.lease
            .0
            .standing
            .send_modify(|standing| standing.is_current = false);
    }

    /// Stops acting at once.
    fn lost(&mut self, why: &str) {
        self.lease.hold_until(0);
        self.succession.restart();
        tracing::warn!("this hub is on standby now: {why}");
        self.lease.0.standing.send_modify(|standing| {
            standing.role = HubRole::Standby;
            standing.number = None;
        });
    }

    fn show(&self, role: HubRole, number: Option<u64>, site: Option<SiteState>) {
        let site = site.map(Arc::new);
        self.lease.0.standing.send_replace(Standing {
            role,
            number,
            site,
            is_current: true,
        });
    }

    async fn replies(&self, url: &str, certificate: Option<&str>) -> bool {
        let Ok(client) = pinned::client(certificate) else {
            return false;
        };
        let reply = client.get(format!("{url}/healthz")).send();
        matches!(timeout(ASK_TIMEOUT, reply).await, Ok(Ok(_)))
    }

    async fn release(self, shared: &dyn SharedStore) {
        let Some(number) = self.lease.standing().number else {
            return;
        };
        self.lease.hold_until(0);
        let released = shared.release(self.lease.hub(), number);
        if !matches!(timeout(RELEASE_TIMEOUT, released).await, Ok(Ok(()))) {
            tracing::warn!(
                "the lease could not be given up; another hub takes over when it has run out"
            );
        }
    }
}

/// Returns true if a hub at another URL sends heartbeats with this id. Two hubs with one id would take the lease from each other.
async fn is_used_elsewhere(
    shared: &dyn SharedStore,
    id: &str,
    url: &str,
) -> Result<bool, StoreError> {
    let seen = async || {
        let hubs = shared.hubs().await?;
        let mut hubs = hubs.into_iter();
        let other = hubs.find(|hub| hub.id == id && hub.url != url && hub.lag <= MAX_LAG);
        Ok::<_, StoreError>(other.map(|hub| hub.seen))
    };
    let Some(before) = seen().await? else {
        return Ok(false);
    };
    // It can be this hub itself, at the address that it had until now.
    sleep(COPY_DELAY).await;
    Ok(seen().await?.is_some_and(|seen| seen != before))
}

/// Looks at the lease at once when another hub tells a change, until cancelled. Calls `changed` with each table that has changed.
pub(crate) async fn listen(
    store: Arc<dyn Store>,
    lease: Lease,
    changed: impl Fn(&str),
    cancel: CancellationToken,
) {
    let Some(shared) = store.shared() else {
        return;
    };
    let listening = async {
        loop {
            match shared.next_change().await {
                Ok(table) => {
                    if table == "hubs" {
                        lease.0.urgent.notify_one();
                    }
                    changed(&table);
                }
                Err(error) => {
                    tracing::debug!(error = %ErrorChain(&error), "changes by other hubs are not heard");
                    sleep(LISTEN_RETRY_DELAY).await;
                }
            }
        }
    };
    cancel.run_until_cancelled(listening).await;
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(FOR_EVER)
}
