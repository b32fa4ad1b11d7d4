//! Probes of all plugs at once and reception of every report, for continuous observation of a network.

use std::net::Ipv4Addr;

use super::Lan;
use super::listen::LanListener;
use crate::family::Families;
use crate::{FamilyId, Plug};

impl Lan {
    /// Probes every plug on every local network once; [`Lan::reports`] has the replies. Plain modules are not probed.
    ///
    /// Returns the number of networks on which the probe could be sent.
    pub async fn scan_once(&self) -> usize {
        let mut reached = 0;
        for network in self.networks().iter() {
            let mut sent = false;
            for family in self.families.of_plugs() {
                sent |= network
                    .probe(family, &[], network.interface.broadcast)
                    .await;
            }
            reached += usize::from(sent);
        }
        reached
    }

    /// Probes the plug at one address once; [`Lan::reports`] has the reply.
    ///
    /// Returns whether the probe could be sent.
    pub async fn probe(&self, family: FamilyId, address: Ipv4Addr) -> bool {
        let Some(family) = self.families.get(family) else {
            return false;
        };
        let mut is_sent = false;
        for network in self.networks_towards(address) {
            is_sent |= network.probe(family, &self.words(), address).await;
        }
        is_sent
    }

    /// Listens to all reports from now on, both replies to probes and unsolicited ones.
    pub async fn reports(&self) -> PresenceReports {
        let mut sources = Vec::new();
        for network in self.networks().iter() {
            sources.extend(network.sources_of(&self.families).await);
        }
        PresenceReports {
            listener: LanListener::on(sources),
            families: self.families.clone(),
        }
    }

    /// Returns the number of local networks.
    pub fn network_count(&self) -> usize {
        self.networks().len()
    }
}

/// The reports of plugs and plain modules.
pub struct PresenceReports {
    listener: LanListener,
    families: Families,
}

impl PresenceReports {
    /// Waits for the next report; forever when the sockets are gone. May be dropped and called again.
    pub async fn next(&mut self) -> Plug {
        loop {
            if let Some(plug) = self.listener.next().await.report(&self.families) {
                return plug;
            }
        }
    }
}

impl std::fmt::Debug for PresenceReports {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PresenceReports").finish_non_exhaustive()
    }
}
