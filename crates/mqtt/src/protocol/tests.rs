use super::*;

fn login() -> MqttLogin {
    MqttLogin {
        client_id: "mains-1".to_owned(),
        username: Some("me".to_owned()),
        password: Some(b"secret".to_vec().into()),
        keep_alive: KEEP_ALIVE_SECONDS,
        will: Some(("mains/bridge/state".to_owned(), "offline")),
    }
}

fn begin(version: MqttVersion) -> (Protocol, Instant) {
    let now = Instant::now();
    (Protocol::new(version, &login(), now).unwrap(), now)
}

fn feed(protocol: &mut Protocol, bytes: &[u8], now: Instant) -> Result<(), ProtocolError> {
    protocol.handle_input(&mut BytesMut::from(bytes), now)
}

fn events(protocol: &mut Protocol) -> Vec<ProtocolEvent> {
    std::iter::from_fn(|| protocol.poll_event()).collect()
}

fn sent(protocol: &mut Protocol) -> Vec<u8> {
    protocol.output().split().to_vec()
}

/// A connection whose login was accepted.
fn connected(version: MqttVersion) -> (Protocol, Instant) {
    let (mut protocol, now) = begin(version);
    sent(&mut protocol);
    let accepted: &[u8] = match version {
        MqttVersion::V5 => &[0x20, 3, 0, 0, 0],
        MqttVersion::V3 => &[0x20, 2, 0, 0],
    };
    feed(&mut protocol, accepted, now).unwrap();
    assert_eq!(events(&mut protocol), [ProtocolEvent::Connected]);
    (protocol, now)
}

#[test]
fn the_first_packet_byte_for_byte() {
    let (mut protocol, _) = begin(MqttVersion::V3);
    let mut expected = vec![0x10, 63, 0, 4, b'M', b'Q', b'T', b'T', 4];
    // User, password, retained last will at QoS 1, clean session; 30 s.
    expected.extend([0b1110_1110, 0, 30]);
    for text in ["mains-1", "mains/bridge/state", "offline", "me", "secret"] {
        expected.extend([0, text.len() as u8]);
        expected.extend(text.as_bytes());
    }
    expected[1] = expected.len() as u8 - 2;
    assert_eq!(sent(&mut protocol), expected);
    let (mut protocol, _) = begin(MqttVersion::V5);
    let first = sent(&mut protocol);
    assert_eq!(&first[2..12], b"\0\x04MQTT\x05\xee\0\x1e");
    // No session expiry: the broker forgets the session with the connection.
    assert_eq!(first[12], 0);
}

#[test]
fn messages_and_their_acknowledgements() {
    for version in [MqttVersion::V5, MqttVersion::V3] {
        let (mut protocol, now) = connected(version);
        let id = protocol.publish("a/b", b"ON", true, now).unwrap();
        assert_eq!(id, 1);
        let expected: &[u8] = match version {
            MqttVersion::V5 => b"\x33\x0a\0\x03a/b\0\x01\0ON",
            MqttVersion::V3 => b"\x33\x09\0\x03a/b\0\x01ON",
        };
        assert_eq!(sent(&mut protocol), expected);
        feed(&mut protocol, &[0x40, 2, 0, 1], now).unwrap();
        // A second acknowledgement means nothing.
        feed(&mut protocol, &[0x40, 2, 0, 1], now).unwrap();
        assert_eq!(events(&mut protocol), [ProtocolEvent::Published(1, 0)]);
    }
    let (mut protocol, now) = connected(MqttVersion::V5);
    protocol.publish("a", b"", true, now).unwrap();
    feed(&mut protocol, &[0x40, 3, 0, 1, 0x87], now).unwrap();
    assert_eq!(events(&mut protocol), [ProtocolEvent::Published(1, 0x87)]);
}

