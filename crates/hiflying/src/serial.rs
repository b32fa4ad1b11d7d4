//! The AT console on the module's serial port, without the port.
//!
//! [`SerialSession`] enters command mode (`+++`, `a`), sends one command at a time, and always leaves with
//! `AT+ENTM`. It holds no device and no clock: bytes and a time go in,
//! bytes and events come out. With the feature `serial`, `SerialConsole` runs it on a real port.
//!
//! The facts are from section 9 of the protocol notes (five independent clients for the escape, six for
//! `AT+ENTM`). Two deviations are handled alike:
//!
//! * A module that is in command mode already takes `+++` for a malformed line and replies `+ERR`.
//! * The SP-2's own header behaves like its TCP port 8899: a parser of the plug's maker, which
//!   knows no escape and replies `+ERROR`. Then commands are sent as plain lines ([`SerialOpening::Line`]).
//!
//! ```
//! use std::time::{Duration, Instant};
//! use hiflying::serial::{SerialEvent, SerialOpening, SerialSession, SerialConfig};
//!
//! let mut now = Instant::now();
//! let mut session = SerialSession::new(SerialConfig::default(), now);
//! now += session.poll_timeout().unwrap() - now; // the pause before the escape
//! session.handle_timeout(now);
//! assert_eq!(session.poll_transmit().unwrap().as_slice(), b"+++");
//! session.handle_input(now, b"a");
//! assert_eq!(session.poll_transmit().unwrap().as_slice(), b"a");
//! session.handle_input(now, b"+ok\r\n\r\n");
//! assert!(matches!(session.poll_event(), Some(SerialEvent::Opened(SerialOpening::Escaped))));
//! ```

mod collect;
#[cfg(feature = "serial")]
#[expect(clippy::disallowed_methods, reason = "drivers have a clock")]
mod driver;
#[cfg(feature = "serial")]
#[cfg_attr(unix, path = "serial/open_error/unix.rs")]
#[cfg_attr(windows, path = "serial/open_error/windows.rs")]
mod open_error;
mod opening;

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use zeroize::Zeroizing;

use self::collect::ReplyCollector;
use crate::at::{AtRequest, Terminator};
use crate::verb::{self, ExpectedReply};

#[cfg(feature = "serial")]
pub use self::driver::{SerialConsole, SerialConsoleError, SerialOpenError};

const LEAVE: &[u8] = b"AT+ENTM\r";

/// Timings of a [`SerialSession`].
#[derive(Debug, Clone)]
pub struct SerialConfig {
    /// Silence before `+++`, one entry for each try: a module that has just passed data on ignores an
    /// escape that follows too closely.
    pub guards: Vec<Duration>,
    /// Time for the `a` that replies to `+++`.
    pub escape_timeout: Duration,
    /// Time for the `+ok` that replies to our `a` (the module forgets the escape after about 3 s).
    pub confirm_timeout: Duration,
    /// Time for the reply to a plain line; after that the device counts as silent.
    pub probe_timeout: Duration,
    /// Silence that ends a reply whose `\r\n\r\n` is missing (clones end in a single `\r`).
    pub silence: Duration,
    /// Silence that ends a network list, whose rows come as the radio finds them.
    pub list_silence: Duration,
    /// Minimum time for the reply to a command.
    pub reply_timeout: Duration,
    /// Time for the reply to `AT+ENTM`.
    pub leave_timeout: Duration,
}

impl Default for SerialConfig {
    fn default() -> Self {
        Self {
            guards: vec![Duration::from_millis(500), Duration::from_millis(1500)],
            escape_timeout: Duration::from_millis(1500),
            confirm_timeout: Duration::from_secs(3),
            probe_timeout: Duration::from_millis(1500),
            silence: Duration::from_millis(300),
            list_silence: Duration::from_secs(3),
            reply_timeout: Duration::from_secs(3),
            leave_timeout: Duration::from_secs(1),
        }
    }
}

/// State of the device when its console was opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SerialOpening {
    /// The module replied to `+++` and `a`, and is in command mode because of us.
    Escaped,
    /// The module was in command mode before.
    AlreadyOpen,
    /// The device ignores the escape but replies to AT lines (an SP-2's own header).
    Line,
}

/// Identifies a submitted command.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SerialCommandId(u64);

