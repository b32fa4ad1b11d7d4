//! Writing back the previous settings, and reading them.

use std::time::Instant;

use super::prepare::value;
use super::report::{JoinError, ModuleState, PLACEHOLDER_SSID, StepName};
use super::stage::{ChangedSettings, JoinCommand, RestartPurpose, RestoredSetting, RollBack};
use super::timing::REREAD_DELAY;
use crate::command::{AtCommand, SetFapsta, SetWmode, Wmode};
use crate::settings::{Mode, OnOff, Wan, WireValue};
use crate::{AtReply, AtRequest, AtValue};

impl super::Join {
    /// Ends the join, after writing back every setting that may have been changed.
    pub(super) fn fail(&mut self, now: Instant, error: JoinError) {
        if self.changed == ChangedSettings::default() {
            return self.finish_failed(now, error, ModuleState::Untouched);
        }
        self.error = Some(error);
        self.roll_back = RollBack {
            requests: self.restoration().into(),
            checks: self.checks().into(),
            ..RollBack::default()
        };
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
        [
            mode.then(|| SetWmode(self.previous_mode()).request()),
            fapsta.then(|| SetFapsta(OnOff::Off).request()),
            setting(ssid, "WSSSID", &self.previous.ssid),
            setting(key, "WSKEY", &self.previous.key),
            setting(wan, "WANN", &self.previous.wan),
        ]
        .into_iter()
        .flatten()
        .collect()
    }

    /// Returns the mode before the join. A module that did not report it was reached at its access point.
    fn previous_mode(&self) -> Mode {
        self.previous.mode.unwrap_or(Mode::Ap)
    }

    /// Returns the settings to read before the restart. A module that has restarted since reports the mode in which it runs.
    fn checks(&self) -> Vec<RestoredSetting> {
        let changed = &self.changed;
        [
            (changed.mode && !self.applied).then_some(RestoredSetting::Mode),
            changed.ssid.then_some(RestoredSetting::Ssid),
            changed.key.then_some(RestoredSetting::Key),
            changed.wan.then_some(RestoredSetting::Wan),
        ]
        .into_iter()
        .flatten()
        .collect()
    }

    fn restore_next(&mut self, now: Instant) {
        if !self.roll_back.requests.is_empty() {
            return self.send(now, JoinCommand::Restore);
        }
        self.check_next(now);
    }

    pub(super) fn handle_restored(&mut self, now: Instant, raw: Option<&[u8]>) {
        let Some(request) = self.roll_back.requests.pop_front() else {
            return;
        };
        let Some(raw) = raw else {
            return self.lose_roll_back(now, "no reply".to_owned());
        };
        if let AtReply::Error(code) = AtReply::parse(raw) {
            let had_no_name = self.previous.ssid == Some(AtValue::new(""));
            match request.verb() {
                "WMODE" => return self.lose_roll_back(now, code.to_string()),
                "FAPSTA" => self.roll_back.unproven.push(StepName::Mode),
                "WSSSID" if had_no_name && !self.roll_back.has_placeholder => {
                    self.roll_back.has_placeholder = true;
                    let placeholder = AtRequest::set("WSSSID", PLACEHOLDER_SSID);
                    self.roll_back.requests.push_front(placeholder);
                }
                // It shows when the setting is read.
                _ => {}
            }
        }
        self.restore_next(now);
    }

    /// Ends the join without knowing what the module holds.
    fn lose_roll_back(&mut self, now: Instant, detail: String) {
        self.step(StepName::RollBack, false, detail);
        self.finish_failed(now, JoinError::Cancelled, ModuleState::Unknown);
    }

    fn check_next(&mut self, now: Instant) {
        match self.roll_back.checks.pop_front() {
            Some(setting) => self.send(now, JoinCommand::CheckRestored(setting, 0)),
            None if self.roll_back.is_written => self.finish_roll_back(now),
            None => self.end_writing_back(now),
        }
    }

    /// Compares a setting with what it was before.
    pub(super) fn handle_restored_value(
        &mut self,
        now: Instant,
        setting: RestoredSetting,
        tries: u8,
        raw: Option<&[u8]>,
    ) {
        let Some(raw) = raw else {
            return self.lose_roll_back(now, "no reply".to_owned());
        };
        if !self.is_restored(setting, raw) {
            // It may have been an older reply that the network delivered late.
            if tries == 0 {
                return self.pause(now, REREAD_DELAY, JoinCommand::CheckRestored(setting, 1));
            }
            self.roll_back.unproven.push(setting.step());
        }
        self.check_next(now);
    }

    fn is_restored(&self, setting: RestoredSetting, raw: &[u8]) -> bool {
        let (now, previous) = (value(raw), &self.previous);
        match setting {
            RestoredSetting::Mode => Wmode.parse(raw).ok() == Some(self.previous_mode()),
            RestoredSetting::Ssid if self.roll_back.has_placeholder => {
                now == Some(AtValue::new(PLACEHOLDER_SSID)) || now == Some(AtValue::new(""))
            }
            RestoredSetting::Ssid => now.is_some() && now == previous.ssid,
            RestoredSetting::Key => now.is_some() && now == previous.key,
            RestoredSetting::Wan => {
                let parsed = |value: &Option<AtValue>| Wan::parse(value.as_ref()?.as_bytes());
                parsed(&now).is_some() && parsed(&now) == parsed(&previous.wan)
            }
        }
    }

    fn end_writing_back(&mut self, now: Instant) {
        self.roll_back.is_written = true;
        let unproven: Vec<&str> = self
            .roll_back
            .unproven
            .iter()
            .map(|step| step.as_str())
            .collect();
        let detail = match (unproven.as_slice(), self.roll_back.has_placeholder) {
            ([], false) => None,
            ([], true) => Some(format!(
                "no empty network name is taken: '{PLACEHOLDER_SSID}'"
            )),
            (unproven, _) => Some(format!("not as before: {}", unproven.join(", "))),
        };
        self.step(StepName::RollBack, unproven.is_empty(), detail);
        if self.applied {
            self.restart(now, RestartPurpose::RollBack);
        } else {
            self.finish_roll_back(now);
        }
    }

    /// Continues once the module is back with the previous settings.
    pub(super) fn rolled_back(&mut self, now: Instant) {
        if self.changed.mode {
            self.roll_back.checks.push_back(RestoredSetting::Mode);
        }
        self.check_next(now);
    }

    fn finish_roll_back(&mut self, now: Instant) {
        let is_as_before = self.roll_back.unproven.is_empty() && !self.roll_back.has_placeholder;
        let left = match is_as_before {
            true => ModuleState::Restored,
            false => ModuleState::Partial,
        };
        self.finish_failed(now, JoinError::Cancelled, left);
    }
}
