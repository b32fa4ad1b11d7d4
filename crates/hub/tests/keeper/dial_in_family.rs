//! A made-up family of fans, and one of its members. A fan has no server: it connects to a TCP port of ours, is switched over that
//! connection by lines, and reports its button unsolicited. It connects again when the connection is lost or its heartbeat is not
//! answered.

use std::collections::VecDeque;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use hiflying::{DiscoveryWord, Mac};
use jiff::Timestamp;
use jiff::civil::DateTime;
use plugs::exchange::{Exchange, ExchangeAction, ExchangeError, NoReplyReason, PlugTransport};
use plugs::family::Probe;
use plugs::inbound::{InboundEvent, InboundSession};
use plugs::{Capability, Family, FamilyId, Plug, PlugCommand, PlugReply, RelayState};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio::time::{interval, sleep};

/// Its name in JSON and in the database.
pub const FAN: FamilyId = FamilyId::new("fan");
/// The port to which fans connect.
pub const FAN_PORT: u16 = 20_001;

const COMMAND_INTERVAL: Duration = Duration::from_millis(500);
const MAX_COMMANDS: u32 = 4;
const MAX_LINE: usize = 64;
const HEARTBEAT_INTERVAL: Duration = Duration::from_millis(300);
const REDIAL_DELAY: Duration = Duration::from_millis(100);

/// The family.
#[derive(Debug)]
pub struct FanFamily;

impl Family for FanFamily {
    fn id(&self) -> FamilyId {
        FAN
    }

    fn capabilities(&self) -> &'static [Capability] {
        &[Capability::Switch, Capability::Push]
    }

    fn local_port(&self) -> u16 {
        hiflying::PORT
    }

    fn needs_local_port(&self) -> bool {
        false
    }

    fn probes(&self, _words: &[DiscoveryWord]) -> Vec<Probe> {
        Vec::new()
    }

    fn parse_report(&self, _: Ipv4Addr, _: &[u8], _: Timestamp) -> Option<Plug> {
        None
    }

    fn transport(&self) -> Option<PlugTransport> {
        Some(PlugTransport::Inbound {
            local_port: FAN_PORT,
        })
    }

    fn exchange(
        &self,
        _mac: Mac,
        command: PlugCommand,
        _local: DateTime,
        _now: Instant,
    ) -> Option<Box<dyn Exchange>> {
        let PlugCommand::Switch(state) = command else {
            return None;
        };
        Some(Box::new(FanExchange {
            state,
            tries: 0,
            next: None,
            actions: [ExchangeAction::Open].into(),
            outcome: None,
        }))
    }

    fn inbound_session(&self, from: Ipv4Addr) -> Option<Box<dyn InboundSession>> {
        Some(Box::new(FanSession {
            from,
            line: Vec::new(),
            transmits: [b"who?\n".to_vec()].into(),
            events: VecDeque::new(),
        }))
    }
}

/// The course of one connection: `who?` is answered by `fan <mac> <relay>`, `tick` by `tock`.
#[derive(Debug)]
struct FanSession {
    from: Ipv4Addr,
    line: Vec<u8>,
    transmits: VecDeque<Vec<u8>>,
    events: VecDeque<InboundEvent>,
}

impl FanSession {
    fn handle_line(&mut self, seen: Timestamp) {
        let line = String::from_utf8_lossy(&self.line).into_owned();
        if line == "tick" {
            self.transmits.push_back(b"tock\n".to_vec());
        }
        if let Some((mac, relay)) = line
            .strip_prefix("fan ")
            .and_then(|rest| rest.split_once(' '))
            && let Ok(mac) = mac.parse()
        {
            self.events.push_back(InboundEvent::Report(Plug {
                relay: relay.parse().ok(),
                ..Plug::new(mac, FAN, self.from, seen)
            }));
            self.events.push_back(InboundEvent::Message(line.into()));
        }
    }
}

impl InboundSession for FanSession {
    fn handle_input(&mut self, seen: Timestamp, bytes: &[u8]) {
        for &byte in bytes {
            match byte {
                b'\n' => {
                    self.handle_line(seen);
                    self.line.clear();
                }
                _ if self.line.len() < MAX_LINE => self.line.push(byte),
                _ => {}
            }
        }
    }

    fn handle_probe(&mut self, _seen: Timestamp) {
        self.transmits.push_back(b"who?\n".to_vec());
    }

    fn poll_transmit(&mut self) -> Option<Vec<u8>> {
        self.transmits.pop_front()
    }

    fn poll_event(&mut self) -> Option<InboundEvent> {
        self.events.pop_front()
    }
}

/// A command that is repeated until a message shows that it was carried out.
#[derive(Debug)]
struct FanExchange {
    state: RelayState,
    tries: u32,
    next: Option<Instant>,
    actions: VecDeque<ExchangeAction>,
    outcome: Option<Result<PlugReply, ExchangeError>>,
}

