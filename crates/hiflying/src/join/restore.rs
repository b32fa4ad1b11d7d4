//! Writing back what was there before.

use std::time::Instant;

use super::prove::After;
use super::{Ask, Changed, Join, JoinError, ModuleState, StepName};
use crate::command::{AtCommand, SetFapsta, SetWmode};
use crate::settings::{Mode, OnOff};
use crate::{AtReply, AtRequest};

impl Join {
    /// Ends the join, after writing back whatever may have been changed.
    pub(super) fn fail(&mut self, now: Instant, error: JoinError) {
        if self.changed == Changed::default() {
            return self.finish_failed(now, error, ModuleState::Untouched);
        }
        self.error = Some(error);
        self.restoring = self.restoration().into();
        self.restore_next(now);
    }

    /// The mode first: it alone decides whether the module can be reached after the next restart.
    fn restoration(&self) -> Vec<AtRequest> {
        let Changed {
            mode,
            old_style,
            ssid,
            key,
            wan,
        } = self.changed;
        let setting = |changed: bool, verb, value: &Option<crate::AtValue>| {
            value
                .as_ref()
                .filter(|_| changed)
                .map(|value| AtRequest::set(verb, value.as_bytes()))
        };
        // A module that did not tell its mode was reached at its access point.
        let mode_before = self.before.mode.unwrap_or(Mode::Ap);
        [
            mode.then(|| SetWmode(mode_before).request()),
            old_style.then(|| SetFapsta(OnOff::Off).request()),
            setting(ssid, "WSSSID", &self.before.ssid),
            setting(key, "WSKEY", &self.before.key),
            setting(wan, "WANN", &self.before.wan),
        ]
        .into_iter()
        .flatten()
        .collect()
    }

    fn restore_next(&mut self, now: Instant) {
        if self.restoring.is_empty() {
            self.step(StepName::RollBack, true, None);
            if self.applied {
                self.restart(now, After::RollBack);
            } else {
                self.finish_failed(now, JoinError::Cancelled, ModuleState::Restored);
            }
        } else {
            self.ask(now, Ask::Restore);
        }
    }

    pub(super) fn handle_restored(&mut self, now: Instant, raw: Option<&[u8]>) {
        let Some(request) = self.restoring.pop_front() else {
            return;
        };
        match raw.map(AtReply::parse) {
            None => {
                self.step(StepName::RollBack, false, "no answer".to_owned());
                self.finish_failed(now, JoinError::Cancelled, ModuleState::Unknown);
            }
            Some(AtReply::Error(code)) if request.verb() == "WMODE" => {
                self.step(StepName::RollBack, false, code.to_string());
                self.finish_failed(now, JoinError::Cancelled, ModuleState::Unknown);
            }
            // An empty network name, as on a fresh module, can be read but not written; as access
            // point nothing uses it.
            Some(_) => self.restore_next(now),
        }
    }
}
