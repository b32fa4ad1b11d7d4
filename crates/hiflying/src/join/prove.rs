//! Restarting, coming back, and proving that the network was joined.

use std::time::{Duration, Instant};

use super::prepare::{LOOK_AGAIN, is_refusal};
use super::watch::TRIES;
use super::{
    Ask, Join, JoinError, JoinEvent, JoinOutcome, ModuleState, RejoinReason, RestartWatch, Seen,
    Stage, StepName,
};
use crate::AtReply;
use crate::command::{AtCommand, Ping, SetWmode, Wann, Wmode, Wslk};
use crate::session::{AtSession, after};
use crate::settings::{LinkStatus, Mode, PingResult, Wan};

/// How often to look for link and address.
const LOOK: Duration = Duration::from_millis(300);

/// A round of the restart's watch, at least and at most.
const ROUND: (Duration, Duration) = (Duration::from_millis(100), Duration::from_millis(400));

/// How often the module may fall silent while it links.
const SILENCES: u32 = 3;

/// What a restart is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum After {
    /// To prove the key as access point and station.
    Proof,
    /// To leave the access point, proven.
    Station,
    /// To leave without proof.
    Direct,
    /// To run with what was there before.
    RollBack,
}

impl After {
    /// What the radio shall do after it.
    pub(super) fn mode(self) -> Mode {
        match self {
            Self::Proof => Mode::ApSta,
            Self::Station | Self::Direct | Self::RollBack => Mode::Sta,
        }
    }
}

impl Join {
    /// Makes sure of the mode before the restart. The `+ok` to it is like any other, and on a bad network one that was meant
    /// for an earlier command passes for it; without the mode, a right key would look like a wrong one.
    pub(super) fn check_mode(&mut self, now: Instant, then: After) {
        self.mode_mismatches = 0;
        self.ask(now, Ask::CheckMode(then));
    }

    pub(super) fn handle_mode(&mut self, now: Instant, then: After, raw: Option<&[u8]>) {
        let Some(raw) = raw else {
            return match then {
                After::Station => self.restart(now, then),
                _ => self.fail(now, JoinError::Lost(StepName::Mode)),
            };
        };
        if Wmode.parse(raw) == Ok(then.mode()) {
            return self.restart(now, then);
        }
        self.mode_mismatches += 1;
        match self.mode_mismatches {
            1 | 3 => self.pause(now, LOOK_AGAIN, Ask::CheckMode(then)),
            2 => self.ask(now, Ask::ModeAgain(then)),
            // Perhaps this firmware reports the mode that it runs in, until it restarts.
            _ => self.restart(now, then),
        }
    }

    pub(super) fn handle_mode_again(&mut self, now: Instant, then: After, raw: Option<&[u8]>) {
        let refused = raw.is_some_and(|raw| matches!(AtReply::parse(raw), AtReply::Error(_)));
        if refused && then == After::Proof {
            // So it was another's `+ok` the first time.
            return self.go_without_proof(now);
        }
        self.ask(now, Ask::CheckMode(then));
    }

    pub(super) fn restart(&mut self, now: Instant, then: After) {
        let pace = self.session.pace(ROUND.0, ROUND.1);
        let watch = RestartWatch::new(now, self.session.terminator(), pace);
        self.stage = Stage::Restarting(watch, then);
    }

    pub(super) fn handle_seen(&mut self, now: Instant, seen: Seen) {
        let gone = match seen {
            Seen::Nothing => return,
            // One that needs no opening answers again as soon as it is back.
            Seen::StillThere => self.always_open,
            Seen::Gone => true,
        };
        let Stage::Restarting(watch, then) = std::mem::replace(&mut self.stage, Stage::Over) else {
            return;
        };
        if gone {
            self.restarted(now, watch, then);
        } else {
            self.not_restarting(now, then);
        }
    }

    fn restarted(&mut self, now: Instant, watch: RestartWatch, then: After) {
        self.step(StepName::Restart, true, None);
        let reason = match then {
            After::Proof => RejoinReason::Proof,
            After::RollBack => RejoinReason::RollBack,
            After::Station | After::Direct => return self.finish(now),
        };
        self.applied = then == After::Proof;
        self.stage = Stage::Away(Some(watch), then);
        self.events.push_back(JoinEvent::Rejoin(reason));
    }

    fn not_restarting(&mut self, now: Instant, then: After) {
        self.step(StepName::Restart, false, "it keeps answering".to_owned());
        match then {
            // It is on the network; only its own access point stays.
            After::Station => self.finish(now),
            After::Proof | After::Direct => self.fail(now, JoinError::NotRestarting),
            After::RollBack => {
                self.finish_failed(now, JoinError::NotRestarting, ModuleState::Unknown);
            }
        }
    }

    /// What it was that answered although it was taken for gone.
    pub(super) fn handle_tested(&mut self, now: Instant, unasked: bool, then: After) {
        if unasked {
            self.always_open = true;
            return self.return_to(now, None, then);
        }
        // The loss of datagrams looked like silence, and `AT+Z` was lost with them.
        self.in_vain += 1;
        if self.in_vain > TRIES {
            return self.not_restarting(now, then);
        }
        self.session = AtSession::new(self.config.session.clone(), now);
        self.stage = Stage::Reopening(then);
    }

    pub(super) fn stop_doubting(&mut self, now: Instant) {
        match std::mem::replace(&mut self.stage, Stage::Over) {
            Stage::Doubting(_, watch, then) => self.return_to(now, Some(watch), then),
            stage => self.stage = stage,
        }
    }

