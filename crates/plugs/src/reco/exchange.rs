//! One command over TCP port 8899, with the timings of `docs/protocol/reco.md` section 3.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

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
/// The first line decides. It counts as complete at its line end, or after 300 ms without data, because some plugs may send none.
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
    /// A part of the first line has been received.
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
    /// Begins at once; `local` is the local time, which switching commands carry.
    pub fn new(command: PlugCommand, local: DateTime, now: Instant) -> Self {
        let mut exchange = Self {
            command,
            line: command_line(command, local),
            tries: 0,
            state: RecoExchangeState::Finished,
            buffer: Vec::new(),
            actions: VecDeque::new(),
            outcome: None,
        };
        exchange.open(now);
        exchange
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

    /// Looks for the first line in the received data; `ended` is `true` when no more will come.
    fn decide(&mut self, now: Instant, ended: bool) {
        let Some((line, rest)) = first_line(&self.buffer, ended) else {
            if self.buffer.len() >= MAX_ANSWER {
                let text = quote(&self.buffer);
                self.close();
                self.finish(Err(ExchangeError::BadAnswer(text)));
            }
            return;
        };
        let outcome = judge(self.command, &RecoReply::parse(line), line);
        tracing::debug!(command = %self.command, reply = %printable(line), "answered");
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
    }

    /// Logs the data after the first line.
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
            // A plug sends no banner; whatever it is, it is no answer to a command that has not been sent.
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
            RecoExchangeState::Answering { .. } => self.decide(now, true),
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
            RecoExchangeState::Answering { .. } => self.decide(now, true),
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

/// Interprets the first line as a reply to `command`.
fn judge(command: PlugCommand, reply: &RecoReply, line: &[u8]) -> Result<PlugReply, ExchangeError> {
    match (command, reply) {
        (_, RecoReply::Error(_)) => Err(ExchangeError::Refused(quote(line))),
        (PlugCommand::Version, RecoReply::Ok(Some(text)) | RecoReply::Unknown(text)) => {
            Ok(PlugReply::Version(text.trim().to_owned()))
        }
        // The text of this answer was never published; a bare line is shown as it is.
        (PlugCommand::Version, RecoReply::Ok(None)) => Ok(PlugReply::Version(quote(line))),
        (PlugCommand::Meter, RecoReply::Ok(Some(value))) => MeterReply::parse(value)
            .map(|meter| PlugReply::Measured(meter.measurement()))
            .map_err(|_| ExchangeError::BadAnswer(quote(line))),
        (PlugCommand::Switch(_) | PlugCommand::Delay(..), RecoReply::Ok(_)) => {
            Ok(PlugReply::Accepted)
        }
        (_, RecoReply::Ok(None) | RecoReply::Unknown(_)) => {
            Err(ExchangeError::BadAnswer(quote(line)))
        }
    }
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
