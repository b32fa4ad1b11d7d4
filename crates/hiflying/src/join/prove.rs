//! Restarting, coming back, and proving that the network was joined.

use std::time::Instant;

use super::report::{JoinError, JoinEvent, JoinOutcome, ModuleState, RejoinReason, StepName};
use super::stage::{JoinCommand, JoinStage, RestartPurpose};
use super::timing::{MAX_LINK_TIMEOUTS, REREAD_DELAY, STATUS_INTERVAL};
use crate::AtReply;
use crate::command::{AtCommand, AtCommandError, Ping, SetWmode, Wann, Wmode, Wslk};
use crate::session::restart::MAX_RESTARTS;
use crate::session::{AtSession, RestartStatus, RestartWatch, after};
use crate::settings::{LinkStatus, Mode, PingResult, Wan};

impl super::Join {
    /// Reads the mode back before the restart. The `+ok` to it is like any other, and on a bad network one for an
    /// earlier command passes for it; without the mode, a right key would look like a wrong one.
    pub(super) fn check_mode(&mut self, now: Instant, purpose: RestartPurpose) {
        self.mode_mismatches = 0;
        self.send(now, JoinCommand::CheckMode(purpose));
    }

    pub(super) fn handle_mode(
        &mut self,
        now: Instant,
        purpose: RestartPurpose,
        raw: Option<&[u8]>,
    ) {
        let Some(raw) = raw else {
            return match purpose {
                RestartPurpose::Station => self.restart(now, purpose),
                _ => self.fail(now, JoinError::Lost(StepName::Mode)),
            };
        };
        if Wmode.parse(raw) == Ok(purpose.mode()) {
            return self.restart(now, purpose);
        }
        self.mode_mismatches += 1;
        match self.mode_mismatches {
            1 | 3 => self.pause(now, REREAD_DELAY, JoinCommand::CheckMode(purpose)),
            2 => self.send(now, JoinCommand::RepeatMode(purpose)),
            // Perhaps this firmware reports the mode that it runs in, until it restarts.
            _ => self.restart(now, purpose),
        }
    }

    pub(super) fn handle_repeated_mode(
        &mut self,
        now: Instant,
        purpose: RestartPurpose,
        raw: Option<&[u8]>,
    ) {
        let refused = raw.is_some_and(|raw| matches!(AtReply::parse(raw), AtReply::Error(_)));
        if refused && purpose == RestartPurpose::Proof {
            // The first `+ok` was the reply to another command.
            return self.go_without_proof(now);
        }
        self.send(now, JoinCommand::CheckMode(purpose));
    }

    pub(super) fn restart(&mut self, now: Instant, purpose: RestartPurpose) {
        let watch = self.session.restart(now);
        self.stage = JoinStage::Restarting(watch, purpose);
    }

    pub(super) fn handle_restart_status(&mut self, now: Instant, status: RestartStatus) {
        let gone = match status {
            RestartStatus::Pending => return,
            // A module that needs no opening replies again as soon as it is back.
            RestartStatus::StillThere => self.needs_no_opening,
            RestartStatus::Gone => true,
        };
        match std::mem::replace(&mut self.stage, JoinStage::Finished) {
            JoinStage::Restarting(watch, purpose) if gone => self.restarted(now, watch, purpose),
            JoinStage::Restarting(_, purpose) => self.not_restarting(now, purpose),
            stage => self.stage = stage,
        }
    }

    fn restarted(&mut self, now: Instant, watch: RestartWatch, purpose: RestartPurpose) {
        self.step(StepName::Restart, true, None);
        let reason = match purpose {
            RestartPurpose::Proof => RejoinReason::Proof,
            RestartPurpose::RollBack => RejoinReason::RollBack,
            RestartPurpose::Station | RestartPurpose::Direct => return self.finish(now),
        };
        self.applied = purpose == RestartPurpose::Proof;
        self.stage = JoinStage::AwaitingRejoin(Some(watch), purpose);
        self.events.push_back(JoinEvent::Rejoin(reason));
    }

