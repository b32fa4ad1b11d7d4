//! MQTT without I/O: one connection from the first packet to the last. Bytes, times and messages go in, bytes and events come out.
//!
//! Nothing is remembered beyond the connection, on either side: a message that was not acknowledged is not sent again, and the
//! broker keeps nothing for a hub that is away.

mod frame;
pub(crate) mod packet;

use std::collections::{HashSet, VecDeque};
use std::time::{Duration, Instant};

use bytes::BytesMut;

use frame::{FrameDecoder, MqttFrame};
use packet::{BrokerLimits, Filter, Incoming, Message, MqttLogin, MqttVersion};

pub(crate) use packet::reason;

/// Seconds without a packet after which the broker considers the hub gone; it waits half as long again.
pub(crate) const KEEP_ALIVE_SECONDS: u16 = 30;
/// Time for the broker to reply to the first packet.
const LOGIN_TIMEOUT: Duration = Duration::from_secs(10);
/// Time for the broker to reply to a ping.
const PING_TIMEOUT: Duration = Duration::from_secs(10);
/// Maximum number of messages without acknowledgement.
const MAX_WINDOW: u16 = 256;
/// Maximum number of bytes that wait to be sent before further messages wait.
const MAX_UNSENT_LENGTH: usize = 64 * 1024;

/// The end of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ProtocolError {
    /// The broker does not speak this version.
    VersionRefused,
    /// The broker refused the login, with a reason code.
    Refused(u8),
    /// The broker ended the connection, with a reason code.
    Disconnected(u8),
    /// The bytes are not MQTT.
    Malformed,
    /// No reply in time to the first packet.
    NoLogin,
    /// No reply in time to a ping.
    NoPong,
    /// A value of the settings does not fit into a packet, e.g. a user name with a control character.
    Unsendable,
}

/// An event of a connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ProtocolEvent {
    /// The broker accepted the login.
    Connected,
    /// The reply to a subscription; a reason code for each filter.
    Subscribed(u16, Vec<u8>),
    /// The broker received a message; a reason code from 0x80 is a refusal.
    Published(u16, u8),
    /// A message.
    Message(Message),
    /// A message of this length in bytes, which is too long to be one for the hub.
    TooLong(String, usize),
}

/// One connection.
#[derive(Debug)]
pub(crate) struct Protocol {
    version: MqttVersion,
    limits: Option<BrokerLimits>,
    decoder: FrameDecoder,
    output: BytesMut,
    events: VecDeque<ProtocolEvent>,
    last_id: u16,
    /// Messages without acknowledgement.
    in_flight: HashSet<u16>,
    keep_alive: Duration,
    /// Time of the last packet of the hub.
    sent: Instant,
    /// Time of the last bytes from the broker.
    heard: Instant,
    /// Time of the ping that has no reply yet.
    pinged: Option<Instant>,
    started: Instant,
}

impl Protocol {
    /// Begins a connection: the first packet is ready to be sent.
    pub(crate) fn new(
        version: MqttVersion,
        login: &MqttLogin,
        now: Instant,
    ) -> Result<Self, ProtocolError> {
        let first = packet::connect(version, login).map_err(|_| ProtocolError::Unsendable)?;
        Ok(Self {
            version,
            limits: None,
            decoder: FrameDecoder::default(),
            output: BytesMut::from(first.as_slice()),
            events: VecDeque::new(),
            last_id: 0,
            in_flight: HashSet::new(),
            keep_alive: Duration::from_secs(login.keep_alive.into()),
            sent: now,
            heard: now,
            pinged: None,
            started: now,
        })
    }

    /// Returns the limits of the broker once it has accepted the login.
    pub(crate) fn limits(&self) -> Option<&BrokerLimits> {
        self.limits.as_ref()
    }

    /// Returns the bytes to send; the caller removes those that it has sent.
    pub(crate) fn output(&mut self) -> &mut BytesMut {
        &mut self.output
    }

    /// Returns the next event.
    pub(crate) fn poll_event(&mut self) -> Option<ProtocolEvent> {
        self.events.pop_front()
    }

    /// Takes whole packets from `input`.
    pub(crate) fn handle_input(
        &mut self,
        input: &mut BytesMut,
        now: Instant,
    ) -> Result<(), ProtocolError> {
        self.heard = now;
        self.pinged = None;
        // Something else than a broker, e.g. a web server, is known by its first byte.
        if self.limits.is_none() && input.first().is_some_and(|byte| !is_reply_to_login(*byte)) {
            return Err(ProtocolError::Malformed);
        }
        while let Some(frame) = self
            .decoder
            .next(input)
            .map_err(|_| ProtocolError::Malformed)?
        {
            match frame {
                MqttFrame::Packet { header, body } => self.packet(header, &body, now)?,
                MqttFrame::TooLong {
                    topic,
                    packet_id,
                    length,
                } if self.limits.is_some() => {
                    self.acknowledge(packet_id, now);
                    self.events.push_back(ProtocolEvent::TooLong(topic, length));
                }
                MqttFrame::TooLong { .. } => return Err(ProtocolError::Malformed),
            }
        }
        Ok(())
    }

