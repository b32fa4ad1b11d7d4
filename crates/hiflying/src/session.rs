//! The AT session on UDP port 48899 as a state machine without sockets or clock.
//!
//! The session looks for the module with its discovery words, opens command mode, sends one command
//! at a time, repeats what may be repeated, opens command mode again when it was lost, keeps it
//! alive while idle, and leaves it with `AT+Q`.
//!
//! Inputs are [`AtSession::submit`], [`AtSession::handle_datagram`] and [`AtSession::handle_timeout`].
//! After each of them, take everything from [`AtSession::poll_transmit`] and [`AtSession::poll_event`],
//! then wait until [`AtSession::poll_timeout`]. Only datagrams from the module's address may be
//! handed in.

mod commands;
mod config;
mod exchange;
mod opening;
pub(crate) mod restart;
mod round_trip;

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use zeroize::Zeroizing;

use crate::at::{begins_reply, strip_prefix_ignoring_case};
use crate::{AtRequest, Mac, ModuleIdentity};
pub use config::AtSessionConfig;
use exchange::AtExchange;
pub use exchange::CommandId;
pub(crate) use restart::SessionTest;
pub use restart::{RestartStatus, RestartWatch};
use round_trip::RoundTrip;
pub(crate) use round_trip::after;

/// Reason why a command has no reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum NoReply {
    /// The module did not reply in time.
    #[error("no reply in time")]
    Timeout,
    /// The session was closed first.
    #[error("the session was closed")]
    Closed,
}

/// Event of a session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AtSessionEvent {
    /// The module accepts commands.
    Opened {
        /// Reply to the discovery word; `None` when command mode was open already, or needs no
        /// opening.
        identity: Option<ModuleIdentity>,
    },
    /// A command got its reply; it is empty where silence is success.
    Reply {
        /// The command.
        id: CommandId,
        /// Raw reply, for [`crate::AtCommand::parse`].
        raw: Zeroizing<Vec<u8>>,
    },
    /// A command got no reply.
    Failed {
        /// The command.
        id: CommandId,
        /// Reason.
        error: NoReply,
    },
    /// The module does not reply to the discovery words. The next command looks for it again.
    Lost,
    /// The session was closed by [`AtSession::close`]; the last datagram is `AT+Q`.
    Closed,
}

#[derive(Debug)]
enum SessionPhase {
    /// Sending words.
    Seeking {
        next: Instant,
        deadline: Instant,
        round: u32,
        sent: Option<Instant>,
    },
    /// The module has identified itself; opening command mode.
    Confirming {
        next: Instant,
        deadline: Instant,
        tries: u32,
    },
    Open,
    /// No reply; waiting for a command.
    Lost,
    Closed,
}

/// An AT session with one module.
///
/// ```
/// use std::time::Instant;
///
/// use hiflying::command::{AtCommand, Mid};
/// use hiflying::session::{AtSession, AtSessionConfig, AtSessionEvent};
///
/// let now = Instant::now();
/// let mut session = AtSession::new(AtSessionConfig::default(), now);
/// let id = session.submit(now, Mid.request());
/// assert_eq!(session.poll_transmit().as_deref().map(Vec::as_slice), Some(&b"HF-A11ASSISTHREAD"[..]));
/// session.handle_datagram(now, b"10.10.100.254,ACCF235676D6,HF-LPB100");
/// assert_eq!(session.poll_transmit().as_deref().map(Vec::as_slice), Some(&b"+ok"[..]));
/// assert_eq!(session.poll_transmit().as_deref().map(Vec::as_slice), Some(&b"AT+\r"[..]));
/// session.handle_datagram(now, b"+ok\r\n\r\n");
/// assert!(matches!(session.poll_event(), Some(AtSessionEvent::Opened { identity: Some(_) })));
/// let now = session.poll_timeout().ok_or("a timer")?;
/// session.handle_timeout(now);
/// assert_eq!(session.poll_transmit().as_deref().map(Vec::as_slice), Some(&b"AT+MID\r"[..]));
/// session.handle_datagram(now, b"+ok=HF-LPB100\r\n\r\n");
/// let Some(AtSessionEvent::Reply { raw, .. }) = session.poll_event() else { return Err("a reply") };
/// assert_eq!(Mid.parse(&raw).ok().as_deref(), Some("HF-LPB100"));
/// # Ok::<(), &str>(())
/// ```
#[derive(Debug)]
pub struct AtSession {
    config: AtSessionConfig,
    phase: SessionPhase,
    announced: bool,
    identity: Option<ModuleIdentity>,
    /// The line end that was sent last.
    terminator: usize,
    /// True if the module is known to understand it.
    terminator_known: bool,
    /// The last datagram while an identity was awaited.
    fragment: Vec<u8>,
    /// True once `+ok` has been sent.
    confirmed: bool,
    /// True if command mode was open before it was requested.
    unasked: bool,
    words_sent: u32,
    identities: u32,
    round_trip: RoundTrip,
    active: Option<AtExchange>,
    queue: VecDeque<(CommandId, AtRequest)>,
    /// End of the delay in which late replies may pass before the next command is sent.
    settle_until: Option<Instant>,
    settle_for: Duration,
    /// Number of replies that earlier sendings of the last command may still get.
    outstanding: u32,
    /// True if this module has ended a reply with a blank line.
    terminates: bool,
    /// True if this module or network has duplicated replies.
    doubles: bool,
    /// Last replies, each with its verb.
    recent: VecDeque<(String, Zeroizing<Vec<u8>>)>,
    last_activity: Instant,
    next_id: u64,
    transmits: VecDeque<Zeroizing<Vec<u8>>>,
    events: VecDeque<AtSessionEvent>,
}

