//! Reading the settings, choosing the security, writing and reading back.

use std::time::Instant;

use super::report::{JoinError, JoinEvent, JoinPath, StepName};
use super::stage::{JoinCommand, RestartPurpose, RestoredSetting};
use super::timing::REREAD_DELAY;
use crate::command::{
    AtCommand, Ping, SetFapsta, SetWann, SetWmode, SetWskey, SetWsssid, Wann, Wmode, Wscan, Wskey,
    Wslk, Wsmac, Wsssid,
};
use crate::settings::{Addressing, Mode, OnOff, Wan, WireValue};
use crate::wifi::{Credentials, WifiKeyError, WifiSecurity};
use crate::wscan::ScannedNetwork;
use crate::{AtReply, AtRequest, AtValue, ModuleIdentity};

impl super::Join {
    /// Starts reading once the session is open for the first time.
    pub(super) fn begin(&mut self, now: Instant, identity: Option<ModuleIdentity>) {
        self.needs_no_opening = self.session.opened_unasked();
        self.note_identity(identity);
        self.send(now, JoinCommand::ReadMode);
    }

    fn note_identity(&mut self, identity: Option<ModuleIdentity>) {
        if let Some(identity) = identity {
            self.mac = Some(identity.mac);
            self.identity = Some(identity);
        }
    }

    pub(super) fn request(&self, command: JoinCommand) -> AtRequest {
        match command {
            JoinCommand::ReadMode | JoinCommand::CheckMode(_) => Wmode.request(),
            JoinCommand::RepeatMode(purpose) => SetWmode(purpose.mode()).request(),
            JoinCommand::ReadMac => Wsmac.request(),
            JoinCommand::ReadSsid | JoinCommand::CheckSsid => Wsssid.request(),
            JoinCommand::ReadKey | JoinCommand::CheckKey => Wskey.request(),
            JoinCommand::ReadWan | JoinCommand::ReadLease | JoinCommand::CheckLink => {
                Wann.request()
            }
            JoinCommand::Scan => Wscan.request(),
            JoinCommand::SetApSta(_) => SetWmode(Mode::ApSta).request(),
            JoinCommand::SetFapsta(state) => SetFapsta(state).request(),
            JoinCommand::SetSsid => SetWsssid(self.config.ssid.clone()).request(),
            JoinCommand::SetKey => SetWskey(self.credentials().clone()).request(),
            JoinCommand::SetDhcp { padded: false } => AtRequest::set("WANN", "DHCP"),
            JoinCommand::SetDhcp { padded: true } => SetWann(Wan::DHCP).request(),
            JoinCommand::SetStationDirect | JoinCommand::SetStation => {
                SetWmode(Mode::Sta).request()
            }
            JoinCommand::ReadLink => Wslk.request(),
            JoinCommand::Ping(gateway) => Ping(gateway).request(),
            JoinCommand::CheckRestored(RestoredSetting::Mode, _) => Wmode.request(),
            JoinCommand::CheckRestored(RestoredSetting::Ssid, _) => Wsssid.request(),
            JoinCommand::CheckRestored(RestoredSetting::Key, _) => Wskey.request(),
            JoinCommand::CheckRestored(RestoredSetting::Wan, _) => Wann.request(),
            JoinCommand::Restore => self
                .roll_back
                .requests
                .front()
                .expect("a setting to restore is left until its reply has come")
                .clone(),
        }
    }

    /// Returns the security and key that are being tried.
    fn credentials(&self) -> &Credentials {
        self.candidates.front().expect(
            "a candidate is chosen before anything is written, and the join ends with the last one",
        )
    }

    pub(super) fn handle_read(&mut self, now: Instant, command: JoinCommand, raw: Option<&[u8]>) {
        let Some(raw) = raw else {
            // A module that cannot scan now, as some cannot in access point mode, can still join.
            return match command {
                JoinCommand::Scan => self.handle_scan(now, Err("no reply".to_owned())),
                _ => self.fail(now, JoinError::Lost(StepName::Read)),
            };
        };
        match command {
            JoinCommand::ReadMode => {
                self.previous.mode = Wmode.parse(raw).ok();
                // The reply to the word may have come after the one to the null command.
                self.note_identity(self.session.identity().cloned());
                let next = if self.mac.is_some() {
                    JoinCommand::ReadSsid
                } else {
                    JoinCommand::ReadMac
                };
                self.send(now, next);
            }
            JoinCommand::ReadMac => match Wsmac.parse(raw) {
                Ok(mac) => {
                    self.mac = Some(mac);
                    self.send(now, JoinCommand::ReadSsid);
                }
                Err(_) => self.fail(now, JoinError::BadReply(StepName::Find)),
            },
            JoinCommand::ReadSsid => {
                self.previous.ssid = value(raw);
                self.send(now, JoinCommand::ReadKey);
            }
            JoinCommand::ReadKey => {
                self.previous.key = value(raw);
                self.send(now, JoinCommand::ReadWan);
            }
            JoinCommand::ReadWan => {
                self.previous.wan = value(raw);
                self.choose_path(now);
            }
            _ => self.handle_scan(now, Wscan.parse(raw).map_err(|error| error.to_string())),
        }
    }

