//! The context of a verb: the user interface, the settings and the time limit.

use std::future::Future;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use api::client::Client;
use api::duration;
use hiflying::DiscoveryWord;
use plugs::Plug;

use crate::config::{HubChoice, RunSettings};
use crate::directories;
use crate::error::{Failure, Kind};
use crate::hints;
use crate::hub_endpoint;
use crate::inventory::{Inventory, InventoryFile, Loaded, Save};
use crate::ui::{Ui, clean};

/// Context of a verb.
#[derive(Debug)]
pub struct Context {
    /// Output and questions.
    pub ui: Ui,
    /// Settings of this run.
    pub settings: RunSettings,
    deadline: Option<Instant>,
}

impl Context {
    /// Creates the context of one run; the clock of `--timeout` starts here.
    pub fn new(settings: RunSettings) -> Self {
        let deadline = settings.timeout.map(|timeout| Instant::now() + timeout);
        Self {
            ui: Ui::new(settings.ui),
            settings,
            deadline,
        }
    }

    /// Returns the time at which the command must have ended, if `--timeout` bounds it.
    pub fn deadline(&self) -> Option<Instant> {
        self.deadline
    }

    /// Returns the time limit of one step: `limit`, or what is left of `--timeout` if that is less.
    pub fn budget(&self, limit: Duration) -> Duration {
        self.deadline.map_or(limit, |deadline| {
            limit.min(deadline.saturating_duration_since(Instant::now()))
        })
    }

    /// Runs a future until the deadline; then it is dropped and the failure is `no_answer`. What must be put back when a
    /// command is cut short belongs into a `Drop`, or the verb watches [`Context::deadline`] itself.
    pub async fn bounded<T>(
        &self,
        work: impl Future<Output = Result<T, Failure>>,
    ) -> Result<T, Failure> {
        match self.deadline {
            None => work.await,
            Some(deadline) => tokio::time::timeout_at(deadline.into(), work)
                .await
                .unwrap_or_else(|_| Err(self.out_of_time())),
        }
    }

    /// Waits until the deadline; for ever when there is none.
    pub async fn timed_out(&self) {
        match self.deadline {
            Some(deadline) => tokio::time::sleep_until(deadline.into()).await,
            None => std::future::pending().await,
        }
    }

    /// Returns the failure of a command that `--timeout` ended.
    pub fn out_of_time(&self) -> Failure {
        let bound = self
            .settings
            .timeout
            .map_or_else(|| "the time given".to_owned(), duration::show);
        Failure::new(Kind::NoAnswer, format!("not finished within {bound}"))
            .hint("give it longer with `--timeout`")
    }

    /// Returns the state directory; it may not exist yet.
    pub fn state_directory(&self) -> Result<PathBuf, Failure> {
        directories::state()
    }

    /// Returns the hub to use: the one that was named, else the one that runs on this computer. `None` when the command is to
    /// reach the plugs itself.
    pub fn hub(&self) -> Result<Option<Client>, Failure> {
        let state = self.state_directory().ok();
        let endpoint = hub_endpoint::choose(&self.settings, state.as_deref())?;
        Ok(endpoint.map(Client::new).transpose()?)
    }

    /// Tells whether the user named the hub; otherwise it is the one that runs on this computer.
    pub fn names_hub(&self) -> bool {
        matches!(self.settings.hub, Some(HubChoice::At(_)))
    }

    /// Returns the hub, for verbs that cannot do without one.
    pub fn need_hub(&self) -> Result<Client, Failure> {
        self.hub()?.ok_or_else(|| {
            Failure::new(Kind::Unavailable, "this needs a hub, and none runs here")
                .hint(hints::NO_HUB)
        })
    }

    /// Returns the known plugs. An inventory that cannot be read is a warning: plugs can be reached without it.
    pub fn inventory(&self) -> Result<Inventory, Failure> {
        let loaded = InventoryFile::new(self.state_directory()?).load();
        let Loaded { inventory, warning } = loaded.unwrap_or_else(|failure| Loaded {
            inventory: Inventory::default(),
            warning: Some(failure.to_string()),
        });
        self.warn_of(warning);
        Ok(inventory)
    }

    /// Returns the discovery words that plugs were given from this computer.
    pub fn known_words(&self) -> Vec<DiscoveryWord> {
        let directory = self.state_directory();
        directory.map_or_else(
            |_| Vec::new(),
            |directory| harden::record::words(&directory),
        )
    }

    /// Changes the inventory for something that only the user knows: it is on the disk on return.
    pub fn change_inventory<T>(
        &self,
        change: impl FnOnce(&mut Inventory) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        let file = InventoryFile::new(self.state_directory()?);
        let (result, warning) = file.update(|inventory| Ok((change(inventory)?, Save::Durably)))?;
        self.warn_of(warning);
        Ok(result)
    }

    fn warn_of(&self, warning: Option<String>) {
        if let Some(warning) = warning {
            self.ui.warn(clean(&warning));
        }
    }

    /// Writes sightings into the inventory if they are news to `known`. A failure is only logged: the command itself has
    /// succeeded.
    pub fn remember(&self, known: &Inventory, sightings: &[Plug]) {
        if !known.clone().remember(sightings) {
            return;
        }
        let change = |inventory: &mut Inventory| match inventory.remember(sightings) {
            true => Ok(((), Save::Lightly)),
            false => Ok(((), Save::No)),
        };
        let update = self
            .state_directory()
            .and_then(|directory| InventoryFile::new(directory).update(change));
        if let Err(failure) = update {
            tracing::debug!(%failure, "sightings are not remembered");
        }
    }
}
