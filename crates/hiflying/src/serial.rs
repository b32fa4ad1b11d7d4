//! The AT console on the module's serial port, without the port.
//!
//! [`SerialSession`] owns the way into command mode (`+++`, `a`), one command at a time with its reply,
//! and the way out (`AT+ENTM`, always). It holds no device and no clock: bytes and a time go in,
//! bytes and events come out. With the feature `serial`, `SerialConsole` runs it on a real port.
//!
//! Where the facts come from: section 9 of the protocol notes (five independent clients for the
//! escape, six for `AT+ENTM`). Two deviations are answered by the same few lines:
//!
//! * A module that is in command mode already takes `+++` for a malformed line and says `+ERR`.
//! * The SP-2's own header behaves like its TCP port 8899: a parser of the plug's maker, which
//!   knows no escape and says `+ERROR`. Then commands are sent as plain lines ([`SerialOpening::Line`]).
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
mod opening;

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use zeroize::Zeroizing;

use self::collect::Collector;
use crate::at::{AtRequest, Terminator};
use crate::verb::{self, Answer};

#[cfg(feature = "serial")]
pub use self::driver::{SerialConsole, SerialConsoleError, SerialOpenError};

const LEAVE: &[u8] = b"AT+ENTM\r";

/// Waits and limits of a [`SerialSession`].
#[derive(Debug, Clone)]
pub struct SerialConfig {
    /// Silence before `+++`, one entry for each try: a module that has just passed data on does
    /// not see an escape that follows too closely.
    pub guards: Vec<Duration>,
    /// How long the module may take to answer `+++` with `a`.
    pub escape_wait: Duration,
    /// How long it may take to answer our `a` with `+ok` (it forgets the escape after about 3 s).
    pub confirm_wait: Duration,
    /// How long a plain line may go unanswered before the device counts as silent.
    pub probe_wait: Duration,
    /// Silence that ends a reply whose `\r\n\r\n` is missing (clones end in a single `\r`).
    pub silence: Duration,
    /// The same for a network list, whose rows come as the radio finds them.
    pub list_silence: Duration,
    /// How long a verb that the table does not know may take.
    pub budget: Duration,
    /// How long to wait for the answer to `AT+ENTM`.
    pub leave_wait: Duration,
}

impl Default for SerialConfig {
    fn default() -> Self {
        Self {
            guards: vec![Duration::from_millis(500), Duration::from_millis(1500)],
            escape_wait: Duration::from_millis(1500),
            confirm_wait: Duration::from_secs(3),
            probe_wait: Duration::from_millis(1500),
            silence: Duration::from_millis(300),
            list_silence: Duration::from_secs(3),
            budget: Duration::from_secs(3),
            leave_wait: Duration::from_secs(1),
        }
    }
}

/// How the console was reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SerialOpening {
    /// `+++` and `a` were answered: the module is in command mode because of us.
    Escaped,
    /// The module was in command mode before.
    AlreadyOpen,
    /// The escape means nothing to this device, but it answers AT lines (an SP-2's own header).
    Line,
}

/// Names one submitted command.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SerialCommandId(u64);

