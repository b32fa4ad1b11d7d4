//! One command in flight: when to send it again, which datagrams belong to its reply, and when that
//! is whole.
//!
//! Replies carry no number. A reply of the wrong shape (a bare `+ok` to a question, a value to an
//! order, the very value that another verb just got, `+ERR=-1` to a well-formed line, plain
//! garbage) is probably left over from an earlier command or a copy made by the network. It is held
//! back, and believed only when the command, sent again, gets it again or gets nothing better.

use std::time::{Duration, Instant};

use zeroize::Zeroizing;

use super::AtSessionConfig;
use super::pace::{RoundTrip, after};
use crate::at::strip_prefix_ignoring_case;
use crate::verb::{self, Answer};
use crate::{AtReply, AtRequest, ErrorCode, wscan};

use super::CommandId;

/// The longest reply that is collected; a scan of a hundred networks has some 6,000 bytes.
const MAX_REPLY: usize = 64 * 1024;

/// How long to wait for the right reply after a doubtful refusal.
const DOUBT: Duration = Duration::from_millis(20);

/// What an `+ok` must look like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shape {
    /// `+ok=<value>`.
    Value,
    /// `+ok`.
    Bare,
    /// Not known.
    Any,
}

/// What a timer brought.
#[derive(Debug)]
pub(super) enum Tick {
    /// Nothing is due.
    Wait,
    /// Send it again.
    Resend,
    /// Sent often enough in vain; perhaps the session is gone.
    Reopen,
    /// The reply is whole.
    Done(Zeroizing<Vec<u8>>),
    /// Nobody answered in time.
    Failed,
}

#[derive(Debug)]
pub(super) struct Exchange {
    /// Nothing for our own keep-alive.
    pub(super) id: Option<CommandId>,
    pub(super) request: AtRequest,
    shape: Shape,
    answer: Answer,
    /// Whether the module need only look something up: what takes it time says nothing about how fast it answers.
    pub(super) is_ordinary: bool,
    retry: bool,
    total: Duration,
    pace: Duration,
    list_silence: Duration,
    tail_silence: Duration,
    /// How many sendings since the session was (re)opened make one doubt that it is open.
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
    /// Whether this module is known to end its replies, so that one without end has lost a piece.
    terminates: bool,
}

