//! The Orvibo S20: a relay and a button behind a Hi-Flying module, controlled over UDP port 10000.
//!
//! Its Wi-Fi module is that of the SP-2's twin, with the differences that an S20 shows: replies go to the source port, its access
//! point is open, and there is neither TCP port 8899 nor a web page.

mod config;
mod fault;
#[cfg(test)]
mod tests;
mod wire;

use std::net::{Ipv4Addr, SocketAddrV4};
use std::time::{Duration, Instant};

use hiflying::Mac;

pub use config::{OrviboConfig, OrviboConfigError, OrviboModel, OrviboName};
pub use fault::OrviboFault;

use crate::config::mac_after;
use crate::outbox::Outbox;
use crate::reco::{RecoTwin, UDP_PORT};
use crate::twin::{Twin, TwinArrival, TwinOutput};
use fault::OrviboBehaviour;
use wire::{OrviboFrame, OrviboRequest, TableFour};

/// UDP port of the commands.
const COMMAND_PORT: u16 = 10_000;
/// Delay between the report of a relay that has moved and its acknowledgement, or between the pieces of a table.
const PIECE_DELAY: Duration = Duration::from_millis(5);
/// More subscribers than a home has; the one whose subscription ends first makes room.
const MAX_SUBSCRIBERS: usize = 16;

/// One emulated S20.
#[derive(Debug)]
pub struct OrviboTwin {
    config: OrviboConfig,
    behaviour: OrviboBehaviour,
    module: RecoTwin,
    random: fastrand::Rng,
    is_on: bool,
    /// Due time and new position of a relay that moves slowly.
    moving: Option<(Instant, bool)>,
    /// Due time and new position of the countdown.
    countdown: Option<(Instant, bool)>,
    next_press: Option<Instant>,
    subscribers: Vec<Subscriber>,
    outbox: Outbox,
    /// Time of the last start, from which its clock counts.
    started: Instant,
    is_powered: bool,
}

/// A client that is told of every move of the relay.
#[derive(Debug, Clone, Copy)]
struct Subscriber {
    peer: SocketAddrV4,
    /// The twin's end.
    at: SocketAddrV4,
    since: Instant,
    until: Instant,
    has_switched: bool,
}

impl OrviboTwin {
    /// Makes a twin that has just started: on the air, and on its home network when in station mode.
    #[must_use]
    pub fn new(config: OrviboConfig, now: Instant) -> Self {
        let behaviour = config.behaviour();
        let (module, module_behaviour) = config.module(&behaviour);
        let [a, b, c, d, e, f] = config.mac.octets();
        let mac = u64::from_be_bytes([0, 0, a, b, c, d, e, f]);
        Self {
            module: RecoTwin::with_behaviour(module, module_behaviour, now),
            random: fastrand::Rng::with_seed(config.seed ^ mac.rotate_left(20)),
            is_on: config.relay_on,
            moving: None,
            countdown: None,
            next_press: behaviour.press_interval.map(|interval| now + interval),
            subscribers: Vec::new(),
            outbox: Outbox::default(),
            started: now,
            is_powered: true,
            config,
            behaviour,
        }
    }

    /// Tells whether the relay is on.
    #[must_use]
    pub fn relay_is_on(&self) -> bool {
        self.is_on
    }

    /// Returns the number of clients that are told of every move of the relay.
    pub fn subscriptions(&mut self, now: Instant) -> usize {
        self.advance(now);
        self.subscribers.len()
    }

    /// Presses the button: the relay moves to its other position.
    pub fn press(&mut self, now: Instant) {
        self.advance(now);
        self.turn(now, !self.is_on);
    }

    /// Cuts the power for a moment.
    pub fn restart(&mut self, now: Instant) {
        self.module.restart(now);
        self.advance(now);
    }

