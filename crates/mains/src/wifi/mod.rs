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

use tokio::time::Instant;
use uuid::Uuid;
use zbus::Connection;

use adapter::Adapter;
use journal::{RestoreJournal, RestoreRecord};

pub use error::WifiError;
pub use network::{Opener, Protection, Seen};
pub use offer::{Pending, offer, pending, undo};
pub use restore::Restored;

/// The Wi-Fi of this computer, by way of NetworkManager.
///
/// After [`NetworkManager::join`] the owner must call [`NetworkManager::restore`], on every path.
pub struct NetworkManager {
    connection: Connection,
    adapter: Adapter,
    journal: RestoreJournal,
    record: Option<RestoreRecord>,
}

impl NetworkManager {
    /// Finds NetworkManager and a usable Wi-Fi adapter: the one called `interface`, or the best one. Takes the journal
    /// on it for this state directory; touches nothing.
    pub async fn open(state_dir: &Path, interface: Option<&str>) -> Result<Self, WifiError> {
        let connection = bus::system().await.map_err(WifiError::NoBus)?;
        let adapter = Adapter::find(&connection, interface).await?;
        let journal = RestoreJournal::open(state_dir)?;
        if journal.read()?.is_some() {
            return Err(WifiError::Leftover);
        }
        Ok(Self {
            connection,
            adapter,
            journal,
            record: None,
        })
    }

    /// Name of the adapter.
    pub fn interface(&self) -> &str {
        &self.adapter.interface
    }

    /// Returns the networks in reach, the strongest first.
    pub async fn scan(&self) -> Result<Vec<Seen>, WifiError> {
        self.adapter.scan(&self.connection).await
    }

    /// Waits up to `wait` for the network called `ssid` to be seen.
    pub async fn look_for(&self, ssid: &[u8], wait: Duration) -> Result<Seen, WifiError> {
        let deadline = Instant::now() + wait;
        self.adapter
            .look_for(&self.connection, ssid, deadline)
            .await
    }

    /// Puts the adapter on `network`; returns when it has an address there. May be called again, e.g. after the
    /// access point went away for a restart.
    pub async fn join(
        &mut self,
        network: &Seen,
        key: Option<&str>,
        wait: Duration,
    ) -> Result<(), WifiError> {
        let uuid = self.note(network).await?;
        join::join(&self.connection, &self.adapter, network, &uuid, key, wait).await
    }

    /// Notes the present connection, once, before anything changes. Returns the UUID of our profile.
    async fn note(&mut self, network: &Seen) -> Result<String, WifiError> {
        if let Some(record) = &self.record {
            return Ok(record.profile.clone());
        }
        let current = self.adapter.current(&self.connection).await?;
        if let Some(current) = &current
            && current.temporary
        {
            return Err(WifiError::Temporary {
                interface: self.adapter.interface.clone(),
                name: current.previous.name.clone(),
            });
        }
        let record = RestoreRecord {
            version: 1,
            interface: self.adapter.interface.clone(),
            autoconnect: self.adapter.device.autoconnect().await.ok(),
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
        let restored = restore::restore(&self.connection, record).await?;
        self.journal.clear()?;
        self.record = None;
        Ok(Some(restored))
    }
}
