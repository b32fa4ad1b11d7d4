//! One command in flight: when to send it again, which datagrams belong to its reply, and when the
//! reply is complete.
//!
//! Replies carry no number. A reply of the wrong shape (a bare `+ok` to a query, a value to a
//! setting, the very value that another verb just got, `+ERR=-1` to a well-formed line, plain
//! garbage) is probably left over from an earlier command or a copy made by the network. It is held
//! back, and believed only when the command, sent again, gets it again or gets nothing better.

use std::time::{Duration, Instant};

use zeroize::Zeroizing;

use super::config::{AtSessionConfig, DOUBT_DELAY, MAX_REPLY, OVERLAP_MARGIN};
use super::round_trip::{RoundTrip, after};
use crate::at::begins_reply;
use crate::verb::{self, ExpectedReply};
use crate::{AtReply, AtRequest, ErrorCode, wscan};

/// Identifies a command in the events of a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CommandId(pub(super) u64);

/// Expected form of an `+ok`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ReplyShape {
    /// `+ok=<value>`.
    Value,
    /// `+ok`.
    Bare,
    /// Unknown.
    Any,
}

/// Action that is due after a timer.
#[derive(Debug)]
pub(super) enum ExchangeAction {
    /// Nothing is due.
    Wait,
    /// Send it again.
    Resend,
    /// Open the session again: it has been sent often enough without a reply.
    Reopen,
    /// The reply is complete.
    Done(Zeroizing<Vec<u8>>),
    /// No reply in time.
    Failed,
}

#[derive(Debug)]
pub(super) struct AtExchange {
    /// `None` for the session's own keep-alive.
    pub(super) id: Option<CommandId>,
    pub(super) request: AtRequest,
    shape: ReplyShape,
    expected: ExpectedReply,
    /// True for a mere look-up: the time of a longer action says nothing about round trips.
    pub(super) is_ordinary: bool,
    retry: bool,
    total: Duration,
    resend_delay: Duration,
    list_silence: Duration,
    tail_silence: Duration,
    /// Number of sendings since the session was (re)opened after which it may no longer be open.
    doubt_after: u32,
    round_trip: RoundTrip,
    sends: u32,
    sends_since_open: u32,
    first_sent: Option<Instant>,
    last_sent: Option<Instant>,
    widest_gap: Duration,
    resend_at: Option<Instant>,
    deadline: Option<Instant>,
    buffer: Zeroizing<Vec<u8>>,
    last_chunk: Zeroizing<Vec<u8>>,
    finish_at: Option<Instant>,
    held: Option<(Zeroizing<Vec<u8>>, u32)>,
    /// Recent replies to other verbs.
    earlier: Vec<Zeroizing<Vec<u8>>>,
    /// True if this module is known to end its replies, so that one without end has lost a fragment.
    terminates: bool,
}

impl AtExchange {
    pub(super) fn new(
        id: Option<CommandId>,
        request: AtRequest,
        config: &AtSessionConfig,
        round_trip: RoundTrip,
        earlier: Vec<Zeroizing<Vec<u8>>>,
        terminates: bool,
    ) -> Self {
        let info = verb::lookup(request.verb());
        let expected = info.map_or(ExpectedReply::One, |info| info.reply);
        // A verb that is not in the table may do anything, so it is sent once.
        let retry = info.is_some_and(|info| info.retry);
        let timeout = info
            .map(|info| info.timeout)
            .filter(|&timeout| timeout != verb::DEFAULT_TIMEOUT)
            .unwrap_or(config.reply_timeout);
        let is_ordinary = expected == ExpectedReply::One && timeout <= config.reply_timeout;
        let tries = match expected {
            ExpectedReply::One if retry && is_ordinary => config.tries.max(1),
            // A long action such as a ping: once more, in case the first was lost.
            ExpectedReply::One if retry => 2,
            _ => 1,
        };
        let total = timeout.saturating_mul(tries);
        let resend_delay = match expected {
            ExpectedReply::Many => timeout / 3,
            _ if timeout > config.reply_timeout => timeout,
            _ => round_trip.resend_delay(config.min_interval, timeout),
        };
        Self {
            shape: shape(&request),
            id,
            request,
            expected,
            is_ordinary,
            retry,
            total,
            resend_delay,
            list_silence: config.list_silence,
            tail_silence: config.tail_silence,
            doubt_after: u32::try_from(config.terminators.len())
                .unwrap_or(u32::MAX)
                .max(2),
            round_trip,
            sends: 0,
            sends_since_open: 0,
            first_sent: None,
            last_sent: None,
            widest_gap: Duration::ZERO,
            resend_at: None,
            deadline: None,
            buffer: Zeroizing::default(),
            last_chunk: Zeroizing::default(),
            finish_at: None,
            held: None,
            earlier,
            terminates,
        }
    }

