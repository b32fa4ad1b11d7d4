//! The AT session on UDP port 48899 as a state machine without sockets or clock.
//!
//! The session looks for the module with its discovery words, opens command mode, sends one command
//! at a time, repeats what may be repeated, opens command mode again when it was lost, keeps it
//! alive while idle, and leaves it with `AT+Q`.
//!
//! Inputs are [`Session::submit`], [`Session::handle_datagram`] and [`Session::handle_timeout`].
//! After each of them, take everything from [`Session::poll_transmit`] and [`Session::poll_event`],
//! then wait until [`Session::poll_timeout`]. Only datagrams from the module's address may be
//! handed in.

mod config;
mod exchange;
mod pace;

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use zeroize::Zeroizing;

use crate::discovery::CONFIRM;
use crate::{Identity, Mac, Request, Terminator};
pub use config::SessionConfig;
pub(crate) use exchange::begins_reply;
use exchange::{Exchange, Tick};
use pace::RoundTrip;
pub(crate) use pace::after;

/// How often the opening of command mode is repeated before the words are tried again.
const CONFIRM_TRIES: u32 = 4;

/// An identity has some forty bytes.
const MAX_FRAGMENT: usize = 128;

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
pub enum SessionEvent {
    /// The module takes commands.
    Opened {
        /// Its answer to the discovery word; nothing when command mode was open already, or needs
        /// no opening.
        identity: Option<Identity>,
    },
    /// Everything that came back for a command; empty where silence is success.
    Reply {
        /// The command.
        id: CommandId,
        /// For [`crate::Command::parse`].
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
    /// [`Session::close`] was called; the last datagram is `AT+Q`.
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
/// use hiflying::command::{Command, Mid};
/// use hiflying::session::{Session, SessionConfig, SessionEvent};
///
/// let now = Instant::now();
/// let mut session = Session::new(SessionConfig::default(), now);
/// let id = session.submit(now, Mid.request());
/// assert_eq!(session.poll_transmit().as_deref().map(Vec::as_slice), Some(&b"HF-A11ASSISTHREAD"[..]));
/// session.handle_datagram(now, b"10.10.100.254,ACCF235676D6,HF-LPB100");
/// assert_eq!(session.poll_transmit().as_deref().map(Vec::as_slice), Some(&b"+ok"[..]));
/// assert_eq!(session.poll_transmit().as_deref().map(Vec::as_slice), Some(&b"AT+\r"[..]));
/// session.handle_datagram(now, b"+ok\r\n\r\n");
/// assert!(matches!(session.poll_event(), Some(SessionEvent::Opened { identity: Some(_) })));
/// let now = session.poll_timeout().ok_or("a timer")?;
/// session.handle_timeout(now);
/// assert_eq!(session.poll_transmit().as_deref().map(Vec::as_slice), Some(&b"AT+MID\r"[..]));
/// session.handle_datagram(now, b"+ok=HF-LPB100\r\n\r\n");
/// let Some(SessionEvent::Reply { raw, .. }) = session.poll_event() else { return Err("a reply") };
/// assert_eq!(Mid.parse(&raw).ok().as_deref(), Some("HF-LPB100"));
/// # Ok::<(), &str>(())
/// ```
#[derive(Debug)]
pub struct Session {
    config: SessionConfig,
    phase: Phase,
    announced: bool,
    identity: Option<Identity>,
    /// The line end that was sent last.
    terminator: usize,
    /// Whether the module is known to understand it.
    terminator_known: bool,
    /// Whether anything was sent with it yet.
    terminator_used: bool,
    /// The last datagram while an identity was awaited.
    fragment: Vec<u8>,
    words_sent: u32,
    identities: u32,
    round_trip: RoundTrip,
    active: Option<Exchange>,
    queue: VecDeque<(CommandId, Request)>,
    /// Until when late replies are let pass before the next command goes out.
    settle_until: Option<Instant>,
    settle_for: Duration,
    /// Replies that earlier sendings of the last command may still get.
    outstanding: u32,
    /// Whether this module or network has been seen to double replies.
    doubles: bool,
    last_reply: Option<(String, Zeroizing<Vec<u8>>)>,
    last_activity: Instant,
    next_id: u64,
    transmits: VecDeque<Zeroizing<Vec<u8>>>,
    events: VecDeque<SessionEvent>,
}

impl Session {
    /// Starts looking for the module at once.
    pub fn new(config: SessionConfig, now: Instant) -> Self {
        let mut session = Self {
            config,
            phase: Phase::Lost,
            announced: false,
            identity: None,
            terminator: 0,
            terminator_known: false,
            terminator_used: false,
            fragment: Vec::new(),
            words_sent: 0,
            identities: 0,
            round_trip: RoundTrip::default(),
            active: None,
            queue: VecDeque::new(),
            settle_until: None,
            settle_for: Duration::ZERO,
            outstanding: 0,
            doubles: false,
            last_reply: None,
            last_activity: now,
            next_id: 0,
            transmits: VecDeque::new(),
            events: VecDeque::new(),
        };
        session.seek(now);
        session
    }

    /// Returns the module's answer to the discovery word, as far as it has been heard.
    pub fn identity(&self) -> Option<&Identity> {
        self.identity.as_ref()
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
    pub fn submit(&mut self, now: Instant, request: Request) -> CommandId {
        let id = CommandId(self.next_id);
        self.next_id += 1;
        match self.phase {
            Phase::Closed => {
                self.events.push_back(SessionEvent::Failed {
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
            .push_back(Request::query("Q").emit(self.terminator()));
        self.phase = Phase::Closed;
        self.fail_all(NoReply::Closed);
        self.events.push_back(SessionEvent::Closed);
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

    /// Returns when [`Session::handle_timeout`] is due.
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
    pub fn poll_event(&mut self) -> Option<SessionEvent> {
        self.events.pop_front()
    }
}

/// Opening command mode.
impl Session {
    fn seek(&mut self, now: Instant) {
        let deadline = after(now, self.config.handshake_timeout);
        self.phase = Phase::Seeking {
            next: now,
            deadline,
            round: 0,
            sent: None,
        };
        self.seek_again(now);
    }

    /// The first round is the likeliest word alone; the following ones bring all words and, because
    /// command mode may be open already or need no opening, the null command.
    fn seek_again(&mut self, now: Instant) {
        let Phase::Seeking {
            next, round, sent, ..
        } = &mut self.phase
        else {
            return;
        };
        let first = *round == 0;
        *next = after(now, self.config.pace);
        *round += 1;
        *sent = first.then_some(now);
        let words = self
            .config
            .words
            .iter()
            .take(if first { 1 } else { usize::MAX });
        self.transmits
            .extend(words.map(|word| Zeroizing::new(word.as_bytes().to_vec())));
        if !first || self.config.words.is_empty() {
            self.transmit_null();
        }
    }

    /// An identity has no end mark; while one is awaited, two pieces may make it whole.
    fn parse_identity(&mut self, datagram: &[u8]) -> Option<Identity> {
        if matches!(self.phase, Phase::Seeking { .. }) && datagram.len() < MAX_FRAGMENT {
            let whole = [self.fragment.as_slice(), datagram].concat();
            self.fragment = datagram.to_vec();
            if let Some(identity) = Identity::parse(&whole) {
                return Some(identity);
            }
        }
        Identity::parse(datagram)
    }

    fn handle_identity(&mut self, now: Instant, identity: Identity) {
        self.identity = Some(identity);
        self.identities = self.identities.saturating_add(1);
        self.doubles |= self.identities > self.words_sent;
        let Phase::Seeking { deadline, sent, .. } = self.phase else {
            return;
        };
        if let Some(sent) = sent {
            self.round_trip.measure(now.saturating_duration_since(sent));
        }
        self.phase = Phase::Confirming {
            next: now,
            deadline,
            tries: 0,
        };
        self.confirm_again(now);
    }

    /// The recipe says to wait 300 ms after `+ok`. A null command right behind it, repeated until
    /// it is answered, tells sooner that command mode is open.
    fn confirm_again(&mut self, now: Instant) {
        let pace = self
            .round_trip
            .pace(self.config.pace, self.config.reply_timeout);
        let Phase::Confirming {
            next,
            deadline,
            tries,
        } = &mut self.phase
        else {
            return;
        };
        *next = after(now, pace);
        *tries += 1;
        if *tries > CONFIRM_TRIES {
            self.phase = Phase::Seeking {
                next: now,
                deadline: *deadline,
                round: 1,
                sent: None,
            };
            return self.seek_again(now);
        }
        self.transmits.push_back(Zeroizing::new(CONFIRM.to_vec()));
        self.transmit_null();
    }

    /// Anything of the AT grammar shows that command mode is open: the reply to the null command;
    /// the `+ok` with which some firmware answers `+ok`; the `+ERR=-1` of one that was in
    /// command mode already and took `+ok` for a command.
    fn handle_opening(&mut self, now: Instant, datagram: &[u8]) {
        if !begins_reply(datagram) {
            return;
        }
        self.phase = Phase::Open;
        self.terminator_known = true;
        self.last_activity = now;
        if !self.announced {
            self.announced = true;
            self.events.push_back(SessionEvent::Opened {
                identity: self.identity.clone(),
            });
        }
        if self
            .active
            .as_ref()
            .is_some_and(|active| active.recognises(datagram))
        {
            return self.handle_open(now, datagram);
        }
        self.last_reply = Some((String::new(), Zeroizing::new(datagram.to_vec())));
        // `+ok` and the null command may both be answered.
        self.settle_for = self.round_trip.settle();
        self.settle(now);
        match &mut self.active {
            Some(active) => {
                active.reopened();
                if active.may_send() {
                    self.transmit_active(now);
                }
            }
            None => self.start_next(now),
        }
    }

    fn lose(&mut self) {
        self.phase = Phase::Lost;
        self.announced = false;
        self.terminator_known = false;
        self.fail_all(NoReply::Timeout);
        self.events.push_back(SessionEvent::Lost);
    }
}

/// Commands, one at a time.
impl Session {
    fn start_next(&mut self, now: Instant) {
        if !self.is_open() || self.active.is_some() || self.settle_until.is_some_and(|at| at > now)
        {
            return;
        }
        let Some((id, request)) = self.queue.pop_front() else {
            return;
        };
        self.start(now, Some(id), request);
    }

    fn start(&mut self, now: Instant, id: Option<CommandId>, request: Request) {
        self.settle_until = None;
        self.outstanding = 0;
        let earlier = self
            .last_reply
            .as_ref()
            .filter(|(verb, _)| verb != request.verb())
            .map(|(_, raw)| raw.clone());
        self.active = Some(Exchange::new(
            id,
            request,
            &self.config,
            self.round_trip,
            earlier,
            self.doubles,
        ));
        self.transmit_active(now);
    }

    fn transmit_active(&mut self, now: Instant) {
        let terminator = self.next_terminator();
        if let Some(active) = &mut self.active {
            self.transmits.push_back(active.request.emit(terminator));
            active.sent(now);
            self.last_activity = now;
        }
    }

    fn transmit_null(&mut self) {
        let terminator = self.next_terminator();
        self.transmits.push_back(Request::null().emit(terminator));
    }

    /// The line end in use; until one is known to be understood, each sending takes the next.
    fn next_terminator(&mut self) -> Terminator {
        if self.terminator_used && !self.terminator_known {
            self.terminator = (self.terminator + 1) % self.config.terminators.len().max(1);
        }
        self.terminator_used = true;
        self.terminator()
    }

    /// The line end that the module understands, as far as is known.
    pub(crate) fn terminator(&self) -> Terminator {
        self.config
            .terminators
            .get(self.terminator)
            .copied()
            .unwrap_or_default()
    }

    fn handle_open(&mut self, now: Instant, datagram: &[u8]) {
        let Some(active) = &mut self.active else {
            return self.handle_stray(now, datagram);
        };
        let reply = active.handle_datagram(now, datagram);
        self.doubles |= active.saw_leftover();
        if let Some(raw) = reply {
            self.settle_active(now, |_| Tick::Done(raw));
        }
    }

    /// A late or doubled reply between two commands.
    fn handle_stray(&mut self, now: Instant, datagram: &[u8]) {
        if datagram.trim_ascii().is_empty() {
            return;
        }
        if self.outstanding > 0 {
            self.outstanding -= 1;
            // The next one can be as far behind this one.
            self.settle(now);
        } else if self
            .last_reply
            .as_ref()
            .is_some_and(|(_, raw)| raw.as_slice() == datagram)
        {
            self.doubles = true;
        }
        if self.outstanding == 0 && !self.doubles {
            self.settle_until = None;
            self.start_next(now);
        }
    }

    fn settle(&mut self, now: Instant) {
        self.settle_until = (!self.settle_for.is_zero()).then(|| after(now, self.settle_for));
    }

    fn tick(&mut self, now: Instant) {
        match self
            .active
            .as_mut()
            .map(|active| active.handle_timeout(now))
        {
            Some(Tick::Wait) => {}
            Some(Tick::Resend) => self.transmit_active(now),
            Some(Tick::Reopen) => {
                // What looked like an answer to the null command may have been one to the `+ok`.
                self.terminator_known = false;
                self.seek(now);
            }
            Some(tick) => self.settle_active(now, |_| tick),
            None if self.queue.is_empty() => self.keep_alive(now),
            None => self.start_next(now),
        }
    }

    fn keep_alive(&mut self, now: Instant) {
        if now.saturating_duration_since(self.last_activity) >= self.config.keep_alive {
            self.start(now, None, Request::query("W"));
        }
    }

    /// Ends the command in flight with what `conclude` makes of it.
    fn settle_active(&mut self, now: Instant, conclude: impl FnOnce(&mut Exchange) -> Tick) {
        let Some(mut active) = self.active.take() else {
            return;
        };
        let event = match (conclude(&mut active), active.id) {
            (Tick::Done(raw), id) => {
                self.note_reply(now, &active, &raw);
                id.map(|id| SessionEvent::Reply { id, raw })
            }
            (_, id) => id.map(|id| SessionEvent::Failed {
                id,
                error: NoReply::Timeout,
            }),
        };
        self.events.extend(event);
        self.start_next(now);
    }

    fn note_reply(&mut self, now: Instant, active: &Exchange, raw: &Zeroizing<Vec<u8>>) {
        self.last_activity = now;
        if raw.is_empty() {
            return;
        }
        self.terminator_known = true;
        let elapsed = active.since_sent(now);
        if active.sends() == 1 {
            self.round_trip.measure(elapsed);
        }
        // After several sendings, a reply that took its time may be to an earlier one, and others
        // still under way.
        let late = active.sends() > 1 && !self.round_trip.is_prompt(elapsed);
        if late {
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
        self.last_reply = Some((active.request.verb().to_owned(), raw.clone()));
    }

    fn fail_all(&mut self, error: NoReply) {
        let active = self.active.take().and_then(|active| active.id);
        let waiting = std::mem::take(&mut self.queue)
            .into_iter()
            .map(|(id, _)| id);
        self.events.extend(
            active
                .into_iter()
                .chain(waiting)
                .map(|id| SessionEvent::Failed { id, error }),
        );
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
    (address && mac) || crate::at::strip_prefix_ignoring_case(datagram, b"AT+").is_some()
}

#[cfg(test)]
mod tests;