/// Event of a [`SerialSession`].
#[derive(Debug)]
pub enum SerialEvent {
    /// The device accepts commands.
    Opened(SerialOpening),
    /// A command got its reply, without the echo but otherwise as it came.
    Reply {
        /// The command.
        id: SerialCommandId,
        /// The reply, with its line ends.
        raw: Zeroizing<Vec<u8>>,
    },
    /// A command got no reply in time.
    NoReply {
        /// The command.
        id: SerialCommandId,
    },
    /// No device replies on this line; the session is over.
    Silent,
    /// The session was closed.
    Closed,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum SerialState {
    /// Keeping silent before `+++`.
    Guarding,
    /// `+++` has been sent.
    Escaping,
    /// `a` has been sent.
    Confirming,
    /// A plain line has been sent, to see whether a device replies.
    Probing,
    /// Ready for a command.
    Idle,
    /// A command has been sent.
    AwaitingReply(SerialCommandId),
    /// A command (`AT+ENTM`, `AT+Z`, `AT+RELD`) has ended command mode.
    Outside,
    /// `AT+ENTM` has been sent.
    Leaving,
    /// The session is over.
    Closed,
}

/// A serial AT session as a state machine.
///
/// Feed it with [`handle_input`](Self::handle_input) and [`handle_timeout`](Self::handle_timeout);
/// after each of them, and after [`submit`](Self::submit) and [`close`](Self::close), drain
/// [`poll_transmit`](Self::poll_transmit) and [`poll_event`](Self::poll_event) and wait until
/// [`poll_timeout`](Self::poll_timeout).
#[derive(Debug)]
pub struct SerialSession {
    config: SerialConfig,
    state: SerialState,
    opening: Option<SerialOpening>,
    /// Index of the current entry of `config.guards`.
    attempt: usize,
    /// Time at which the current state ends.
    deadline: Option<Instant>,
    /// Time at which the line has been quiet for long enough to judge the received bytes.
    quiet: Option<Instant>,
    received: ReplyCollector,
    queue: VecDeque<(SerialCommandId, AtRequest)>,
    /// Verb of the command in flight, in upper case.
    verb: String,
    next_id: u64,
    transmits: VecDeque<Zeroizing<Vec<u8>>>,
    events: VecDeque<SerialEvent>,
}

impl SerialSession {
    /// Starts with the guard pause, after which the escape is sent.
    pub fn new(config: SerialConfig, now: Instant) -> Self {
        let mut session = Self {
            config,
            state: SerialState::Guarding,
            opening: None,
            attempt: 0,
            deadline: None,
            quiet: None,
            received: ReplyCollector::default(),
            queue: VecDeque::new(),
            verb: String::new(),
            next_id: 0,
            transmits: VecDeque::new(),
            events: VecDeque::new(),
        };
        session.start(now);
        session
    }

    /// Returns the state of the device when its console was opened, once it is open.
    pub fn opening(&self) -> Option<SerialOpening> {
        self.opening
    }

    /// Tells whether the session is over.
    pub fn is_closed(&self) -> bool {
        self.state == SerialState::Closed
    }

    /// Queues a command; commands are sent one at a time. The next command after one that leaves command mode
    /// enters it again.
    pub fn submit(&mut self, now: Instant, request: AtRequest) -> SerialCommandId {
        let id = SerialCommandId(self.next_id);
        self.next_id += 1;
        if matches!(self.state, SerialState::Leaving | SerialState::Closed) {
            self.events.push_back(SerialEvent::NoReply { id });
            return id;
        }
        self.queue.push_back((id, request));
        match self.state {
            SerialState::Idle => self.send_next(now),
            SerialState::Outside => self.start(now),
            _ => {}
        }
        id
    }

    /// Leaves command mode at once; a command in flight counts as failed. `AT+ENTM` is sent in any state,
    /// because a module that is left in command mode does not work.
    pub fn close(&mut self, now: Instant) {
        if matches!(self.state, SerialState::Closed | SerialState::Leaving) {
            return;
        }
        if let SerialState::AwaitingReply(id) = self.state {
            self.events.push_back(SerialEvent::NoReply { id });
        }
        self.fail_queue();
        if self.owes_leaving() {
            self.leave(now);
        } else {
            self.end(SerialEvent::Closed);
        }
    }

    /// Tells whether `AT+ENTM` still has to be sent, for drivers that are dropped in the middle: not before
    /// anything was written, nor after a command that ended command mode.
    pub fn owes_leaving(&self) -> bool {
        match self.state {
            SerialState::Outside | SerialState::Leaving | SerialState::Closed => false,
            SerialState::Guarding => self.attempt > 0,
            _ => true,
        }
    }

    /// Ends without sending anything, for a port that is gone.
    pub fn abandon(&mut self) {
        self.fail_queue();
        self.idle();
        self.state = SerialState::Closed;
    }

    /// Takes bytes from the port.
    pub fn handle_input(&mut self, now: Instant, bytes: &[u8]) {
        // Bytes without a request are traffic of the plug's own application.
        if bytes.is_empty()
            || matches!(
                self.state,
                SerialState::Guarding
                    | SerialState::Idle
                    | SerialState::Outside
                    | SerialState::Closed
            )
        {
            return;
        }
        self.received.push(bytes);
        self.quiet = Some(now + self.silence());
        match self.state {
            SerialState::Escaping => self.judge_escape(now, false),
            SerialState::Confirming => self.judge_confirm(now),
            SerialState::Probing => self.judge_probe(now, false),
            SerialState::AwaitingReply(id) if self.received.is_ended() => self.replied(now, id),
            SerialState::Leaving if self.received.is_ended() => self.end(SerialEvent::Closed),
            _ => {}
        }
    }