    /// Notes that the command has just been sent.
    pub(super) fn sent(&mut self, now: Instant) {
        if let Some(last) = self.last_sent {
            self.widest_gap = self.widest_gap.max(now.saturating_duration_since(last));
        }
        self.sends += 1;
        self.sends_since_open += 1;
        self.first_sent.get_or_insert(now);
        self.last_sent = Some(now);
        self.resend_at = self.retry.then(|| after(now, self.resend_delay));
        self.deadline.get_or_insert(after(now, self.total));
    }

    /// Notes that the session has been opened again, and when to send again. Earlier silence means
    /// nothing, and a held reply perhaps belongs to the opening.
    pub(super) fn reopened(&mut self, resend_at: Instant) {
        self.sends_since_open = 0;
        self.held = None;
        self.resend_at = self.retry.then_some(resend_at);
    }

    pub(super) fn sends(&self) -> u32 {
        self.sends
    }

    /// Returns the time since the last sending.
    pub(super) fn since_sent(&self, now: Instant) -> Duration {
        self.last_sent
            .map_or(Duration::ZERO, |sent| now.saturating_duration_since(sent))
    }

    /// Returns the time since the first sending.
    pub(super) fn since_first_sent(&self, now: Instant) -> Duration {
        self.first_sent
            .map_or(Duration::ZERO, |sent| now.saturating_duration_since(sent))
    }

    /// Returns the maximum time between the replies to several sendings.
    pub(super) fn overlap(&self) -> Duration {
        self.widest_gap + OVERLAP_MARGIN
    }

    /// Tells whether a datagram can be nothing but the reply to this command.
    pub(super) fn recognises(&self, datagram: &[u8]) -> bool {
        self.sends > 0
            && self.expected == ExpectedReply::One
            && self.shape == ReplyShape::Value
            && is_complete(datagram)
            && self.is_plausible(datagram)
            && matches!(AtReply::parse(datagram), AtReply::Ok(Some(_)))
    }

    pub(super) fn next_timeout(&self) -> Option<Instant> {
        [
            self.resend_at.filter(|_| self.finish_at.is_none()),
            self.finish_at,
            self.deadline,
        ]
        .into_iter()
        .flatten()
        .min()
    }

    /// Takes a datagram; returns the reply when it is complete.
    pub(super) fn handle_datagram(
        &mut self,
        now: Instant,
        datagram: &[u8],
    ) -> Option<Zeroizing<Vec<u8>>> {
        match self.expected {
            ExpectedReply::Many => self.collect(now, datagram),
            ExpectedReply::One | ExpectedReply::Optional => self.assemble(now, datagram),
        }
    }

    /// Runs the timers while the session is open.
    pub(super) fn handle_timeout(&mut self, now: Instant) -> ExchangeAction {
        if self.finish_at.is_some_and(|at| at <= now) {
            self.finish_at = None;
            let whole = match self.expected {
                ExpectedReply::Many => Some(std::mem::take(&mut self.buffer)),
                _ => self.finish(now),
            };
            if let Some(raw) = whole {
                return ExchangeAction::Done(raw);
            }
        }
        if self.deadline.is_some_and(|at| at <= now) {
            return self.give_up();
        }
        if self.finish_at.is_none() && self.resend_at.is_some_and(|at| at <= now) {
            self.resend_at = None;
            let doubtful = self.expected != ExpectedReply::Many
                && self.sends_since_open >= self.doubt_after
                && self.held.is_none();
            return if doubtful {
                ExchangeAction::Reopen
            } else {
                ExchangeAction::Resend
            };
        }
        ExchangeAction::Wait
    }