#[test]
fn a_message_is_acknowledged_and_passed_on() {
    let (mut protocol, now) = connected(MqttVersion::V5);
    feed(&mut protocol, b"\x3b\x09\0\x01a\0\x07\0ON!", now).unwrap();
    assert_eq!(sent(&mut protocol), [0x40, 2, 0, 7]);
    let received = events(&mut protocol);
    let [ProtocolEvent::Message(message)] = received.as_slice() else {
        panic!("{received:?}");
    };
    assert_eq!(message.topic, "a");
    assert_eq!(&*message.payload, b"ON!");
    assert!(message.is_retained && message.is_repeated);
}

#[test]
fn no_more_messages_under_way_than_the_broker_takes() {
    let (mut protocol, now) = begin(MqttVersion::V5);
    // Receive maximum 2, maximum packet size 12, no retained messages.
    let accepted = [0x20, 13, 0, 0, 10, 0x21, 0, 2, 0x27, 0, 0, 0, 12, 0x25, 0];
    feed(&mut protocol, &accepted, now).unwrap();
    sent(&mut protocol);
    assert!(protocol.publish("a", b"1", true, now).is_some());
    assert_eq!(sent(&mut protocol)[0], 0x32, "the retain flag is off");
    assert!(protocol.can_publish());
    assert!(protocol.publish("a", b"1", true, now).is_some());
    assert!(!protocol.can_publish());
    feed(&mut protocol, &[0x40, 2, 0, 1], now).unwrap();
    assert!(protocol.can_publish());
    assert_eq!(protocol.publish("a", b"too long", true, now), None);
}

#[test]
fn subscriptions() {
    let filters = |keeps_retain| Filter {
        topics: "m/+/relay/set".to_owned(),
        keeps_retain,
    };
    let (mut protocol, now) = connected(MqttVersion::V5);
    assert_eq!(protocol.subscribe(&[filters(true)], now).unwrap(), 1);
    assert_eq!(
        sent(&mut protocol).last(),
        Some(&0b1001),
        "QoS 1, retain as published"
    );
    feed(&mut protocol, &[0x90, 4, 0, 1, 0, 0x87], now).unwrap();
    let refused = ProtocolEvent::Subscribed(1, vec![0x87]);
    assert_eq!(events(&mut protocol), [refused]);
    let (mut protocol, now) = connected(MqttVersion::V3);
    protocol.subscribe(&[filters(true)], now).unwrap();
    assert_eq!(sent(&mut protocol).last(), Some(&1));
}

#[test]
fn refusals_have_their_reason() {
    use ProtocolError::{Disconnected, Malformed, Refused, VersionRefused};
    for (version, bytes, error) in [
        (MqttVersion::V5, &[0x20, 2, 0, 1][..], VersionRefused),
        (MqttVersion::V5, &[0x20, 3, 0, 0x84, 0], VersionRefused),
        (MqttVersion::V5, &[0x20, 3, 0, 0x86, 0], Refused(0x86)),
        (MqttVersion::V3, &[0x20, 2, 0, 1], VersionRefused),
        (MqttVersion::V3, &[0x20, 2, 0, 5], Refused(5)),
        (MqttVersion::V5, &[0xe0, 2, 0x8e, 0], Disconnected(0x8e)),
        (
            MqttVersion::V5,
            b"HTTP/1.1 400 Bad Request\r\n\r\n",
            Malformed,
        ),
        (MqttVersion::V5, &[0x40, 2, 0, 1], Malformed),
        (MqttVersion::V3, &[0x20, 1, 0], Malformed),
    ] {
        let (mut protocol, now) = begin(version);
        let padded = [bytes, &[0; 80]].concat();
        assert_eq!(feed(&mut protocol, &padded, now), Err(error), "{bytes:x?}");
    }
    let (mut protocol, now) = connected(MqttVersion::V5);
    assert_eq!(
        feed(&mut protocol, &[0x20, 3, 0, 0, 0], now),
        Err(Malformed)
    );
    // A message with the identifier 0, and one of a quality that was not asked for.
    assert_eq!(
        feed(&mut protocol, b"\x32\x07\0\x01a\0\0\0x", now),
        Err(Malformed)
    );
    assert_eq!(
        feed(&mut protocol, b"\x34\x07\0\x01a\0\x01\0x", now),
        Err(Malformed)
    );
}