    fn packet(&mut self, header: u8, body: &[u8], now: Instant) -> Result<(), ProtocolError> {
        let is_connected = self.limits.is_some();
        // A broker of 3.1.1 refuses the version in its own format.
        if !is_connected && header == 0x20 && matches!(body, [_, 1]) {
            return Err(ProtocolError::VersionRefused);
        }
        let incoming =
            packet::parse(self.version, header, body).map_err(|_| ProtocolError::Malformed)?;
        match incoming {
            Incoming::Connected(0, limits) if !is_connected => {
                if let Some(seconds) = limits.keep_alive {
                    self.keep_alive = Duration::from_secs(seconds.into());
                }
                self.limits = Some(limits);
                self.events.push_back(ProtocolEvent::Connected);
            }
            Incoming::Connected(0x84, _) if !is_connected => {
                return Err(ProtocolError::VersionRefused);
            }
            Incoming::Connected(code, _) if !is_connected => {
                return Err(ProtocolError::Refused(code));
            }
            Incoming::Disconnected(code) => return Err(ProtocolError::Disconnected(code)),
            _ if !is_connected => return Err(ProtocolError::Malformed),
            Incoming::Connected(..) => return Err(ProtocolError::Malformed),
            Incoming::Message(message) => {
                self.acknowledge(message.packet_id, now);
                self.events.push_back(ProtocolEvent::Message(message));
            }
            Incoming::Published(id, code) => {
                if self.in_flight.remove(&id) {
                    self.events.push_back(ProtocolEvent::Published(id, code));
                }
            }
            Incoming::Subscribed(id, codes) => {
                self.events.push_back(ProtocolEvent::Subscribed(id, codes));
            }
            Incoming::Pong => {}
        }
        Ok(())
    }

    fn acknowledge(&mut self, packet_id: Option<u16>, now: Instant) {
        if let Some(id) = packet_id {
            self.send(&packet::acknowledge(id), now);
        }
    }

    fn send(&mut self, bytes: &[u8], now: Instant) {
        self.output.extend_from_slice(bytes);
        self.sent = now;
    }

    /// Returns true if a message can be published now.
    pub(crate) fn can_publish(&self) -> bool {
        self.limits.is_some_and(|limits| {
            let window = limits.window.min(MAX_WINDOW);
            self.in_flight.len() < usize::from(window) && self.output.len() < MAX_UNSENT_LENGTH
        })
    }

    /// Publishes a message, and returns the identifier of its acknowledgement; `None` if it does not fit into a packet of this
    /// broker.
    pub(crate) fn publish(
        &mut self,
        topic: &str,
        payload: &[u8],
        retain: bool,
        now: Instant,
    ) -> Option<u16> {
        let limits = self.limits?;
        let id = self.next_id();
        let retain = retain && limits.retains;
        let packet = packet::publish(self.version, id, topic, payload, retain).ok()?;
        if packet.len() > limits.packet_length {
            return None;
        }
        self.in_flight.insert(id);
        self.send(&packet, now);
        Some(id)
    }

    /// Subscribes, and returns the identifier of the reply.
    pub(crate) fn subscribe(
        &mut self,
        filters: &[Filter],
        now: Instant,
    ) -> Result<u16, ProtocolError> {
        let id = self.next_id();
        let packet =
            packet::subscribe(self.version, id, filters).map_err(|_| ProtocolError::Unsendable)?;
        self.send(&packet, now);
        Ok(id)
    }

    /// Ends the connection in order: the broker does not publish the last will.
    pub(crate) fn disconnect(&mut self, now: Instant) {
        self.send(&packet::DISCONNECT, now);
    }

    /// Returns an identifier that is not in use. At most [`MAX_WINDOW`] are.
    fn next_id(&mut self) -> u16 {
        loop {
            self.last_id = self.last_id.checked_add(1).unwrap_or(1);
            if !self.in_flight.contains(&self.last_id) {
                return self.last_id;
            }
        }
    }

    /// Returns the time of the next call of [`Protocol::handle_timeout`].
    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        if self.limits.is_none() {
            return Some(self.started + LOGIN_TIMEOUT);
        }
        if let Some(pinged) = self.pinged {
            return Some(pinged + PING_TIMEOUT);
        }
        // A broker can switch it off with 0.
        (!self.keep_alive.is_zero()).then(|| self.sent.min(self.heard) + self.keep_alive / 2)
    }

    /// Sends a ping when one is due.
    pub(crate) fn handle_timeout(&mut self, now: Instant) -> Result<(), ProtocolError> {
        if self.poll_timeout().is_none_or(|due| now < due) {
            return Ok(());
        }
        if self.limits.is_none() {
            return Err(ProtocolError::NoLogin);
        }
        if self.pinged.is_some() {
            return Err(ProtocolError::NoPong);
        }
        self.send(&packet::PING, now);
        self.pinged = Some(now);
        Ok(())
    }
}

/// Returns true for the first byte of a packet that can come before the login is accepted: the reply, or the end.
const fn is_reply_to_login(byte: u8) -> bool {
    matches!(byte >> 4, 2 | 14)
}

#[cfg(test)]
mod tests;
