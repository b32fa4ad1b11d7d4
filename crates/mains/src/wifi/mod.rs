//! This computer's own Wi-Fi: joining the access point of a factory-fresh plug, and coming back.
//!
//! Makes every call to NetworkManager, and keeps the note in the state directory of what to restore. Knows nothing of plugs
//! but the names of their networks.
//!
//! The rule of this module: what was there before comes back, whatever happens. The note is on the disk before
//! anything is touched and goes only when all is restored; [`NetworkManager::restore`] brings back what it says, and
//! [`pending`] finds it after a crash. Where NetworkManager can, our profile is also bound to our life on the bus.

mod adapter;
mod bus;
mod error;
mod join;
mod journal;
mod network;
mod offer;
mod profile;
mod reason;
mod restore;

use std::path::Path;
use std::time::Duration;

use futures_util::future::join_all;
use tokio::time::{Instant, sleep};
use uuid::Uuid;
use zbus::Connection;

use adapter::{Adapter, SCAN_POLL_INTERVAL};
use journal::{RestoreJournal, RestoreRecord};

pub use error::WifiError;
pub use network::{Opener, Protection, Seen};
pub use offer::{Pending, offer, pending, undo};
pub use restore::{RESTORE_TIMEOUT, Restored};

/// The Wi-Fi of this computer, by way of NetworkManager.
///
/// After [`NetworkManager::join`] the owner must call [`NetworkManager::restore`], on every path.
pub struct NetworkManager {
    connection: Connection,
    /// The usable adapters, at least one; those that are idle first.
    adapters: Vec<Adapter>,
    journal: RestoreJournal,
    record: Option<RestoreRecord>,
}

impl NetworkManager {
    /// Finds NetworkManager and the usable Wi-Fi adapters: the one called `interface`, or all. Takes the journal
    /// on them for this state directory; touches nothing.
    pub async fn open(state_dir: &Path, interface: Option<&str>) -> Result<Self, WifiError> {
        let connection = bus::system().await.map_err(WifiError::NoBus)?;
        let adapters = Adapter::find_all(&connection, interface).await?;
        let journal = RestoreJournal::open(state_dir)?;
        if journal.read()?.is_some() {
            return Err(WifiError::Leftover);
        }
        Ok(Self {
            connection,
            adapters,
            journal,
            record: None,
        })
    }

    /// Returns the names of the adapters.
    pub fn interfaces(&self) -> String {
        let names: Vec<&str> = self
            .adapters
            .iter()
            .map(|it| it.interface.as_str())
            .collect();
        names.join(", ")
    }

    /// Returns the name of the adapter that sees `network`.
    pub fn interface(&self, network: &Seen) -> &str {
        self.adapter(network)
            .map_or("", |adapter| &adapter.interface)
    }

    fn adapter(&self, network: &Seen) -> Result<&Adapter, WifiError> {
        let adapter = self.adapters.get(network.adapter);
        adapter.ok_or(WifiError::NoAdapter { wanted: None })
    }

    /// Returns the networks in reach, the strongest first. Of access points with the same name it is the one that fits
    /// best to having a key or none.
    pub async fn scan(&self, has_key: bool) -> Result<Vec<Seen>, WifiError> {
        let seen = self.all(self.adapters.iter().map(|it| it.scan(&self.connection)));
        Ok(network::best_of_each(seen.await?, has_key))
    }

    /// Returns what all adapters see; an error if each of them fails.
    async fn all(
        &self,
        looks: impl Iterator<Item = impl Future<Output = Result<Vec<Seen>, WifiError>>>,
    ) -> Result<Vec<Seen>, WifiError> {
        let mut seen = Vec::new();
        let mut first_error = None;
        for look in join_all(looks).await {
            match look {
                Ok(more) => seen.extend(more),
                Err(error) => {
                    tracing::debug!(%error, "an adapter does not tell what it sees");
                    first_error.get_or_insert(error);
                }
            }
        }
        match first_error {
            Some(error) if seen.is_empty() => Err(error),
            _ => Ok(seen),
        }
    }