/// What a [`SerialSession`] reports.
#[derive(Debug)]
pub enum SerialEvent {
    /// Commands are answered from now on.
    Opened(SerialOpening),
    /// A command was answered. The bytes are free of the echo, but otherwise as they came.
    Reply {
        /// Which command.
        id: SerialCommandId,
        /// The reply, with its line ends.
        raw: Zeroizing<Vec<u8>>,
    },
    /// A command was not answered within its time.
    Unanswered {
        /// Which command.
        id: SerialCommandId,
    },
    /// Nothing on this line understands us; the session is over.
    Silent,
    /// Command mode was left as asked; the session is over.
    Closed,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum SerialState {
    /// Keeping silent before `+++`.
    Guarding,
    /// `+++` is out.
    Escaping,
    /// `a` is out.
    Confirming,
    /// A plain line is out, to see whether anybody is there.
    Probing,
    /// Ready for a command.
    Idle,
    /// A command is out.
    Asking(SerialCommandId),
    /// A command (`AT+ENTM`, `AT+Z`, `AT+RELD`) took us out of command mode.
    Outside,
    /// `AT+ENTM` is out.
    Leaving,
    /// Over.
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
    /// Which entry of `config.guards` is in use.
    attempt: usize,
    /// When the present state gives up.
    deadline: Option<Instant>,
    /// When the line has been quiet for long enough to judge what was received.
    quiet: Option<Instant>,
    received: Collector,
    queue: VecDeque<(SerialCommandId, AtRequest)>,
    /// The verb that is being asked, in upper case.
    asking: String,
    next_id: u64,
    transmits: VecDeque<Zeroizing<Vec<u8>>>,
    events: VecDeque<SerialEvent>,
}

impl SerialSession {
    /// Starts with the guard pause; the escape follows by itself.
    pub fn new(config: SerialConfig, now: Instant) -> Self {
        let mut session = Self {
            config,
            state: SerialState::Guarding,
            opening: None,
            attempt: 0,
            deadline: None,
            quiet: None,
            received: Collector::default(),
            queue: VecDeque::new(),
            asking: String::new(),
            next_id: 0,
            transmits: VecDeque::new(),
            events: VecDeque::new(),
        };
        session.start(now);
        session
    }

    /// How the console was reached, once it was.
    pub fn opening(&self) -> Option<SerialOpening> {
        self.opening
    }

    /// Whether the session is over.
    pub fn is_closed(&self) -> bool {
        self.state == SerialState::Closed
    }

    /// Queues a command; commands go out one at a time. After a command that leaves command mode
    /// the next one enters it again.
    pub fn submit(&mut self, now: Instant, request: AtRequest) -> SerialCommandId {
        let id = SerialCommandId(self.next_id);
        self.next_id += 1;
        if matches!(self.state, SerialState::Leaving | SerialState::Closed) {
            self.events.push_back(SerialEvent::Unanswered { id });
            return id;
        }
        self.queue.push_back((id, request));
        match self.state {
            SerialState::Idle => self.ask_next(now),
            SerialState::Outside => self.start(now),
            _ => {}
        }
        id
    }

    /// Leaves command mode: now when idle or when a command is under way (which then counts as
    /// unanswered). `AT+ENTM` goes out whatever happened before, as a module that is left in
    /// command mode does not work.
    pub fn close(&mut self, now: Instant) {
        if matches!(self.state, SerialState::Closed | SerialState::Leaving) {
            return;
        }
        if let SerialState::Asking(id) = self.state {
            self.events.push_back(SerialEvent::Unanswered { id });
        }
        self.fail_queue();
        if self.owes_leaving() {
            self.leave(now);
        } else {
            self.end(SerialEvent::Closed);
        }
    }

    /// Whether `AT+ENTM` still has to be sent: not before anything was written, nor after a
    /// command that left command mode itself. For drivers that are dropped in the middle.
    pub fn owes_leaving(&self) -> bool {
        match self.state {
            SerialState::Outside | SerialState::Leaving | SerialState::Closed => false,
            SerialState::Guarding => self.attempt > 0,
            _ => true,
        }
    }

    /// Ends without a word, for a port that has gone.
    pub fn abandon(&mut self) {
        self.fail_queue();
        self.idle();
        self.state = SerialState::Closed;
    }

    /// Takes bytes from the port.
    pub fn handle_input(&mut self, now: Instant, bytes: &[u8]) {
        // What comes while nothing was asked is traffic of the plug's own application.
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
            SerialState::Asking(id) if self.received.is_ended() => self.answered(now, id),
            SerialState::Leaving if self.received.is_ended() => self.end(SerialEvent::Closed),
            _ => {}
        }
    }

    /// Call when [`poll_timeout`](Self::poll_timeout) is due.
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

    /// The next bytes to write.
    pub fn poll_transmit(&mut self) -> Option<Zeroizing<Vec<u8>>> {
        self.transmits.pop_front()
    }

    /// When to call [`handle_timeout`](Self::handle_timeout) next.
    pub fn poll_timeout(&self) -> Option<Instant> {
        match (self.deadline, self.quiet) {
            (Some(deadline), Some(quiet)) => Some(deadline.min(quiet)),
            (deadline, quiet) => deadline.or(quiet),
        }
    }