    /// Does everything that is due by time alone, in the order in which it was due.
    fn advance(&mut self, now: Instant) {
        self.module.handle_timeout(now);
        self.notice_power(now);
        while let Some(due) = self.own_timeout().filter(|due| *due <= now) {
            if let Some((_, on)) = self.moving.take_if(|(at, _)| *at <= due) {
                self.arrive(due, on);
            }
            if let Some((_, on)) = self.countdown.take_if(|(at, _)| *at <= due) {
                self.turn(due, on);
            }
            if self.next_press.is_some_and(|at| at <= due) {
                let interval = self.behaviour.press_interval;
                self.next_press = interval.map(|interval| due + interval);
                if self.is_powered {
                    self.turn(due, !self.is_on);
                }
            }
        }
        self.subscribers.retain(|it| it.until > now);
    }

    /// Forgets what is lost with the power.
    fn notice_power(&mut self, now: Instant) {
        let is_powered = self.module.is_powered();
        if self.is_powered && !is_powered {
            self.subscribers.clear();
            self.outbox.clear();
            (self.moving, self.countdown) = (None, None);
            self.is_on &= !self.behaviour.falls_on_restart;
        } else if !self.is_powered && is_powered {
            self.started = now;
        }
        self.is_powered = is_powered;
    }

    fn own_timeout(&self) -> Option<Instant> {
        let due = |(at, _): (Instant, bool)| at;
        [
            self.moving.map(due),
            self.countdown.map(due),
            self.next_press,
        ]
        .into_iter()
        .flatten()
        .min()
    }

    /// Moves the relay, as far as its faults permit, and tells all subscribers.
    fn turn(&mut self, now: Instant, on: bool) {
        if self.behaviour.stuck || self.random.f64() < self.behaviour.lying {
            return;
        }
        if self.behaviour.slow.is_zero() {
            self.arrive(now, on);
        } else {
            self.moving = Some((now + self.behaviour.slow, on));
        }
    }

    fn arrive(&mut self, now: Instant, on: bool) {
        self.is_on = on;
        if !self.behaviour.silent_switch && !self.behaviour.echo_only {
            self.report(now, on);
        }
    }

    fn report(&mut self, now: Instant, on: bool) {
        let frame = OrviboFrame::new(b"sf").mac(self.told_mac()).zeros(4);
        let report = frame.bytes(&[u8::from(on)]).finish();
        for subscriber in self.subscribers.clone() {
            if now < subscriber.until {
                self.send(now, subscriber.at, subscriber.peer, report.clone());
            }
        }
    }

    fn dispatch(&mut self, now: Instant, arrival: TwinArrival, request: OrviboRequest) {
        use OrviboRequest as Request;
        let is_ours = |mac: Mac| mac == self.config.mac && !self.behaviour.all_one;
        match request {
            Request::Discover => self.answer_discovery(now, arrival, b"qa"),
            Request::DiscoverOne(mac) if mac == self.config.mac => {
                let command = if self.behaviour.letters_qh {
                    b"qh"
                } else {
                    b"qg"
                };
                self.answer_discovery(now, arrival, command);
            }
            Request::Subscribe(mac) if is_ours(mac) => self.subscribe(now, arrival),
            Request::KeepAlive(mac) if is_ours(mac) => {
                let reply = OrviboFrame::new(b"hb").mac(self.told_mac()).zeros(5);
                self.send(now, arrival.at, arrival.from, reply.finish());
            }
            Request::Switch(mac, on) if is_ours(mac) => self.switch(now, arrival, on),
            Request::SetCountdown(mac, on, seconds)
                if is_ours(mac) && self.obeys(now, arrival) && !self.behaviour.no_countdown =>
            {
                let due = now + Duration::from_secs(seconds.into());
                self.countdown = (seconds > 0).then_some((due, on));
                self.answer_countdown(now, arrival);
            }
            Request::ReadCountdown(mac)
                if is_ours(mac) && self.obeys(now, arrival) && !self.behaviour.no_countdown =>
            {
                self.answer_countdown(now, arrival);
            }
            Request::ReadTable(mac, table) if is_ours(mac) && self.obeys(now, arrival) => {
                self.answer_table(now, arrival, table);
            }
            // Meant for another device.
            _ => {}
        }
    }