impl FanExchange {
    fn finish(&mut self, outcome: Result<PlugReply, ExchangeError>) {
        self.next = None;
        self.actions.push_back(ExchangeAction::Release);
        self.outcome = Some(outcome);
    }
}

impl Exchange for FanExchange {
    fn handle_open(&mut self, now: Instant) {
        self.handle_timeout(now);
    }

    fn handle_input(&mut self, _now: Instant, message: &[u8]) {
        if message.ends_with(format!(" {}", self.state).as_bytes()) {
            self.finish(Ok(PlugReply::Accepted));
        }
    }

    fn handle_closed(&mut self, _now: Instant, _how: NoReplyReason) {
        // It connects again.
        self.next = None;
        self.actions.push_back(ExchangeAction::Open);
    }

    fn handle_timeout(&mut self, now: Instant) {
        if self.tries == MAX_COMMANDS {
            self.finish(Err(ExchangeError::NoReply(NoReplyReason::NoReply)));
            return;
        }
        self.tries += 1;
        self.next = Some(now + COMMAND_INTERVAL);
        let command = format!("fan={}\n", self.state);
        self.actions.push_back(ExchangeAction::Send(command.into()));
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.next
    }

    fn poll_action(&mut self) -> Option<ExchangeAction> {
        self.actions.pop_front()
    }

    fn poll_outcome(&mut self) -> Option<Result<PlugReply, ExchangeError>> {
        self.outcome.take()
    }
}

/// A fan at an address, until it is dropped.
pub struct Fan {
    state: Arc<FanState>,
    task: JoinHandle<()>,
}

struct FanState {
    mac: Mac,
    is_on: AtomicBool,
    connections: AtomicUsize,
    pressed: Notify,
    unplugged: Notify,
}

impl Fan {
    /// Starts a fan that connects to the server at `server`.
    pub fn start(address: Ipv4Addr, mac: Mac, server: Ipv4Addr) -> Self {
        let state = Arc::new(FanState {
            mac,
            is_on: AtomicBool::new(false),
            connections: AtomicUsize::new(0),
            pressed: Notify::new(),
            unplugged: Notify::new(),
        });
        let task = tokio::spawn(dial(address, server, Arc::clone(&state)));
        Self { state, task }
    }

    pub fn is_on(&self) -> bool {
        self.state.is_on.load(Ordering::Relaxed)
    }

    /// Returns the number of connections that it has opened.
    pub fn connections(&self) -> usize {
        self.state.connections.load(Ordering::Relaxed)
    }

    /// Presses its button; the fan reports that unsolicited.
    pub fn press(&self) {
        self.state.is_on.fetch_xor(true, Ordering::Relaxed);
        self.state.pressed.notify_one();
    }

    /// Cuts its connection, so that it connects again.
    pub fn cut(&self) {
        self.state.unplugged.notify_one();
    }
}

impl Drop for Fan {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn dial(address: Ipv4Addr, server: Ipv4Addr, state: Arc<FanState>) {
    loop {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind(SocketAddr::from((address, 0))).unwrap();
        if let Ok(stream) = socket.connect((server, FAN_PORT).into()).await {
            state.connections.fetch_add(1, Ordering::Relaxed);
            tokio::select! {
                _ = talk(stream, &state) => {}
                () = state.unplugged.notified() => {}
            }
        }
        sleep(REDIAL_DELAY).await;
    }
}

async fn talk(mut stream: TcpStream, state: &FanState) -> io::Result<()> {
    let mut heartbeat = interval(HEARTBEAT_INTERVAL);
    let (mut line, mut is_answered) = (Vec::new(), true);
    loop {
        tokio::select! {
            byte = stream.read_u8() => match byte? {
                b'\n' => {
                    match &line[..] {
                        b"who?" => {}
                        b"fan=on" => state.is_on.store(true, Ordering::Relaxed),
                        b"fan=off" => state.is_on.store(false, Ordering::Relaxed),
                        b"tock" => is_answered = true,
                        other => panic!("unknown: {}", other.escape_ascii()),
                    }
                    if line != b"tock" {
                        report(&mut stream, state).await?;
                    }
                    line.clear();
                }
                byte => line.push(byte),
            },
            () = state.pressed.notified() => report(&mut stream, state).await?,
            _ = heartbeat.tick() => {
                if !std::mem::take(&mut is_answered) {
                    return Ok(());
                }
                stream.write_all(b"tick\n").await?;
            }
        }
    }
}

/// Reports in pieces: TCP is a stream.
async fn report(stream: &mut TcpStream, state: &FanState) -> io::Result<()> {
    let relay = match state.is_on.load(Ordering::Relaxed) {
        true => "on",
        false => "off",
    };
    stream.set_nodelay(true)?;
    stream.write_all(b"fan ").await?;
    stream
        .write_all(state.mac.compact().to_string().as_bytes())
        .await?;
    stream.write_all(format!(" {relay}\n").as_bytes()).await
}
