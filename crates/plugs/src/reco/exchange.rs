//! One command over TCP port 8899, with the timings of `docs/protocol/reco.md` section 3.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use hiflying::at::strip_prefix_ignoring_case;
use jiff::civil::DateTime;

use super::command::command_line;
use super::text::{printable, trim};
use super::{MeterReply, RecoReply};
use crate::command::{PlugCommand, PlugReply};
use crate::exchange::{Exchange, ExchangeAction, ExchangeError, NoReplyReason};

/// Maximum number of connections before a plug counts as not replying; one client was seen to need as many.
const MAX_CONNECTIONS: u32 = 3;
/// Maximum time for a connection: long enough for the second SYN of a lossy network, which follows the first after 1 s.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
/// Maximum time until the first byte.
const FIRST_BYTE_TIMEOUT: Duration = Duration::from_secs(3);
/// Delay without data after which a line without an end counts as complete.
const LINE_END_TIMEOUT: Duration = Duration::from_millis(300);
/// Maximum time for a reply from its first byte on, so that a slow stream of bytes ends too.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(3);
/// Delay of a command after a repeated connect, and its growth: a client that always waits 500 ms works. The first try has no
/// delay.
const REPEAT_DELAY: Duration = Duration::from_millis(200);
const REPEAT_DELAY_STEP: Duration = Duration::from_millis(300);
/// Delay before connecting anew to a plug that refused or hung up: its few slots may just be taken.
const REOPEN_DELAY: Duration = Duration::from_millis(200);
/// Maximum length of a reply; a real one has about 40 bytes.
const MAX_ANSWER: usize = 4096;

/// One [`PlugCommand`], sent in one write over a connection, repeated on a new one without a reply.
///
/// The first line that is a reply (`+ok…` or `+err…`) decides. It counts as complete at its line end, or after 300 ms without data,
/// because some plugs may send none. Lines before it are skipped: some firmware greets each connection, or echoes the command.
/// Anything after it is logged and changes nothing: an SP-2 was seen to add `+error` to the `+ok` of a command that it carried out.
#[derive(Debug)]
pub struct RecoExchange {
    command: PlugCommand,
    line: Vec<u8>,
    tries: u32,
    state: RecoExchangeState,
    /// The reply so far.
    buffer: Vec<u8>,
    actions: VecDeque<ExchangeAction>,
    outcome: Option<Result<PlugReply, ExchangeError>>,
}

#[derive(Debug, Clone, Copy)]
enum RecoExchangeState {
    /// Waiting before another connect.
    Idle {
        until: Instant,
    },
    Opening {
        until: Instant,
    },
    /// Connected, waiting before a repeated command.
    Pausing {
        until: Instant,
    },
    /// Sent, nothing received.
    Waiting {
        until: Instant,
    },
    /// Something has been received, but no whole reply.
    Answering {
        silence: Instant,
        end: Instant,
    },
    /// Decided; reading any further data.
    Draining {
        silence: Instant,
        end: Instant,
    },
    Finished,
}

impl RecoExchange {
    /// Begins at once; `local` is the local time, which switching commands carry. `None` for a command that the family lacks.
    pub fn new(command: PlugCommand, local: DateTime, now: Instant) -> Option<Self> {
        let mut exchange = Self {
            command,
            line: command_line(command, local)?,
            tries: 0,
            state: RecoExchangeState::Finished,
            buffer: Vec::new(),
            actions: VecDeque::new(),
            outcome: None,
        };
        exchange.open(now);
        Some(exchange)
    }

    fn open(&mut self, now: Instant) {
        self.tries += 1;
        self.buffer.clear();
        self.actions.push_back(ExchangeAction::Open);
        self.state = RecoExchangeState::Opening {
            until: now + CONNECT_TIMEOUT,
        };
    }

    fn send(&mut self, now: Instant) {
        self.actions
            .push_back(ExchangeAction::Send(self.line.clone()));
        self.state = RecoExchangeState::Waiting {
            until: now + FIRST_BYTE_TIMEOUT,
        };
    }

    /// Tries again, unless the maximum number of tries is reached.
    fn fail(&mut self, now: Instant, how: NoReplyReason) {
        tracing::debug!(command = %self.command, tries = self.tries, %how, "no answer");
        if self.tries >= MAX_CONNECTIONS {
            self.finish(Err(ExchangeError::NoReply(how)));
        } else {
            let pause = match how {
                NoReplyReason::NoReply | NoReplyReason::NoConnection => Duration::ZERO,
                _ => REOPEN_DELAY,
            };
            self.state = RecoExchangeState::Idle { until: now + pause };
        }
    }

    fn finish(&mut self, outcome: Result<PlugReply, ExchangeError>) {
        self.outcome = Some(outcome);
        self.state = RecoExchangeState::Finished;
    }

    fn close(&mut self) {
        self.actions.push_back(ExchangeAction::Close);
    }

    fn release(&mut self) {
        self.actions.push_back(ExchangeAction::Release);
        self.state = RecoExchangeState::Finished;
    }

