//! Sending `AT+Z` and detecting that the module restarts.
//!
//! Most modules do not reply to `AT+Z`, so a lost one looks like an obeyed one. But a module that
//! restarts forgets its session: as long as it replies to null commands, it has not restarted.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use zeroize::Zeroizing;

use super::AtSession;
use super::round_trip::after;
use crate::at::begins_reply;
use crate::{AtRequest, Terminator};

/// Minimum duration of a round of null commands after `AT+Z`.
const MIN_ROUND: Duration = Duration::from_millis(100);

/// Maximum duration of a round of null commands after `AT+Z`.
const MAX_ROUND: Duration = Duration::from_millis(400);

/// Minimum duration of a round while the module still replies: there is no hurry.
const REPLYING_ROUND: Duration = Duration::from_millis(300);

/// Null commands of one round. Several, so that loss alone does not look like silence.
const COMMANDS_PER_ROUND: usize = 3;

/// Rounds of silence after which the module counts as restarting.
const MAX_SILENT_ROUNDS: u32 = 4;

/// Interval after which `AT+Z` is sent again to a module that still replies.
const RESTART_INTERVAL: Duration = Duration::from_secs(5);

/// Maximum number of `AT+Z`. Where two of five datagrams are lost, eight go astray once in 1,500 times.
pub(crate) const MAX_RESTARTS: u32 = 8;

/// Progress of a restart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RestartStatus {
    /// Not decided yet.
    Pending,
    /// The module no longer replies.
    Gone,
    /// The module still replies after several tries.
    StillThere,
}

impl AtSession {
    /// Sends `AT+Z` in place of this session, which ends with it.
    pub fn restart(&self, now: Instant) -> RestartWatch {
        let round = self.resend_delay(MIN_ROUND, MAX_ROUND);
        RestartWatch::new(now, self.terminator(), round)
    }
}

/// A module that was sent `AT+Z`. Sans-IO, with the same inputs as [`AtSession`].
#[derive(Debug)]
pub struct RestartWatch {
    terminator: Terminator,
    round: Duration,
    restarted_at: Instant,
    restarts: u32,
    next: Instant,
    silent_rounds: u32,
    replied: bool,
    status: RestartStatus,
    transmits: VecDeque<Zeroizing<Vec<u8>>>,
}

impl RestartWatch {
    /// Sends `AT+Z` at once. `round` is the time for the replies to one round of null commands.
    fn new(now: Instant, terminator: Terminator, round: Duration) -> Self {
        let mut watch = Self {
            terminator,
            round,
            restarted_at: now,
            restarts: 0,
            next: after(now, round),
            silent_rounds: 0,
            replied: false,
            status: RestartStatus::Pending,
            transmits: VecDeque::new(),
        };
        watch.restart(now);
        watch
    }

    pub(crate) fn round(&self) -> Duration {
        self.round
    }

    /// Prepares to find out why a module replies that had been taken for gone.
    pub(crate) fn test(&self, now: Instant) -> SessionTest {
        // Not before `AT+Z` may be sent again.
        let earliest = after(self.restarted_at, RESTART_INTERVAL);
        SessionTest {
            terminator: self.terminator,
            round: self.round,
            next: after(now, self.round * 2).max(earliest),
            phase: SessionTestPhase::Drain,
            replied: false,
            transmits: VecDeque::new(),
        }
    }

    /// Sends a round of null commands.
    pub(crate) fn send_round(&mut self) {
        for _ in 0..COMMANDS_PER_ROUND {
            self.transmits
                .push_back(AtRequest::null().emit(self.terminator));
        }
    }

    /// Takes a datagram from the module's address.
    pub fn handle_datagram(&mut self, _now: Instant, datagram: &[u8]) {
        self.replied |= begins_reply(datagram);
    }

    /// Runs the timers that are due.
    pub fn handle_timeout(&mut self, now: Instant) {
        if now >= self.next && self.status == RestartStatus::Pending {
            self.status = self.end_round(now);
        }
    }

    fn end_round(&mut self, now: Instant) -> RestartStatus {
        let replied = std::mem::take(&mut self.replied);
        self.silent_rounds = if replied { 0 } else { self.silent_rounds + 1 };
        // The first round had no null command yet.
        if self.silent_rounds > MAX_SILENT_ROUNDS {
            return RestartStatus::Gone;
        }
        if replied && now.saturating_duration_since(self.restarted_at) >= RESTART_INTERVAL {
            if self.restarts >= MAX_RESTARTS {
                return RestartStatus::StillThere;
            }
            self.restart(now);
        }
        let round = if replied {
            self.round.max(REPLYING_ROUND)
        } else {
            self.round
        };
        self.next = after(now, round);
        self.send_round();
        RestartStatus::Pending
    }

    /// Returns the progress.
    pub fn status(&self) -> RestartStatus {
        self.status
    }

    /// Returns the next datagram to send to the module's port 48899.
    pub fn poll_transmit(&mut self) -> Option<Zeroizing<Vec<u8>>> {
        self.transmits.pop_front()
    }

    /// Returns when [`RestartWatch::handle_timeout`] is due.
    pub fn poll_timeout(&self) -> Option<Instant> {
        (self.status == RestartStatus::Pending).then_some(self.next)
    }

    fn restart(&mut self, now: Instant) {
        self.restarts += 1;
        self.restarted_at = now;
        self.transmits
            .push_back(AtRequest::query("Z").emit(self.terminator));
    }
}

/// Distinguishes a module that has not restarted from one whose command mode needs no opening: only
/// the former falls silent after `AT+Q`.
#[derive(Debug)]
pub(crate) struct SessionTest {
    terminator: Terminator,
    round: Duration,
    next: Instant,
    phase: SessionTestPhase,
    replied: bool,
    transmits: VecDeque<Zeroizing<Vec<u8>>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum SessionTestPhase {
    /// Letting replies to earlier null commands pass.
    Drain,
    /// `AT+Q` has been sent; letting its replies pass.
    Quit,
    /// Null commands have been sent.
    Probe,
}

impl SessionTest {
    pub(crate) fn handle_datagram(&mut self, datagram: &[u8]) {
        self.replied |= self.phase == SessionTestPhase::Probe && begins_reply(datagram);
    }

    /// Returns at the end whether the module's command mode needs no opening.
    pub(crate) fn handle_timeout(&mut self, now: Instant) -> Option<bool> {
        if now < self.next {
            return None;
        }
        self.next = after(now, self.round * 2);
        let (phase, request) = match self.phase {
            SessionTestPhase::Drain => (SessionTestPhase::Quit, AtRequest::query("Q")),
            SessionTestPhase::Quit => (SessionTestPhase::Probe, AtRequest::null()),
            SessionTestPhase::Probe => return Some(self.replied),
        };
        self.phase = phase;
        for _ in 0..COMMANDS_PER_ROUND {
            self.transmits.push_back(request.emit(self.terminator));
        }
        None
    }

    pub(crate) fn poll_transmit(&mut self) -> Option<Zeroizing<Vec<u8>>> {
        self.transmits.pop_front()
    }

    pub(crate) fn next_timeout(&self) -> Instant {
        self.next
    }
}
