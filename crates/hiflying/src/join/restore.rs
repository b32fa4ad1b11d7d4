//! Writing back the previous settings.

use std::time::Instant;

use super::report::{JoinError, ModuleState, StepName};
use super::stage::{ChangedSettings, JoinCommand, RestartPurpose};
use crate::command::{AtCommand, SetFapsta, SetWmode};
use crate::settings::{Mode, OnOff};
use crate::{AtReply, AtRequest, AtValue};

impl super::Join {
    /// Ends the join, after writing back every setting that may have been changed.
    pub(super) fn fail(&mut self, now: Instant, error: JoinError) {
        if self.changed == ChangedSettings::default() {
            return self.finish_failed(now, error, ModuleState::Untouched);
        }
        self.error = Some(error);
        self.restoring = self.restoration().into();
        self.restore_next(now);
    }

    /// Returns the requests of the roll-back. The mode comes first: it alone decides whether the module can be
    /// reached after the next restart.
    fn restoration(&self) -> Vec<AtRequest> {
        let ChangedSettings {
            mode,
            fapsta,
            ssid,
            key,
            wan,
        } = self.changed;
        let setting = |changed: bool, verb, value: &Option<AtValue>| {
            value
                .as_ref()
                .filter(|_| changed)
                .map(|value| AtRequest::set(verb, value.as_bytes()))
        };
        // A module that did not report its mode was reached at its access point.
        let previous_mode = self.previous.mode.unwrap_or(Mode::Ap);
        [
            mode.then(|| SetWmode(previous_mode).request()),
            fapsta.then(|| SetFapsta(OnOff::Off).request()),
            setting(ssid, "WSSSID", &self.previous.ssid),
            setting(key, "WSKEY", &self.previous.key),
            setting(wan, "WANN", &self.previous.wan),
        ]
        .into_iter()
        .flatten()
        .collect()
    }

    fn restore_next(&mut self, now: Instant) {
        if !self.restoring.is_empty() {
            return self.send(now, JoinCommand::Restore);
        }
        self.step(StepName::RollBack, true, None);
        if self.applied {
            self.restart(now, RestartPurpose::RollBack);
        } else {
            self.finish_failed(now, JoinError::Cancelled, ModuleState::Restored);
        }
    }

    pub(super) fn handle_restored(&mut self, now: Instant, raw: Option<&[u8]>) {
        let Some(request) = self.restoring.pop_front() else {
            return;
        };
        match raw.map(AtReply::parse) {
            None => {
                self.step(StepName::RollBack, false, "no reply".to_owned());
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
