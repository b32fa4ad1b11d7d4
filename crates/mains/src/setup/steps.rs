//! What was done so far: told to people as it happens, and kept for the JSON document.

use std::time::Instant;

use serde::Serialize;

use crate::ui::{BAD, DIM, GOOD, Ui, clean, paint};

/// One step that came to an end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Step {
    /// A word that stays the same, for programs.
    pub(super) step: &'static str,
    /// Whether it went well.
    pub(super) ok: bool,
    /// What came of it, in words. Never a key.
    pub(super) detail: String,
    /// How long it took.
    pub(super) elapsed_ms: u64,
}

/// The steps of one plug.
pub(super) struct Steps<'a> {
    ui: &'a Ui,
    /// Put before each line, where several plugs are told apart.
    prefix: String,
    list: Vec<Step>,
    since: Instant,
}

impl<'a> Steps<'a> {
    pub(super) fn new(ui: &'a Ui, prefix: String) -> Self {
        Self {
            ui,
            prefix,
            list: Vec::new(),
            since: Instant::now(),
        }
    }

    /// Says what is going on, where it may take a while. Not a step.
    pub(super) fn doing(&self, what: impl std::fmt::Display) {
        let line = what.to_string();
        self.ui.status(format_args!(
            "{}{}",
            self.prefix,
            paint(DIM, format_args!("… {}", clean(&line)))
        ));
    }

    /// The step that has just been taken went well.
    pub(super) fn done(&mut self, step: &'static str, detail: impl Into<String>) {
        self.push(step, true, detail.into());
    }

    /// The step that has just been tried did not go well; what follows may.
    pub(super) fn missed(&mut self, step: &'static str, detail: impl Into<String>) {
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
        self.list.push(Step {
            step,
            ok,
            detail,
            elapsed_ms: u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX),
        });
    }

    pub(super) fn into_list(self) -> Vec<Step> {
        self.list
    }
}
