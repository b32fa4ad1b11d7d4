//! Putting a module on a network: the sequence, its proof, and the roll-back when it fails.
//!
//! On the *verified path* the module becomes access point and station at once. Its link and its
//! address prove the key while its own access point is still there; only then is that given up. A
//! module that refuses this, or that is reached over the network that it is to leave, takes the *direct
//! path*: write, read back, restart, and the caller looks for it.
//!
//! Nothing that was written takes effect before `AT+Z`. On any failure before that, the previous
//! settings are written back; on any failure after it, on the verified path, they are written back
//! and the module is restarted once more. They count as restored when they read back as before.
//!
//! Sans-IO, with the same inputs and outputs as [`AtSession`]. On [`JoinEvent::Rejoin`], connect to
//! the module's access point again and call [`Join::resume`].

mod prepare;
mod prove;
mod report;
mod restore;
mod stage;
mod timing;

use std::collections::VecDeque;
use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use zeroize::Zeroizing;

pub use report::{
    JoinConfig, JoinError, JoinEvent, JoinFailure, JoinOutcome, JoinPath, JoinStep, ModuleState,
    PLACEHOLDER_SSID, RejoinReason, StepName,
};

use crate::at::begins_reply;
use crate::session::{AtSession, AtSessionConfig, AtSessionEvent, CommandId, after};
use crate::settings::Wan;
use crate::wifi::Credentials;
use crate::{Mac, ModuleIdentity};
use stage::{ChangedSettings, JoinCommand, JoinStage, PreviousSettings, RestartPurpose, RollBack};

/// A module being put on a network.
///
/// ```
/// use std::time::Instant;
///
/// use hiflying::join::{Join, JoinConfig};
/// use hiflying::{ACCESS_POINT_ADDRESS, WifiKey, Ssid};
///
/// let config = JoinConfig::new(Ssid::new("home")?, Some(WifiKey::new("secret12")));
/// let mut join = Join::new(config, ACCESS_POINT_ADDRESS, Instant::now());
/// assert_eq!(join.poll_transmit().as_deref().map(Vec::as_slice), Some(&b"HF-A11ASSISTHREAD"[..]));
/// # Ok::<(), hiflying::wifi::SsidError>(())
/// ```
#[derive(Debug)]
pub struct Join {
    config: JoinConfig,
    target: Ipv4Addr,
    session: AtSession,
    stage: JoinStage,
    path: JoinPath,
    /// The module takes commands without being opened, so that silence cannot prove a restart.
    needs_no_opening: bool,
    identity: Option<ModuleIdentity>,
    mac: Option<Mac>,
    previous: PreviousSettings,
    /// Settings that were sent, and so may have been changed.
    changed: ChangedSettings,
    /// Settings that the module has accepted with `+ok`.
    accepted: ChangedSettings,
    /// True once the module runs with the new settings.
    applied: bool,
    /// True if the module's scan has shown the network.
    network_seen: bool,
    /// Credentials to try; the first is being tried.
    candidates: VecDeque<Credentials>,
    /// Number of times that the name or key has read back differently.
    mismatches: u8,
    /// Number of times that the mode has read back differently before the next restart.
    mode_mismatches: u8,
    deadline: Option<Instant>,
    /// Number of times that the module has fallen silent while it linked.
    link_silences: u32,
    /// Number of restarts that did not happen.
    failed_restarts: u32,
    lease: Option<Wan>,
    /// Reason of the roll-back.
    error: Option<JoinError>,
    roll_back: RollBack,
    steps: Vec<JoinStep>,
    transmits: VecDeque<Zeroizing<Vec<u8>>>,
    events: VecDeque<JoinEvent>,
}

impl Join {
    /// Starts looking for the module at once. `target` is the address at which it is reached.
    pub fn new(config: JoinConfig, target: Ipv4Addr, now: Instant) -> Self {
        Self {
            session: AtSession::new(config.session.clone(), now),
            path: if config.verify {
                JoinPath::Verified
            } else {
                JoinPath::Direct
            },
            config,
            target,
            stage: JoinStage::Opening,
            needs_no_opening: false,
            identity: None,
            mac: None,
            previous: PreviousSettings::default(),
            changed: ChangedSettings::default(),
            accepted: ChangedSettings::default(),
            applied: false,
            network_seen: false,
            candidates: VecDeque::new(),
            mismatches: 0,
            mode_mismatches: 0,
            deadline: None,
            link_silences: 0,
            failed_restarts: 0,
            lease: None,
            error: None,
            roll_back: RollBack::default(),
            steps: Vec::new(),
            transmits: VecDeque::new(),
            events: VecDeque::new(),
        }
    }

