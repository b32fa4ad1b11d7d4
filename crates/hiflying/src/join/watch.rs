//! Sending `AT+Z` and seeing that the module is really gone.
//!
//! Most modules do not answer `AT+Z`, so a lost one looks like an obeyed one. But a module that
//! restarts forgets its session: as long as the null command is answered, it has not restarted.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use zeroize::Zeroizing;

use crate::session::{after, begins_reply};
use crate::{AtRequest, Terminator};

/// How long a module may go on answering before `AT+Z` is sent again.
const PATIENCE: Duration = Duration::from_secs(5);

/// How often `AT+Z` is sent at most. Where two of five datagrams are lost, eight go astray once in
/// 1,500 times.
pub(super) const TRIES: u32 = 8;

/// How long a round lasts at least while the module answers.
const CALM: Duration = Duration::from_millis(300);

/// How many null commands make a round. Several, so that loss alone does not look like silence.
const BURST: usize = 3;

/// How many rounds of silence mean that it is gone.
const SILENT_ROUNDS: u32 = 4;

/// What a watch has seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Seen {
    /// Nothing decided yet.
    Nothing,
    /// It no longer answers.
    Gone,
    /// It answers still, after several tries.
    StillThere,
}

#[derive(Debug)]
pub(super) struct RestartWatch {
    terminator: Terminator,
    pace: Duration,
    restarted_at: Instant,
    tries: u32,
    next: Instant,
    silent: u32,
    answered: bool,
    transmits: VecDeque<Zeroizing<Vec<u8>>>,
}

impl RestartWatch {
    /// Sends `AT+Z` at once. A round lasts `pace`.
    pub(super) fn new(now: Instant, terminator: Terminator, pace: Duration) -> Self {
        let mut watch = Self {
            terminator,
            pace,
            restarted_at: now,
            tries: 0,
            next: after(now, pace),
            silent: 0,
            answered: false,
            transmits: VecDeque::new(),
        };
        watch.restart(now);
        watch
    }

    pub(super) fn pace(&self) -> Duration {
        self.pace
    }

    /// Prepares to find out why a module answers that was taken for gone.
    pub(super) fn test(&self, now: Instant) -> OpenTest {
        // Not before the time at which `AT+Z` may be sent again.
        let patient = after(self.restarted_at, PATIENCE);
        OpenTest {
            terminator: self.terminator,
            pace: self.pace,
            next: after(now, self.pace * 2).max(patient),
            phase: OpenPhase::Drain,
            answered: false,
            transmits: VecDeque::new(),
        }
    }

    /// Puts a round of null commands on the wire.
    pub(super) fn ask(&mut self) {
        for _ in 0..BURST {
            self.transmits
                .push_back(AtRequest::null().emit(self.terminator));
        }
    }

    pub(super) fn handle_datagram(&mut self, datagram: &[u8]) {
        self.answered |= begins_reply(datagram);
    }

    pub(super) fn handle_timeout(&mut self, now: Instant) -> Seen {
        if now < self.next {
            return Seen::Nothing;
        }
        let answered = std::mem::take(&mut self.answered);
        self.silent = if answered { 0 } else { self.silent + 1 };
        // The first round had no null command yet.
        if self.silent > SILENT_ROUNDS {
            return Seen::Gone;
        }
        if answered && now.saturating_duration_since(self.restarted_at) >= PATIENCE {
            if self.tries >= TRIES {
                return Seen::StillThere;
            }
            self.restart(now);
        }
        // In no hurry while it goes on answering.
        self.next = after(
            now,
            if answered {
                self.pace.max(CALM)
            } else {
                self.pace
            },
        );
        self.ask();
        Seen::Nothing
    }

    pub(super) fn poll_transmit(&mut self) -> Option<Zeroizing<Vec<u8>>> {
        self.transmits.pop_front()
    }

    pub(super) fn next_timeout(&self) -> Instant {
        self.next
    }

    fn restart(&mut self, now: Instant) {
        self.tries += 1;
        self.restarted_at = now;
        self.transmits
            .push_back(AtRequest::query("Z").emit(self.terminator));
    }
}

/// Tells a module that has never restarted from one that takes commands without being asked: only
/// the former falls silent after `AT+Q`.
#[derive(Debug)]
pub(super) struct OpenTest {
    terminator: Terminator,
    pace: Duration,
    next: Instant,
    phase: OpenPhase,
    answered: bool,
    transmits: VecDeque<Zeroizing<Vec<u8>>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum OpenPhase {
    /// Letting replies to earlier null commands pass.
    Drain,
    /// `AT+Q` is out; letting its replies pass.
    Quit,
    /// Null commands are out.
    Ask,
}

impl OpenTest {
    pub(super) fn handle_datagram(&mut self, datagram: &[u8]) {
        self.answered |= self.phase == OpenPhase::Ask && begins_reply(datagram);
    }

    /// Tells at the end whether the module takes commands unasked.
    pub(super) fn handle_timeout(&mut self, now: Instant) -> Option<bool> {
        if now < self.next {
            return None;
        }
        self.next = after(now, self.pace * 2);
        let (phase, request) = match self.phase {
            OpenPhase::Drain => (OpenPhase::Quit, AtRequest::query("Q")),
            OpenPhase::Quit => (OpenPhase::Ask, AtRequest::null()),
            OpenPhase::Ask => return Some(self.answered),
        };
        self.phase = phase;
        for _ in 0..BURST {
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