impl Exchange {
    pub(super) fn new(
        id: Option<CommandId>,
        request: AtRequest,
        config: &AtSessionConfig,
        round_trip: RoundTrip,
        earlier: Vec<Zeroizing<Vec<u8>>>,
        terminates: bool,
    ) -> Self {
        let info = verb::lookup(request.verb());
        let answer = info.map_or(Answer::One, |info| info.answer);
        // A verb that is not in the table may do anything, so it is sent once.
        let retry = info.is_some_and(|info| info.retry);
        let budget = info
            .map(|info| info.budget)
            .filter(|&budget| budget != verb::NORMAL)
            .unwrap_or(config.reply_timeout);
        let is_ordinary = answer == Answer::One && budget <= config.reply_timeout;
        let tries = match answer {
            Answer::One if retry && is_ordinary => config.tries.max(1),
            // Such as a ping: once more, in case that it was lost.
            Answer::One if retry => 2,
            _ => 1,
        };
        let total = budget.saturating_mul(tries);
        let pace = match answer {
            Answer::Many => budget / 3,
            _ if budget > config.reply_timeout => budget,
            _ => round_trip.pace(config.pace, budget),
        };
        Self {
            shape: shape(&request),
            id,
            request,
            answer,
            is_ordinary,
            retry,
            total,
            pace,
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

    /// Notes that it has just been sent.
    pub(super) fn sent(&mut self, now: Instant) {
        if let Some(last) = self.last_sent {
            self.widest_gap = self.widest_gap.max(now.saturating_duration_since(last));
        }
        self.sends += 1;
        self.sends_since_open += 1;
        self.first_sent.get_or_insert(now);
        self.last_sent = Some(now);
        self.resend_at = self.retry.then(|| after(now, self.pace));
        self.deadline.get_or_insert(after(now, self.total));
    }

    /// Notes that the session has been opened anew, and when to send again. Earlier silence means
    /// nothing, and what was held back was perhaps an answer to the opening.
    pub(super) fn reopened(&mut self, resend_at: Instant) {
        self.sends_since_open = 0;
        self.held = None;
        self.resend_at = self.retry.then_some(resend_at);
    }

    pub(super) fn sends(&self) -> u32 {
        self.sends
    }

    /// How long ago it was last sent.
    pub(super) fn since_sent(&self, now: Instant) -> Duration {
        self.last_sent
            .map_or(Duration::ZERO, |sent| now.saturating_duration_since(sent))
    }

    /// How long ago it was first sent.
    pub(super) fn since_first_sent(&self, now: Instant) -> Duration {
        self.first_sent
            .map_or(Duration::ZERO, |sent| now.saturating_duration_since(sent))
    }

    /// How far apart the replies to several sendings can be.
    pub(super) fn overlap(&self) -> Duration {
        self.widest_gap + Duration::from_millis(50)
    }

    /// Tells whether a datagram can be nothing but the reply to this command.
    pub(super) fn recognises(&self, datagram: &[u8]) -> bool {
        self.sends > 0
            && self.answer == Answer::One
            && self.shape == Shape::Value
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

    /// Takes a datagram; gives the reply when it is whole.
    pub(super) fn handle_datagram(
        &mut self,
        now: Instant,
        datagram: &[u8],
    ) -> Option<Zeroizing<Vec<u8>>> {
        match self.answer {
            Answer::Many => self.collect(now, datagram),
            Answer::One | Answer::Optional => self.assemble(now, datagram),
        }
    }

    /// Runs the timers while the session is open.
    pub(super) fn handle_timeout(&mut self, now: Instant) -> Tick {
        if self.finish_at.is_some_and(|at| at <= now) {
            self.finish_at = None;
            let whole = match self.answer {
                Answer::Many => Some(std::mem::take(&mut self.buffer)),
                _ => self.finish(now),
            };
            if let Some(raw) = whole {
                return Tick::Done(raw);
            }
        }
        if self.deadline.is_some_and(|at| at <= now) {
            return self.give_up();
        }
        if self.finish_at.is_none() && self.resend_at.is_some_and(|at| at <= now) {
            self.resend_at = None;
            let doubtful = self.answer != Answer::Many
                && self.sends_since_open >= self.doubt_after
                && self.held.is_none();
            return if doubtful { Tick::Reopen } else { Tick::Resend };
        }
        Tick::Wait
    }

    /// When the total time is over, in whatever state the session is.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.deadline
    }

    pub(super) fn is_overdue(&self, now: Instant) -> bool {
        self.deadline.is_some_and(|at| at <= now)
    }

    /// Whether something came, on the only sending, that belongs to an earlier command.
    pub(super) fn saw_leftover(&self) -> bool {
        self.sends == 1 && self.held.as_ref().is_some_and(|(raw, _)| begins_reply(raw))
    }

    /// The best that there is at the end.
    pub(super) fn give_up(&mut self) -> Tick {
        if self.answer == Answer::Many && !self.buffer.is_empty() {
            return Tick::Done(std::mem::take(&mut self.buffer));
        }
        match (self.held.take(), self.answer) {
            // Of a command that was repeated, it would have come again.
            (Some((raw, _)), _) if self.sends == 1 => Tick::Done(raw),
            (_, Answer::Optional) => Tick::Done(Zeroizing::default()),
            _ => Tick::Failed,
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
            // What came so far was a whole reply without its end, or the rest of an older one.
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

    /// Judges what has been assembled.
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
                    let soon = after(now, self.round_trip.settle().max(DOUBT));
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
            (AtReply::Ok(_), Shape::Value) if copied() => false,
            (AtReply::Error(_), _) if copied() => false,
            (AtReply::Error(ErrorCode::Format) | AtReply::Unknown(_), _) => false,
            (AtReply::Error(_), _) | (AtReply::Ok(_), Shape::Any) => true,
            (AtReply::Ok(value), Shape::Value) => value.is_some(),
            (AtReply::Ok(value), Shape::Bare) => {
                value.is_none_or(|value| value.as_bytes().is_empty())
            }
        }
    }

    fn collect(&mut self, now: Instant, datagram: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        if datagram.trim_ascii().is_empty() {
            if !self.buffer.is_empty() {
                // The end; what the network has put out of order may still follow at once.
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
        // Grown by hand, because a growing vector would leave copies of a key behind.
        let mut grown = Zeroizing::new(Vec::with_capacity(self.buffer.len() + piece.len()));
        grown.extend_from_slice(&self.buffer);
        grown.extend_from_slice(piece);
        self.buffer = grown;
    }
}

/// Whether a reply has its blank line at the end.
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

fn shape(request: &AtRequest) -> Shape {
    match (verb::lookup(request.verb()), request.value()) {
        (Some(info), None) if info.query => Shape::Value,
        (Some(info), None) if info.name.is_empty() => Shape::Bare,
        (Some(info), Some(_)) if info.name == "PING" => Shape::Value,
        (Some(info), Some(_)) if info.set => Shape::Bare,
        _ => Shape::Any,
    }
}

/// Whether a datagram begins like a reply, and not like the rest of one. The echo of the request may
/// stand before it.
pub(crate) fn begins_reply(datagram: &[u8]) -> bool {
    let begins = |bytes: &[u8], prefix| strip_prefix_ignoring_case(bytes, prefix).is_some();
    let mut lines = datagram
        .split(|byte| matches!(byte, b'\r' | b'\n' | 0))
        .map(<[u8]>::trim_ascii_start)
        .filter(|line| !line.is_empty());
    let first = lines.next().unwrap_or_default();
    let line = if begins(first, b"AT+") {
        lines.next().unwrap_or_default()
    } else {
        first
    };
    begins(line, b"+ok") || begins(line, b"+err")
}

fn contains_rows(datagram: &[u8]) -> bool {
    datagram
        .windows(7)
        .any(|window| window.eq_ignore_ascii_case(b"Ch,SSID"))
        || !wscan::parse(datagram).is_empty()
}
