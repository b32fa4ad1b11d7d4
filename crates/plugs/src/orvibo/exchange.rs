//! One command over UDP port 10000, with the rules of `docs/protocol/reco.md` section 8.3.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use hiflying::Mac;

use super::message::{
    self, OrviboContent, OrviboReply, OrviboReplyError, OrviboSettings, stated_length,
};
use crate::command::{PlugCommand, PlugReply};
use crate::exchange::{Exchange, ExchangeAction, ExchangeError, NoReplyReason};
use crate::{Minutes, RelayState};

/// Maximum number of subscriptions and of commands that are sent.
const MAX_SUBSCRIPTIONS: u32 = 16;
const MAX_COMMANDS: u32 = 12;
/// Time for the reply to a subscription.
const SUBSCRIBE_TIMEOUT: Duration = Duration::from_millis(250);
/// Delay of a command after the subscription: one within about 6 ms may be ignored.
const SETTLE_DELAY: Duration = Duration::from_millis(15);
/// Time for the reply to a command, which often does not come to the first one.
const REPLY_TIMEOUT: Duration = Duration::from_millis(450);
/// Number of seconds by which a countdown may already have advanced when the plug reports it.
const COUNTDOWN_TOLERANCE: u16 = 15;
/// Longest datagram that is put together from pieces; the longest reply has 168 bytes.
const MAX_PIECES: usize = 512;

/// One [`PlugCommand`]: a subscription, without which a plug ignores commands, then the command. Both are repeated without a reply.
///
/// A switch is confirmed when the plug reports the relay in the commanded position. A mere acknowledgement is accepted once no report
/// has followed; a probe must confirm it then.
#[derive(Debug)]
pub struct OrviboExchange {
    mac: Mac,
    command: PlugCommand,
    state: OrviboExchangeState,
    subscriptions: u32,
    commands: u32,
    is_acknowledged: bool,
    /// A reply that contradicts the command, or cannot be understood.
    objection: Option<ExchangeError>,
    /// The beginning of a datagram that came in pieces.
    piece: Vec<u8>,
    actions: VecDeque<ExchangeAction>,
    outcome: Option<Result<PlugReply, ExchangeError>>,
}

#[derive(Debug, Clone, Copy)]
enum OrviboExchangeState {
    Opening,
    Subscribing {
        until: Instant,
    },
    /// Subscribed, waiting before the command.
    Settling {
        until: Instant,
    },
    /// The command was sent.
    Waiting {
        until: Instant,
    },
    Finished,
}

impl OrviboExchange {
    /// Begins at once; `None` for a command that an S20 does not have.
    pub fn new(mac: Mac, command: PlugCommand) -> Option<Self> {
        request(mac, command)?;
        Some(Self {
            mac,
            command,
            state: OrviboExchangeState::Opening,
            subscriptions: 0,
            commands: 0,
            is_acknowledged: false,
            objection: None,
            piece: Vec::new(),
            actions: [ExchangeAction::Open].into(),
            outcome: None,
        })
    }

    fn subscribe(&mut self, now: Instant) {
        if self.subscriptions >= MAX_SUBSCRIPTIONS {
            return self.give_up();
        }
        self.subscriptions += 1;
        let request = message::subscribe(self.mac);
        self.actions.push_back(ExchangeAction::Send(request));
        self.state = OrviboExchangeState::Subscribing {
            until: now + SUBSCRIBE_TIMEOUT,
        };
    }

    fn send(&mut self, now: Instant) {
        self.commands += 1;
        self.actions
            .extend(request(self.mac, self.command).map(ExchangeAction::Send));
        self.state = OrviboExchangeState::Waiting {
            until: now + REPLY_TIMEOUT,
        };
    }

    fn give_up(&mut self) {
        let error = match self.objection.take() {
            Some(objection) => objection,
            None if !self.piece.is_empty() => ExchangeError::BadAnswer(quote(&self.piece)),
            None => ExchangeError::NoReply(NoReplyReason::NoReply),
        };
        self.finish(Err(error));
    }

    fn finish(&mut self, outcome: Result<PlugReply, ExchangeError>) {
        self.actions.push_back(ExchangeAction::Close);
        self.outcome = Some(outcome);
        self.state = OrviboExchangeState::Finished;
    }

    /// Puts a datagram together that came in pieces; returns it when it is complete.
    fn assemble(&mut self, bytes: &[u8]) -> Option<Vec<u8>> {
        let mut whole = match stated_length(bytes) {
            Some(_) => Vec::new(),
            None => std::mem::take(&mut self.piece),
        };
        whole.extend_from_slice(bytes);
        match stated_length(&whole) {
            Some(length) if whole.len() < length && length <= MAX_PIECES => {
                self.piece = whole;
                None
            }
            _ => Some(whole),
        }
    }

    fn hear(&mut self, now: Instant, datagram: &[u8]) {
        match OrviboReply::parse(datagram) {
            Ok(reply) if reply.mac == self.mac => self.judge(now, reply.content),
            Ok(reply) => tracing::debug!(mac = %reply.mac, "a reply of another plug"),
            Err(OrviboReplyError::Foreign | OrviboReplyError::Command) => {}
            Err(error) => {
                tracing::debug!(%error, "received");
                self.objection = Some(ExchangeError::BadAnswer(quote(datagram)));
            }
        }
    }

