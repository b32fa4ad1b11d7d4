//! When a hub may take the lease, as a function of what it has seen of it. No clock and no database.

use std::time::Duration;

use jiff::Timestamp;

use crate::store::{HubRecord, SiteState};

use super::{HOLD_DURATION, LEASE_DURATION, MAX_LAG};

/// Time for which the lease must have stayed as it is before the database's clock is not believed any longer.
const UNCHANGED_DURATION: Duration = LEASE_DURATION.saturating_add(Duration::from_secs(2));
/// Time for which a hub that gave the lease up leaves it to the others, which look at it each second.
const HANDOVER_DURATION: Duration = Duration::from_secs(5);
/// Time for which a hub that may not know of this one must not reply before it is succeeded.
const SILENT_DURATION: Duration = Duration::from_secs(30);

/// Decision about the lease.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum LeaseDecision {
    /// Leave it to its holder.
    Leave,
    /// Take it.
    Take,
    /// The holder may act without the database, because it knew of no other hub: see if it replies at this URL.
    Ask {
        /// The URL.
        url: String,
        /// The digest of its certificate.
        certificate: Option<String>,
    },
}

/// Observations of the lease since the hub started, or since it last held it.
#[derive(Debug, Default)]
pub(super) struct Succession {
    version: String,
    /// Since when it has not changed.
    unchanged_since: Option<Duration>,
    has_changed: bool,
    /// The first heartbeat of this hub that is known, by the database's clock.
    own_first: Option<Timestamp>,
    /// Since when the holder has not replied.
    silent_since: Option<Duration>,
    /// When this hub gave the lease up for another one that reaches the plugs.
    given_up: Option<Duration>,
}

impl Succession {
    /// Decides at a time by a clock that nobody sets. `reaches` is false for a hub that is cut off from the plugs.
    pub(super) fn decide(
        &mut self,
        hub: &str,
        site: &SiteState,
        reaches: Option<bool>,
        now: Duration,
    ) -> LeaseDecision {
        let lease = &site.lease;
        if self.version != lease.version || self.unchanged_since.is_none() {
            self.has_changed = self.unchanged_since.is_some();
            self.version.clone_from(&lease.version);
            self.unchanged_since = Some(now);
            self.silent_since = None;
        }
        let since = self.unchanged_since.unwrap_or(now);
        let unchanged = now.saturating_sub(since);
        let Some(holder) = lease.holder.as_deref() else {
            let is_handed_over = self
                .given_up
                .is_some_and(|at| now.saturating_sub(at) < HANDOVER_DURATION);
            let is_cut_off = reaches == Some(false) && another_reaches(hub, site);
            return match is_handed_over || is_cut_off {
                true => LeaseDecision::Leave,
                false => LeaseDecision::Take,
            };
        };
        // An earlier run of this hub: its state directory is locked by this one.
        if holder == hub {
            return LeaseDecision::Take;
        }
        let record = site.hubs.iter().find(|other| other.id == holder);
        let knows = record.is_none_or(|record| self.is_known_to(record, hub, site));
        // A database whose clock was set may call a lease over that was just renewed, or never call it over.
        let is_over = lease.is_over && (!self.has_changed || unchanged >= HOLD_DURATION);
        if !is_over && unchanged < UNCHANGED_DURATION {
            return LeaseDecision::Leave;
        }
        match record.filter(|_| !knows) {
            None => LeaseDecision::Take,
            Some(record) => {
                let silent = self.silent_since.get_or_insert(now);
                match now.saturating_sub(*silent) >= SILENT_DURATION {
                    true => LeaseDecision::Take,
                    false => LeaseDecision::Ask {
                        url: record.url.clone(),
                        certificate: record.certificate.clone(),
                    },
                }
            }
        }
    }

    /// Records that this hub gives the lease up for another one that reaches the plugs.
    pub(super) fn give_up(&mut self, now: Duration) {
        self.given_up = Some(now);
    }

    /// Records that the holder has replied, so that it goes on without the database.
    pub(super) fn replied(&mut self) {
        self.silent_since = None;
    }

    /// Forgets the lease that it held until now.
    pub(super) fn restart(&mut self) {
        let own_first = self.own_first;
        *self = Self {
            own_first,
            ..Self::default()
        };
    }

    /// Returns true if the holder has seen this hub in the database, and so stops when it cannot renew.
    fn is_known_to(&mut self, holder: &HubRecord, hub: &str, site: &SiteState) -> bool {
        let own = site.hubs.iter().find(|other| other.id == hub);
        let first = site.seen_before.or_else(|| own.map(|own| own.seen));
        self.own_first = self.own_first.or(first);
        self.own_first.is_some_and(|first| holder.seen > first)
    }
}

/// Returns true if another hub that is running reaches plugs.
fn another_reaches(hub: &str, site: &SiteState) -> bool {
    let mut others = site.hubs.iter().filter(|other| other.id != hub);
    others.any(|other| other.reaches == Some(true) && other.lag <= MAX_LAG)
}

#[cfg(test)]
mod tests;
