//! Reading what is there, choosing the security, writing and reading back.

use std::time::{Duration, Instant};

use super::prove::After;
use super::{Ask, Join, JoinError, JoinEvent, JoinPath, StepName};
use crate::command::{
    self, AtCommand, AtCommandError, Ping, SetFapsta, SetWann, SetWmode, SetWskey, SetWsssid,
    Wmode, Wscan, Wsmac,
};
use crate::settings::{Addressing, Mode, OnOff, Wan, WireValue};
use crate::wifi::{Credentials, WifiKeyError, WifiSecurity};
use crate::wscan::ScannedNetwork;
use crate::{AtReply, AtRequest, AtValue, ModuleIdentity};

/// How long to let stray replies pass before something is read once more.
pub(super) const LOOK_AGAIN: Duration = Duration::from_millis(100);

impl Join {
    /// The session is open for the first time.
    pub(super) fn begin(&mut self, now: Instant, identity: Option<ModuleIdentity>) {
        self.always_open = self.session.opened_unasked();
        self.note_identity(identity);
        self.ask(now, Ask::ReadMode);
    }

    fn note_identity(&mut self, identity: Option<ModuleIdentity>) {
        if let Some(identity) = identity {
            self.mac = Some(identity.mac);
            self.identity = Some(identity);
        }
    }

    pub(super) fn request(&self, ask: Ask) -> AtRequest {
        match ask {
            Ask::ReadMode | Ask::CheckMode(_) => Wmode.request(),
            Ask::ModeAgain(then) => SetWmode(then.mode()).request(),
            Ask::ReadMac => Wsmac.request(),
            Ask::ReadSsid | Ask::CheckSsid => command::Wsssid.request(),
            Ask::ReadKey | Ask::CheckKey => command::Wskey.request(),
            Ask::ReadWan | Ask::Lease => command::Wann.request(),
            Ask::Scan => Wscan.request(),
            Ask::Both(_) => SetWmode(Mode::ApSta).request(),
            Ask::BothOldStyle(state) => SetFapsta(state).request(),
            Ask::Ssid => SetWsssid(self.config.ssid.clone()).request(),
            Ask::Key => SetWskey(self.credentials()).request(),
            Ask::Dhcp { padded: false } => AtRequest::set("WANN", "DHCP"),
            Ask::Dhcp { padded: true } => SetWann(Wan::DHCP).request(),
            Ask::StationDirect | Ask::Station => SetWmode(Mode::Sta).request(),
            Ask::Link => command::Wslk.request(),
            Ask::Ping(gateway) => Ping(gateway).request(),
            Ask::Restore => self
                .restoring
                .front()
                .cloned()
                .unwrap_or_else(AtRequest::null),
        }
    }

    /// What is being tried; there is always one from the choice on.
    fn credentials(&self) -> Credentials {
        self.candidates
            .front()
            .cloned()
            .unwrap_or_else(Credentials::open)
    }

    pub(super) fn handle_read(&mut self, now: Instant, ask: Ask, raw: Option<&[u8]>) {
        let Some(raw) = raw else {
            // A module that cannot scan now, as some cannot in access point mode, can still join.
            return match ask {
                Ask::Scan => self.handle_scan(now, Err("no answer".to_owned())),
                _ => self.fail(now, JoinError::Lost(StepName::Read)),
            };
        };
        match ask {
            Ask::ReadMode => {
                self.before.mode = Wmode.parse(raw).ok();
                // The answer to the word may have come after the one to the null command.
                self.note_identity(self.session.identity().cloned());
                let next = if self.mac.is_some() {
                    Ask::ReadSsid
                } else {
                    Ask::ReadMac
                };
                self.ask(now, next);
            }
            Ask::ReadMac => match Wsmac.parse(raw) {
                Ok(mac) => {
                    self.mac = Some(mac);
                    self.ask(now, Ask::ReadSsid);
                }
                Err(_) => self.fail(now, JoinError::BadAnswer(StepName::Find)),
            },
            Ask::ReadSsid => {
                self.before.ssid = value(raw);
                self.ask(now, Ask::ReadKey);
            }
            Ask::ReadKey => {
                self.before.key = value(raw);
                self.ask(now, Ask::ReadWan);
            }
            Ask::ReadWan => {
                self.before.wan = value(raw);
                self.choose_path(now);
            }
            _ => self.handle_scan(now, Wscan.parse(raw).map_err(|error| error.to_string())),
        }
    }