    fn previous_wan(&self) -> Option<Wan> {
        let value = self.previous.wan.as_ref()?;
        Wan::parse(value.as_bytes())
    }

    /// Chooses the path: a module reached over the network that it is to leave cannot report its proof.
    fn choose_path(&mut self, now: Instant) {
        let over_network = match self.previous.mode {
            Some(Mode::Sta) => true,
            Some(Mode::ApSta) => self
                .previous_wan()
                .is_some_and(|wan| wan.address == self.target),
            Some(Mode::Ap) | None => false,
        };
        if over_network {
            self.path = JoinPath::Direct;
        }
        let Some(mac) = self.mac else {
            return self.fail(now, JoinError::BadReply(StepName::Find));
        };
        let mode = self.previous.mode;
        self.step(StepName::Find, true, mac.to_string());
        self.step(StepName::Read, true, mode.map(|mode| mode.to_string()));
        self.events.push_back(JoinEvent::Identified {
            mac,
            identity: self.identity.clone(),
            mode,
            path: self.path,
        });
        match self.config.networks.take() {
            Some(networks) => self.choose_security(now, &networks),
            None if self.config.security == WifiSecurity::Auto => self.send(now, JoinCommand::Scan),
            None => self.choose_security(now, &[]),
        }
    }

    fn handle_scan(&mut self, now: Instant, result: Result<Vec<ScannedNetwork>, String>) {
        match result {
            Ok(networks) => {
                let detail = format!("{} networks", networks.len());
                self.step(StepName::Scan, true, detail);
                self.choose_security(now, &networks);
            }
            Err(error) => {
                self.step(StepName::Scan, false, error);
                self.choose_security(now, &[]);
            }
        }
    }

    fn choose_security(&mut self, now: Instant, networks: &[ScannedNetwork]) {
        let ssid = self.config.ssid.as_bytes();
        let rows: Vec<&ScannedNetwork> = networks
            .iter()
            .filter(|network| network.ssid == ssid)
            .collect();
        self.network_seen = !rows.is_empty();
        match self.candidates_for(&rows) {
            Ok(candidates) => {
                self.candidates = candidates.into();
                self.start_writing(now);
            }
            Err(error) => self.fail(now, error.into()),
        }
    }

    /// Returns the credentials to try. Each access point of that name may have a security of its own; the strongest
    /// comes first.
    fn candidates_for(&self, rows: &[&ScannedNetwork]) -> Result<Vec<Credentials>, WifiKeyError> {
        let key = self.config.key.as_ref();
        let security = self.config.security;
        let mut scanned: Vec<_> = rows.iter().filter_map(|network| network.security).collect();
        scanned.dedup();
        if security != WifiSecurity::Auto || scanned.is_empty() {
            return security.candidates(key, None);
        }
        let mut candidates: Vec<Credentials> = Vec::new();
        let mut error = None;
        for one in scanned {
            match security.candidates(key, Some(one)) {
                Ok(more) => {
                    for new in more {
                        if !candidates.contains(&new) {
                            candidates.push(new);
                        }
                    }
                }
                Err(new) => error = error.or(Some(new)),
            }
        }
        error
            .filter(|_| candidates.is_empty())
            .map_or(Ok(candidates), Err)
    }

    fn start_writing(&mut self, now: Instant) {
        if self.path == JoinPath::Direct || self.previous.mode == Some(Mode::ApSta) {
            self.send(now, JoinCommand::SetSsid);
        } else {
            self.send(now, JoinCommand::SetApSta(0));
        }
    }

    pub(super) fn handle_written(
        &mut self,
        now: Instant,
        command: JoinCommand,
        raw: Option<&[u8]>,
    ) {
        let step = command.step();
        let Some(raw) = raw else {
            return match command {
                // Some modules do not reply to verbs that they do not know.
                JoinCommand::SetFapsta(_) => self.go_direct(now),
                _ => self.fail(now, JoinError::Lost(step)),
            };
        };
        if matches!(command, JoinCommand::CheckSsid | JoinCommand::CheckKey) {
            return self.handle_read_back(now, command, raw);
        }
        let reply = AtReply::parse(raw);
        self.note_written(command, matches!(reply, AtReply::Ok(_)));
        match (command, reply) {
            (JoinCommand::SetApSta(_), AtReply::Ok(_)) => {
                self.step(step, true, Mode::ApSta.to_string());
                self.send(now, JoinCommand::SetSsid);
            }
            (JoinCommand::SetApSta(0), AtReply::Error(_)) => {
                self.send(now, JoinCommand::SetFapsta(OnOff::On));
            }
            (JoinCommand::SetFapsta(OnOff::On), AtReply::Ok(_)) => {
                self.send(now, JoinCommand::SetApSta(1));
            }
            (JoinCommand::SetApSta(_), _) => self.send(now, JoinCommand::SetFapsta(OnOff::Off)),
            (JoinCommand::SetFapsta(_), _) => self.go_direct(now),
            (JoinCommand::SetKey, AtReply::Error(_)) if self.candidates.len() > 1 => {
                self.candidates.pop_front();
                self.send(now, JoinCommand::SetKey);
            }
            (JoinCommand::SetDhcp { padded: false }, AtReply::Error(_)) => {
                self.send(now, JoinCommand::SetDhcp { padded: true });
            }
            (_, AtReply::Error(code)) => self.fail(now, JoinError::Refused { step, code }),
            (_, AtReply::Unknown(_)) => self.fail(now, JoinError::BadReply(step)),
            (_, AtReply::Ok(_)) => self.written(now, command),
        }
    }

