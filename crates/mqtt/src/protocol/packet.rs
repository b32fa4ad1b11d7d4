//! Packets of MQTT 5 and 3.1.1: those that the hub sends as bytes, those that a broker sends as [`Incoming`].

use std::sync::Arc;

use bytes::Bytes;
use mqtt_protocol_core::mqtt::packet::{Property, Qos, SubEntry, SubOpts, v3_1_1, v5_0};
use mqtt_protocol_core::mqtt::result_code::MqttError as CodecError;

use super::frame::{Malformed, PUBLISH};

/// A version of the protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum MqttVersion {
    /// MQTT 5.
    V5,
    /// MQTT 3.1.1.
    V3,
}

impl MqttVersion {
    /// Returns its name, e.g. `3.1.1`.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::V5 => "5",
            Self::V3 => "3.1.1",
        }
    }
}

/// Data of the first packet.
#[derive(Clone)]
pub(crate) struct MqttLogin {
    pub(crate) client_id: String,
    pub(crate) username: Option<String>,
    pub(crate) password: Option<zeroize::Zeroizing<Vec<u8>>>,
    /// Seconds without a packet after which the broker considers the hub gone.
    pub(crate) keep_alive: u16,
    /// Topic and retained payload that the broker publishes when the connection breaks.
    pub(crate) will: Option<(String, &'static str)>,
}

/// A filter to subscribe to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Filter {
    pub(crate) topics: String,
    /// Messages that are published with the retain flag keep it (MQTT 5).
    pub(crate) keeps_retain: bool,
}

/// Limits of the broker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct BrokerLimits {
    /// Maximum number of messages without acknowledgement.
    pub(crate) window: u16,
    /// Maximum length of a packet in bytes.
    pub(crate) packet_length: usize,
    /// True if it retains messages.
    pub(crate) retains: bool,
    /// Keep-alive in seconds that replaces that of the hub.
    pub(crate) keep_alive: Option<u16>,
}

/// A packet from a broker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Incoming {
    /// The reply to the first packet: a reason code, 0 for success.
    Connected(u8, BrokerLimits),
    /// A message.
    Message(Message),
    /// A message of the hub was received; a reason code below 0x80 is success.
    Published(u16, u8),
    /// The reply to a subscription; a reason code for each filter.
    Subscribed(u16, Vec<u8>),
    /// The reply to a ping.
    Pong,
    /// The broker ends the connection, with a reason code.
    Disconnected(u8),
}

/// A message that the hub has subscribed to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Message {
    pub(crate) topic: String,
    pub(crate) payload: Bytes,
    pub(crate) is_retained: bool,
    /// True for one that the broker sent before.
    pub(crate) is_repeated: bool,
    pub(crate) packet_id: Option<u16>,
}

/// Encodes the first packet: a session without memory.
pub(crate) fn connect(version: MqttVersion, login: &MqttLogin) -> Result<Vec<u8>, CodecError> {
    // Both builders have the same methods but no common trait.
    macro_rules! build {
        ($builder:expr) => {{
            let mut packet = $builder
                .clean_start(true)
                .keep_alive(login.keep_alive)
                .client_id(login.client_id.as_str())?;
            if let Some((topic, payload)) = &login.will {
                let payload = *payload;
                packet = packet.will_message(topic.as_str(), payload, Qos::AtLeastOnce, true)?;
            }
            if let Some(username) = &login.username {
                packet = packet.user_name(username.as_str())?;
            }
            if let Some(password) = &login.password {
                packet = packet.password(&**password)?;
            }
            Ok(packet.build()?.to_continuous_buffer())
        }};
    }
    match version {
        MqttVersion::V5 => build!(v5_0::Connect::builder()),
        MqttVersion::V3 => build!(v3_1_1::Connect::builder()),
    }
}