    /// Looks for a reply in the received data; `ended` is `true` after the last of it, or a pause. Returns whether there is one.
    fn decide(&mut self, now: Instant, ended: bool) -> bool {
        let Some((outcome, rest)) = find_reply(self.command, &self.buffer, ended) else {
            if self.buffer.len() < MAX_ANSWER {
                return false;
            }
            let text = quote(&self.buffer);
            self.close();
            self.finish(Err(ExchangeError::BadAnswer(text)));
            return true;
        };
        let has_tail = begins_with_blank_line(rest);
        self.buffer.drain(..self.buffer.len() - rest.len());
        self.outcome = Some(outcome);
        self.log_more();
        if has_tail || ended {
            self.release();
        } else {
            self.state = RecoExchangeState::Draining {
                silence: now + LINE_END_TIMEOUT,
                end: now + ANSWER_TIMEOUT,
            };
        }
        true
    }

    /// Ends the wait for a reply: an unintelligible one if there was more than greeting and echo, otherwise none.
    fn give_up(&mut self, now: Instant, how: NoReplyReason) {
        match unclear_line(&self.buffer) {
            Some(line) => self.finish(Err(ExchangeError::BadAnswer(quote(line)))),
            None => self.fail(now, how),
        }
    }

    /// Logs the data after the reply.
    fn log_more(&mut self) {
        while let Some((line, rest)) = first_line(&self.buffer, true) {
            tracing::debug!(command = %self.command, line = %quote(line), "the plug said more, which is ignored");
            let used = self.buffer.len() - rest.len();
            self.buffer.drain(..used);
        }
        self.buffer.clear();
    }
}

impl Exchange for RecoExchange {
    fn handle_open(&mut self, now: Instant) {
        if !matches!(self.state, RecoExchangeState::Opening { .. }) {
            return;
        }
        if self.tries <= 1 {
            self.send(now);
        } else {
            let until = now + REPEAT_DELAY + REPEAT_DELAY_STEP * self.tries.saturating_sub(2);
            self.state = RecoExchangeState::Pausing { until };
        }
    }

    fn handle_input(&mut self, now: Instant, bytes: &[u8]) {
        let room = MAX_ANSWER.saturating_sub(self.buffer.len());
        let bytes = bytes.get(..room).unwrap_or(bytes);
        match self.state {
            RecoExchangeState::Waiting { .. } => {
                self.buffer.extend_from_slice(bytes);
                if !trim(&self.buffer).is_empty() {
                    self.state = RecoExchangeState::Answering {
                        silence: now + LINE_END_TIMEOUT,
                        end: now + ANSWER_TIMEOUT,
                    };
                }
                self.decide(now, false);
            }
            RecoExchangeState::Answering { end, .. } => {
                self.buffer.extend_from_slice(bytes);
                self.state = RecoExchangeState::Answering {
                    silence: now + LINE_END_TIMEOUT,
                    end,
                };
                self.decide(now, false);
            }
            RecoExchangeState::Draining { end, .. } => {
                self.buffer.extend_from_slice(bytes);
                self.log_more();
                self.state = RecoExchangeState::Draining {
                    silence: now + LINE_END_TIMEOUT,
                    end,
                };
            }
            // Whatever it is, it is no answer to a command that has not been sent.
            RecoExchangeState::Idle { .. }
            | RecoExchangeState::Opening { .. }
            | RecoExchangeState::Pausing { .. } => {
                tracing::debug!(bytes = %quote(bytes), "the plug speaks before it is asked");
            }
            RecoExchangeState::Finished => {}
        }
    }

    fn handle_closed(&mut self, now: Instant, how: NoReplyReason) {
        match self.state {
            RecoExchangeState::Opening { .. }
            | RecoExchangeState::Pausing { .. }
            | RecoExchangeState::Waiting { .. } => {
                self.fail(now, how);
            }
            RecoExchangeState::Answering { .. } => {
                if !self.decide(now, true) {
                    self.give_up(now, how);
                }
            }
            RecoExchangeState::Draining { .. } => self.state = RecoExchangeState::Finished,
            RecoExchangeState::Idle { .. } | RecoExchangeState::Finished => {}
        }
    }

    fn handle_timeout(&mut self, now: Instant) {
        if self.poll_timeout().is_none_or(|until| now < until) {
            return;
        }
        match self.state {
            RecoExchangeState::Idle { .. } => self.open(now),
            RecoExchangeState::Opening { .. } => {
                self.close();
                self.fail(now, NoReplyReason::NoConnection);
            }
            RecoExchangeState::Pausing { .. } => self.send(now),
            RecoExchangeState::Waiting { .. } => {
                self.close();
                self.fail(now, NoReplyReason::NoReply);
            }
            RecoExchangeState::Answering { end, .. } => {
                if self.decide(now, true) {
                    return;
                }
                self.state = RecoExchangeState::Answering { silence: end, end };
                if now >= end {
                    self.close();
                    self.give_up(now, NoReplyReason::NoReply);
                }
            }
            RecoExchangeState::Draining { end, .. } if now < end => self.release(),
            // Whoever still talks would talk into the next answer.
            RecoExchangeState::Draining { .. } => {
                self.close();
                self.state = RecoExchangeState::Finished;
            }
            RecoExchangeState::Finished => {}
        }
    }

