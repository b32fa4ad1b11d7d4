//! Plugs: adoption, switching, metering, settings, history and energy.

use std::net::Ipv4Addr;
use std::time::Duration;

use hiflying::Mac;
use plugs::{Minutes, Reading, RelayCommand, RelayState};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{Client, ClientError, Download};
use crate::{
    EnergyRequest, EnergyRow, FoundPlug, HardenReport, HardenRequest, History, HistoryRequest,
    HouseholdRow, ImportResponse, PlugView, RangeRequest, SwitchRequest, SwitchResponse,
};

/// Maximum length of a search by a hub.
pub const MAX_SEARCH: Duration = Duration::from_secs(30);
/// Time that the reply to a search may take beyond the search itself.
const SEARCH_GRACE: Duration = Duration::from_secs(10);
/// Maximum time for locking a plug down: it restarts after each of four steps, and once more where one is taken back.
const HARDEN_TIMEOUT: Duration = Duration::from_secs(600);
/// Maximum time for an import, and until an export begins: years of history take long on a small computer.
const TRANSFER_TIMEOUT: Duration = Duration::from_secs(600);

impl Client {
    /// Returns the adopted plugs of the hub's own site.
    pub async fn plugs(&self) -> Result<Vec<PlugView>, ClientError> {
        self.of_own_site(|| self.get("plugs")).await
    }

    /// Returns the adopted plugs of a hub that must reply within `timeout`.
    pub async fn plugs_within(&self, timeout: Duration) -> Result<Vec<PlugView>, ClientError> {
        self.of_own_site(|| self.get("plugs").timeout(timeout))
            .await
    }

    /// Lets the hub search its networks, for the hub's default time unless `wait` is given.
    pub async fn discover(&self, wait: Option<Duration>) -> Result<Vec<FoundPlug>, ClientError> {
        let request = self.post("discover").timeout(MAX_SEARCH + SEARCH_GRACE);
        match wait {
            Some(wait) => {
                let wait = format!("{}ms", wait.as_millis().max(1));
                request.json(&json!({"wait": wait})).reply().await
            }
            None => request.reply().await,
        }
    }

    /// Adopts the plug at an address, or returns it if it is adopted already.
    pub async fn adopt(&self, address: Ipv4Addr) -> Result<PlugView, ClientError> {
        let body = json!({"address": address});
        self.post("plugs").json(&body).reply().await
    }

    /// Changes the settings of a plug by a JSON merge patch of its [`PlugSettings`](crate::PlugSettings).
    pub async fn patch_plug(
        &self,
        plug: Mac,
        patch: &impl Serialize,
    ) -> Result<PlugView, ClientError> {
        let path = format!("plugs/{plug:x}");
        self.patch(&path).json(patch).reply().await
    }

    /// Forgets a plug, and deletes its history if `purge` is set.
    pub async fn forget(&self, plug: Mac, purge: bool) -> Result<(), ClientError> {
        let request = self.delete(&format!("plugs/{plug:x}"));
        request
            .query(&[("purge", purge.then_some(true))])
            .done()
            .await
    }

    /// Replaces the plug `old` by the adopted plug `new`.
    pub async fn replace_plug(&self, old: Mac, new: Mac) -> Result<PlugView, ClientError> {
        let request = self.post(&format!("plugs/{old:x}/replace"));
        request.json(&json!({"by": new})).reply().await
    }

    /// Switches a plug and reads its relay back.
    ///
    /// # Errors
    ///
    /// As for all requests; but a command that the plug accepted and did not carry out is a response that is not confirmed.
    pub async fn switch(
        &self,
        plug: Mac,
        wanted: RelayCommand,
    ) -> Result<SwitchResponse, ClientError> {
        let request = self.put(&format!("plugs/{plug:x}/relay"));
        match request.json(&SwitchRequest { state: wanted }).reply().await {
            Err(ClientError::Refused(refusal)) if refusal.accepted => Ok(SwitchResponse {
                relay: refusal.relay,
                confirmed: false,
            }),
            reply => reply,
        }
    }

    /// Meters a plug now.
    pub async fn meter(&self, plug: Mac) -> Result<Reading, ClientError> {
        self.post(&format!("plugs/{plug:x}/meter")).reply().await
    }

    /// Sets a plug's own timer.
    pub async fn delay(
        &self,
        plug: Mac,
        state: RelayState,
        minutes: Minutes,
    ) -> Result<(), ClientError> {
        let request = self.post(&format!("plugs/{plug:x}/delay"));
        let body = json!({"state": state, "minutes": minutes.count()});
        request.json(&body).done().await
    }

    /// Returns the firmware version of a plug as the plug reports it.
    pub async fn version(&self, plug: Mac) -> Result<String, ClientError> {
        #[derive(Deserialize)]
        struct VersionFields {
            version: String,
        }
        let request = self.get(&format!("plugs/{plug:x}/version"));
        Ok(request.reply::<VersionFields>().await?.version)
    }

    /// Locks a plug down, takes that back, or finds out what stands open. A step that failed is an error in the report.
    pub async fn harden(
        &self,
        plug: Mac,
        request: &HardenRequest,
    ) -> Result<HardenReport, ClientError> {
        let post = self.post(&format!("plugs/{plug:x}/harden"));
        post.timeout(HARDEN_TIMEOUT).json(request).reply().await
    }

    /// Returns the power and energy of a plug over time.
    pub async fn history(
        &self,
        plug: Mac,
        request: &HistoryRequest,
    ) -> Result<History, ClientError> {
        let path = format!("plugs/{plug:x}/history");
        self.get(&path).query(request).reply().await
    }

    /// As [`Client::history`], as CSV.
    pub async fn history_csv(
        &self,
        plug: Mac,
        request: &HistoryRequest,
    ) -> Result<Download, ClientError> {
        let path = format!("plugs/{plug:x}/history.csv");
        self.get(&path).query(request).download().await
    }

    /// Returns the energy and cost of plugs.
    pub async fn energy(&self, request: &EnergyRequest) -> Result<Vec<EnergyRow>, ClientError> {
        let plugs: Vec<_> = request.plugs.iter().map(|plug| ("plug", plug)).collect();
        self.of_own_site(|| self.get("energy").query(request).query(&plugs))
            .await
    }

    /// Returns the energy, cost and standing charge of the household.
    pub async fn household(
        &self,
        request: &EnergyRequest,
    ) -> Result<Vec<HouseholdRow>, ClientError> {
        self.of_own_site(|| self.get("energy/household").query(request))
            .await
    }

    /// Returns all stored rows of a plug as CSV.
    pub async fn export(&self, plug: Mac, range: &RangeRequest) -> Result<Download, ClientError> {
        let request = self.get(&format!("plugs/{plug:x}/export"));
        request
            .timeout(TRANSFER_TIMEOUT)
            .query(range)
            .download()
            .await
    }

    /// Imports the CSV of an export into a plug's history.
    pub async fn import(&self, plug: Mac, csv: Vec<u8>) -> Result<ImportResponse, ClientError> {
        let request = self.post(&format!("plugs/{plug:x}/import"));
        request
            .timeout(TRANSFER_TIMEOUT)
            .body("text/csv", csv)
            .reply()
            .await
    }
}