    /// The next thing to report.
    pub fn poll_event(&mut self) -> Option<SerialEvent> {
        self.events.pop_front()
    }

    fn enter(&mut self, state: SerialState, deadline: Instant) {
        self.state = state;
        self.deadline = Some(deadline);
        self.quiet = None;
        self.received = Collector::default();
    }

    fn write(&mut self, bytes: &[u8]) {
        self.transmits.push_back(Zeroizing::new(bytes.to_vec()));
    }

    fn handle_quiet(&mut self, now: Instant) {
        match self.state {
            SerialState::Escaping => self.judge_escape(now, true),
            SerialState::Probing => self.judge_probe(now, true),
            SerialState::Asking(id) if self.received.is_answer() => self.answered(now, id),
            SerialState::Leaving if self.received.is_answer() => self.end(SerialEvent::Closed),
            _ => {}
        }
    }

    fn handle_deadline(&mut self, now: Instant) {
        match self.state {
            SerialState::Guarding => self.escape(now),
            SerialState::Escaping | SerialState::Confirming => self.try_again(now),
            SerialState::Probing => self.silent(),
            SerialState::Asking(id) => self.out_of_time(now, id),
            SerialState::Leaving => self.end(SerialEvent::Closed),
            SerialState::Idle | SerialState::Outside | SerialState::Closed => {}
        }
    }

    fn idle(&mut self) {
        self.state = SerialState::Idle;
        self.deadline = None;
        self.quiet = None;
        self.received = Collector::default();
    }

    fn ask_next(&mut self, now: Instant) {
        let Some((id, request)) = self.queue.pop_front() else {
            return;
        };
        let terminator = match self.opening {
            // What every client of the plug's own parser sends.
            Some(SerialOpening::Line) => Terminator::CrLf,
            _ => Terminator::Cr,
        };
        let info = verb::lookup(request.verb());
        let budget = info.map_or(self.config.budget, |info| {
            info.budget.max(self.config.budget)
        });
        self.enter(SerialState::Asking(id), now + budget);
        self.asking = request.verb().to_owned();
        self.received = Collector::new(&request.emit(Terminator::None));
        self.transmits.push_back(request.emit(terminator));
    }

    fn asks_for_list(&self) -> bool {
        verb::lookup(&self.asking).is_some_and(|info| info.answer == Answer::Many)
    }

    fn silence(&self) -> Duration {
        match self.state {
            SerialState::Asking(_) if self.asks_for_list() => self.config.list_silence,
            _ => self.config.silence,
        }
    }

    fn out_of_time(&mut self, now: Instant, id: SerialCommandId) {
        if self.received.is_empty() {
            self.events.push_back(SerialEvent::Unanswered { id });
            self.settle(now);
        } else {
            self.answered(now, id);
        }
    }

    fn answered(&mut self, now: Instant, id: SerialCommandId) {
        let raw = std::mem::take(&mut self.received).into_reply();
        self.events.push_back(SerialEvent::Reply { id, raw });
        self.settle(now);
    }

    /// After a command: on to the next, or out of command mode if that was its effect.
    fn settle(&mut self, now: Instant) {
        self.idle();
        if matches!(self.asking.as_str(), "ENTM" | "Z" | "RELD") {
            self.state = SerialState::Outside;
            if !self.queue.is_empty() {
                self.start(now);
            }
        } else {
            self.ask_next(now);
        }
    }

    fn leave(&mut self, now: Instant) {
        self.write(LEAVE);
        self.enter(SerialState::Leaving, now + self.config.leave_wait);
        self.received = Collector::new(b"AT+ENTM");
    }

    fn silent(&mut self) {
        // Whoever listens but cannot be heard may be in command mode now.
        self.write(LEAVE);
        self.fail_queue();
        self.end(SerialEvent::Silent);
    }

    fn fail_queue(&mut self) {
        for (id, _) in self.queue.drain(..) {
            self.events.push_back(SerialEvent::Unanswered { id });
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
