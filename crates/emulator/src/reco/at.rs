//! One AT command on UDP: whether it is taken, how its answer is spelt, and what follows from it.

use std::time::Instant;

use zeroize::Zeroizing;

use super::answer::{AnswerContent, AtAnswer, AtError, AtLine, FollowUp, starts_like_a_command};
use super::session::SessionStage;
use super::{RecoTwin, ReplyKind, verbs};
use crate::record::SECRET_VERBS;
use crate::twin::TwinArrival;

impl RecoTwin {
    /// A datagram that is neither word nor scan nor confirmation: a command, if the peer may give any.
    pub(super) fn command(&mut self, now: Instant, arrival: TwinArrival, bytes: &[u8]) {
        let peer = self.peer(arrival);
        let stage = self
            .sessions
            .stage(now, peer, self.behaviour.session.idle.0);
        let is_open = stage == Some(SessionStage::Command)
            || (self.behaviour.session.no_handshake && starts_like_a_command(bytes));
        let (line, end) = split_line(bytes);
        if !is_open || line.is_empty() || self.behaviour.session.deaf_to.contains(&end) {
            return;
        }
        self.sessions.touch(now, peer);
        self.commands = self.commands.saturating_add(1);
        if self.reboots_instead() {
            self.fall_silent(now, false);
            return;
        }
        self.run_line(now, arrival, line);
    }

    fn reboots_instead(&self) -> bool {
        let rules = &self.behaviour.session;
        rules.reboot_after == Some(self.commands)
            || rules
                .reboot_every
                .is_some_and(|every| self.commands.is_multiple_of(every))
    }

    fn run_line(&mut self, now: Instant, arrival: TwinArrival, line: &[u8]) {
        let parsed = AtLine::parse(line);
        let secret = parsed
            .as_ref()
            .is_ok_and(|parsed| SECRET_VERBS.contains(&parsed.verb.as_str()));
        let answer = match parsed {
            _ if self.behaviour.engine.refuse_all => AtAnswer::refusal(AtError::NotPermitted),
            Err(error) => AtAnswer::refusal(error),
            Ok(parsed) => verbs::run(self, arrival, &parsed),
        };
        self.give(now, arrival, line, answer, secret);
    }

    fn give(
        &mut self,
        now: Instant,
        arrival: TwinArrival,
        line: &[u8],
        answer: AtAnswer,
        secret: bool,
    ) {
        let wording = &self.behaviour.wording;
        let reply = match answer.content {
            AnswerContent::Silence => None,
            AnswerContent::Ok => Some(wording.ok(None)),
            AnswerContent::Value(value) => Some(wording.ok(Some(&value))),
            AnswerContent::Refusal(code) => Some(wording.refusal(code)),
            AnswerContent::Verbatim(datagrams) => {
                let mut after = answer.after;
                for (pause, bytes) in datagrams {
                    after += pause;
                    self.reply(now, arrival, after, bytes.into(), ReplyKind::Session);
                }
                None
            }
        };
        if let Some(reply) = reply {
            let kind = if secret || self.behaviour.wording.echo {
                ReplyKind::Secret
            } else {
                ReplyKind::Session
            };
            let reply = if self.behaviour.wording.echo {
                echoed(line, &reply)
            } else {
                reply
            };
            self.reply(now, arrival, answer.after, reply, kind);
        }
        match answer.then {
            FollowUp::Stay => {}
            FollowUp::Leave => self.sessions.close(self.peer(arrival)),
            FollowUp::Restart => self.order_restart(now, false),
            FollowUp::Reset => self.order_restart(now, true),
        }
    }
}

/// The line comes back as `AT+E\n\r` before the reply, as seen on a serial line.
pub(super) fn echoed(line: &[u8], reply: &[u8]) -> Zeroizing<Vec<u8>> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(line.len() + 2 + reply.len()));
    bytes.extend_from_slice(line);
    bytes.extend_from_slice(b"\n\r");
    bytes.extend_from_slice(reply);
    bytes
}

/// The bytes before the first CR, LF or NUL, and the line end that follows them. What comes after is ignored.
fn split_line(bytes: &[u8]) -> (&[u8], &[u8]) {
    let end = bytes
        .iter()
        .position(|byte| matches!(byte, b'\r' | b'\n' | 0))
        .unwrap_or(bytes.len());
    let (line, rest) = bytes.split_at(end);
    let width = match rest {
        [b'\r', b'\n', ..] => 2,
        [b'\r' | b'\n', ..] => 1,
        _ => 0,
    };
    (line, rest.get(..width).unwrap_or_default())
}