    /// Returns the end of the total time, which holds in any state of the session.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.deadline
    }

    pub(super) fn is_overdue(&self, now: Instant) -> bool {
        self.deadline.is_some_and(|at| at <= now)
    }

    /// Tells whether a reply to an earlier command came on the only sending.
    pub(super) fn saw_leftover(&self) -> bool {
        self.sends == 1 && self.held.as_ref().is_some_and(|(raw, _)| begins_reply(raw))
    }

    /// Ends the exchange with the best reply so far.
    pub(super) fn give_up(&mut self) -> ExchangeAction {
        if self.expected == ExpectedReply::Many && !self.buffer.is_empty() {
            return ExchangeAction::Done(std::mem::take(&mut self.buffer));
        }
        match (self.held.take(), self.expected) {
            // A repeated command would have got it again.
            (Some((raw, _)), _) if self.sends == 1 => ExchangeAction::Done(raw),
            (_, ExpectedReply::Optional) => ExchangeAction::Done(Zeroizing::default()),
            _ => ExchangeAction::Failed,
        }
    }

    fn assemble(&mut self, now: Instant, datagram: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        if datagram.trim_ascii().is_empty() && self.buffer.is_empty() {
            return None;
        }
        if self.last_chunk.as_slice() == datagram && !self.buffer.is_empty() {
            return None;
        }
        if begins_reply(datagram) && !self.buffer.is_empty() {
            // The bytes so far were a reply without its end, or the rest of an older one.
            if let Some(raw) = self.finish(now) {
                return Some(raw);
            }
        }
        self.append(datagram);
        self.last_chunk = Zeroizing::new(datagram.to_vec());
        if is_complete(&self.buffer) {
            self.finish_at = None;
            return self.finish(now);
        }
        self.finish_at = Some(after(now, self.tail_silence));
        None
    }

    /// Returns the assembled reply if it is plausible, or holds it.
    fn finish(&mut self, now: Instant) -> Option<Zeroizing<Vec<u8>>> {
        let raw = std::mem::take(&mut self.buffer);
        self.finish_at = None;
        if self.is_plausible(&raw) {
            return Some(raw);
        }
        self.hold(now, raw)
    }

    fn hold(&mut self, now: Instant, raw: Zeroizing<Vec<u8>>) -> Option<Zeroizing<Vec<u8>>> {
        match &self.held {
            Some((held, sends)) if *held == raw && *sends < self.sends => Some(raw),
            Some((_, sends)) if *sends == self.sends => {
                self.held = Some((raw, self.sends));
                None
            }
            _ => {
                // A refusal like the last one is likely a true one, so ask again soon. Of the other
                // kinds several can be left over.
                if matches!(AtReply::parse(&raw), AtReply::Error(code) if code != ErrorCode::Format)
                {
                    let soon = after(now, self.round_trip.settle().max(DOUBT_DELAY));
                    self.resend_at = self.resend_at.map(|at| at.min(soon));
                }
                self.held = Some((raw, self.sends));
                None
            }
        }
    }

    fn is_plausible(&self, raw: &[u8]) -> bool {
        let copied = || self.earlier.iter().any(|earlier| earlier.as_slice() == raw);
        match (AtReply::parse(raw), self.shape) {
            _ if self.terminates && !is_complete(raw) => false,
            (AtReply::Ok(_), ReplyShape::Value) if copied() => false,
            (AtReply::Error(_), _) if copied() => false,
            (AtReply::Error(ErrorCode::Format) | AtReply::Unknown(_), _) => false,
            (AtReply::Error(_), _) | (AtReply::Ok(_), ReplyShape::Any) => true,
            (AtReply::Ok(value), ReplyShape::Value) => value.is_some(),
            (AtReply::Ok(value), ReplyShape::Bare) => {
                value.is_none_or(|value| value.as_bytes().is_empty())
            }
        }
    }

    fn collect(&mut self, now: Instant, datagram: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        if datagram.trim_ascii().is_empty() {
            if !self.buffer.is_empty() {
                // The end; datagrams that the network has reordered may still follow at once.
                self.finish_at = Some(after(now, self.round_trip.settle()));
            }
            return None;
        }
        let scan = self.request.verb() == "WSCAN";
        if scan && !self.buffer.is_empty() && AtReply::parse(datagram) == AtReply::Ok(None) {
            self.finish_at = Some(after(now, self.round_trip.settle()));
            return None;
        }
        let begins_list = if scan {
            contains_rows(datagram)
        } else {
            begins_reply(datagram)
        };
        if begins_reply(datagram)
            && (!begins_list || matches!(AtReply::parse(datagram), AtReply::Error(_)))
        {
            let refused = matches!(AtReply::parse(datagram), AtReply::Error(code) if code != ErrorCode::Format);
            let raw = Zeroizing::new(datagram.to_vec());
            return if refused && self.buffer.is_empty() {
                Some(raw)
            } else {
                self.hold(now, raw)
            };
        }
        self.append(datagram);
        if scan && is_complete(datagram) {
            return Some(std::mem::take(&mut self.buffer));
        }
        self.finish_at = Some(after(now, self.list_silence));
        None
    }

    fn append(&mut self, datagram: &[u8]) {
        let room = MAX_REPLY.saturating_sub(self.buffer.len());
        let piece = datagram.get(..room).unwrap_or(datagram);
        // Copied by hand, because a growing vector would leave copies of a key behind.
        let mut grown = Zeroizing::new(Vec::with_capacity(self.buffer.len() + piece.len()));
        grown.extend_from_slice(&self.buffer);
        grown.extend_from_slice(piece);
        self.buffer = grown;
    }
}

/// Tells whether a reply has its blank line at the end.
pub(super) fn is_complete(bytes: &[u8]) -> bool {
    let end = bytes
        .iter()
        .rposition(|&byte| byte != 0)
        .map_or(0, |at| at + 1);
    bytes
        .get(..end)
        .is_some_and(|bytes| bytes.ends_with(b"\r\n\r\n"))
        || bytes.len() >= MAX_REPLY
}

fn shape(request: &AtRequest) -> ReplyShape {
    match (verb::lookup(request.verb()), request.value()) {
        (Some(info), None) if info.query => ReplyShape::Value,
        (Some(info), None) if info.name.is_empty() => ReplyShape::Bare,
        (Some(info), Some(_)) if info.name == "PING" => ReplyShape::Value,
        (Some(info), Some(_)) if info.set => ReplyShape::Bare,
        _ => ReplyShape::Any,
    }
}

fn contains_rows(datagram: &[u8]) -> bool {
    datagram
        .windows(7)
        .any(|window| window.eq_ignore_ascii_case(b"Ch,SSID"))
        || !wscan::parse(datagram).is_empty()
}
