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
mod pace;

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use zeroize::Zeroizing;

use crate::{AtRequest, Mac, ModuleIdentity};
pub use config::AtSessionConfig;
use exchange::Exchange;
pub(crate) use exchange::begins_reply;
use pace::RoundTrip;
pub(crate) use pace::after;

/// Which command an event speaks of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CommandId(u64);

/// Why a command has no reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum NoReply {
    /// Nobody answered in time.
    #[error("no answer in time")]
    Timeout,
    /// The session was closed first.
    #[error("the session was closed")]
    Closed,
}

/// What a session tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AtSessionEvent {
    /// The module takes commands.
    Opened {
        /// Its answer to the discovery word; nothing when command mode was open already, or needs
        /// no opening.
        identity: Option<ModuleIdentity>,
    },
    /// Everything that came back for a command; empty where silence is success.
    Reply {
        /// The command.
        id: CommandId,
        /// For [`crate::AtCommand::parse`].
        raw: Zeroizing<Vec<u8>>,
    },
    /// A command got no reply.
    Failed {
        /// The command.
        id: CommandId,
        /// Why.
        error: NoReply,
    },
    /// Nobody answers the discovery words. The next command looks again.
    Lost,
    /// [`AtSession::close`] was called; the last datagram is `AT+Q`.
    Closed,
}

#[derive(Debug)]
enum Phase {
    /// Sending words.
    Seeking {
        next: Instant,
        deadline: Instant,
        round: u32,
        sent: Option<Instant>,
    },
    /// The module has said who it is; opening command mode.
    Confirming {
        next: Instant,
        deadline: Instant,
        tries: u32,
    },
    Open,
    /// Nobody there; waits for a command.
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
    phase: Phase,
    announced: bool,
    identity: Option<ModuleIdentity>,
    /// The line end that was sent last.
    terminator: usize,
    /// Whether the module is known to understand it.
    terminator_known: bool,
    /// The last datagram while an identity was awaited.
    fragment: Vec<u8>,
    /// Whether `+ok` has been sent.
    confirmed: bool,
    /// Whether the module took commands before it was asked to.
    unasked: bool,
    words_sent: u32,
    identities: u32,
    round_trip: RoundTrip,
    active: Option<Exchange>,
    queue: VecDeque<(CommandId, AtRequest)>,
    /// Until when late replies are let pass before the next command goes out.
    settle_until: Option<Instant>,
    settle_for: Duration,
    /// Replies that earlier sendings of the last command may still get.
    outstanding: u32,
    /// Whether this module has been seen to end a reply with a blank line.
    terminates: bool,
    /// Whether this module or network has been seen to double replies.
    doubles: bool,
    /// The last replies and the verbs that got them.
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
            phase: Phase::Lost,
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

    /// Returns the module's answer to the discovery word, as far as it has been heard.
    pub fn identity(&self) -> Option<&ModuleIdentity> {
        self.identity.as_ref()
    }

    /// Tells whether the module took commands without being asked for command mode: it was open
    /// already, or needs no opening.
    pub(crate) fn opened_unasked(&self) -> bool {
        self.unasked
    }

    /// How long to give the module for an answer, within bounds.
    pub(crate) fn pace(&self, least: Duration, most: Duration) -> Duration {
        self.round_trip.pace(least, most)
    }

    /// Tells whether the module takes commands now.
    pub fn is_open(&self) -> bool {
        matches!(self.phase, Phase::Open)
    }

    /// Puts a command in the queue; its reply or failure comes as an event.
    pub fn submit(&mut self, now: Instant, request: AtRequest) -> CommandId {
        let id = CommandId(self.next_id);
        self.next_id += 1;
        match self.phase {
            Phase::Closed => {
                self.events.push_back(AtSessionEvent::Failed {
                    id,
                    error: NoReply::Closed,
                });
                return id;
            }
            Phase::Lost => self.seek(now),
            _ => {}
        }
        self.queue.push_back((id, request));
        self.start_next(now);
        id
    }

    /// Leaves command mode: the last datagram is `AT+Q`. Commands without a reply fail. Safe to
    /// call twice.
    pub fn close(&mut self, now: Instant) {
        if matches!(self.phase, Phase::Closed) {
            return;
        }
        self.last_activity = now;
        self.transmits
            .push_back(AtRequest::query("Q").emit(self.terminator()));
        self.phase = Phase::Closed;
        self.fail_all(NoReply::Closed);
        self.events.push_back(AtSessionEvent::Closed);
    }

    /// Takes a datagram from the module's address.
    pub fn handle_datagram(&mut self, now: Instant, datagram: &[u8]) {
        if matches!(self.phase, Phase::Closed) {
            return;
        }
        if let Some(identity) = self.parse_identity(datagram) {
            self.handle_identity(now, identity);
        } else if !is_foreign(datagram) {
            match self.phase {
                Phase::Open => self.handle_open(now, datagram),
                Phase::Seeking { .. } | Phase::Confirming { .. } => {
                    self.handle_opening(now, datagram);
                }
                Phase::Lost | Phase::Closed => {}
            }
        }
    }

    /// Runs what is due.
    pub fn handle_timeout(&mut self, now: Instant) {
        if self
            .active
            .as_ref()
            .is_some_and(|active| active.is_overdue(now))
            && !self.is_open()
        {
            self.settle_active(now, Exchange::give_up);
        }
        match self.phase {
            Phase::Seeking { deadline, .. } | Phase::Confirming { deadline, .. }
                if deadline <= now =>
            {
                self.lose();
            }
            Phase::Seeking { next, .. } if next <= now => self.seek_again(now),
            Phase::Confirming { next, .. } if next <= now => self.confirm_again(now),
            Phase::Open => self.tick(now),
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
                Phase::Seeking { next, deadline, .. } | Phase::Confirming { next, deadline, .. },
                active,
            ) => {
                let overdue = active.as_ref().and_then(Exchange::deadline);
                overdue.into_iter().chain([*next, *deadline]).min()
            }
            (Phase::Open, Some(active)) => active.next_timeout(),
            (Phase::Open, None) if !self.queue.is_empty() => self.settle_until,
            (Phase::Open, None) => Some(after(self.last_activity, self.config.keep_alive)),
            (Phase::Lost | Phase::Closed, _) => None,
        }
    }

    /// Returns what has happened.
    pub fn poll_event(&mut self) -> Option<AtSessionEvent> {
        self.events.pop_front()
    }
}

/// Whether a datagram is no part of an AT session: our own words, lines or `+ok` coming back, or a
/// plug's scan reply, which shares the port.
fn is_foreign(datagram: &[u8]) -> bool {
    let mut fields = datagram.split(|&byte| byte == b',');
    let text = |field: Option<&[u8]>| {
        field
            .and_then(|field| std::str::from_utf8(field).ok())
            .map(str::trim)
            .map(str::to_owned)
    };
    let address =
        text(fields.next()).is_some_and(|text| text.parse::<std::net::Ipv4Addr>().is_ok());
    let mac = text(fields.next()).is_some_and(|text| text.parse::<Mac>().is_ok());
    let is_line = crate::at::strip_prefix_ignoring_case(datagram, b"AT+").is_some();
    (address && mac) || (is_line && !begins_reply(datagram))
}

#[cfg(test)]
mod tests;
