//! Sending `AT+Z` and seeing that the module is really gone.
//!
//! Most modules do not answer `AT+Z`, so a lost one looks like an obeyed one. But a module that
//! restarts forgets its session: as long as the null command is answered, it has not restarted.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use zeroize::Zeroizing;

use crate::session::{after, begins_reply};
use crate::{Request, Terminator};

/// How long a module may go on answering before `AT+Z` is sent again.
const PATIENCE: Duration = Duration::from_secs(5);

/// How often `AT+Z` is sent at most. Where two of five datagrams are lost, eight go astray once in
/// 1,500 times.
const TRIES: u32 = 8;

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

    /// Goes on watching a module that was taken for gone but has not restarted.
    pub(super) fn resume(&mut self, now: Instant) {
        self.silent = 0;
        self.answered = true;
        self.next = after(now, self.pace);
    }

    pub(super) fn pace(&self) -> Duration {
        self.pace
    }

    /// Puts a round of null commands on the wire.
    pub(super) fn ask(&mut self) {
        for _ in 0..BURST {
            self.transmits
                .push_back(Request::null().emit(self.terminator));
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
            .push_back(Request::query("Z").emit(self.terminator));
    }
}