    /// Continues after a [`JoinEvent::Rejoin`].
    pub fn resume(&mut self, now: Instant) {
        match std::mem::replace(&mut self.stage, JoinStage::Finished) {
            // Before the word is sent, because a module that was never gone still has its session.
            JoinStage::AwaitingRejoin(Some(mut watch), purpose) if !self.needs_no_opening => {
                watch.send_round();
                self.stage =
                    JoinStage::CheckingSilence(after(now, watch.round() * 2), watch, purpose);
            }
            JoinStage::AwaitingRejoin(watch, purpose) => self.return_to(now, watch, purpose),
            stage => self.stage = stage,
        }
    }

    /// Gives up, because the module's access point cannot be joined again.
    pub fn give_up(&mut self, now: Instant) {
        if !matches!(self.stage, JoinStage::Finished) {
            self.finish_failed(now, JoinError::NotBack, ModuleState::Unknown);
        }
    }

    /// Stops as soon as the previous settings are written back.
    pub fn cancel(&mut self, now: Instant) {
        // Once the module leaves for the network it cannot be reached any more.
        let leaving = matches!(
            self.stage,
            JoinStage::Finished
                | JoinStage::Restarting(_, RestartPurpose::Station | RestartPurpose::Direct)
        );
        if leaving || self.error.is_some() {
            return;
        }
        if !matches!(
            self.stage,
            JoinStage::AwaitingReply(..) | JoinStage::Pausing(..) | JoinStage::Opening
        ) {
            // `AT+Z` has been sent: the module runs, or will run, with the new settings.
            self.applied = true;
            self.session = AtSession::new(self.config.session.clone(), now);
        }
        self.fail(now, JoinError::Cancelled);
    }

    /// Leaves at once and writes nothing back; for destructors.
    pub fn abandon(&mut self, now: Instant) {
        self.session.close(now);
        self.stage = JoinStage::Finished;
    }

    /// Takes a datagram from the module's address.
    pub fn handle_datagram(&mut self, now: Instant, datagram: &[u8]) {
        match &mut self.stage {
            JoinStage::Restarting(watch, _) => watch.handle_datagram(now, datagram),
            JoinStage::CheckingSilence(_, watch, purpose) if begins_reply(datagram) => {
                self.stage = JoinStage::TestingSession(watch.test(now), *purpose);
            }
            JoinStage::TestingSession(test, _) => test.handle_datagram(datagram),
            JoinStage::AwaitingRejoin(..)
            | JoinStage::CheckingSilence(..)
            | JoinStage::Finished => {}
            _ => {
                self.session.handle_datagram(now, datagram);
                self.pump(now);
            }
        }
    }

    /// Runs the timers that are due.
    pub fn handle_timeout(&mut self, now: Instant) {
        match &mut self.stage {
            JoinStage::Restarting(watch, _) => {
                watch.handle_timeout(now);
                let status = watch.status();
                self.handle_restart_status(now, status);
            }
            JoinStage::CheckingSilence(at, ..) if *at <= now => self.end_silence_check(now),
            JoinStage::TestingSession(test, purpose) => {
                let purpose = *purpose;
                if let Some(unasked) = test.handle_timeout(now) {
                    self.handle_session_test(now, unasked, purpose);
                }
            }
            JoinStage::Pausing(at, command) if *at <= now => {
                let command = *command;
                self.send(now, command);
            }
            JoinStage::AwaitingRejoin(..) | JoinStage::Finished => {}
            _ => {
                self.session.handle_timeout(now);
                self.pump(now);
            }
        }
    }

    /// Returns the next datagram to send to the module's port 48899.
    pub fn poll_transmit(&mut self) -> Option<Zeroizing<Vec<u8>>> {
        let watch = match &mut self.stage {
            JoinStage::Restarting(watch, _) | JoinStage::CheckingSilence(_, watch, _) => {
                watch.poll_transmit()
            }
            JoinStage::TestingSession(test, _) => test.poll_transmit(),
            _ => None,
        };
        self.transmits
            .pop_front()
            .or(watch)
            .or_else(|| self.session.poll_transmit())
    }

    /// Returns when [`Join::handle_timeout`] is due.
    pub fn poll_timeout(&self) -> Option<Instant> {
        match &self.stage {
            JoinStage::Restarting(watch, _) => watch.poll_timeout(),
            JoinStage::CheckingSilence(at, ..) => Some(*at),
            JoinStage::TestingSession(test, _) => Some(test.next_timeout()),
            JoinStage::Pausing(at, _) => self.session.poll_timeout().into_iter().chain([*at]).min(),
            JoinStage::AwaitingRejoin(..) | JoinStage::Finished => None,
            JoinStage::Opening
            | JoinStage::AwaitingReply(..)
            | JoinStage::Reopening(_)
            | JoinStage::Returning(..) => self.session.poll_timeout(),
        }
    }

    /// Returns the next event. [`JoinEvent::Done`] and [`JoinEvent::Failed`] are the last.
    pub fn poll_event(&mut self) -> Option<JoinEvent> {
        self.events.pop_front()
    }
}

