//! A made-up family of lamps, and one of its members. It has no meter, uses a UDP port of its own, is switched by datagrams and
//! sends unsolicited reports to its subscribers.

use std::borrow::Cow;
use std::collections::VecDeque;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use hiflying::{DiscoveryWord, Mac};
use jiff::Timestamp;
use jiff::civil::DateTime;
use plugs::exchange::{Exchange, ExchangeAction, ExchangeError, NoReplyReason, PlugTransport};
use plugs::family::{Probe, Subscription};
use plugs::{Capability, Family, FamilyId, Plug, PlugCommand, PlugReply, RelayState};
use tokio::net::UdpSocket;
use tokio::task::JoinHandle;

/// Its name in JSON and in the database.
pub const LAMP: FamilyId = FamilyId::new("lamp");

const LAMP_PORT: u16 = 20_000;
const COMMAND_INTERVAL: Duration = Duration::from_millis(100);
const MAX_COMMANDS: u32 = 20;

/// The family.
#[derive(Debug)]
pub struct LampFamily;

impl Family for LampFamily {
    fn id(&self) -> FamilyId {
        LAMP
    }

    fn capabilities(&self) -> &'static [Capability] {
        &[Capability::Switch, Capability::Push]
    }

    fn local_port(&self) -> u16 {
        LAMP_PORT
    }

    fn needs_local_port(&self) -> bool {
        false
    }

    fn probes(&self, _words: &[DiscoveryWord]) -> Vec<Probe> {
        vec![datagram("lamp?")]
    }

    fn parse_report(&self, from: Ipv4Addr, datagram: &[u8], seen: Timestamp) -> Option<Plug> {
        let text = std::str::from_utf8(datagram).ok()?;
        let (mac, relay) = text.strip_prefix("lamp ")?.split_once(' ')?;
        Some(Plug {
            relay: relay.parse().ok(),
            ..Plug::new(mac.parse().ok()?, LAMP, from, seen)
        })
    }

    fn transport(&self) -> Option<PlugTransport> {
        Some(PlugTransport::Udp {
            local_port: LAMP_PORT,
            port: LAMP_PORT,
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
        Some(Box::new(LampExchange {
            state,
            tries: 0,
            next: None,
            actions: [ExchangeAction::Open].into(),
            outcome: None,
        }))
    }

    fn subscription(&self, _mac: Mac) -> Option<Subscription> {
        Some(Subscription {
            probe: datagram("lamp!"),
            interval: Duration::from_millis(500),
        })
    }
}

fn datagram(text: &'static str) -> Probe {
    Probe {
        port: LAMP_PORT,
        bytes: Cow::Borrowed(text.as_bytes()),
    }
}

/// A command that is repeated until a report shows that it was carried out.
#[derive(Debug)]
struct LampExchange {
    state: RelayState,
    tries: u32,
    next: Option<Instant>,
    actions: VecDeque<ExchangeAction>,
    outcome: Option<Result<PlugReply, ExchangeError>>,
}

impl LampExchange {
    fn finish(&mut self, outcome: Result<PlugReply, ExchangeError>) {
        self.next = None;
        self.actions.push_back(ExchangeAction::Close);
        self.outcome = Some(outcome);
    }
}

impl Exchange for LampExchange {
    fn handle_open(&mut self, now: Instant) {
        self.handle_timeout(now);
    }

    fn handle_input(&mut self, _now: Instant, bytes: &[u8]) {
        if bytes.starts_with(b"lamp ") && bytes.ends_with(self.state.as_str().as_bytes()) {
            self.finish(Ok(PlugReply::Accepted));
        }
    }

    fn handle_closed(&mut self, _now: Instant, how: NoReplyReason) {
        self.finish(Err(ExchangeError::NoReply(how)));
    }

    fn handle_timeout(&mut self, now: Instant) {
        if self.tries == MAX_COMMANDS {
            self.finish(Err(ExchangeError::NoReply(NoReplyReason::NoReply)));
            return;
        }
        self.tries += 1;
        self.next = Some(now + COMMAND_INTERVAL);
        let command = format!("lamp={}", self.state);
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

/// A lamp at an address, until it is dropped.
pub struct Lamp {
    state: Arc<LampState>,
    socket: Arc<UdpSocket>,
    task: JoinHandle<()>,
}

struct LampState {
    mac: Mac,
    is_on: AtomicBool,
    probes: AtomicUsize,
    unknown: AtomicUsize,
    subscriber: Mutex<Option<SocketAddr>>,
}

impl Lamp {
    pub async fn start(address: Ipv4Addr, mac: Mac) -> Self {
        let socket = Arc::new(UdpSocket::bind((address, LAMP_PORT)).await.unwrap());
        let state = Arc::new(LampState {
            mac,
            is_on: AtomicBool::new(false),
            probes: AtomicUsize::new(0),
            unknown: AtomicUsize::new(0),
            subscriber: Mutex::new(None),
        });
        let task = tokio::spawn(serve(Arc::clone(&socket), Arc::clone(&state)));
        Self {
            state,
            socket,
            task,
        }
    }

    pub fn is_on(&self) -> bool {
        self.state.is_on.load(Ordering::Relaxed)
    }

    /// Returns the number of probes that it received.
    pub fn probes(&self) -> usize {
        self.state.probes.load(Ordering::Relaxed)
    }

    /// Returns the number of datagrams that it did not understand.
    pub fn unknown(&self) -> usize {
        self.state.unknown.load(Ordering::Relaxed)
    }

    pub fn is_subscribed(&self) -> bool {
        self.state.subscriber.lock().unwrap().is_some()
    }

    /// Presses its button; the lamp reports that unsolicited.
    pub async fn press(&self) {
        self.state.is_on.fetch_xor(true, Ordering::Relaxed);
        let subscriber = *self.state.subscriber.lock().unwrap();
        let report = self.state.report();
        self.socket
            .send_to(report.as_bytes(), subscriber.unwrap())
            .await
            .unwrap();
    }
}

impl Drop for Lamp {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl LampState {
    fn report(&self) -> String {
        let relay = match self.is_on.load(Ordering::Relaxed) {
            true => "on",
            false => "off",
        };
        format!("lamp {} {relay}", self.mac.compact())
    }
}

async fn serve(socket: Arc<UdpSocket>, state: Arc<LampState>) {
    let mut buffer = [0; 64];
    loop {
        let (length, from) = socket.recv_from(&mut buffer).await.unwrap();
        match &buffer[..length] {
            b"lamp?" => drop(state.probes.fetch_add(1, Ordering::Relaxed)),
            b"lamp=on" => state.is_on.store(true, Ordering::Relaxed),
            b"lamp=off" => state.is_on.store(false, Ordering::Relaxed),
            b"lamp!" => {
                *state.subscriber.lock().unwrap() = Some(from);
                continue;
            }
            // Modules are searched for at every address.
            b"YZ-RECOSCAN" | b"HF-A11ASSISTHREAD" | b"WIFIKIT-214028-READ" => continue,
            _ => {
                state.unknown.fetch_add(1, Ordering::Relaxed);
                continue;
            }
        }
        socket
            .send_to(state.report().as_bytes(), from)
            .await
            .unwrap();
    }
}
