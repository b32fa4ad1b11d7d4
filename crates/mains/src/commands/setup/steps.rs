//! The steps of one plug: printed as they end, and kept for the JSON document.

use std::time::Instant;

use serde::Serialize;

use crate::ui::{BAD, DIM, GOOD, Ui, clean, paint};

/// A finished step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct SetupStep {
    /// Fixed word, for programs.
    pub(super) step: &'static str,
    /// True if the step succeeded.
    pub(super) ok: bool,
    /// Result in words. Never a key.
    pub(super) detail: String,
    /// Duration of the step.
    pub(super) elapsed_ms: u64,
}

/// The steps of one plug.
pub(super) struct StepLog<'a> {
    ui: &'a Ui,
    /// Start of each line, where several plugs are set up.
    prefix: String,
    steps: Vec<SetupStep>,
    since: Instant,
}

impl<'a> StepLog<'a> {
    pub(super) fn new(ui: &'a Ui, prefix: String) -> Self {
        Self {
            ui,
            prefix,
            steps: Vec::new(),
            since: Instant::now(),
        }
    }

    /// Returns the user interface.
    pub(super) fn ui(&self) -> &'a Ui {
        self.ui
    }

    /// Prints the action that has begun and may take a while. Not a step.
    pub(super) fn progress(&self, text: impl std::fmt::Display) {
        let line = text.to_string();
        self.ui.status(format_args!(
            "{}{}",
            self.prefix,
            paint(DIM, format_args!("… {}", clean(&line)))
        ));
    }

    /// Notes that the current step has succeeded.
    pub(super) fn succeeded(&mut self, step: &'static str, detail: impl Into<String>) {
        self.push(step, true, detail.into());
    }

    /// Notes that the current step has failed; later ones may succeed.
    pub(super) fn failed(&mut self, step: &'static str, detail: impl Into<String>) {
        self.push(step, false, detail.into());
    }

    fn push(&mut self, step: &'static str, ok: bool, detail: String) {
        let now = Instant::now();
        let elapsed = now.saturating_duration_since(self.since);
        self.since = now;
        let mark = if ok {
            paint(GOOD, "ok")
        } else {
            paint(BAD, "--")
        };
        self.ui
            .status(format_args!("{}{mark} {}", self.prefix, clean(&detail)));
        self.steps.push(SetupStep {
            step,
            ok,
            detail,
            elapsed_ms: u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX),
        });
    }

    pub(super) fn into_steps(self) -> Vec<SetupStep> {
        self.steps
    }
}