    /// Waits up to `wait` for the network called `ssid` to be seen. One that does not fit to having a key or none is
    /// returned after a scan without a better one.
    pub async fn look_for(
        &self,
        ssid: &[u8],
        has_key: bool,
        wait: Duration,
    ) -> Result<Seen, WifiError> {
        let mut is_first = true;
        let choose = |seen: Vec<Seen>| {
            let named = seen.into_iter().filter(|network| network.ssid == ssid);
            let is_known = std::mem::take(&mut is_first);
            network::best(named, has_key).filter(|it| !(is_known && it.is_doubtful(has_key)))
        };
        self.look(ssid, Instant::now() + wait, choose).await
    }

    /// Waits up to `wait` for an access point that was seen before.
    pub async fn look_again(&self, before: &Seen, wait: Duration) -> Result<Seen, WifiError> {
        let choose = |seen: Vec<Seen>| seen.into_iter().find(|network| network.is_same(before));
        self.look(&before.ssid, Instant::now() + wait, choose).await
    }

    async fn look(
        &self,
        ssid: &[u8],
        deadline: Instant,
        mut choose: impl FnMut(Vec<Seen>) -> Option<Seen>,
    ) -> Result<Seen, WifiError> {
        let known = self.all(self.adapters.iter().map(|it| it.known(&self.connection)));
        let mut seen = known.await?;
        loop {
            if let Some(network) = choose(seen) {
                return Ok(network);
            }
            if Instant::now() >= deadline {
                return Err(WifiError::NotSeen {
                    ssid: String::from_utf8_lossy(ssid).into_owned(),
                    interfaces: self.interfaces(),
                });
            }
            sleep(SCAN_POLL_INTERVAL).await;
            let scans = self.adapters.iter().map(|it| it.scan(&self.connection));
            seen = self.all(scans).await?;
        }
    }

    /// Puts the adapter that sees it on `network`; returns when it has an address there. May be called again, e.g. after the
    /// access point went away for a restart.
    pub async fn join(
        &mut self,
        network: &Seen,
        key: Option<&str>,
        wait: Duration,
    ) -> Result<(), WifiError> {
        let interface = self.interface(network);
        if self
            .record
            .as_ref()
            .is_some_and(|record| record.interface != interface)
        {
            self.restore().await?;
        }
        let uuid = self.note(network).await?;
        let adapter = self.adapter(network)?;
        join::join(&self.connection, adapter, network, &uuid, key, wait).await
    }

    /// Notes the present connection, once, before anything changes. Returns the UUID of our profile.
    async fn note(&mut self, network: &Seen) -> Result<String, WifiError> {
        if let Some(record) = &self.record {
            return Ok(record.profile.clone());
        }
        let adapter = self.adapter(network)?;
        let current = adapter.current(&self.connection).await?;
        if let Some(current) = &current
            && current.temporary
        {
            return Err(WifiError::Temporary {
                interface: adapter.interface.clone(),
                name: current.previous.name.clone(),
            });
        }
        let record = RestoreRecord {
            version: 1,
            interface: adapter.interface.clone(),
            autoconnect: adapter.device.autoconnect().await.ok(),
            // A user who has joined the plug's network by hand does not want it back: it is about to go.
            previous: current
                .filter(|current| current.ssid.as_ref() != Some(&network.ssid))
                .map(|current| current.previous),
            profile: Uuid::new_v4().to_string(),
            network: network.name(),
        };
        self.journal.write(&record)?;
        let uuid = record.profile.clone();
        self.record = Some(record);
        Ok(uuid)
    }

    /// Tells whether there is something to restore.
    pub fn is_touched(&self) -> bool {
        self.record.is_some()
    }

    /// Restores the state before [`NetworkManager::join`]; `None` where nothing was touched. After an error
    /// the note stays, so that the next start of `mains` tries again.
    pub async fn restore(&mut self) -> Result<Option<Restored>, WifiError> {
        let Some(record) = &self.record else {
            return Ok(None);
        };
        let restored = restore::restore(&self.connection, record).await;
        // Another try without anybody who gives the key would fail as well.
        if matches!(restored, Ok(_) | Err(WifiError::NoSecrets { .. })) {
            self.journal.clear()?;
            self.record = None;
        }
        restored.map(Some)
    }
}