    fn note_no_proof(&mut self) {
        self.path = JoinPath::Direct;
        let detail = "not possible on this module: no proof before it leaves";
        self.step(StepName::Mode, false, detail.to_owned());
    }

    /// Goes on after name and key have been read back, on a module that turns out unable to prove them.
    pub(super) fn go_without_proof(&mut self, now: Instant) {
        self.note_no_proof();
        self.finish_writing(now);
    }

    fn go_direct(&mut self, now: Instant) {
        (self.changed.fapsta, self.accepted.fapsta) = (false, false);
        self.note_no_proof();
        self.send(now, JoinCommand::SetSsid);
    }

    fn written(&mut self, now: Instant, command: JoinCommand) {
        let step = command.step();
        match command {
            JoinCommand::SetSsid => {
                self.step(step, true, self.config.ssid.to_string());
                self.send(now, JoinCommand::SetKey);
            }
            JoinCommand::SetKey => {
                let Credentials { auth, cipher, .. } = *self.credentials();
                self.step(step, true, format!("{auth},{cipher}"));
                self.send(now, JoinCommand::CheckSsid);
            }
            JoinCommand::SetDhcp { .. } => {
                self.step(step, true, None);
                self.finish_writing(now);
            }
            _ => {
                self.step(step, true, Mode::Sta.to_string());
                self.check_mode(now, RestartPurpose::Direct);
            }
        }
    }

    /// Compares a setting with what was written. A module that mangles a comma or `=` must be caught here: after the
    /// restart it would be on no network at all.
    fn handle_read_back(&mut self, now: Instant, command: JoinCommand, raw: &[u8]) {
        let (same, setting) = match (command, AtReply::parse(raw)) {
            (_, AtReply::Error(code)) => {
                self.step(StepName::ReadBack, false, format!("cannot be read: {code}"));
                return self.read_back(now, command);
            }
            (JoinCommand::CheckSsid, AtReply::Ok(Some(value))) => (
                value.as_bytes() == self.config.ssid.as_bytes(),
                StepName::Ssid,
            ),
            (JoinCommand::CheckSsid, _) => (false, StepName::Ssid),
            (_, AtReply::Ok(Some(value))) => (
                Credentials::parse(value.as_bytes()).as_ref() == Ok(self.credentials()),
                StepName::Key,
            ),
            (_, _) => (false, StepName::Key),
        };
        if same {
            return self.read_back(now, command);
        }
        self.mismatches += 1;
        match self.mismatches {
            // It may have been an older reply that the network delivered late.
            1 | 3 => self.pause(now, REREAD_DELAY, command),
            2 => self.send(now, JoinCommand::SetSsid),
            _ => {
                self.step(
                    StepName::ReadBack,
                    false,
                    format!("the {setting} reads back differently"),
                );
                self.fail(now, JoinError::Mangled(setting));
            }
        }
    }

    fn read_back(&mut self, now: Instant, command: JoinCommand) {
        if command == JoinCommand::CheckSsid {
            return self.send(now, JoinCommand::CheckKey);
        }
        self.step(StepName::ReadBack, true, None);
        let is_static = self
            .previous_wan()
            .is_some_and(|wan| wan.addressing == Addressing::Static);
        if is_static && !self.changed.wan {
            return self.send(now, JoinCommand::SetDhcp { padded: false });
        }
        self.finish_writing(now);
    }

    fn finish_writing(&mut self, now: Instant) {
        match self.path {
            JoinPath::Verified if self.previous.mode == Some(Mode::ApSta) => {
                self.restart(now, RestartPurpose::Proof);
            }
            JoinPath::Verified => self.check_mode(now, RestartPurpose::Proof),
            JoinPath::Direct if self.previous.mode == Some(Mode::Sta) => {
                self.restart(now, RestartPurpose::Direct);
            }
            JoinPath::Direct => self.send(now, JoinCommand::SetStationDirect),
        }
    }
}

/// Returns a setting as it can be written back; nothing where the module does not report it.
pub(super) fn value(raw: &[u8]) -> Option<AtValue> {
    match AtReply::parse(raw) {
        AtReply::Ok(value) => Some(value.unwrap_or_else(|| AtValue::new(""))),
        AtReply::Error(_) | AtReply::Unknown(_) => None,
    }
}
