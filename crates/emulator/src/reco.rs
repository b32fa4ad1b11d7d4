//! The Maginon SP-2 and Reco4life P10A: a plug behind a Hi-Flying Wi-Fi module.
//!
//! Parts: `cloud` calls a server, `joining` restarts and joins a network, `session` is the right to send AT commands on UDP, `at` and `verbs` run the
//! commands over `settings`, `stream` those on TCP, `outlet` is relay, timers and meter, `web` the login page.

mod answer;
mod at;
pub(crate) mod behaviour;
mod cloud;
mod connection;
pub(crate) mod fault;
mod joining;
pub(crate) mod module_fault;
mod outlet;
mod session;
mod settings;
mod smartlink;
mod stream;
#[cfg(test)]
mod tests;
mod values;
mod verbs;
mod web;
mod wifi;

use std::net::{Ipv4Addr, SocketAddrV4};
use std::time::{Duration, Instant};

use hiflying::Mac;
use zeroize::Zeroizing;

use crate::config::PlugConfig;
use crate::outbox::Outbox;
use crate::twin::{ConnectionId, TcpPort, Twin, TwinArrival, TwinOutput};
use answer::AtError;
use behaviour::RecoBehaviour;
use cloud::ServerCall;
use connection::CommandStream;
use outlet::Outlet;
use session::{ModuleSessions, SessionStage};
use settings::ModuleSettings;
use smartlink::SmartLinkReceiver;
use web::{WEB_PORT, WebConnection};
use wifi::WifiState;

/// UDP port of discovery, scan and AT session; replies go to this port of the peer, too.
pub(crate) const UDP_PORT: u16 = 48899;
/// Confirms the identity and opens the AT session.
const CONFIRM: &[u8] = b"+ok";
/// The datagram that asks Reco plugs for their state.
const SCAN: &[u8] = b"YZ-RECOSCAN";
/// Asks for plugs that SmartLink has just provisioned; answered to a port of its own.
const SMARTLINK_FIND: &[u8] = b"smartlinkfind";
const SMARTLINK_PORT: u16 = 49999;
/// Delay between the two pieces of a split reply, with which a calm network keeps their order.
const PIECE_DELAY: Duration = Duration::from_millis(5);
/// Time for which a provisioned plug answers `smartlinkfind`.
const SMARTLINK_WINDOW: Duration = Duration::from_secs(60);

/// One emulated plug.
#[derive(Debug)]
pub struct RecoTwin {
    config: PlugConfig,
    behaviour: RecoBehaviour,
    random: fastrand::Rng,
    /// Settings effective after a restart, and those in use.
    stored: ModuleSettings,
    running: ModuleSettings,
    wifi: WifiState,
    sessions: ModuleSessions,
    commands: u32,
    streams: Vec<CommandStream>,
    web: Vec<WebConnection>,
    call: ServerCall,
    /// The radio only listens to the lengths of frames.
    receiver: Option<SmartLinkReceiver>,
    outlet: Outlet,
    outbox: Outbox,
}

impl RecoTwin {
    /// Makes a twin that has just started: on the air, and on its home network when in station mode.
    #[must_use]
    pub fn new(config: PlugConfig, now: Instant) -> Self {
        let behaviour = config.behaviour();
        Self::with_behaviour(config, behaviour, now)
    }

    /// Makes a twin with this behaviour, whatever the faults of its configuration.
    pub(crate) fn with_behaviour(
        mut config: PlugConfig,
        behaviour: RecoBehaviour,
        now: Instant,
    ) -> Self {
        let settings = ModuleSettings::initial(&mut config, &behaviour);
        let seed = seed_of(&config);
        let mut twin = Self {
            random: fastrand::Rng::with_seed(seed),
            stored: settings.clone(),
            running: settings,
            wifi: WifiState::new(behaviour.joining.comes_and_goes.map(|span| now + span)),
            sessions: ModuleSessions::default(),
            commands: 0,
            streams: Vec::new(),
            web: Vec::new(),
            call: ServerCall::default(),
            receiver: config.smart_link.then(SmartLinkReceiver::default),
            outlet: Outlet::new(&config, &behaviour, seed, now),
            outbox: Outbox::default(),
            behaviour,
            config,
        };
        twin.start_joined();
        twin
    }

