//! Putting a module on a network: the sequence, its proof, and the way back when it fails.
//!
//! On the *verified path* the module becomes access point and station at once. Its link and its
//! address prove the key while its own access point is still there; only then is that given up. A
//! module that refuses this, or that is reached over the network it shall leave, goes the *direct
//! path*: write, read back, restart, and the caller looks for it.
//!
//! Nothing that was written takes effect before `AT+Z`. Whatever fails before, what was there is
//! written back; whatever fails after, on the verified path, what was there is written back and the
//! module restarted once more.
//!
//! Sans-IO, with the same inputs and outputs as [`AtSession`]. When a [`JoinEvent::Rejoin`] comes,
//! connect to the module's access point again and call [`Join::resume`].

mod prepare;
mod prove;
mod report;
mod restore;
mod watch;

use std::collections::VecDeque;
use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use zeroize::Zeroizing;

pub use report::{
    JoinConfig, JoinError, JoinEvent, JoinFailure, JoinOutcome, JoinPath, JoinStep, ModuleState,
    RejoinReason, StepName,
};

use crate::session::{AtSession, AtSessionConfig, AtSessionEvent, CommandId, after, begins_reply};
use crate::settings::{Mode, OnOff, Wan};
use crate::wifi::Credentials;
use crate::{AtRequest, AtValue, Mac, ModuleIdentity};
use prove::After;
use watch::{OpenTest, RestartWatch, Seen};

/// What the command in flight is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ask {
    ReadMode,
    ReadMac,
    ReadSsid,
    ReadKey,
    ReadWan,
    Scan,
    /// `WMODE=APSTA`; the number of tries so far.
    Both(u8),
    /// `FAPSTA=on` and `off`, the HF-A11's spelling.
    BothOldStyle(OnOff),
    Ssid,
    Key,
    CheckSsid,
    CheckKey,
    CheckMode(After),
    /// The mode that did not read back.
    ModeAgain(After),
    /// `WANN=DHCP`, then the padded form.
    Dhcp {
        padded: bool,
    },
    StationDirect,
    Link,
    Lease,
    Ping(Ipv4Addr),
    Station,
    Restore,
}

#[derive(Debug)]
enum Stage {
    /// Waiting for the session to open.
    Opening,
    Asking(Ask, CommandId),
    /// A pause before the next look.
    Pausing(Instant, Ask),
    /// `AT+Z` is out.
    Restarting(RestartWatch, After),
    /// The caller is to connect to the access point again.
    Away(Option<RestartWatch>, After),
    /// Back, but has it restarted at all?
    Doubting(Instant, RestartWatch, After),
    /// Back too soon: has it restarted, or does it need no opening?
    Testing(OpenTest, After),
    /// It has not: opening its session once more, to restart it.
    Reopening(After),
    /// Waiting for the session to open after a restart.
    Returning(Option<RestartWatch>, After),
    Over,
}

/// What was set before, as bytes; nothing where it could not be read.
#[derive(Debug, Default)]
struct Before {
    mode: Option<Mode>,
    ssid: Option<AtValue>,
    key: Option<AtValue>,
    wan: Option<AtValue>,
}

/// What may have been changed since.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
struct Changed {
    mode: bool,
    old_style: bool,
    ssid: bool,
    key: bool,
    wan: bool,
}

