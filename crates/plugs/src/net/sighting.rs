//! Asking everybody who is there, once, and hearing whoever answers, for those who watch a network for ever.

use std::net::{Ipv4Addr, SocketAddrV4};

use jiff::Timestamp;

use super::listen::Listener;
use super::{Lan, Network};
use crate::family::{self, FAMILIES, Family};
use crate::{FamilyId, Plug};

impl Lan {
    /// Asks every plug on every local network once who it is and how its relay stands; [`Lan::sightings`] has the answers.
    /// Mere modules are not asked.
    ///
    /// Returns on how many of the networks that could be sent.
    pub async fn scan_once(&self) -> usize {
        let mut reached = 0;
        for network in self.networks.iter() {
            let mut sent = false;
            for family in FAMILIES.iter().filter(|family| is_plug(family.id())) {
                sent |= network.probe(*family, network.interface.broadcast).await;
            }
            reached += usize::from(sent);
        }
        reached
    }

    /// Asks the plug at one address once who it is and how its relay stands; [`Lan::sightings`] has the answer.
    ///
    /// Returns whether that could be sent.
    pub async fn probe(&self, family: FamilyId, address: Ipv4Addr) -> bool {
        match (family::lookup(family), self.network(address)) {
            (Some(family), Some(network)) => network.probe(family, address).await,
            _ => false,
        }
    }

    /// Listens to whoever tells who it is from now on, whoever asked.
    pub fn sightings(&self) -> Sightings {
        Sightings(Listener::on(self.networks.iter()))
    }

    /// Returns how many local networks there are.
    pub fn networks(&self) -> usize {
        self.networks.len()
    }
}

impl Network {
    /// Sends a family's probes once; tells whether that was possible.
    pub(super) async fn probe(&self, family: &dyn Family, address: Ipv4Addr) -> bool {
        let Some(socket) = self.socket(family.local_port()) else {
            return false;
        };
        let mut all = true;
        for probe in family.probes(&[]) {
            let to = SocketAddrV4::new(address, probe.port);
            if let Err(error) = socket.port.send_to(&probe.bytes, to).await {
                tracing::debug!(%to, %error, "cannot send a probe");
                all = false;
            }
        }
        all
    }
}

/// Who is heard, plugs and mere modules alike.
pub struct Sightings(Listener);

impl Sightings {
    /// Waits for the next one; for ever when the sockets are gone. May be dropped and called again.
    pub async fn next(&mut self) -> Plug {
        loop {
            let (local_port, datagram) = self.0.next().await;
            let (from, seen) = (*datagram.from.ip(), Timestamp::now());
            let mut families = FAMILIES
                .iter()
                .filter(|family| family.local_port() == local_port);
            let plug =
                families.find_map(|family| family.parse_presence(from, &datagram.bytes, seen));
            if let Some(plug) = plug {
                return plug;
            }
        }
    }
}

impl std::fmt::Debug for Sightings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sightings").finish_non_exhaustive()
    }
}

fn is_plug(family: FamilyId) -> bool {
    family != FamilyId::Module
}