    /// Tells whether it has power and has started.
    pub(crate) fn is_powered(&self) -> bool {
        self.wifi.is_up()
    }

    /// Tells whether the relay is on.
    #[must_use]
    pub fn relay_is_on(&self) -> bool {
        self.outlet.is_on()
    }

    /// Returns the values of a reply to `AT+YZOUT` at this time.
    pub fn meter_reply(&mut self, now: Instant) -> String {
        self.advance(now);
        self.outlet.reading(now, &self.behaviour, &mut self.random)
    }

    /// Presses the button of the plug, if its relay is in the other position.
    pub fn press(&mut self, now: Instant, on: bool) {
        self.advance(now);
        if self.outlet.is_on() != on {
            self.outlet
                .switch(now, 1, on, &self.behaviour, &mut self.random);
        }
    }

    /// Returns true for a broadcast that does not reach the plug: of another network than its own.
    fn is_foreign(&self, arrival: TwinArrival) -> bool {
        let is_near = |prefix: u8| {
            let shift = 32 - u32::from(prefix.min(32));
            let network = |address: &Ipv4Addr| address.to_bits().checked_shr(shift);
            network(arrival.from.ip()) == network(arrival.at.ip())
        };
        let is_home = |prefix| self.lease() == Some(*arrival.at.ip()) && is_near(prefix);
        arrival.broadcast && self.config.prefix.is_some_and(|prefix| !is_home(prefix))
    }

    /// Returns the value that the module runs on.
    fn setting(&self, verb: &str) -> Zeroizing<Vec<u8>> {
        self.running.get(verb, &self.config, &self.behaviour)
    }

    fn dispatch(&mut self, now: Instant, arrival: TwinArrival, bytes: &[u8]) {
        let text = trim_end(bytes);
        if text == SCAN {
            self.answer_scan(now, arrival);
        } else if self.is_word(text) {
            self.answer_word(now, arrival);
        } else if text.eq_ignore_ascii_case(SMARTLINK_FIND) {
            self.answer_smartlink(now, arrival);
        } else if text == CONFIRM {
            self.confirm(now, arrival);
        } else {
            self.command(now, arrival, bytes);
        }
    }

    fn is_word(&self, text: &[u8]) -> bool {
        let word = self.setting("ASWD");
        if self.behaviour.discovery.exact_word {
            text == word.as_slice()
        } else {
            // The vendor's example compares without regard to case.
            text.eq_ignore_ascii_case(&word)
        }
    }

    fn answer_word(&mut self, now: Instant, arrival: TwinArrival) {
        if self.behaviour.discovery.silent_word {
            return;
        }
        let (address, mac) = (self.named_address(arrival), self.config.mac.compact());
        let mut reply = format!("{address},{mac},{}", self.module());
        if self.behaviour.discovery.token {
            reply.push_str(",0123456789ABCDEF0123456789ABCDEF");
        }
        self.present(now, arrival, reply.into_bytes());
        self.sessions
            .offer(now, self.peer(arrival), self.behaviour.session.idle.0);
    }

    fn answer_scan(&mut self, now: Instant, arrival: TwinArrival) {
        let discovery = &self.behaviour.discovery;
        if discovery.silent_scan {
            return;
        }
        let status = u8::from(self.outlet.is_on());
        let res = char::from(discovery.res.unwrap_or(b'0'));
        let address = self.named_address(arrival);
        let (mac, serial) = (self.config.mac.compact(), &self.config.serial);
        let mut reply = format!("{address},{mac},{serial},{res},{status}").into_bytes();
        if !discovery.five_fields {
            reply.push(b',');
            reply.extend_from_slice(&discovery.field_six);
        }
        self.present(now, arrival, reply);
    }

    /// Sends a presence reply with the ornaments that firmwares add to it.
    fn present(&mut self, now: Instant, arrival: TwinArrival, mut reply: Vec<u8>) {
        let discovery = &self.behaviour.discovery;
        if discovery.line_end {
            reply.extend_from_slice(b"\r\n");
        }
        if discovery.nul_padding {
            // The vendor's example sends its whole 40-byte buffer.
            reply.resize(reply.len().max(64), 0);
        }
        for _ in 0..discovery.copies.max(1) {
            self.reply(
                now,
                arrival,
                Duration::ZERO,
                reply.clone().into(),
                ReplyKind::Presence,
            );
        }
    }