/// Transitions between the stages.
impl Join {
    /// Handles the events of the session.
    fn pump(&mut self, now: Instant) {
        while let Some(event) = self.session.poll_event() {
            match event {
                AtSessionEvent::Opened { identity } => self.handle_opened(now, identity),
                AtSessionEvent::Reply { id, raw } => self.handle_answer(now, id, Some(&raw)),
                AtSessionEvent::Failed { id, .. } => self.handle_answer(now, id, None),
                AtSessionEvent::Lost => self.handle_lost(now),
                AtSessionEvent::Closed => {}
            }
        }
    }

    fn handle_opened(&mut self, now: Instant, identity: Option<ModuleIdentity>) {
        match std::mem::replace(&mut self.stage, JoinStage::Finished) {
            JoinStage::Opening => self.begin(now, identity),
            JoinStage::Returning(watch, purpose) => self.returned(now, watch, purpose),
            JoinStage::Reopening(purpose) => self.restart(now, purpose),
            stage => self.stage = stage,
        }
    }

    fn handle_lost(&mut self, now: Instant) {
        match &self.stage {
            JoinStage::Opening => {
                self.finish_failed(now, JoinError::NoReply, ModuleState::Untouched);
            }
            JoinStage::Returning(..) | JoinStage::Reopening(_) => self.not_returned(now),
            // The command in flight has failed with it.
            _ => {}
        }
    }

    /// Hands a reply, or its absence, to the step that waits for it.
    fn handle_answer(&mut self, now: Instant, id: CommandId, raw: Option<&Zeroizing<Vec<u8>>>) {
        let JoinStage::AwaitingReply(command, wanted) = self.stage else {
            return;
        };
        if id != wanted {
            return;
        }
        let raw = raw.map(|raw| raw.as_slice());
        match command {
            JoinCommand::ReadMode
            | JoinCommand::ReadMac
            | JoinCommand::ReadSsid
            | JoinCommand::ReadKey
            | JoinCommand::ReadWan
            | JoinCommand::Scan => {
                self.handle_read(now, command, raw);
            }
            JoinCommand::ReadLink
            | JoinCommand::CheckLink
            | JoinCommand::ReadLease
            | JoinCommand::Ping(_)
            | JoinCommand::SetStation => {
                self.handle_proof(now, command, raw);
            }
            JoinCommand::CheckMode(purpose) => self.handle_mode(now, purpose, raw),
            JoinCommand::RepeatMode(purpose) => self.handle_repeated_mode(now, purpose, raw),
            JoinCommand::Restore => self.handle_restored(now, raw),
            JoinCommand::CheckRestored(setting, tries) => {
                self.handle_restored_value(now, setting, tries, raw);
            }
            _ => self.handle_written(now, command, raw),
        }
    }

    fn send(&mut self, now: Instant, command: JoinCommand) {
        if let Some(changed) = self.changed.written_by(command) {
            *changed = true;
        }
        let request = self.request(command);
        let id = self.session.submit(now, request);
        self.stage = JoinStage::AwaitingReply(command, id);
        self.pump(now);
    }

    /// Notes whether the module accepted a setting; a refused one has not changed.
    fn note_written(&mut self, command: JoinCommand, done: bool) {
        let (Some(changed), Some(accepted)) = (
            self.changed.written_by(command),
            self.accepted.written_by(command),
        ) else {
            return;
        };
        *accepted |= done;
        *changed = *accepted;
    }

    fn pause(&mut self, now: Instant, wait: Duration, command: JoinCommand) {
        self.stage = JoinStage::Pausing(after(now, wait), command);
    }

    fn step(&mut self, name: StepName, ok: bool, detail: impl Into<Option<String>>) {
        let step = JoinStep {
            name,
            ok,
            detail: detail.into(),
        };
        self.steps.push(step.clone());
        self.events.push_back(JoinEvent::Step(step));
    }

    fn finish_failed(&mut self, now: Instant, error: JoinError, left: ModuleState) {
        // The reason is what led to the roll-back, not the outcome of the roll-back.
        let error = self.error.take().unwrap_or(error);
        let failure = JoinFailure {
            error,
            left,
            remains: std::mem::take(&mut self.roll_back.unproven),
            mac: self.mac,
            steps: std::mem::take(&mut self.steps),
        };
        self.leave(now);
        self.events.push_back(JoinEvent::Failed(Box::new(failure)));
    }

    /// Ends the join and leaves command mode with `AT+Q`.
    fn leave(&mut self, now: Instant) {
        self.session.close(now);
        self.stage = JoinStage::Finished;
    }

    fn session_config(&self, handshake_timeout: Duration) -> AtSessionConfig {
        AtSessionConfig {
            handshake_timeout,
            ..self.config.session.clone()
        }
    }
}

#[cfg(test)]
mod tests;