    fn answer_discovery(&mut self, now: Instant, arrival: TwinArrival, command: &[u8; 2]) {
        if self.behaviour.silent_discovery {
            return;
        }
        // Without a time server its clock begins in 1900.
        let clock = now.saturating_duration_since(self.started).as_secs();
        let clock = u32::try_from(clock).unwrap_or(u32::MAX);
        let mac = self.config.mac;
        let frame = OrviboFrame::new(command)
            .bytes(&[0])
            .mac(mac)
            .reversed_mac(mac);
        let frame = match self.behaviour.all_one {
            true => frame.bytes(b"IRD013").bytes(&clock.to_le_bytes()),
            false => frame
                .bytes(self.config.model.on_the_wire())
                .bytes(&clock.to_le_bytes())
                .bytes(&[match self.behaviour.odd_state {
                    true => 2,
                    false => u8::from(self.is_on),
                }]),
        };
        let reply = frame.finish();
        for _ in 0..self.behaviour.copies.max(1) {
            self.send(now, arrival.at, arrival.from, reply.clone());
        }
    }

    fn subscribe(&mut self, now: Instant, arrival: TwinArrival) {
        let subscriber = Subscriber {
            peer: arrival.from,
            at: arrival.at,
            since: now,
            until: now + self.behaviour.subscription.0,
            has_switched: false,
        };
        self.subscribers.retain(|it| it.peer != arrival.from);
        if self.subscribers.len() >= MAX_SUBSCRIBERS {
            self.subscribers.remove(0);
        }
        self.subscribers.push(subscriber);
        let frame = OrviboFrame::new(b"cl").mac(self.told_mac()).zeros(5);
        let reply = frame.bytes(&[u8::from(self.is_on)]).finish();
        self.send(now, arrival.at, arrival.from, reply);
    }

    /// Tells whether a command of this peer is carried out: it must have subscribed, and not just now.
    fn obeys(&self, now: Instant, arrival: TwinArrival) -> bool {
        let subscriber = self.subscribers.iter().find(|it| it.peer == arrival.from);
        subscriber.is_some_and(|it| now >= it.since + self.behaviour.settling)
    }

    fn switch(&mut self, now: Instant, arrival: TwinArrival, on: bool) {
        if !self.obeys(now, arrival) {
            return;
        }
        let mut subscribers = self.subscribers.iter_mut();
        let subscriber = subscribers.find(|it| it.peer == arrival.from);
        let is_first = subscriber.is_some_and(|it| !std::mem::replace(&mut it.has_switched, true));
        let is_same = self.behaviour.quiet_when_same && on == self.is_on;
        if is_same || (is_first && self.behaviour.ignores_first) {
            return;
        }
        self.countdown = None;
        if !self.behaviour.no_echo && !self.behaviour.silent_switch {
            let peers = u8::try_from(self.subscribers.len()).unwrap_or(u8::MAX);
            let frame = OrviboFrame::new(b"dc").mac(self.told_mac()).bytes(&[peers]);
            // Its last byte is not reliable.
            let echo = frame.zeros(4).finish();
            self.send(now, arrival.at, arrival.from, echo);
        }
        self.turn(now + PIECE_DELAY, on);
    }

    fn answer_countdown(&mut self, now: Instant, arrival: TwinArrival) {
        let (on, left) = self
            .countdown
            .map_or((false, 0), |(due, on)| (on, seconds_until(now, due)));
        let frame = OrviboFrame::new(b"cd").mac(self.told_mac()).zeros(5);
        let frame = frame.bytes(&[u8::from(on)]).bytes(&left.to_le_bytes());
        self.send(now, arrival.at, arrival.from, frame.finish());
    }