    fn answer_smartlink(&mut self, now: Instant, arrival: TwinArrival) {
        if self.wifi.provisioned_within(now, SMARTLINK_WINDOW) {
            self.confirm_smartlink(now, *arrival.at.ip(), *arrival.from.ip());
        }
    }

    /// Tells a sender of lengths that the plug has joined.
    fn confirm_smartlink(&mut self, due: Instant, from: Ipv4Addr, to: Ipv4Addr) {
        let reply = format!("smart_config {}", self.config.mac.compact()).into_bytes();
        let transmit = TwinOutput::Datagram {
            from: SocketAddrV4::new(from, UDP_PORT),
            to: SocketAddrV4::new(to, SMARTLINK_PORT),
            bytes: reply.into(),
            secret: false,
        };
        let wire = &self.behaviour.wire;
        self.outbox
            .send_datagram(due, transmit, wire, &mut self.random);
    }

    /// The `+ok` by which a client confirms the identity.
    fn confirm(&mut self, now: Instant, arrival: TwinArrival) {
        let peer = self.peer(arrival);
        let rules = &self.behaviour.session;
        let (answered, refused) = (rules.confirm_answered, rules.confirm_refused);
        match self.sessions.stage(now, peer, rules.idle.0) {
            Some(SessionStage::Offered) => {
                self.sessions.open(now, peer);
                if refused {
                    let reply = self.behaviour.wording.refusal(AtError::Format);
                    self.reply(now, arrival, Duration::ZERO, reply, ReplyKind::Session);
                } else if answered {
                    let reply = self.behaviour.wording.ok(None);
                    self.reply(now, arrival, Duration::ZERO, reply, ReplyKind::Session);
                }
            }
            // In command mode it is a malformed AT line; otherwise an unknown datagram.
            Some(SessionStage::Command) => self.command(now, arrival, CONFIRM),
            None => {}
        }
    }

    fn peer(&self, arrival: TwinArrival) -> SocketAddrV4 {
        let port = if self.behaviour.session.by_port {
            arrival.from.port()
        } else {
            0
        };
        SocketAddrV4::new(*arrival.from.ip(), port)
    }

    fn named_address(&self, arrival: TwinArrival) -> Ipv4Addr {
        self.behaviour
            .discovery
            .wrong_address
            .unwrap_or(*arrival.at.ip())
    }

    fn module(&self) -> String {
        let module = self.stored.get("MID", &self.config, &self.behaviour);
        String::from_utf8_lossy(&module).into_owned()
    }

    /// Sends a datagram back, subject to the faults.
    fn reply(
        &mut self,
        now: Instant,
        arrival: TwinArrival,
        after: Duration,
        bytes: Zeroizing<Vec<u8>>,
        kind: ReplyKind,
    ) {
        let port = if self.behaviour.wire.source_port {
            arrival.from.port()
        } else {
            UDP_PORT
        };
        let to = SocketAddrV4::new(*arrival.from.ip(), port);
        let wire = &self.behaviour.wire;
        let pieces = match kind {
            ReplyKind::Session | ReplyKind::Secret if wire.split && bytes.len() > 1 => {
                let (head, tail) = bytes.split_at(bytes.len() / 2);
                vec![Zeroizing::new(head.to_vec()), Zeroizing::new(tail.to_vec())]
            }
            _ => vec![bytes],
        };
        let secret = kind == ReplyKind::Secret;
        for (piece, bytes) in (0..).zip(pieces) {
            let transmit = TwinOutput::Datagram {
                from: arrival.at,
                to,
                bytes,
                secret,
            };
            let due = now + after + PIECE_DELAY * piece;
            self.outbox
                .send_datagram(due, transmit, wire, &mut self.random);
        }
    }

    /// Does everything that is due by time alone, in one place so that no input can overtake it.
    fn advance(&mut self, now: Instant) {
        self.advance_wifi(now);
        self.outlet.advance(now, &self.behaviour);
        self.advance_streams(now);
        self.advance_web(now);
        self.advance_call(now);
    }
}

impl Twin for RecoTwin {
    fn mac(&self) -> Mac {
        self.config.mac
    }

    /// The given address, and the one of the future lease.
    fn addresses(&self) -> Vec<Ipv4Addr> {
        let home = self.config.home_address;
        let home = home.filter(|home| *home != self.config.listen);
        std::iter::once(self.config.listen).chain(home).collect()
    }