    pub(super) fn return_to(&mut self, now: Instant, watch: Option<RestartWatch>, then: After) {
        self.session = AtSession::new(self.session_config(self.config.restart_timeout), now);
        self.stage = Stage::Returning(watch, then);
    }

    pub(super) fn returned(&mut self, now: Instant, watch: Option<RestartWatch>, then: After) {
        let unasked = self.session.opened_unasked() && !self.always_open;
        if let Some(watch) = watch.filter(|_| unasked) {
            self.stage = Stage::Testing(watch.test(now), then);
            return;
        }
        self.step(StepName::Return, true, None);
        if then == After::RollBack {
            return self.finish_failed(now, JoinError::Cancelled, ModuleState::Restored);
        }
        self.deadline = Some(
            self.deadline
                .unwrap_or(after(now, self.config.link_timeout)),
        );
        self.ask(now, Ask::Link);
    }

    pub(super) fn not_returned(&mut self, now: Instant) {
        self.step(StepName::Return, false, "no answer".to_owned());
        self.finish_failed(now, JoinError::NotBack, ModuleState::Unknown);
    }

    pub(super) fn handle_proof(&mut self, now: Instant, ask: Ask, raw: Option<&[u8]>) {
        match (ask, raw) {
            (Ask::Link, Some(raw)) => self.handle_link(now, raw),
            (Ask::Lease, Some(raw)) => self.handle_lease(now, raw),
            (Ask::Link | Ask::Lease, None) => self.fall_silent(now),
            (Ask::Ping(gateway), raw) => {
                let result = raw.map(|raw| Ping(gateway).parse(raw));
                let ok = matches!(result, Some(Ok(PingResult::Success)));
                let detail = match result {
                    // Routers may be told not to answer.
                    Some(Ok(result)) => format!("{gateway}: {result}"),
                    Some(Err(error)) => format!("{gateway}: {error}"),
                    None => format!("{gateway}: no answer from the module"),
                };
                self.step(StepName::Ping, ok, detail);
                self.give_up_access_point(now);
            }
            (_, raw) => {
                let done = raw.is_some_and(|raw| SetWmode(Mode::Sta).parse(raw).is_ok());
                if done {
                    self.step(StepName::Station, true, Mode::Sta.to_string());
                    self.check_mode(now, After::Station);
                } else {
                    self.step(
                        StepName::Station,
                        false,
                        "its own access point stays open".to_owned(),
                    );
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
                self.ask(now, Ask::Lease);
            }
            // A module that does not tell its link shows it by its address.
            Err(error) if is_refusal(&error) => {
                self.step(StepName::Link, false, error.to_string());
                self.deadline = Some(after(
                    now,
                    self.config
                        .link_timeout
                        .saturating_add(self.config.lease_timeout),
                ));
                self.ask(now, Ask::Lease);
            }
            _ if self.is_over(now) => self.handle_wrong_key(now),
            _ => self.pause(now, LOOK, Ask::Link),
        }
    }

    fn handle_lease(&mut self, now: Instant, raw: &[u8]) {
        match Wann.parse(raw) {
            Ok(wan) if wan.has_lease() => {
                self.step(StepName::Lease, true, wan.address.to_string());
                self.lease = Some(wan);
                self.ask_ping(now, wan);
            }
            _ if self.is_over(now) => {
                self.step(StepName::Lease, false, "no address".to_owned());
                self.fail(now, JoinError::NoLease(self.config.ssid.clone()));
            }
            _ => self.pause(now, LOOK, Ask::Lease),
        }
    }

    fn ask_ping(&mut self, now: Instant, wan: Wan) {
        if wan.gateway.is_unspecified() {
            self.give_up_access_point(now);
        } else {
            self.ask(now, Ask::Ping(wan.gateway));
        }
    }

    fn give_up_access_point(&mut self, now: Instant) {
        self.ask(now, Ask::Station);
    }

    fn is_over(&self, now: Instant) -> bool {
        self.deadline.is_some_and(|deadline| now >= deadline)
    }

    /// Perhaps the other security of a mixed network fits; else it is the key.
    fn handle_wrong_key(&mut self, now: Instant) {
        self.step(StepName::Link, false, "not linked".to_owned());
        self.candidates.pop_front();
        if self.candidates.is_empty() {
            let error = JoinError::WrongKey {
                ssid: self.config.ssid.clone(),
                seen: self.seen,
            };
            return self.fail(now, error);
        }
        self.deadline = None;
        self.mismatches = 0;
        self.ask(now, Ask::Key);
    }

    /// A module that links moves its access point to the network's channel, and its clients fall
    /// off.
    fn fall_silent(&mut self, now: Instant) {
        self.silences += 1;
        if self.silences > SILENCES {
            return self.finish_failed(now, JoinError::Lost(StepName::Link), ModuleState::Unknown);
        }
        self.deadline = None;
        self.stage = Stage::Away(None, After::Proof);
        self.events
            .push_back(JoinEvent::Rejoin(RejoinReason::Silence));
    }

    pub(super) fn finish(&mut self, now: Instant) {
        let Some(mac) = self.mac else {
            return self.finish_failed(
                now,
                JoinError::BadAnswer(StepName::Find),
                ModuleState::Unknown,
            );
        };
        let outcome = JoinOutcome {
            mac,
            identity: self.identity.clone(),
            path: self.path,
            lease: self.lease,
            mode_before: self.before.mode,
            steps: std::mem::take(&mut self.steps),
        };
        self.leave(now);
        self.events.push_back(JoinEvent::Done(Box::new(outcome)));
    }
}
