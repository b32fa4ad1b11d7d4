//! What every verb is given: the user interface, the settings, and how long it may take.

use std::future::Future;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use crate::config::Settings;
use crate::directories;
use crate::duration;
use crate::error::{Failure, Kind};
use crate::ui::Ui;

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
    /// The clock of `--timeout` starts here.
    pub fn new(ui: Ui, settings: Settings) -> Self {
        let deadline = settings.timeout.map(|timeout| Instant::now() + timeout);
        Self {
            ui,
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
}
