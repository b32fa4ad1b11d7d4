//! Sending `AT+Z` and detecting that the module restarts.
//!
//! Most modules do not reply to `AT+Z`, so a lost one looks like an obeyed one. But a module that
//! restarts forgets its session: as long as it replies to null commands, it has not restarted.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use zeroize::Zeroizing;

use super::timing::{
    COMMANDS_PER_ROUND, MAX_RESTARTS, MAX_SILENT_ROUNDS, REPLYING_ROUND, RESTART_INTERVAL,
};
use crate::at::begins_reply;
use crate::session::after;
use crate::{AtRequest, Terminator};

/// Progress of a restart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RestartStatus {
    /// Not decided yet.
    Pending,
    /// The module no longer replies.
    Gone,
    /// The module still replies after several tries.
    StillThere,
}

#[derive(Debug)]
pub(super) struct RestartWatch {
    terminator: Terminator,
    round: Duration,
    restarted_at: Instant,
    restarts: u32,
    next: Instant,
    silent_rounds: u32,
    replied: bool,
    transmits: VecDeque<Zeroizing<Vec<u8>>>,
}

impl RestartWatch {
    /// Sends `AT+Z` at once. `round` is the time for the replies to one round of null commands.
    pub(super) fn new(now: Instant, terminator: Terminator, round: Duration) -> Self {
        let mut watch = Self {
            terminator,
            round,
            restarted_at: now,
            restarts: 0,
            next: after(now, round),
            silent_rounds: 0,
            replied: false,
            transmits: VecDeque::new(),
        };
        watch.restart(now);
        watch
    }

    pub(super) fn round(&self) -> Duration {
        self.round
    }

    /// Prepares to find out why a module replies that had been taken for gone.
    pub(super) fn test(&self, now: Instant) -> SessionTest {
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
    pub(super) fn send_round(&mut self) {
        for _ in 0..COMMANDS_PER_ROUND {
            self.transmits
                .push_back(AtRequest::null().emit(self.terminator));
        }
    }

    pub(super) fn handle_datagram(&mut self, datagram: &[u8]) {
        self.replied |= begins_reply(datagram);
    }

    pub(super) fn handle_timeout(&mut self, now: Instant) -> RestartStatus {
        if now < self.next {
            return RestartStatus::Pending;
        }
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

    pub(super) fn poll_transmit(&mut self) -> Option<Zeroizing<Vec<u8>>> {
        self.transmits.pop_front()
    }

    pub(super) fn next_timeout(&self) -> Instant {
        self.next
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
pub(super) struct SessionTest {
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
    pub(super) fn handle_datagram(&mut self, datagram: &[u8]) {
        self.replied |= self.phase == SessionTestPhase::Probe && begins_reply(datagram);
    }

    /// Returns at the end whether the module's command mode needs no opening.
    pub(super) fn handle_timeout(&mut self, now: Instant) -> Option<bool> {
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

    pub(super) fn poll_transmit(&mut self) -> Option<Zeroizing<Vec<u8>>> {
        self.transmits.pop_front()
    }

    pub(super) fn next_timeout(&self) -> Instant {
        self.next
    }
}