    /// Runs the timers that are due.
    pub fn handle_timeout(&mut self, now: Instant) {
        if self.quiet.is_some_and(|at| at <= now) {
            self.quiet = None;
            self.handle_quiet(now);
        }
        if self.deadline.is_some_and(|at| at <= now) {
            self.deadline = None;
            self.handle_deadline(now);
        }
    }

    /// Returns the next bytes to write.
    pub fn poll_transmit(&mut self) -> Option<Zeroizing<Vec<u8>>> {
        self.transmits.pop_front()
    }

    /// Returns when [`handle_timeout`](Self::handle_timeout) is due.
    pub fn poll_timeout(&self) -> Option<Instant> {
        match (self.deadline, self.quiet) {
            (Some(deadline), Some(quiet)) => Some(deadline.min(quiet)),
            (deadline, quiet) => deadline.or(quiet),
        }
    }

    /// Returns the next event.
    pub fn poll_event(&mut self) -> Option<SerialEvent> {
        self.events.pop_front()
    }

    fn enter(&mut self, state: SerialState, deadline: Instant) {
        self.state = state;
        self.deadline = Some(deadline);
        self.quiet = None;
        self.received = ReplyCollector::default();
    }

    fn write(&mut self, bytes: &[u8]) {
        self.transmits.push_back(Zeroizing::new(bytes.to_vec()));
    }

    fn handle_quiet(&mut self, now: Instant) {
        match self.state {
            SerialState::Escaping => self.judge_escape(now, true),
            SerialState::Probing => self.judge_probe(now, true),
            SerialState::AwaitingReply(id) if self.received.is_reply() => self.replied(now, id),
            SerialState::Leaving if self.received.is_reply() => self.end(SerialEvent::Closed),
            _ => {}
        }
    }

    fn handle_deadline(&mut self, now: Instant) {
        match self.state {
            SerialState::Guarding => self.escape(now),
            SerialState::Escaping | SerialState::Confirming => self.try_again(now),
            SerialState::Probing => self.silent(),
            SerialState::AwaitingReply(id) => self.out_of_time(now, id),
            SerialState::Leaving => self.end(SerialEvent::Closed),
            SerialState::Idle | SerialState::Outside | SerialState::Closed => {}
        }
    }

    fn idle(&mut self) {
        self.state = SerialState::Idle;
        self.deadline = None;
        self.quiet = None;
        self.received = ReplyCollector::default();
    }

    fn send_next(&mut self, now: Instant) {
        let Some((id, request)) = self.queue.pop_front() else {
            return;
        };
        let terminator = match self.opening {
            // Every client of the plug's own parser sends this.
            Some(SerialOpening::Line) => Terminator::CrLf,
            _ => Terminator::Cr,
        };
        let info = verb::lookup(request.verb());
        let timeout = info.map_or(self.config.reply_timeout, |info| {
            info.timeout.max(self.config.reply_timeout)
        });
        self.enter(SerialState::AwaitingReply(id), now + timeout);
        self.verb = request.verb().to_owned();
        self.received = ReplyCollector::new(&request.emit(Terminator::None));
        self.transmits.push_back(request.emit(terminator));
    }

    fn expects_list(&self) -> bool {
        verb::lookup(&self.verb).is_some_and(|info| info.reply == ExpectedReply::Many)
    }

    fn silence(&self) -> Duration {
        match self.state {
            SerialState::AwaitingReply(_) if self.expects_list() => self.config.list_silence,
            _ => self.config.silence,
        }
    }

    fn out_of_time(&mut self, now: Instant, id: SerialCommandId) {
        if self.received.is_empty() {
            self.events.push_back(SerialEvent::NoReply { id });
            self.settle(now);
        } else {
            self.replied(now, id);
        }
    }

    fn replied(&mut self, now: Instant, id: SerialCommandId) {
        let raw = std::mem::take(&mut self.received).into_reply();
        self.events.push_back(SerialEvent::Reply { id, raw });
        self.settle(now);
    }

    /// Goes on after a command, or notes that it ended command mode.
    fn settle(&mut self, now: Instant) {
        self.idle();
        if matches!(self.verb.as_str(), "ENTM" | "Z" | "RELD") {
            self.state = SerialState::Outside;
            if !self.queue.is_empty() {
                self.start(now);
            }
        } else {
            self.send_next(now);
        }
    }

    fn leave(&mut self, now: Instant) {
        self.write(LEAVE);
        self.enter(SerialState::Leaving, now + self.config.leave_timeout);
        self.received = ReplyCollector::new(b"AT+ENTM");
    }

    fn silent(&mut self) {
        // A device that hears us but cannot be heard may be in command mode now.
        self.write(LEAVE);
        self.fail_queue();
        self.end(SerialEvent::Silent);
    }

    fn fail_queue(&mut self) {
        for (id, _) in self.queue.drain(..) {
            self.events.push_back(SerialEvent::NoReply { id });
        }
    }

    fn end(&mut self, event: SerialEvent) {
        self.idle();
        self.state = SerialState::Closed;
        self.events.push_back(event);
    }
}

#[cfg(test)]
mod tests;
