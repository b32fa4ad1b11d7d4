//! An exchange, its clock, and what it has done so far.

use std::time::{Duration, Instant};

use plugs::PlugReply;
use plugs::exchange::{Exchange, ExchangeAction, ExchangeError, NoReplyReason};

/// An exchange in virtual time. Times are in milliseconds since its start.
pub(crate) struct ExchangeBench<E> {
    pub(crate) exchange: E,
    start: Instant,
    now: Instant,
    pub(crate) done: Vec<(u128, ExchangeAction)>,
    pub(crate) outcome: Option<(u128, Result<PlugReply, ExchangeError>)>,
}

impl<E: Exchange> ExchangeBench<E> {
    pub(crate) fn of(exchange: E, start: Instant) -> Self {
        let mut bench = Self {
            exchange,
            start,
            now: start,
            done: Vec::new(),
            outcome: None,
        };
        bench.settle();
        bench
    }

    /// Returns the actions since the last call.
    pub(crate) fn take(&mut self) -> Vec<(u128, ExchangeAction)> {
        std::mem::take(&mut self.done)
    }

    fn settle(&mut self) {
        let elapsed = (self.now - self.start).as_millis();
        while let Some(action) = self.exchange.poll_action() {
            self.done.push((elapsed, action));
        }
        if let Some(outcome) = self.exchange.poll_outcome() {
            assert_eq!(self.outcome, None, "an outcome comes once");
            self.outcome = Some((elapsed, outcome));
        }
    }

    pub(crate) fn open(&mut self) {
        self.exchange.handle_open(self.now);
        self.settle();
    }

    pub(crate) fn input(&mut self, bytes: &[u8]) {
        self.exchange.handle_input(self.now, bytes);
        self.settle();
    }

    pub(crate) fn closed(&mut self, how: NoReplyReason) {
        self.exchange.handle_closed(self.now, how);
        self.settle();
    }

    /// Lets time pass, stopping at each timer.
    pub(crate) fn pass(&mut self, milliseconds: u64) {
        let end = self.now + Duration::from_millis(milliseconds);
        while let Some(next) = self.exchange.poll_timeout().filter(|&next| next <= end) {
            self.now = next.max(self.now);
            self.exchange.handle_timeout(self.now);
            self.settle();
        }
        self.now = end;
    }

    #[track_caller]
    pub(crate) fn ended_at(&self, milliseconds: u128, reply: PlugReply) {
        assert_eq!(self.outcome, Some((milliseconds, Ok(reply))));
    }
}
