//! The Wi-Fi adapter of this computer: finding it, its connection, the networks in reach.

use std::collections::HashMap;
use std::time::Duration;

use tokio::time::{sleep, timeout};
use zbus::{Connection, OwnedObjectPath};

use super::bus::{
    self, ActiveProxy, ManagerProxy, NetworkDeviceProxy, WifiPointProxy, WirelessProxy,
};
use super::bus::{SavedProxy, number};
use super::error::WifiError;
use super::journal::Previous;
use super::network::{Protection, Seen};
use super::reason;

/// Time for a scan: all channels take two to four seconds, a busy adapter twice that.
const SCAN_TIMEOUT: Duration = Duration::from_secs(8);
/// Duration of a scan whose end NetworkManager does not report.
const DEFAULT_SCAN_DURATION: Duration = Duration::from_secs(1);
pub(super) const SCAN_POLL_INTERVAL: Duration = Duration::from_millis(250);

/// One Wi-Fi adapter.
pub(super) struct Adapter {
    pub(super) interface: String,
    /// Number in the order in which adapters are taken.
    number: usize,
    pub(super) path: OwnedObjectPath,
    pub(super) device: NetworkDeviceProxy<'static>,
    wireless: WirelessProxy<'static>,
}

impl Adapter {
    /// Finds the adapter called `interface`.
    pub(super) async fn find(connection: &Connection, interface: &str) -> Result<Self, WifiError> {
        let mut found = Self::find_all(connection, Some(interface)).await?;
        Ok(found.swap_remove(0))
    }

    /// Finds the adapter called `wanted`, or all usable ones, and at least one: idle adapters before those in use.
    pub(super) async fn find_all(
        connection: &Connection,
        wanted: Option<&str>,
    ) -> Result<Vec<Self>, WifiError> {
        let manager = ManagerProxy::new(connection).await?;
        let mut found = Vec::new();
        for path in manager.get_devices().await? {
            let device: NetworkDeviceProxy<'static> = bus::at(connection, &path).await?;
            // A device can be unplugged between the list and the question.
            let Ok(number::DEVICE_WIFI) = device.device_type().await else {
                continue;
            };
            let (interface, state) = (device.interface().await?, device.state().await?);
            if wanted.is_none_or(|name| name == interface) {
                found.push((rank(state), state, interface, path, device));
            }
        }
        found.sort_by(|a, b| (a.0, &a.2).cmp(&(b.0, &b.2)));
        let Some((_, state, interface, ..)) = found.first() else {
            return Err(WifiError::NoAdapter {
                wanted: wanted.map(ToOwned::to_owned),
            });
        };
        if let Some(word) = reason::unusable(*state) {
            // Switched off by key or setting shows as "unavailable"; say the cause when it is that.
            if !manager.wireless_enabled().await.unwrap_or(true) {
                return Err(WifiError::SwitchedOff);
            }
            return Err(WifiError::Unusable {
                interface: interface.clone(),
                state: word,
            });
        }
        let mut adapters = Vec::new();
        for (_, state, interface, path, device) in found {
            if reason::unusable(state).is_none() {
                adapters.push(Self {
                    interface,
                    number: adapters.len(),
                    wireless: bus::at(connection, &path).await?,
                    path,
                    device,
                });
            }
        }
        Ok(adapters)
    }

    /// Returns the present connection of the adapter, if any, with the name of the network it uses.
    pub(super) async fn current(
        &self,
        connection: &Connection,
    ) -> Result<Option<Current>, WifiError> {
        let path = self.device.active_connection().await?;
        if path.as_str() == "/" {
            return Ok(None);
        }
        let active: ActiveProxy<'_> = bus::at(connection, &path).await?;
        let uuid = match active.uuid().await {
            Ok(uuid) => uuid,
            // It ended between the two questions.
            Err(error) if super::error::is_gone(&error) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let name = active.id().await.unwrap_or_else(|_| uuid.clone());
        let ssid = match active.specific_object().await {
            Ok(access_point) if access_point.as_str() != "/" => {
                let access_point: WifiPointProxy<'_> = bus::at(connection, &access_point).await?;
                access_point.ssid().await.ok()
            }
            _ => None,
        };
        let flags = match active.connection().await {
            Ok(profile) => {
                let saved: SavedProxy<'_> = bus::at(connection, &profile).await?;
                saved.flags().await.unwrap_or(0)
            }
            Err(_) => 0,
        };
        Ok(Some(Current {
            previous: Previous { uuid, name },
            ssid,
            temporary: flags & number::PROFILE_VOLATILE != 0,
        }))
    }

    /// Scans, and returns every access point in reach.
    pub(super) async fn scan(&self, connection: &Connection) -> Result<Vec<Seen>, WifiError> {
        let before = self.wireless.last_scan().await.ok();
        // Refused when a scan is under way or has just ended: then what is known is fresh enough.
        if let Err(error) = self.wireless.request_scan(HashMap::new()).await {
            tracing::debug!(%error, "the adapter was not made to scan");
            return self.known(connection).await;
        }
        let ended = async {
            while self.wireless.last_scan().await.ok() == before {
                sleep(SCAN_POLL_INTERVAL).await;
            }
        };
        match before {
            Some(_) => drop(timeout(SCAN_TIMEOUT, ended).await),
            None => sleep(DEFAULT_SCAN_DURATION).await,
        }
        self.known(connection).await
    }

    /// Returns the access points that NetworkManager knows of without another scan.
    pub(super) async fn known(&self, connection: &Connection) -> Result<Vec<Seen>, WifiError> {
        let mut seen = Vec::new();
        for path in self.wireless.get_all_access_points().await? {
            let point: WifiPointProxy<'_> = bus::at(connection, &path).await?;
            // Access points come and go while they are being listed; hidden ones have no name.
            let Ok(ssid) = point.ssid().await else {
                continue;
            };
            if ssid.is_empty() {
                continue;
            }
            let flags = point.flags().await.unwrap_or(0);
            let wpa = point.wpa_flags().await.unwrap_or(0);
            let rsn = point.rsn_flags().await.unwrap_or(0);
            let bssid = point.hw_address().await.ok();
            seen.push(Seen {
                ssid,
                strength: point.strength().await.unwrap_or(0),
                protection: Protection::from_flags(flags, wpa, rsn),
                bssid: bssid.and_then(|text| text.parse().ok()),
                adapter: self.number,
                path,
            });
        }
        Ok(seen)
    }
}

/// The connection of the adapter.
#[derive(Debug)]
pub(super) struct Current {
    pub(super) previous: Previous,
    pub(super) ssid: Option<Vec<u8>>,
    pub(super) temporary: bool,
}

/// The order in which adapters are taken: idle, in use, not usable.
fn rank(state: u32) -> u8 {
    match state {
        number::STATE_DISCONNECTED => 0,
        state if state > number::STATE_DISCONNECTED => 1,
        _ => 2,
    }
}