    fn not_restarting(&mut self, now: Instant, purpose: RestartPurpose) {
        self.step(StepName::Restart, false, "it keeps replying".to_owned());
        match purpose {
            // It is on the network; only its own access point stays.
            RestartPurpose::Station => self.finish(now),
            RestartPurpose::Proof | RestartPurpose::Direct => {
                self.fail(now, JoinError::NotRestarting);
            }
            RestartPurpose::RollBack => {
                self.finish_failed(now, JoinError::NotRestarting, ModuleState::Unknown);
            }
        }
    }

    pub(super) fn handle_session_test(
        &mut self,
        now: Instant,
        needs_no_opening: bool,
        purpose: RestartPurpose,
    ) {
        if needs_no_opening {
            self.needs_no_opening = true;
            return self.return_to(now, None, purpose);
        }
        // The loss of datagrams looked like silence, and `AT+Z` was lost with them.
        self.failed_restarts += 1;
        if self.failed_restarts > MAX_RESTARTS {
            return self.not_restarting(now, purpose);
        }
        self.session = AtSession::new(self.config.session.clone(), now);
        self.stage = JoinStage::Reopening(purpose);
    }

    pub(super) fn end_silence_check(&mut self, now: Instant) {
        match std::mem::replace(&mut self.stage, JoinStage::Finished) {
            JoinStage::CheckingSilence(_, watch, purpose) => {
                self.return_to(now, Some(watch), purpose);
            }
            stage => self.stage = stage,
        }
    }

    pub(super) fn return_to(
        &mut self,
        now: Instant,
        watch: Option<RestartWatch>,
        purpose: RestartPurpose,
    ) {
        self.session = AtSession::new(self.session_config(self.config.restart_timeout), now);
        self.stage = JoinStage::Returning(watch, purpose);
    }

    pub(super) fn returned(
        &mut self,
        now: Instant,
        watch: Option<RestartWatch>,
        purpose: RestartPurpose,
    ) {
        let unasked = self.session.opened_unasked() && !self.needs_no_opening;
        if let Some(watch) = watch.filter(|_| unasked) {
            self.stage = JoinStage::TestingSession(watch.test(now), purpose);
            return;
        }
        self.step(StepName::Return, true, None);
        if purpose == RestartPurpose::RollBack {
            return self.rolled_back(now);
        }
        self.deadline
            .get_or_insert(after(now, self.config.link_timeout));
        self.send(now, JoinCommand::ReadLink);
    }

    pub(super) fn not_returned(&mut self, now: Instant) {
        self.step(StepName::Return, false, "no reply".to_owned());
        self.finish_failed(now, JoinError::NotBack, ModuleState::Unknown);
    }

    pub(super) fn handle_proof(&mut self, now: Instant, command: JoinCommand, raw: Option<&[u8]>) {
        match (command, raw) {
            (JoinCommand::ReadLink, Some(raw)) => self.handle_link(now, raw),
            (JoinCommand::ReadLease, Some(raw)) => self.handle_lease(now, raw),
            (JoinCommand::CheckLink, Some(raw)) => self.handle_unclear_link(now, raw),
            (JoinCommand::ReadLink | JoinCommand::CheckLink | JoinCommand::ReadLease, None) => {
                self.handle_silence(now);
            }
            (JoinCommand::Ping(gateway), raw) => {
                let result = raw.map(|raw| Ping(gateway).parse(raw));
                let ok = matches!(result, Some(Ok(PingResult::Success)));
                let detail = match result {
                    // Some routers ignore pings.
                    Some(Ok(result)) => format!("{gateway}: {result}"),
                    Some(Err(error)) => format!("{gateway}: {error}"),
                    None => format!("{gateway}: no reply from the module"),
                };
                self.step(StepName::Ping, ok, detail);
                self.send(now, JoinCommand::SetStation);
            }
            (_, raw) => {
                if raw.is_some_and(|raw| SetWmode(Mode::Sta).parse(raw).is_ok()) {
                    self.step(StepName::Station, true, Mode::Sta.to_string());
                    self.check_mode(now, RestartPurpose::Station);
                } else {
                    let detail = "its own access point stays open".to_owned();
                    self.step(StepName::Station, false, detail);
                    self.finish(now);
                }
            }
        }
    }