impl AtSession {
    /// Starts looking for the module at once.
    pub fn new(config: AtSessionConfig, now: Instant) -> Self {
        let mut session = Self {
            config,
            phase: SessionPhase::Lost,
            announced: false,
            identity: None,
            terminator: 0,
            terminator_known: false,
            fragment: Vec::new(),
            confirmed: false,
            unasked: false,
            words_sent: 0,
            identities: 0,
            round_trip: RoundTrip::default(),
            active: None,
            queue: VecDeque::new(),
            settle_until: None,
            settle_for: Duration::ZERO,
            outstanding: 0,
            terminates: false,
            doubles: false,
            recent: VecDeque::new(),
            last_activity: now,
            next_id: 0,
            transmits: VecDeque::new(),
            events: VecDeque::new(),
        };
        session.seek(now);
        session
    }

    /// Returns the module's reply to the discovery word, once it has come.
    pub fn identity(&self) -> Option<&ModuleIdentity> {
        self.identity.as_ref()
    }

    /// Tells whether command mode was open before it was requested: it was open already, or needs no
    /// opening.
    pub(crate) fn opened_unasked(&self) -> bool {
        self.unasked
    }

    /// Returns the delay before a command is repeated, within bounds.
    pub(crate) fn resend_delay(&self, min: Duration, max: Duration) -> Duration {
        self.round_trip.resend_delay(min, max)
    }

    /// Tells whether the module accepts commands now.
    pub fn is_open(&self) -> bool {
        matches!(self.phase, SessionPhase::Open)
    }

    /// Queues a command; its reply or failure comes as an event.
    pub fn submit(&mut self, now: Instant, request: AtRequest) -> CommandId {
        let id = CommandId(self.next_id);
        self.next_id += 1;
        match self.phase {
            SessionPhase::Closed => {
                self.events.push_back(AtSessionEvent::Failed {
                    id,
                    error: NoReply::Closed,
                });
                return id;
            }
            SessionPhase::Lost => self.seek(now),
            _ => {}
        }
        self.queue.push_back((id, request));
        self.start_next(now);
        id
    }

    /// Leaves command mode: the last datagram is `AT+Q`. Commands without a reply fail. Safe to
    /// call twice.
    pub fn close(&mut self, now: Instant) {
        if matches!(self.phase, SessionPhase::Closed) {
            return;
        }
        self.last_activity = now;
        self.transmits
            .push_back(AtRequest::query("Q").emit(self.terminator()));
        self.phase = SessionPhase::Closed;
        self.fail_all(NoReply::Closed);
        self.events.push_back(AtSessionEvent::Closed);
    }

    /// Takes a datagram from the module's address.
    pub fn handle_datagram(&mut self, now: Instant, datagram: &[u8]) {
        if matches!(self.phase, SessionPhase::Closed) {
            return;
        }
        if let Some(identity) = self.parse_identity(datagram) {
            self.handle_identity(now, identity);
        } else if !is_foreign(datagram) {
            match self.phase {
                SessionPhase::Open => self.handle_open(now, datagram),
                SessionPhase::Seeking { .. } | SessionPhase::Confirming { .. } => {
                    self.handle_opening(now, datagram);
                }
                SessionPhase::Lost | SessionPhase::Closed => {}
            }
        }
    }

    /// Runs the timers that are due.
    pub fn handle_timeout(&mut self, now: Instant) {
        if self
            .active
            .as_ref()
            .is_some_and(|active| active.is_overdue(now))
            && !self.is_open()
        {
            self.settle_active(now, AtExchange::give_up);
        }
        match self.phase {
            SessionPhase::Seeking { deadline, .. } | SessionPhase::Confirming { deadline, .. }
                if deadline <= now =>
            {
                self.lose();
            }
            SessionPhase::Seeking { next, .. } if next <= now => self.seek_again(now),
            SessionPhase::Confirming { next, .. } if next <= now => self.confirm_again(now),
            SessionPhase::Open => self.tick(now),
            _ => {}
        }
    }

    /// Returns the next datagram to send to the module's port 48899.
    pub fn poll_transmit(&mut self) -> Option<Zeroizing<Vec<u8>>> {
        self.transmits.pop_front()
    }

    /// Returns when [`AtSession::handle_timeout`] is due.
    pub fn poll_timeout(&self) -> Option<Instant> {
        match (&self.phase, &self.active) {
            (
                SessionPhase::Seeking { next, deadline, .. }
                | SessionPhase::Confirming { next, deadline, .. },
                active,
            ) => {
                let overdue = active.as_ref().and_then(AtExchange::deadline);
                overdue.into_iter().chain([*next, *deadline]).min()
            }
            (SessionPhase::Open, Some(active)) => active.next_timeout(),
            (SessionPhase::Open, None) if !self.queue.is_empty() => self.settle_until,
            (SessionPhase::Open, None) => Some(after(self.last_activity, self.config.keep_alive)),
            (SessionPhase::Lost | SessionPhase::Closed, _) => None,
        }
    }

    /// Returns the next event.
    pub fn poll_event(&mut self) -> Option<AtSessionEvent> {
        self.events.pop_front()
    }
}

/// Tells whether a datagram is no part of an AT session: our own words, lines or `+ok` coming back, or a
/// plug's scan reply, which shares the port.
fn is_foreign(datagram: &[u8]) -> bool {
    let mut fields = datagram.split(|&byte| byte == b',');
    let mut next = || std::str::from_utf8(fields.next()?).ok().map(str::trim);
    let address = next().is_some_and(|text| text.parse::<std::net::Ipv4Addr>().is_ok());
    let mac = next().is_some_and(|text| text.parse::<Mac>().is_ok());
    let is_line = strip_prefix_ignoring_case(datagram, b"AT+").is_some();
    (address && mac) || (is_line && !begins_reply(datagram))
}

#[cfg(test)]
mod tests;