    fn judge(&mut self, now: Instant, content: OrviboContent) {
        let is_sent = self.commands > 0;
        match (self.command, content) {
            // It was carried out after all, and only its report got lost.
            (PlugCommand::Switch(wanted), OrviboContent::Subscribed(relay))
                if is_sent && relay == wanted =>
            {
                self.finish(Ok(PlugReply::Confirmed));
            }
            (_, OrviboContent::Subscribed(_)) => {
                if let OrviboExchangeState::Subscribing { .. } = self.state {
                    self.state = OrviboExchangeState::Settling {
                        until: now + SETTLE_DELAY,
                    };
                }
            }
            (PlugCommand::Switch(wanted), OrviboContent::State(relay))
                if is_sent && relay == wanted =>
            {
                self.finish(Ok(PlugReply::Confirmed));
            }
            (PlugCommand::Switch(_), OrviboContent::Acknowledged) => {
                self.is_acknowledged = is_sent;
            }
            (PlugCommand::Delay(wanted, minutes), OrviboContent::CountingDown(relay, left))
                if is_sent =>
            {
                self.judge_countdown((wanted, seconds(minutes)), (relay, left));
            }
            (PlugCommand::Version, OrviboContent::Settings(settings)) => {
                self.finish(Ok(PlugReply::Version(version(&settings))));
            }
            (PlugCommand::Label, OrviboContent::Settings(settings)) => {
                self.finish(Ok(PlugReply::Label(settings.name)));
            }
            _ => {}
        }
    }

    fn judge_countdown(
        &mut self,
        (wanted, seconds): (RelayState, Option<u16>),
        (relay, left): (RelayState, u16),
    ) {
        let passed = seconds.and_then(|seconds| seconds.checked_sub(left));
        if relay == wanted && passed.is_some_and(|passed| passed <= COUNTDOWN_TOLERANCE) {
            self.finish(Ok(PlugReply::Accepted));
        } else {
            let text = format!("{relay} in {left} s");
            self.objection = Some(ExchangeError::Refused(text));
        }
    }
}

impl Exchange for OrviboExchange {
    fn handle_open(&mut self, now: Instant) {
        if let OrviboExchangeState::Opening = self.state {
            self.subscribe(now);
        }
    }

    fn handle_input(&mut self, now: Instant, bytes: &[u8]) {
        if let OrviboExchangeState::Finished = self.state {
            return;
        }
        if let Some(datagram) = self.assemble(bytes) {
            self.hear(now, &datagram);
        }
    }

    fn handle_closed(&mut self, _now: Instant, how: NoReplyReason) {
        if !matches!(self.state, OrviboExchangeState::Finished) {
            self.finish(Err(ExchangeError::NoReply(how)));
        }
    }

    fn handle_timeout(&mut self, now: Instant) {
        if self.poll_timeout().is_none_or(|until| now < until) {
            return;
        }
        match self.state {
            OrviboExchangeState::Settling { .. } => self.send(now),
            OrviboExchangeState::Waiting { .. } if self.is_acknowledged => {
                self.finish(Ok(PlugReply::Accepted));
            }
            OrviboExchangeState::Waiting { .. } if self.commands >= MAX_COMMANDS => self.give_up(),
            // The first command after a subscription is often ignored.
            OrviboExchangeState::Waiting { .. } if !self.commands.is_multiple_of(2) => {
                self.send(now);
            }
            // Perhaps it has restarted, and knows of no subscription.
            OrviboExchangeState::Waiting { .. } | OrviboExchangeState::Subscribing { .. } => {
                self.subscribe(now);
            }
            OrviboExchangeState::Opening | OrviboExchangeState::Finished => {}
        }
    }

    fn poll_timeout(&self) -> Option<Instant> {
        match self.state {
            OrviboExchangeState::Subscribing { until }
            | OrviboExchangeState::Settling { until }
            | OrviboExchangeState::Waiting { until } => Some(until),
            OrviboExchangeState::Opening | OrviboExchangeState::Finished => None,
        }
    }

    fn poll_action(&mut self) -> Option<ExchangeAction> {
        self.actions.pop_front()
    }

    fn poll_outcome(&mut self) -> Option<Result<PlugReply, ExchangeError>> {
        self.outcome.take()
    }
}

/// Returns the datagram of a command, if there is one.
fn request(mac: Mac, command: PlugCommand) -> Option<Vec<u8>> {
    match command {
        PlugCommand::Switch(relay) => Some(message::switch(mac, relay)),
        PlugCommand::Delay(relay, after) => Some(message::count_down(mac, relay, seconds(after)?)),
        PlugCommand::Version | PlugCommand::Label => Some(message::read_settings(mac)),
        PlugCommand::Meter => None,
    }
}

fn seconds(minutes: Minutes) -> Option<u16> {
    minutes.count().checked_mul(60)
}

/// Returns the versions in table 4, which are plain numbers, as text.
fn version(settings: &OrviboSettings) -> String {
    let OrviboSettings {
        firmware,
        hardware,
        radio,
        ..
    } = settings;
    format!("firmware {firmware}, hardware {hardware}, radio {radio}")
}

/// Shows a datagram, shortened.
fn quote(datagram: &[u8]) -> String {
    const SHORT: usize = 24;
    let shown = datagram.iter().take(SHORT);
    let digits: Vec<String> = shown.map(|byte| format!("{byte:02X}")).collect();
    let more = if datagram.len() > SHORT { " ..." } else { "" };
    format!("{}{more}", digits.join(" "))
}