/// Encodes a message that has to be acknowledged.
pub(crate) fn publish(
    version: MqttVersion,
    packet_id: u16,
    topic: &str,
    payload: &[u8],
    retain: bool,
) -> Result<Vec<u8>, CodecError> {
    macro_rules! build {
        ($builder:expr) => {
            Ok($builder
                .topic_name(topic)?
                .qos(Qos::AtLeastOnce)
                .retain(retain)
                .packet_id(packet_id)
                .payload(payload.to_vec())
                .build()?
                .to_continuous_buffer())
        };
    }
    match version {
        MqttVersion::V5 => build!(v5_0::Publish::builder()),
        MqttVersion::V3 => build!(v3_1_1::Publish::builder()),
    }
}

/// Encodes a subscription.
pub(crate) fn subscribe(
    version: MqttVersion,
    packet_id: u16,
    filters: &[Filter],
) -> Result<Vec<u8>, CodecError> {
    let entry = |filter: &Filter| {
        let options = SubOpts::new().set_qos(Qos::AtLeastOnce);
        let options = match version {
            MqttVersion::V5 => options.set_rap(filter.keeps_retain),
            MqttVersion::V3 => options,
        };
        SubEntry::new(filter.topics.as_str(), options)
    };
    let entries: Vec<SubEntry> = filters.iter().map(entry).collect::<Result<_, _>>()?;
    Ok(match version {
        MqttVersion::V5 => v5_0::Subscribe::builder()
            .packet_id(packet_id)
            .entries(entries)
            .build()?
            .to_continuous_buffer(),
        MqttVersion::V3 => v3_1_1::Subscribe::builder()
            .packet_id(packet_id)
            .entries(entries)
            .build()?
            .to_continuous_buffer(),
    })
}

/// The acknowledgement of a message, the same in both versions.
pub(crate) fn acknowledge(packet_id: u16) -> [u8; 4] {
    let [high, low] = packet_id.to_be_bytes();
    [0x40, 2, high, low]
}

/// Asks the broker for a sign of life.
pub(crate) const PING: [u8; 2] = [0xc0, 0];
/// The orderly end: the broker does not publish the last will.
pub(crate) const DISCONNECT: [u8; 2] = [0xe0, 0];

/// Decodes a packet from a broker.
pub(crate) fn parse(version: MqttVersion, header: u8, body: &[u8]) -> Result<Incoming, Malformed> {
    let (kind, flags) = (header >> 4, header & 0x0f);
    match (kind, version) {
        (2, MqttVersion::V5) => connected_5(body),
        (2, MqttVersion::V3) => match body {
            [_, code] => Ok(Incoming::Connected(*code, LIMITS_OF_3)),
            _ => Err(Malformed),
        },
        (PUBLISH, _) => message(version, flags, body),
        (4, MqttVersion::V5) => {
            let packet = whole(body, v5_0::Puback::parse)?;
            let code = packet.reason_code().map_or(0, |code| code as u8);
            Ok(Incoming::Published(packet.packet_id(), code))
        }
        (4, MqttVersion::V3) => {
            let packet = whole(body, v3_1_1::Puback::parse)?;
            Ok(Incoming::Published(packet.packet_id(), 0))
        }
        (9, MqttVersion::V5) => {
            let packet = whole(body, v5_0::Suback::parse)?;
            let codes = packet.reason_codes().into_iter().map(|code| code as u8);
            Ok(Incoming::Subscribed(packet.packet_id(), codes.collect()))
        }
        (9, MqttVersion::V3) => {
            let packet = whole(body, v3_1_1::Suback::parse)?;
            let codes = packet.return_codes().into_iter().map(|code| code as u8);
            Ok(Incoming::Subscribed(packet.packet_id(), codes.collect()))
        }
        (13, _) if body.is_empty() => Ok(Incoming::Pong),
        (14, MqttVersion::V5) => {
            let packet = whole(body, v5_0::Disconnect::parse)?;
            let code = packet.reason_code().map_or(0, |code| code as u8);
            Ok(Incoming::Disconnected(code))
        }
        _ => Err(Malformed),
    }
}

