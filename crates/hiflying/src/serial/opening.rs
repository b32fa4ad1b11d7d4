//! The way into command mode: the escape, its confirmation, and what else a device may make of it.

use std::time::Instant;

use super::collect::{ends_in_lone_a, error_word};
use super::{SerialEvent, SerialOpening, SerialSession, SerialState};

const ESCAPE: &[u8] = b"+++";
const CONFIRM: &[u8] = b"a";
/// A harmless query that the module's engine and the plug maker's parser both answer.
const PROBE: &[u8] = b"AT+VER\r\n";

impl SerialSession {
    /// Begins with the guard pause; the escape goes out when it is over.
    pub(super) fn start(&mut self, now: Instant) {
        self.attempt = 0;
        self.guard(now);
    }

    fn guard(&mut self, now: Instant) {
        let pause = self
            .config
            .guards
            .get(self.attempt)
            .copied()
            .unwrap_or_default();
        self.enter(SerialState::Guarding, now + pause);
    }

    /// The guard pause is over.
    pub(super) fn escape(&mut self, now: Instant) {
        self.write(ESCAPE);
        self.enter(SerialState::Escaping, now + self.config.escape_wait);
    }

    pub(super) fn try_again(&mut self, now: Instant) {
        self.attempt += 1;
        if self.attempt < self.config.guards.len() {
            self.guard(now);
        } else {
            self.write(PROBE);
            self.enter(SerialState::Probing, now + self.config.probe_wait);
        }
    }

    pub(super) fn judge_escape(&mut self, now: Instant, quiet: bool) {
        let text = self.received.text();
        match error_word(text, quiet) {
            Some(true) => self.open(now, SerialOpening::Line),
            Some(false) => self.open(now, SerialOpening::AlreadyOpen),
            None if ends_in_lone_a(text, quiet) => {
                self.write(CONFIRM);
                self.enter(SerialState::Confirming, now + self.config.confirm_wait);
            }
            None => {}
        }
    }

    pub(super) fn judge_confirm(&mut self, now: Instant) {
        if self.received.contains_ok() {
            self.open(now, SerialOpening::Escaped);
        }
    }

    /// `+ERR=` to the probe is the module's engine, which has found our `+++` before the line.
    pub(super) fn judge_probe(&mut self, now: Instant, quiet: bool) {
        match error_word(self.received.text(), quiet) {
            Some(true) => self.open(now, SerialOpening::Line),
            Some(false) => self.open(now, SerialOpening::AlreadyOpen),
            None if self.received.contains_ok() && (quiet || self.received.is_ended()) => {
                self.open(now, SerialOpening::Line);
            }
            None => {}
        }
    }

    fn open(&mut self, now: Instant, opening: SerialOpening) {
        self.opening = Some(opening);
        self.events.push_back(SerialEvent::Opened(opening));
        self.idle();
        self.ask_next(now);
    }
}
