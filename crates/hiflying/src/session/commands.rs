//! Commands, one at a time, and stray replies between them.

use std::time::{Duration, Instant};

use zeroize::Zeroizing;

use super::config::MAX_RECENT_REPLIES;
use super::exchange::{AtExchange, CommandId, ExchangeAction, is_complete};
use super::round_trip::after;
use super::{AtSession, AtSessionEvent, NoReply};
use crate::{AtRequest, Terminator};

impl AtSession {
    pub(super) fn start_next(&mut self, now: Instant) {
        if !self.is_open() || self.active.is_some() || self.settle_until.is_some_and(|at| at > now)
        {
            return;
        }
        let Some((id, request)) = self.queue.pop_front() else {
            return;
        };
        self.start(now, Some(id), request);
    }

    pub(super) fn start(&mut self, now: Instant, id: Option<CommandId>, request: AtRequest) {
        self.settle_until = None;
        self.outstanding = 0;
        let others = self
            .recent
            .iter()
            .filter(|(verb, _)| verb != request.verb());
        let earlier = others.map(|(_, raw)| raw.clone()).collect();
        self.active = Some(AtExchange::new(
            id,
            request,
            &self.config,
            self.round_trip,
            earlier,
            self.terminates,
        ));
        self.transmit_active(now);
    }

    pub(super) fn transmit_active(&mut self, now: Instant) {
        self.settle_until = None;
        let terminator = self.terminator();
        if let Some(active) = &mut self.active {
            self.transmits.push_back(active.request.emit(terminator));
            active.sent(now);
            self.last_activity = now;
        }
    }

    pub(super) fn transmit_null(&mut self) {
        let null = AtRequest::null().emit(self.terminator());
        self.transmits.push_back(null);
    }

    /// Takes the next line end while none is known to be understood.
    pub(super) fn turn_terminator(&mut self) {
        if !self.terminator_known {
            self.terminator = (self.terminator + 1) % self.config.terminators.len().max(1);
        }
    }

    /// Returns the line end that the module understands, as far as is known.
    pub(crate) fn terminator(&self) -> Terminator {
        self.config
            .terminators
            .get(self.terminator)
            .copied()
            .unwrap_or_default()
    }

    pub(super) fn handle_open(&mut self, now: Instant, datagram: &[u8]) {
        let Some(active) = &mut self.active else {
            return self.handle_stray(now, datagram);
        };
        // Just opened again: this may be a reply to the opening.
        if self.settle_until.is_some_and(|at| at > now) && !active.recognises(datagram) {
            return;
        }
        let reply = active.handle_datagram(now, datagram);
        self.doubles |= active.saw_leftover();
        if let Some(raw) = reply {
            self.settle_active(now, |_| ExchangeAction::Done(raw));
        }
    }

    /// Takes a late or duplicated reply between two commands.
    pub(super) fn handle_stray(&mut self, now: Instant, datagram: &[u8]) {
        if datagram.trim_ascii().is_empty() {
            return;
        }
        if self.outstanding > 0 {
            self.outstanding -= 1;
            // The next one can follow as late again.
            self.settle(now);
            if self.outstanding == 0 && !self.doubles {
                self.settle_until = None;
                self.start_next(now);
            }
        } else if self
            .recent
            .back()
            .is_some_and(|(_, raw)| raw.as_slice() == datagram)
        {
            self.doubles = true;
        }
    }

    pub(super) fn settle(&mut self, now: Instant) {
        self.settle_until = (!self.settle_for.is_zero()).then(|| after(now, self.settle_for));
    }

    pub(super) fn tick(&mut self, now: Instant) {
        match self
            .active
            .as_mut()
            .map(|active| active.handle_timeout(now))
        {
            Some(ExchangeAction::Wait) => {}
            Some(ExchangeAction::Resend) => {
                self.turn_terminator();
                self.transmit_active(now);
            }
            Some(ExchangeAction::Reopen) => self.reopen(now),
            Some(tick) => self.settle_active(now, |_| tick),
            None if self.queue.is_empty() => self.keep_alive(now),
            None => self.start_next(now),
        }
    }

    pub(super) fn keep_alive(&mut self, now: Instant) {
        if now.saturating_duration_since(self.last_activity) >= self.config.keep_alive {
            self.start(now, None, AtRequest::query("W"));
        }
    }

    /// Ends the command in flight with the result of `conclude`.
    pub(super) fn settle_active(
        &mut self,
        now: Instant,
        conclude: impl FnOnce(&mut AtExchange) -> ExchangeAction,
    ) {
        let Some(mut active) = self.active.take() else {
            return;
        };
        let event = match (conclude(&mut active), active.id) {
            (ExchangeAction::Done(raw), id) => {
                self.note_reply(now, &active, &raw);
                id.map(|id| AtSessionEvent::Reply { id, raw })
            }
            (_, id) => id.map(|id| AtSessionEvent::Failed {
                id,
                error: NoReply::Timeout,
            }),
        };
        self.events.extend(event);
        self.start_next(now);
    }

    pub(super) fn note_reply(
        &mut self,
        now: Instant,
        active: &AtExchange,
        raw: &Zeroizing<Vec<u8>>,
    ) {
        self.last_activity = now;
        if raw.is_empty() {
            return;
        }
        self.terminator_known = true;
        self.terminates |= is_complete(raw);
        let elapsed = active.since_sent(now);
        if active.sends() == 1 && active.is_ordinary {
            self.round_trip.measure(elapsed);
        }
        // After several sendings, a slow reply may belong to an earlier one, with others still on
        // their way.
        let late = active.sends() > 1 && !self.round_trip.is_prompt(elapsed);
        if late && active.is_ordinary {
            self.round_trip.note_late(active.since_first_sent(now));
        }
        self.outstanding = if late { active.sends() - 1 } else { 0 };
        let doubled = if self.doubles {
            self.round_trip.settle() * 2
        } else {
            Duration::ZERO
        };
        self.settle_for = if late {
            active.overlap().max(doubled)
        } else {
            doubled
        };
        self.settle(now);
        if self.recent.len() >= MAX_RECENT_REPLIES {
            self.recent.pop_front();
        }
        self.recent
            .push_back((active.request.verb().to_owned(), raw.clone()));
    }

    pub(super) fn fail_all(&mut self, error: NoReply) {
        let active = self.active.take().and_then(|active| active.id);
        let waiting = std::mem::take(&mut self.queue)
            .into_iter()
            .map(|(id, _)| id);
        self.events.extend(
            active
                .into_iter()
                .chain(waiting)
                .map(|id| AtSessionEvent::Failed { id, error }),
        );
    }
}