#[test]
fn a_silent_broker_is_given_up() {
    let (mut protocol, now) = begin(MqttVersion::V5);
    let due = protocol.poll_timeout().unwrap();
    assert_eq!(due, now + LOGIN_TIMEOUT);
    assert_eq!(protocol.handle_timeout(now), Ok(()));
    assert_eq!(protocol.handle_timeout(due), Err(ProtocolError::NoLogin));

    let (mut protocol, _) = connected(MqttVersion::V3);
    for _ in 0..3 {
        let due = protocol.poll_timeout().unwrap();
        protocol.handle_timeout(due).unwrap();
        assert_eq!(sent(&mut protocol), packet::PING);
        feed(&mut protocol, &[0xd0, 0], due).unwrap();
    }
    let due = protocol.poll_timeout().unwrap();
    protocol.handle_timeout(due).unwrap();
    let late = protocol.poll_timeout().unwrap();
    assert_eq!(late, due + PING_TIMEOUT);
    assert_eq!(protocol.handle_timeout(late), Err(ProtocolError::NoPong));
}

#[test]
fn a_ping_is_due_while_only_one_side_speaks() {
    let (mut protocol, now) = connected(MqttVersion::V3);
    let later = now + Duration::from_secs(10);
    protocol.publish("a", b"", true, later).unwrap();
    assert!(protocol.poll_timeout().unwrap() < later + Duration::from_secs(15));
    let (mut protocol, now) = connected(MqttVersion::V3);
    let later = now + Duration::from_secs(10);
    feed(&mut protocol, b"\x30\x04\0\x01ax", later).unwrap();
    assert!(protocol.poll_timeout().unwrap() < later + Duration::from_secs(15));
}

#[test]
fn the_broker_sets_the_keep_alive() {
    let (mut protocol, now) = begin(MqttVersion::V5);
    feed(&mut protocol, &[0x20, 6, 0, 0, 3, 0x13, 0, 4], now).unwrap();
    assert_eq!(protocol.poll_timeout(), Some(now + Duration::from_secs(2)));
    let (mut protocol, now) = begin(MqttVersion::V5);
    feed(&mut protocol, &[0x20, 6, 0, 0, 3, 0x13, 0, 0], now).unwrap();
    assert_eq!(protocol.poll_timeout(), None);
}

#[test]
fn a_message_that_is_too_long_ends_nothing() {
    let (mut protocol, now) = connected(MqttVersion::V3);
    let length = 1_000_000_usize;
    let mut bytes = vec![0x32];
    bytes.extend([
        (length & 0x7f) as u8 | 0x80,
        (length >> 7 & 0x7f) as u8 | 0x80,
        (length >> 14) as u8,
        0,
        1,
        b'a',
        0,
        5,
    ]);
    bytes.resize(length + 4, b'x');
    bytes.extend([0xd0, 0]);
    feed(&mut protocol, &bytes, now).unwrap();
    assert_eq!(sent(&mut protocol), [0x40, 2, 0, 5]);
    let expected = ProtocolEvent::TooLong("a".to_owned(), length + 4);
    assert_eq!(events(&mut protocol), [expected]);
}

proptest::proptest! {
    #[test]
    fn never_panics(is_5: bool, accepted: bool, packets in proptest::collection::vec(
        (proptest::sample::select(vec![0x20_u8, 0x30, 0x32, 0x33, 0x34, 0x40, 0x50, 0x62, 0x90, 0xb0, 0xd0, 0xe0, 0xf0]),
         proptest::collection::vec(proptest::prop_oneof![0_u8..8, proptest::num::u8::ANY], 0..24)), 0..6)) {
        let version = if is_5 { MqttVersion::V5 } else { MqttVersion::V3 };
        let (mut protocol, now) = if accepted { connected(version) } else { begin(version) };
        for (header, body) in packets {
            let packet = [&[header, body.len() as u8][..], &body].concat();
            if feed(&mut protocol, &packet, now).is_err() {
                break;
            }
        }
    }
}
