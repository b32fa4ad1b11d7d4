//! What every verb is given: the user interface, the settings, and how long it may take.

use std::future::Future;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use api::duration;
use plugs::Plug;

use crate::config::{HubChoice, Settings};
use crate::directories;
use crate::error::{Failure, Kind};
use crate::hub_client::{self, Client, Endpoint, HubUrl, Token};
use crate::inventory::{Inventory, InventoryFile, Loaded, Save};
use crate::ui::{Ui, clean};

/// What every verb is given.
#[derive(Debug)]
pub struct Context {
    /// Output and questions.
    pub ui: Ui,
    /// What holds for this run.
    pub settings: Settings,
    deadline: Option<Instant>,
}

impl Context {
    /// Creates the context of one run; the clock of `--timeout` starts here.
    pub fn new(settings: Settings) -> Self {
        let deadline = settings.timeout.map(|timeout| Instant::now() + timeout);
        Self {
            ui: Ui::new(settings.ui),
            settings,
            deadline,
        }
    }

    /// Returns when the command must have ended, if `--timeout` bounds it.
    pub fn deadline(&self) -> Option<Instant> {
        self.deadline
    }

    /// Returns the time that is left, but never more than `usual`: the budget for one step.
    pub fn budget(&self, usual: Duration) -> Duration {
        self.deadline.map_or(usual, |deadline| {
            usual.min(deadline.saturating_duration_since(Instant::now()))
        })
    }

    /// Runs a future until the deadline; then it is dropped and the failure is `no_answer`. What must be put back
    /// when a command is cut short belongs into a `Drop`, or the verb watches [`Context::deadline`] itself.
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

    /// The failure of a command that `--timeout` ended.
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

    /// Returns the hub that is to do it: the one that was named, else the one that runs on this computer. `None` when the
    /// command is to reach the plugs itself.
    pub fn hub(&self) -> Result<Option<Client>, Failure> {
        let endpoint = match &self.settings.hub {
            Some(HubChoice::None) => None,
            None => self.running_hub(),
            Some(HubChoice::At(url)) => Some(self.named_hub(url)?),
        };
        endpoint.map(Client::new).transpose()
    }

    /// A hub by its address. Who names the one that runs here need not look for its token and certificate.
    fn named_hub(&self, url: &HubUrl) -> Result<Endpoint, Failure> {
        let settings = &self.settings;
        let ours = self.running_hub().filter(|running| running.url == *url);
        let named = Endpoint {
            is_named: true,
            ..ours.unwrap_or_else(|| Endpoint {
                url: url.clone(),
                token: None,
                ca_file: settings.ca_file.clone(),
                is_pinned: false,
                is_named: true,
            })
        };
        let given = match (&settings.token, &settings.token_file) {
            (Some(token), _) => Some(token.clone()),
            (None, Some(file)) => Some(Token::read(file)?),
            (None, None) => None,
        };
        Ok(Endpoint {
            token: given.or(named.token),
            ..named
        })
    }

    /// The hub that runs here. Its certificate is in the configuration that it was started with; that file is proof enough.
    fn running_hub(&self) -> Option<Endpoint> {
        let endpoint = hub_client::running(&self.state_directory().ok()?)?;
        let own = self.settings.certificate.as_ref();
        let is_pinned = self.settings.ca_file.is_none() && own.is_some();
        Some(Endpoint {
            ca_file: self.settings.ca_file.as_ref().or(own).cloned(),
            is_pinned,
            ..endpoint
        })
    }

    /// Returns the hub, for what cannot be done without.
    pub fn need_hub(&self) -> Result<Client, Failure> {
        self.hub()?.ok_or_else(|| {
            Failure::new(Kind::Unavailable, "this needs a hub, and none runs here")
                .hint("start one with `mains serve`, or name one with `--hub URL` and its token in MAINS_TOKEN")
        })
    }

    /// Returns what is remembered of plugs. An inventory that cannot be read is a warning: plugs can be reached without.
    pub fn inventory(&self) -> Result<Inventory, Failure> {
        match InventoryFile::new(self.state_directory()?).load() {
            Ok(Loaded { inventory, warning }) => {
                warning
                    .iter()
                    .for_each(|warning| self.ui.warn(clean(warning)));
                Ok(inventory)
            }
            Err(failure) => {
                self.ui.warn(clean(&failure.to_string()));
                Ok(Inventory::default())
            }
        }
    }

    /// Changes what is remembered of plugs, for something that only the user knows: it is on the disk on return.
    pub fn change_inventory<T>(
        &self,
        change: impl FnOnce(&mut Inventory) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        let store = InventoryFile::new(self.state_directory()?);
        let (result, warning) =
            store.update(|inventory| Ok((change(inventory)?, Save::Durably)))?;
        warning
            .iter()
            .for_each(|warning| self.ui.warn(clean(warning)));
        Ok(result)
    }

    /// Writes sightings into the inventory, if they tell what `known` does not. That this cannot be done is no reason to
    /// fail: the plugs did what they were told.
    pub fn remember(&self, known: &Inventory, sightings: &[Plug]) {
        let mut known = known.clone();
        // Not `any`: each must be taken in.
        if sightings.iter().filter(|plug| known.remember(plug)).count() == 0 {
            return;
        }
        let change = |inventory: &mut Inventory| {
            let news = sightings
                .iter()
                .filter(|plug| inventory.remember(plug))
                .count();
            Ok(((), if news == 0 { Save::No } else { Save::Lightly }))
        };
        let update = self
            .state_directory()
            .and_then(|directory| InventoryFile::new(directory).update(change));
        if let Err(failure) = update {
            tracing::debug!(%failure, "sightings are not remembered");
        }
    }
}