impl Changed {
    /// The setting that a command writes.
    fn by(&mut self, ask: Ask) -> Option<&mut bool> {
        match ask {
            Ask::Both(_) | Ask::ModeAgain(_) | Ask::StationDirect | Ask::Station => {
                Some(&mut self.mode)
            }
            Ask::BothOldStyle(_) => Some(&mut self.old_style),
            Ask::Ssid => Some(&mut self.ssid),
            Ask::Key => Some(&mut self.key),
            Ask::Dhcp { .. } => Some(&mut self.wan),
            _ => None,
        }
    }
}

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
    stage: Stage,
    path: JoinPath,
    /// The module takes commands without being opened, so that silence cannot prove a restart.
    always_open: bool,
    identity: Option<ModuleIdentity>,
    mac: Option<Mac>,
    before: Before,
    /// What was sent, and so may have been changed.
    changed: Changed,
    /// What the module has said `+ok` to.
    accepted: Changed,
    /// Whether it runs with that.
    applied: bool,
    seen: bool,
    candidates: VecDeque<Credentials>,
    /// How often the name or key has read back differently.
    mismatches: u8,
    /// How often the mode has, before the restart that is to come.
    mode_mismatches: u8,
    deadline: Option<Instant>,
    silences: u32,
    /// How often it was restarted in vain.
    in_vain: u32,
    lease: Option<Wan>,
    /// Why it is being rolled back, and what is still to be written.
    error: Option<JoinError>,
    restoring: VecDeque<AtRequest>,
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
            stage: Stage::Opening,
            always_open: false,
            identity: None,
            mac: None,
            before: Before::default(),
            changed: Changed::default(),
            accepted: Changed::default(),
            applied: false,
            seen: false,
            candidates: VecDeque::new(),
            mismatches: 0,
            mode_mismatches: 0,
            deadline: None,
            silences: 0,
            in_vain: 0,
            lease: None,
            error: None,
            restoring: VecDeque::new(),
            steps: Vec::new(),
            transmits: VecDeque::new(),
            events: VecDeque::new(),
        }
    }

    /// Goes on after a [`JoinEvent::Rejoin`].
    pub fn resume(&mut self, now: Instant) {
        match std::mem::replace(&mut self.stage, Stage::Over) {
            // Before the word is sent, because a module that was never gone still has its session.
            Stage::Away(Some(mut watch), then) if !self.always_open => {
                watch.ask();
                self.stage = Stage::Doubting(after(now, watch.pace() * 2), watch, then);
            }
            Stage::Away(watch, then) => self.return_to(now, watch, then),
            stage => self.stage = stage,
        }
    }

    /// Says that the module's access point cannot be joined again: gives up.
    pub fn give_up(&mut self, now: Instant) {
        if !matches!(self.stage, Stage::Over) {
            self.finish_failed(now, JoinError::NotBack, ModuleState::Unknown);
        }
    }

    /// Stops as soon as what was there before is written back.
    pub fn cancel(&mut self, now: Instant) {
        // Once it leaves for the network there is nobody left to tell.
        let leaving = matches!(
            self.stage,
            Stage::Over | Stage::Restarting(_, After::Station | After::Direct)
        );
        if leaving || self.error.is_some() {
            return;
        }
        if !matches!(
            self.stage,
            Stage::Asking(..) | Stage::Pausing(..) | Stage::Opening
        ) {
            // `AT+Z` is out: it runs, or will run, with what was written.
            self.applied = true;
            self.session = AtSession::new(self.config.session.clone(), now);
        }
        self.fail(now, JoinError::Cancelled);
    }

    /// Leaves at once, whatever is half done; for destructors.
    pub fn abandon(&mut self, now: Instant) {
        self.session.close(now);
        self.stage = Stage::Over;
    }

    /// Takes a datagram from the module's address.
    pub fn handle_datagram(&mut self, now: Instant, datagram: &[u8]) {
        match &mut self.stage {
            Stage::Restarting(watch, _) => watch.handle_datagram(datagram),
            Stage::Doubting(_, watch, then) if begins_reply(datagram) => {
                self.stage = Stage::Testing(watch.test(now), *then);
            }
            Stage::Testing(test, _) => test.handle_datagram(datagram),
            Stage::Away(..) | Stage::Doubting(..) | Stage::Over => {}
            _ => {
                self.session.handle_datagram(now, datagram);
                self.pump(now);
            }
        }
    }

    /// Runs what is due.
    pub fn handle_timeout(&mut self, now: Instant) {
        match &mut self.stage {
            Stage::Restarting(watch, _) => {
                let seen = watch.handle_timeout(now);
                self.handle_seen(now, seen);
            }
            Stage::Doubting(at, ..) if *at <= now => self.stop_doubting(now),
            Stage::Testing(test, then) => {
                let then = *then;
                if let Some(unasked) = test.handle_timeout(now) {
                    self.handle_tested(now, unasked, then);
                }
            }
            Stage::Pausing(at, ask) if *at <= now => {
                let ask = *ask;
                self.ask(now, ask);
            }
            Stage::Away(..) | Stage::Over => {}
            _ => {
                self.session.handle_timeout(now);
                self.pump(now);
            }
        }
    }

    /// Returns the next datagram to send to the module's port 48899.
    pub fn poll_transmit(&mut self) -> Option<Zeroizing<Vec<u8>>> {
        let watch = match &mut self.stage {
            Stage::Restarting(watch, _) | Stage::Doubting(_, watch, _) => watch.poll_transmit(),
            Stage::Testing(test, _) => test.poll_transmit(),
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
            Stage::Restarting(watch, _) => Some(watch.next_timeout()),
            Stage::Doubting(at, ..) => Some(*at),
            Stage::Testing(test, _) => Some(test.next_timeout()),
            Stage::Pausing(at, _) => self.session.poll_timeout().into_iter().chain([*at]).min(),
            Stage::Away(..) | Stage::Over => None,
            Stage::Opening | Stage::Asking(..) | Stage::Reopening(_) | Stage::Returning(..) => {
                self.session.poll_timeout()
            }
        }
    }

    /// Returns what has happened. [`JoinEvent::Done`] and [`JoinEvent::Failed`] are the last.
    pub fn poll_event(&mut self) -> Option<JoinEvent> {
        self.events.pop_front()
    }
}

