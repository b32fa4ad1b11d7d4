//! Entering command mode: the escape, its confirmation, and the replies of devices without an escape.

use std::time::{Duration, Instant};

use super::collect::{ErrorSource, ends_in_lone_a, error_source};
use super::{SerialEvent, SerialOpening, SerialSession, SerialState};

const ESCAPE: &[u8] = b"+++";
const CONFIRM: &[u8] = b"a";
/// A harmless query to which the module's engine and the plug maker's parser both reply.
const PROBE: &[u8] = b"AT+VER\r\n";

impl SerialSession {
    /// Begins with the guard pause, after which the escape is sent.
    pub(super) fn start(&mut self, now: Instant) {
        self.attempt = 0;
        self.guard(now);
    }

    fn guard(&mut self, now: Instant) {
        // Without guards the escape is sent at once.
        let guard = self.config.guards.get(self.attempt);
        self.enter(
            SerialState::Guarding,
            now + guard.copied().unwrap_or(Duration::ZERO),
        );
    }

    /// Sends the escape after the guard pause.
    pub(super) fn escape(&mut self, now: Instant) {
        self.write(ESCAPE);
        self.enter(SerialState::Escaping, now + self.config.escape_timeout);
    }

    pub(super) fn try_again(&mut self, now: Instant) {
        self.attempt += 1;
        if self.attempt < self.config.guards.len() {
            self.guard(now);
        } else {
            self.write(PROBE);
            self.enter(SerialState::Probing, now + self.config.probe_timeout);
        }
    }

    pub(super) fn judge_escape(&mut self, now: Instant, quiet: bool) {
        let text = self.received.text();
        match error_source(text, quiet) {
            Some(ErrorSource::Plug) => self.open(now, SerialOpening::Line),
            Some(ErrorSource::Module) => self.open(now, SerialOpening::AlreadyOpen),
            None if ends_in_lone_a(text, quiet) => {
                self.write(CONFIRM);
                self.enter(SerialState::Confirming, now + self.config.confirm_timeout);
            }
            None => {}
        }
    }

    pub(super) fn judge_confirm(&mut self, now: Instant) {
        if self.received.contains_ok() {
            self.open(now, SerialOpening::Escaped);
        }
    }

    /// Judges the reply to the probe. An `+ERR=` is from the module's engine, which found our `+++` before the line.
    pub(super) fn judge_probe(&mut self, now: Instant, quiet: bool) {
        match error_source(self.received.text(), quiet) {
            Some(ErrorSource::Plug) => self.open(now, SerialOpening::Line),
            Some(ErrorSource::Module) => self.open(now, SerialOpening::AlreadyOpen),
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
        self.send_next(now);
    }
}
