//! Locking plugs down: the hub does it for the plugs that it keeps, so that it knows their new discovery words.

use api::{HardenReport, HardenRequest, HardenState, LogEntry, LogKind, RequestError};
use harden::{HardenOptions, HardenProgress};
use hiflying::Mac;

use crate::hub::Hub;

impl Hub {
    /// Locks a plug down, restores it, or finds out what stands open. It is carried on when the caller goes away.
    ///
    /// # Errors
    ///
    /// [`RequestError`]: `not_found` for a plug that is not adopted, `no_answer` if its module does not reply, `local` if another
    /// process is at it or the old values cannot be stored. A step that fails is in the report.
    pub async fn harden(
        &self,
        plug: Mac,
        request: HardenRequest,
    ) -> Result<HardenReport, RequestError> {
        self.registry().one(plug)?;
        let run = self.clone().harden_to_the_end(plug, request);
        let ended = |_| RequestError::unavailable("the hub is about to end");
        tokio::spawn(run).await.map_err(ended)?
    }

    async fn harden_to_the_end(
        self,
        plug: Mac,
        request: HardenRequest,
    ) -> Result<HardenReport, RequestError> {
        let mut module = self.registry().module(plug)?;
        let stop = || {
            let is_ending = self.cancel().is_cancelled();
            is_ending.then(|| "the hub is about to end".to_owned())
        };
        let progress = |progress: HardenProgress| tracing::info!(%plug, "{progress}");
        let is_undo = request.undo;
        let options = HardenOptions {
            request,
            directory: &self.config().state,
            record: None,
            stop: &stop,
            on_progress: &progress,
        };
        let report = harden::harden(&mut module, plug, options).await;
        self.registry().learn_words(&self.config().state);
        let report = report.map_err(|error| RequestError::from(&error))?;
        if !report.dry_run || !is_undo {
            self.keep_findings(&report);
        }
        if !report.dry_run {
            self.log_harden(&report);
        }
        Ok(report)
    }

    /// Puts down what was changed on the plug.
    fn log_harden(&self, report: &HardenReport) {
        for step in &report.steps {
            let text = match step.state {
                HardenState::Closed => format!("{} is closed", step.id),
                HardenState::Open => format!("{} is as it was before it was closed", step.id),
                HardenState::Failed => {
                    let reason = step.reason.as_deref().unwrap_or("unknown reason");
                    format!("{} was not changed: {reason}", step.id)
                }
                HardenState::Skipped => continue,
            };
            let entry = LogEntry::new(plugs::now(), LogKind::Plug, text)
                .about(report.plug)
                .as_problem(step.state == HardenState::Failed);
            self.bus().log(entry);
        }
    }
}