    fn is_reachable(&self, at: Ipv4Addr) -> bool {
        let by_access_point = !self.running.is("WMODE", b"STA") && at == self.config.listen;
        let is_up = self.wifi.is_up() && self.receiver.is_none();
        is_up && (by_access_point || self.lease() == Some(at))
    }

    fn overhears(&self, arrival: TwinArrival) -> bool {
        arrival.at.port() == SMARTLINK_PORT
    }

    fn udp_ports(&self) -> &[u16] {
        match self.config.smart_link {
            true => &[UDP_PORT, SMARTLINK_PORT],
            false => &[UDP_PORT],
        }
    }

    fn tcp_ports(&self, at: Ipv4Addr) -> Vec<TcpPort> {
        if !self.is_reachable(at) {
            return Vec::new();
        }
        let web = (!self.behaviour.web.off).then_some(TcpPort::Web(WEB_PORT));
        let command = self.command_port().map(TcpPort::Command);
        command.into_iter().chain(web).collect()
    }

    fn handle_datagram(&mut self, now: Instant, arrival: TwinArrival, bytes: &[u8]) {
        self.advance(now);
        let wire = &self.behaviour.wire;
        if arrival.at.port() == SMARTLINK_PORT {
            if self.random.f64() >= wire.lost_in {
                self.hear_length(now, *arrival.from.ip(), bytes.len());
            }
            return;
        }
        let is_heard = self.is_reachable(*arrival.at.ip())
            && !(arrival.broadcast && wire.deaf_to_broadcast)
            && !self.is_foreign(arrival);
        if is_heard && self.random.f64() >= wire.lost_in {
            self.dispatch(now, arrival, bytes);
        }
    }

    fn handle_connect(&mut self, now: Instant, id: ConnectionId, at: SocketAddrV4) -> bool {
        self.advance(now);
        let ports = self.tcp_ports(*at.ip());
        match ports.iter().find(|port| port.number() == at.port()) {
            Some(TcpPort::Command(_)) => self.admit_stream(now, id),
            Some(TcpPort::Web(_)) => {
                self.web.push(WebConnection::new(id, now));
                true
            }
            None => self.call.admit(id),
        }
    }

    fn handle_segment(&mut self, now: Instant, id: ConnectionId, bytes: &[u8]) {
        self.advance(now);
        self.handle_web(now, id, bytes);
        self.handle_stream(now, id, bytes);
    }

    fn handle_close(&mut self, now: Instant, id: ConnectionId) {
        self.advance(now);
        self.streams.retain(|it| it.id != id);
        self.web.retain(|it| it.id != id);
        self.call.close(id);
        self.outbox.forget(id);
    }

    fn handle_timeout(&mut self, now: Instant) {
        self.advance(now);
    }

    fn poll_transmit(&mut self, now: Instant) -> Option<TwinOutput> {
        self.outbox.poll(now)
    }

    fn poll_timeout(&self) -> Option<Instant> {
        [
            self.wifi.timeout(),
            self.outlet.timeout(),
            self.streams_timeout(),
            self.outbox.timeout(),
            self.call.timeout(),
        ]
        .into_iter()
        .chain(self.web.iter().map(|it| Some(it.deadline())))
        .flatten()
        .min()
    }
}

/// Kind of a reply, as faults and records distinguish them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ReplyKind {
    /// An answer to a discovery word or scan.
    Presence,
    /// An answer in the AT session.
    Session,
    /// The same, with a key in it.
    Secret,
}

/// Returns the bytes without trailing line ends, NUL and blanks.
fn trim_end(bytes: &[u8]) -> &[u8] {
    let is_blank = |byte: &u8| matches!(byte, b'\r' | b'\n' | 0 | b' ');
    let length = bytes.iter().rposition(|byte| !is_blank(byte));
    bytes
        .get(..length.map_or(0, |last| last + 1))
        .unwrap_or_default()
}

/// Each twin its own randomness, also where many share a seed.
fn seed_of(config: &PlugConfig) -> u64 {
    let [a, b, c, d, e, f] = config.mac.octets();
    let mac = u64::from_be_bytes([0, 0, a, b, c, d, e, f]);
    fastrand::Rng::with_seed(config.seed ^ mac.rotate_left(20)).u64(..)
}