/// Parses a packet in both versions.
#[cfg(fuzzing)]
pub fn parse_packet(header: u8, body: &[u8]) {
    for version in [MqttVersion::V3, MqttVersion::V5] {
        let _ = parse(version, header, body);
    }
}

/// Limits of a broker that states none.
const LIMITS_OF_3: BrokerLimits = BrokerLimits {
    window: u16::MAX,
    packet_length: usize::MAX,
    retains: true,
    keep_alive: None,
};

fn connected_5(body: &[u8]) -> Result<Incoming, Malformed> {
    let packet = whole(body, v5_0::Connack::parse)?;
    let mut limits = LIMITS_OF_3;
    for property in &packet.props {
        match property {
            Property::ReceiveMaximum(it) => limits.window = it.val().max(1),
            Property::MaximumPacketSize(it) => {
                limits.packet_length = usize::try_from(it.val()).unwrap_or(usize::MAX);
            }
            Property::RetainAvailable(it) => limits.retains = it.val() != 0,
            Property::ServerKeepAlive(it) => limits.keep_alive = Some(it.val()),
            _ => {}
        }
    }
    Ok(Incoming::Connected(packet.reason_code() as u8, limits))
}

fn message(version: MqttVersion, flags: u8, body: &[u8]) -> Result<Incoming, Malformed> {
    let content: Arc<[u8]> = body.into();
    macro_rules! read {
        ($parse:path) => {{
            let (packet, length) = $parse(flags, content).map_err(|_| Malformed)?;
            if length != body.len() {
                return Err(Malformed);
            }
            Message {
                topic: packet.topic_name().to_owned(),
                payload: Bytes::copy_from_slice(packet.payload().as_slice()),
                is_retained: packet.retain(),
                is_repeated: packet.dup(),
                packet_id: packet.packet_id(),
            }
        }};
    }
    let message = match version {
        MqttVersion::V5 => read!(v5_0::Publish::parse),
        MqttVersion::V3 => read!(v3_1_1::Publish::parse),
    };
    // Nothing is subscribed to at the highest level, and no message has the identifier 0.
    if flags & 0b0110 == 0b0100 || message.packet_id == Some(0) {
        return Err(Malformed);
    }
    Ok(Incoming::Message(message))
}

/// Parses a body to its last byte.
fn whole<T>(
    body: &[u8],
    parse: impl FnOnce(&[u8]) -> Result<(T, usize), CodecError>,
) -> Result<T, Malformed> {
    match parse(body) {
        Ok((packet, length)) if length == body.len() => Ok(packet),
        _ => Err(Malformed),
    }
}

/// Returns the meaning of a reason code of MQTT 5, or of the reply of 3.1.1 to the first packet.
pub(crate) fn reason(code: u8) -> &'static str {
    match code {
        0x00 => "normal end",
        0x01 | 0x84 => "the broker does not speak this version of MQTT",
        0x02 | 0x85 => "the client id is not accepted",
        0x03 | 0x88 => "the broker is not available",
        0x04 | 0x86 => "user name or password is wrong",
        0x05 | 0x87 => "not authorised",
        0x81 => "malformed packet",
        0x82 => "protocol error",
        0x89 => "the broker is busy",
        0x8a => "banned",
        0x8b => "the broker is shutting down",
        0x8d => "no packet came in time",
        0x8e => "another client with the same client id has connected",
        0x90 => "the topic is not accepted",
        0x93 => "too many messages without acknowledgement",
        0x95 => "the packet is too large",
        0x96 => "the messages come too fast",
        0x97 => "a quota is used up",
        0x98 => "ended by an administrator",
        0x9a => "the broker does not retain messages",
        0x9b => "the quality of service is not supported",
        0x9c | 0x9d => "another server has to be used",
        0x9f => "too many connections in a short time",
        _ => "unspecified reason",
    }
}