    fn poll_timeout(&self) -> Option<Instant> {
        match self.state {
            RecoExchangeState::Idle { until }
            | RecoExchangeState::Opening { until }
            | RecoExchangeState::Pausing { until }
            | RecoExchangeState::Waiting { until } => Some(until),
            RecoExchangeState::Answering { silence, end }
            | RecoExchangeState::Draining { silence, end } => Some(silence.min(end)),
            RecoExchangeState::Finished => None,
        }
    }

    fn poll_action(&mut self) -> Option<ExchangeAction> {
        self.actions.pop_front()
    }

    fn poll_outcome(&mut self) -> Option<Result<PlugReply, ExchangeError>> {
        self.outcome.take()
    }
}

/// Finds the first reply to `command`, and the data after it. A version's bare line is one if nothing better follows.
fn find_reply(
    command: PlugCommand,
    bytes: &[u8],
    ended: bool,
) -> Option<(Result<PlugReply, ExchangeError>, &[u8])> {
    let mut rest = bytes;
    while let Some((line, more)) = first_line(rest, ended) {
        rest = more;
        tracing::debug!(%command, line = %quote(line), "received");
        if let Some(outcome) = judge(command, &RecoReply::parse(line), line) {
            return Some((outcome, rest));
        }
    }
    // The text of this reply was never published; a bare line is shown as it is, but not the beginning of a `+ok`.
    let version = unclear_line(bytes).filter(|line| !line.starts_with(b"+"));
    match (command, version) {
        (PlugCommand::Version, Some(line)) if ended => {
            Some((Ok(PlugReply::Version(quote(line))), rest))
        }
        _ => None,
    }
}

/// Returns the first line that is neither a greeting nor an echo: these are AT commands.
fn unclear_line(mut bytes: &[u8]) -> Option<&[u8]> {
    loop {
        let (line, rest) = first_line(bytes, true)?;
        if strip_prefix_ignoring_case(line, b"AT+").is_none() {
            return Some(line);
        }
        bytes = rest;
    }
}

/// Interprets a line as a reply to `command`, if it is a reply.
fn judge(
    command: PlugCommand,
    reply: &RecoReply,
    line: &[u8],
) -> Option<Result<PlugReply, ExchangeError>> {
    let bad = || Err(ExchangeError::BadAnswer(quote(line)));
    Some(match (command, reply) {
        (_, RecoReply::Unknown(_)) => return None,
        (_, RecoReply::Error(text)) => Err(ExchangeError::Refused(quote(text.as_bytes()))),
        (PlugCommand::Version, RecoReply::Ok(Some(text))) => match text.trim() {
            "" => bad(),
            text => Ok(PlugReply::Version(text.to_owned())),
        },
        (PlugCommand::Meter, RecoReply::Ok(Some(value))) => MeterReply::parse(value).map_or_else(
            |_| bad(),
            |meter| Ok(PlugReply::Measured(meter.measurement())),
        ),
        (PlugCommand::Version | PlugCommand::Meter, RecoReply::Ok(None))
        | (PlugCommand::Label, RecoReply::Ok(_)) => bad(),
        (PlugCommand::Switch(_) | PlugCommand::Delay(..), RecoReply::Ok(_)) => {
            Ok(PlugReply::Accepted)
        }
    })
}

/// Splits off the first line that is not blank, if it has a line end or nothing more will come.
fn first_line(bytes: &[u8], ended: bool) -> Option<(&[u8], &[u8])> {
    let is_end = |byte: &u8| matches!(byte, b'\r' | b'\n');
    let start = bytes
        .iter()
        .position(|byte| !matches!(byte, b'\r' | b'\n' | b'\0' | b' ' | b'\t'))?;
    let from_start = bytes.get(start..)?;
    match from_start.iter().position(is_end) {
        Some(end) => from_start.split_at_checked(end),
        None if ended => Some((from_start, &[])),
        None => None,
    }
}

/// Returns whether the text begins with the end of a module's reply: the line's own end and an empty line, in any notation of line
/// ends.
fn begins_with_blank_line(rest: &[u8]) -> bool {
    matches!(
        rest,
        [b'\r', b'\n', b'\r' | b'\n', ..] | [b'\n', b'\n' | b'\r', ..] | [b'\r', b'\r', ..]
    )
}

/// Makes a peer's text presentable: printable and short.
fn quote(bytes: &[u8]) -> String {
    const SHORT: usize = 80;
    let text = printable(trim(bytes));
    match text.char_indices().nth(SHORT) {
        Some((end, _)) => format!("{}...", text.get(..end).unwrap_or_default()),
        None => text,
    }
}