    fn wan_before(&self) -> Option<Wan> {
        self.before
            .wan
            .as_ref()
            .and_then(|value| Wan::parse(value.as_bytes()))
    }

    /// A module that is reached over the network it shall leave takes its proof with it.
    fn choose_path(&mut self, now: Instant) {
        let over_network = match self.before.mode {
            Some(Mode::Sta) => true,
            Some(Mode::ApSta) => self
                .wan_before()
                .is_some_and(|wan| wan.address == self.target),
            Some(Mode::Ap) | None => false,
        };
        if over_network {
            self.path = JoinPath::Direct;
        }
        let Some(mac) = self.mac else {
            return self.fail(now, JoinError::BadAnswer(StepName::Find));
        };
        let mode = self.before.mode;
        self.step(StepName::Find, true, mac.to_string());
        self.step(StepName::Read, true, mode.map(|mode| mode.to_string()));
        self.events.push_back(JoinEvent::Identified {
            mac,
            identity: self.identity.clone(),
            mode,
            path: self.path,
        });
        match self.config.networks.take() {
            None if self.config.security == WifiSecurity::Auto => self.ask(now, Ask::Scan),
            networks => self.choose_security(now, &networks.unwrap_or_default()),
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
        self.seen = !rows.is_empty();
        match self.candidates_for(&rows) {
            Ok(candidates) => {
                self.candidates = candidates.into();
                self.start_writing(now);
            }
            Err(error) => self.fail(now, error.into()),
        }
    }

    /// Each access point of that name may have a security of its own; the strongest comes first.
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
                Ok(more) => candidates.extend(
                    more.into_iter()
                        .filter(|new| !candidates.contains(new))
                        .collect::<Vec<_>>(),
                ),
                Err(new) => error = error.or(Some(new)),
            }
        }
        error
            .filter(|_| candidates.is_empty())
            .map_or(Ok(candidates), Err)
    }

    fn start_writing(&mut self, now: Instant) {
        if self.path == JoinPath::Direct || self.before.mode == Some(Mode::ApSta) {
            self.ask(now, Ask::Ssid);
        } else {
            self.ask(now, Ask::Both(0));
        }
    }

    pub(super) fn handle_written(&mut self, now: Instant, ask: Ask, raw: Option<&[u8]>) {
        let step = step_of(ask);
        let Some(raw) = raw else {
            return match ask {
                // A module that says nothing to what it does not know.
                Ask::BothOldStyle(_) => self.go_direct(now),
                _ => self.fail(now, JoinError::Lost(step)),
            };
        };
        if matches!(ask, Ask::CheckSsid | Ask::CheckKey) {
            return self.handle_read_back(now, ask, raw);
        }
        let reply = AtReply::parse(raw);
        self.note_written(ask, matches!(reply, AtReply::Ok(_)));
        match (ask, reply) {
            (Ask::Both(_), AtReply::Ok(_)) => {
                self.step(step, true, Mode::ApSta.to_string());
                self.ask(now, Ask::Ssid);
            }
            (Ask::Both(0), AtReply::Error(_)) => {
                self.ask(now, Ask::BothOldStyle(OnOff::On));
            }
            (Ask::BothOldStyle(OnOff::On), AtReply::Ok(_)) => self.ask(now, Ask::Both(1)),
            (Ask::Both(_), _) => self.ask(now, Ask::BothOldStyle(OnOff::Off)),
            (Ask::BothOldStyle(_), _) => self.go_direct(now),
            (Ask::Key, AtReply::Error(_)) if self.candidates.len() > 1 => {
                self.candidates.pop_front();
                self.ask(now, Ask::Key);
            }
            (Ask::Dhcp { padded: false }, AtReply::Error(_)) => {
                self.ask(now, Ask::Dhcp { padded: true });
            }
            (_, AtReply::Error(code)) => self.fail(now, JoinError::Refused { step, code }),
            (_, AtReply::Unknown(_)) => self.fail(now, JoinError::BadAnswer(step)),
            (_, AtReply::Ok(_)) => self.written(now, ask),
        }
    }

    fn note_no_proof(&mut self) {
        self.path = JoinPath::Direct;
        let detail = "not possible on this module: no proof before it leaves";
        self.step(StepName::Mode, false, detail.to_owned());
    }

    /// Name and key are written and read back, and now it turns out that the module cannot prove them.
    pub(super) fn go_without_proof(&mut self, now: Instant) {
        self.note_no_proof();
        self.finish_writing(now);
    }

    fn go_direct(&mut self, now: Instant) {
        (self.changed.old_style, self.accepted.old_style) = (false, false);
        self.note_no_proof();
        self.ask(now, Ask::Ssid);
    }

    fn written(&mut self, now: Instant, ask: Ask) {
        let step = step_of(ask);
        match ask {
            Ask::Ssid => {
                self.step(step, true, self.config.ssid.to_string());
                self.ask(now, Ask::Key);
            }
            Ask::Key => {
                let credentials = self.credentials();
                self.step(
                    step,
                    true,
                    format!("{},{}", credentials.auth, credentials.cipher),
                );
                self.ask(now, Ask::CheckSsid);
            }
            Ask::Dhcp { .. } => {
                self.step(step, true, None);
                self.finish_writing(now);
            }
            _ => {
                self.step(step, true, Mode::Sta.to_string());
                self.check_mode(now, After::Direct);
            }
        }
    }

    /// A module that mangles a comma or `=` must be caught here: after the restart it would be on
    /// no network at all.
    fn handle_read_back(&mut self, now: Instant, ask: Ask, raw: &[u8]) {
        let (same, what) = match (ask, AtReply::parse(raw)) {
            (_, AtReply::Error(code)) => {
                self.step(StepName::ReadBack, false, format!("cannot be read: {code}"));
                return self.read_back(now, ask);
            }
            (Ask::CheckSsid, AtReply::Ok(Some(value))) => (
                value.as_bytes() == self.config.ssid.as_bytes(),
                StepName::Ssid,
            ),
            (Ask::CheckSsid, _) => (false, StepName::Ssid),
            (_, AtReply::Ok(Some(value))) => (
                Credentials::parse(value.as_bytes()) == Ok(self.credentials()),
                StepName::Key,
            ),
            (_, _) => (false, StepName::Key),
        };
        if same {
            return self.read_back(now, ask);
        }
        self.mismatches += 1;
        match self.mismatches {
            // It may have been an older reply that the network delivered late.
            1 | 3 => self.pause(now, LOOK_AGAIN, ask),
            2 => self.ask(now, Ask::Ssid),
            _ => {
                self.step(
                    StepName::ReadBack,
                    false,
                    format!("the {what} reads back differently"),
                );
                self.fail(now, JoinError::Mangled(what));
            }
        }
    }

    fn read_back(&mut self, now: Instant, ask: Ask) {
        if ask == Ask::CheckSsid {
            return self.ask(now, Ask::CheckKey);
        }
        self.step(StepName::ReadBack, true, None);
        if self
            .wan_before()
            .is_some_and(|wan| wan.addressing == Addressing::Static)
            && !self.changed.wan
        {
            return self.ask(now, Ask::Dhcp { padded: false });
        }
        self.finish_writing(now);
    }

    fn finish_writing(&mut self, now: Instant) {
        match self.path {
            JoinPath::Verified if self.before.mode == Some(Mode::ApSta) => {
                self.restart(now, After::Proof);
            }
            JoinPath::Verified => self.check_mode(now, After::Proof),
            JoinPath::Direct if self.before.mode == Some(Mode::Sta) => {
                self.restart(now, After::Direct);
            }
            JoinPath::Direct => {
                self.ask(now, Ask::StationDirect);
            }
        }
    }
}