    fn answer_table(&mut self, now: Instant, arrival: TwinArrival, table: u8) {
        let mut reply = match table {
            1 => {
                let frame = OrviboFrame::new(b"rt").mac(self.told_mac());
                let frame = frame.bytes(&[2, 0, 0, 0, 0, 1, 0, 1, 0, 0]);
                // The records name tables 4 and 3, with their versions.
                let frame = frame.bytes(&[6, 0, 4, 0, 4, 0, 0x17, 0]);
                frame.bytes(&[6, 0, 3, 0, 3, 0, 2, 0]).finish()
            }
            4 if !self.behaviour.no_table => TableFour {
                mac: self.told_mac(),
                name: self.config.name.as_bytes(),
                address: *arrival.at.ip(),
                countdown: self.countdown.map_or(0, |(due, _)| seconds_until(now, due)),
            }
            .write(),
            _ => return,
        };
        if self.behaviour.lying_table
            && let Some(length) = reply.get_mut(28)
        {
            *length = 0xFF;
        }
        let middle = if self.behaviour.split_table {
            reply.len() / 2
        } else {
            0
        };
        let tail = reply.split_off(middle);
        if !reply.is_empty() {
            self.send(now, arrival.at, arrival.from, reply);
        }
        self.send(now + PIECE_DELAY, arrival.at, arrival.from, tail);
    }

    /// Returns the MAC in replies to commands.
    fn told_mac(&self) -> Mac {
        match self.behaviour.wrong_mac {
            true => mac_after(self.config.mac, 0x11_1111),
            false => self.config.mac,
        }
    }

    /// Sends a datagram, subject to the faults.
    fn send(&mut self, due: Instant, from: SocketAddrV4, to: SocketAddrV4, mut bytes: Vec<u8>) {
        if self.behaviour.truncated {
            bytes.truncate(bytes.len().saturating_sub(3));
        }
        if self.behaviour.wrong_length
            && let Some(length) = bytes.get_mut(3)
        {
            *length = length.wrapping_add(1);
        }
        let transmit = TwinOutput::Datagram {
            from,
            to,
            bytes: bytes.into(),
            secret: false,
        };
        let wire = &self.behaviour.module.wire;
        self.outbox
            .send_datagram(due, transmit, wire, &mut self.random);
    }
}

fn seconds_until(now: Instant, due: Instant) -> u16 {
    let left = due.saturating_duration_since(now).as_secs_f64().round();
    // A countdown begins below 2^16 s.
    left as u16
}

impl Twin for OrviboTwin {
    fn mac(&self) -> Mac {
        self.config.mac
    }

    fn addresses(&self) -> Vec<Ipv4Addr> {
        self.module.addresses()
    }

    fn is_reachable(&self, at: Ipv4Addr) -> bool {
        self.module.is_reachable(at)
    }

    fn udp_ports(&self) -> &[u16] {
        &[UDP_PORT, COMMAND_PORT]
    }

    fn handle_datagram(&mut self, now: Instant, arrival: TwinArrival, bytes: &[u8]) {
        self.advance(now);
        if arrival.at.port() != COMMAND_PORT {
            self.module.handle_datagram(now, arrival, bytes);
            return;
        }
        let wire = &self.behaviour.module.wire;
        let is_heard = self.is_reachable(*arrival.at.ip())
            && !(arrival.broadcast && wire.deaf_to_broadcast)
            && self.random.f64() >= wire.lost_in;
        if is_heard && let Some(request) = OrviboRequest::read(bytes) {
            self.dispatch(now, arrival, request);
        }
    }

    fn handle_timeout(&mut self, now: Instant) {
        self.advance(now);
    }

    fn poll_transmit(&mut self, now: Instant) -> Option<TwinOutput> {
        self.outbox
            .poll(now)
            .or_else(|| self.module.poll_transmit(now))
    }

    fn poll_timeout(&self) -> Option<Instant> {
        let subscriptions = self.subscribers.iter().map(|it| it.until);
        [
            self.module.poll_timeout(),
            self.own_timeout(),
            self.outbox.timeout(),
        ]
        .into_iter()
        .flatten()
        .chain(subscriptions)
        .min()
    }
}