    fn handle_link(&mut self, now: Instant, raw: &[u8]) {
        match Wslk.parse(raw) {
            Ok(LinkStatus::Connected { ssid, bssid }) if ssid == self.config.ssid => {
                self.step(StepName::Link, true, bssid.map(|bssid| bssid.to_string()));
                self.deadline = Some(after(now, self.config.lease_timeout));
                self.send(now, JoinCommand::ReadLease);
            }
            // A module that does not report its link shows it by its address.
            Err(error @ AtCommandError::Refused(_)) => {
                self.step(StepName::Link, false, error.to_string());
                let timeout = self
                    .config
                    .link_timeout
                    .saturating_add(self.config.lease_timeout);
                self.deadline = Some(after(now, timeout));
                self.send(now, JoinCommand::ReadLease);
            }
            Ok(
                LinkStatus::Disconnected
                | LinkStatus::RadioOff
                | LinkStatus::Connected { bssid: Some(_), .. },
            ) => self.handle_no_link(now),
            // Some firmware names the network in another form, or its access point alone.
            _ => self.send(now, JoinCommand::CheckLink),
        }
    }

    /// An unclear status is a link if the module has got an address by it.
    fn handle_unclear_link(&mut self, now: Instant, raw: &[u8]) {
        match Wann.parse(raw) {
            Ok(wan) if wan.has_lease() => {
                self.step(StepName::Link, true, None);
                self.handle_lease(now, raw);
            }
            _ => self.handle_no_link(now),
        }
    }

    fn handle_no_link(&mut self, now: Instant) {
        match self.is_over(now) {
            true => self.handle_wrong_key(now),
            false => self.pause(now, STATUS_INTERVAL, JoinCommand::ReadLink),
        }
    }

    fn handle_lease(&mut self, now: Instant, raw: &[u8]) {
        match Wann.parse(raw) {
            Ok(wan) if wan.has_lease() => {
                self.step(StepName::Lease, true, wan.address.to_string());
                self.lease = Some(wan);
                self.send_ping(now, wan);
            }
            _ if self.is_over(now) => {
                self.step(StepName::Lease, false, "no address".to_owned());
                self.fail(now, JoinError::NoLease(self.config.ssid.clone()));
            }
            _ => self.pause(now, STATUS_INTERVAL, JoinCommand::ReadLease),
        }
    }

    fn send_ping(&mut self, now: Instant, wan: Wan) {
        if wan.gateway.is_unspecified() {
            self.send(now, JoinCommand::SetStation);
        } else {
            self.send(now, JoinCommand::Ping(wan.gateway));
        }
    }

    fn is_over(&self, now: Instant) -> bool {
        self.deadline.is_some_and(|deadline| now >= deadline)
    }

    /// Tries the other security of a mixed network; without one, the key is wrong.
    fn handle_wrong_key(&mut self, now: Instant) {
        self.step(StepName::Link, false, "not linked".to_owned());
        self.candidates.pop_front();
        if self.candidates.is_empty() {
            let error = JoinError::WrongKey {
                ssid: self.config.ssid.clone(),
                seen: self.network_seen,
            };
            return self.fail(now, error);
        }
        self.deadline = None;
        self.mismatches = 0;
        self.send(now, JoinCommand::SetKey);
    }

    /// Has the caller connect again: a module that links moves its access point to the network's channel, and its
    /// clients lose the connection.
    fn handle_silence(&mut self, now: Instant) {
        self.link_silences += 1;
        if self.link_silences > MAX_LINK_TIMEOUTS {
            return self.finish_failed(now, JoinError::Lost(StepName::Link), ModuleState::Unknown);
        }
        self.deadline = None;
        self.stage = JoinStage::AwaitingRejoin(None, RestartPurpose::Proof);
        self.events
            .push_back(JoinEvent::Rejoin(RejoinReason::Silence));
    }

    pub(super) fn finish(&mut self, now: Instant) {
        let Some(mac) = self.mac else {
            let error = JoinError::BadReply(StepName::Find);
            return self.finish_failed(now, error, ModuleState::Unknown);
        };
        let outcome = JoinOutcome {
            mac,
            identity: self.identity.clone(),
            path: self.path,
            lease: self.lease,
            mode_before: self.previous.mode,
            steps: std::mem::take(&mut self.steps),
        };
        self.leave(now);
        self.events.push_back(JoinEvent::Done(Box::new(outcome)));
    }
}