/// A setting as it can be written back; nothing where the module does not tell.
fn value(raw: &[u8]) -> Option<AtValue> {
    match AtReply::parse(raw) {
        AtReply::Ok(value) => Some(value.unwrap_or_else(|| AtValue::new(""))),
        AtReply::Error(_) | AtReply::Unknown(_) => None,
    }
}

fn step_of(ask: Ask) -> StepName {
    match ask {
        Ask::Both(_) | Ask::BothOldStyle(_) | Ask::CheckMode(_) | Ask::ModeAgain(_) => {
            StepName::Mode
        }
        Ask::Ssid => StepName::Ssid,
        Ask::Key => StepName::Key,
        Ask::CheckSsid | Ask::CheckKey => StepName::ReadBack,
        Ask::Dhcp { .. } => StepName::Dhcp,
        Ask::StationDirect | Ask::Station => StepName::Station,
        Ask::Link => StepName::Link,
        Ask::Lease => StepName::Lease,
        Ask::Ping(_) => StepName::Ping,
        Ask::Scan => StepName::Scan,
        Ask::Restore => StepName::RollBack,
        _ => StepName::Read,
    }
}

/// Whether a failure is the module's refusal of that command.
pub(super) fn is_refusal(error: &AtCommandError) -> bool {
    matches!(error, AtCommandError::Refused(_))
}