/// The ways between the stages.
impl Join {
    /// Takes what the session has to say.
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
        match std::mem::replace(&mut self.stage, Stage::Over) {
            Stage::Opening => self.begin(now, identity),
            Stage::Returning(watch, then) => self.returned(now, watch, then),
            Stage::Reopening(then) => self.restart(now, then),
            stage => self.stage = stage,
        }
    }

    fn handle_lost(&mut self, now: Instant) {
        match &self.stage {
            Stage::Opening => self.finish_failed(now, JoinError::NoAnswer, ModuleState::Untouched),
            Stage::Returning(..) | Stage::Reopening(_) => self.not_returned(now),
            // The command in flight has failed with it.
            _ => {}
        }
    }

    /// Hands a reply, or its absence, to the step that waits for it.
    fn handle_answer(&mut self, now: Instant, id: CommandId, raw: Option<&Zeroizing<Vec<u8>>>) {
        let Stage::Asking(ask, wanted) = self.stage else {
            return;
        };
        if id != wanted {
            return;
        }
        let raw = raw.map(|raw| raw.as_slice());
        match ask {
            Ask::ReadMode
            | Ask::ReadMac
            | Ask::ReadSsid
            | Ask::ReadKey
            | Ask::ReadWan
            | Ask::Scan => {
                self.handle_read(now, ask, raw);
            }
            Ask::Link | Ask::Lease | Ask::Ping(_) | Ask::Station => {
                self.handle_proof(now, ask, raw);
            }
            Ask::CheckMode(then) => self.handle_mode(now, then, raw),
            Ask::ModeAgain(then) => self.handle_mode_again(now, then, raw),
            Ask::Restore => self.handle_restored(now, raw),
            _ => self.handle_written(now, ask, raw),
        }
    }

    fn ask(&mut self, now: Instant, ask: Ask) {
        if let Some(changed) = self.changed.by(ask) {
            *changed = true;
        }
        let request = self.request(ask);
        let id = self.session.submit(now, request);
        self.stage = Stage::Asking(ask, id);
        self.pump(now);
    }

    /// Notes whether the module took a setting; what it refused it has not changed.
    fn note_written(&mut self, ask: Ask, done: bool) {
        let (Some(changed), Some(accepted)) = (self.changed.by(ask), self.accepted.by(ask)) else {
            return;
        };
        *accepted |= done;
        *changed = *accepted;
    }

    fn pause(&mut self, now: Instant, wait: Duration, ask: Ask) {
        self.stage = Stage::Pausing(after(now, wait), ask);
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
        // What led to a roll-back is the reason, not how the roll-back went.
        let error = self.error.take().unwrap_or(error);
        let failure = JoinFailure {
            error,
            left,
            mac: self.mac,
            steps: std::mem::take(&mut self.steps),
        };
        self.leave(now);
        self.events.push_back(JoinEvent::Failed(Box::new(failure)));
    }

    /// `AT+Q`, always.
    fn leave(&mut self, now: Instant) {
        self.session.close(now);
        self.stage = Stage::Over;
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
