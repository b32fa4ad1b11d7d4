//! The test vectors of `docs/protocol/reco.md` section 8.4, and what no S20 sends.

use proptest::prelude::*;

use super::*;

/// Reads bytes as the protocol notes write them.
fn hex(text: &str) -> Vec<u8> {
    text.split_ascii_whitespace()
        .map(|byte| u8::from_str_radix(byte, 16).unwrap())
        .collect()
}

fn mac(text: &str) -> Mac {
    text.parse().unwrap()
}

fn parsed(text: &str) -> OrviboReply {
    OrviboReply::parse(&hex(text)).unwrap()
}

/// Table 4, from the layout in section 8.2.
fn settings_reply(name: &[u8; 16]) -> Vec<u8> {
    let mut bytes = vec![0; 168];
    bytes[..6].copy_from_slice(b"hd\x00\xA8rt");
    bytes[6..18].copy_from_slice(&addressed(mac("ACCF232419C0")));
    bytes[23] = 4;
    bytes[28] = 0x8A;
    bytes[46..52].copy_from_slice(&reversed(mac("ACCF232419C0")));
    bytes[58..64].copy_from_slice(b"888888");
    bytes[70..86].copy_from_slice(name);
    for (place, number) in [(88, 4), (92, 0x0102), (96, 36)] {
        bytes[place..place + 4].copy_from_slice(&u32::to_le_bytes(number));
    }
    bytes
}

#[test]
fn o1_discovery() {
    assert_eq!(DISCOVER, hex("68 64 00 06 71 61"));
}

#[test]
fn o3_o4_o5_o15_discovery_replies() {
    use RelayState::{Off, On};
    for (text, address, model, relay) in [
        (
            "68 64 00 2A 71 61 00 AC CF 23 55 FE 22 20 20 20 20 20 20 22 FE 55 23 CF AC 20 20 20 20 20 20 53 4F 43 30 30 35 5E A5 19 BC 01",
            "ACCF2355FE22",
            "SOC005",
            On,
        ),
        (
            "68 64 00 2A 71 61 00 AC CF 23 36 02 0E 20 20 20 20 20 20 0E 02 36 23 CF AC 20 20 20 20 20 20 53 4F 43 30 30 35 52 FF 9B DC 00",
            "ACCF2336020E",
            "SOC005",
            Off,
        ),
        (
            "68 64 00 2A 71 67 00 AC CF 23 24 19 C0 20 20 20 20 20 20 C0 19 24 23 CF AC 20 20 20 20 20 20 53 4F 43 30 30 31 90 32 6A D7 00",
            "ACCF232419C0",
            "SOC001",
            Off,
        ),
        (
            "68 64 00 2A 71 61 00 AC CF 23 35 F4 B0 20 20 20 20 20 20 B0 F4 35 23 CF AC 20 20 20 20 20 20 53 4F 43 30 30 35 89 37 92 DC 00",
            "ACCF2335F4B0",
            "SOC005",
            Off,
        ),
    ] {
        let content = OrviboContent::Discovered {
            model: model.into(),
            relay: Some(relay),
        };
        let reply = OrviboReply {
            mac: mac(address),
            content,
        };
        assert_eq!(parsed(text), reply);
    }
}

#[test]
fn o6_subscription() {
    let expected = hex(
        "68 64 00 1E 63 6C AC CF 23 55 FE 22 20 20 20 20 20 20 22 FE 55 23 CF AC 20 20 20 20 20 20",
    );
    assert_eq!(subscribe(mac("ACCF2355FE22")), expected);
}

#[test]
fn o7_subscription_reply() {
    let reply = parsed("68 64 00 18 63 6C AC CF 23 55 FE 22 20 20 20 20 20 20 00 00 00 00 00 00");
    assert_eq!(reply.mac, mac("ACCF2355FE22"));
    assert_eq!(reply.content, OrviboContent::Subscribed(RelayState::Off));
}

#[test]
fn o8_o11_switch() {
    assert_eq!(
        switch(mac("ACCF2355FE22"), RelayState::On),
        hex("68 64 00 17 64 63 AC CF 23 55 FE 22 20 20 20 20 20 20 00 00 00 00 01")
    );
    assert_eq!(
        switch(mac("ACCF232419C0"), RelayState::Off),
        hex("68 64 00 17 64 63 AC CF 23 24 19 C0 20 20 20 20 20 20 00 00 00 00 00")
    );
}

#[test]
fn o9_acknowledgement_tells_nothing_of_the_relay() {
    for last in [0, 1, 7] {
        let mut bytes = switch(mac("ACCF2355FE22"), RelayState::On);
        bytes[22] = last;
        let reply = OrviboReply::parse(&bytes).unwrap();
        assert_eq!(reply.content, OrviboContent::Acknowledged);
    }
}

#[test]
fn o10_state() {
    let reply = parsed("68 64 00 17 73 66 AC CF 23 55 FE 22 20 20 20 20 20 20 00 00 00 00 01");
    assert_eq!(reply.mac, mac("ACCF2355FE22"));
    assert_eq!(reply.content, OrviboContent::State(RelayState::On));
}

#[test]
fn o12_o13_tables() {
    // O12 reads table 1; table 4 differs in one byte.
    let expected = hex(
        "68 64 00 1D 72 74 AC CF 23 24 19 C0 20 20 20 20 20 20 00 00 00 00 04 00 00 00 00 00 00",
    );
    assert_eq!(read_settings(mac("ACCF232419C0")), expected);
    let of_table_1 = hex(
        "68 64 00 2C 72 74 AC CF 23 24 19 C0 20 20 20 20 20 20 02 00 00 00 00 01 00 01 00 00 06 00 04 00 04 00 17 00 06 00 03 00 03 00 02 00",
    );
    assert_eq!(
        OrviboReply::parse(&of_table_1),
        Err(OrviboReplyError::Field)
    );
}

#[test]
fn o14_o16_an_all_one_is_not_a_plug() {
    for text in [
        "68 64 00 29 71 61 00 AC CF 23 72 E1 50 20 20 20 20 20 20 50 E1 72 23 CF AC 20 20 20 20 20 20 49 52 44 30 31 33 C3 B4 E5 DA",
        "68 64 00 29 71 61 00 AC CF 23 2A FC 1A 20 20 20 20 20 20 1A FC 2A 23 CF AC 20 20 20 20 20 20 49 52 44 30 31 32 8A 37 92 DC",
    ] {
        assert_eq!(
            OrviboReply::parse(&hex(text)),
            Err(OrviboReplyError::Command)
        );
    }
}

#[test]
fn o18_o19_countdown() {
    let asked =
        hex("68 64 00 1A 63 64 AC CF 23 55 FE 22 20 20 20 20 20 20 00 00 00 00 01 00 00 00");
    let set = hex("68 64 00 1A 63 64 AC CF 23 55 FE 22 20 20 20 20 20 20 00 00 00 00 00 00 0E 29");
    assert_eq!(count_down(mac("ACCF2355FE22"), RelayState::Off, 10510), set);
    let reply = OrviboReply::parse(&set).unwrap();
    assert_eq!(
        reply.content,
        OrviboContent::CountingDown(RelayState::Off, 10510)
    );
    assert_ne!(asked, set);
}

#[test]
fn settings() {
    let reply = OrviboReply::parse(&settings_reply(b"Coffee maker    ")).unwrap();
    let settings = OrviboSettings {
        name: Some("Coffee maker".into()),
        hardware: 4,
        firmware: 0x0102,
        radio: 36,
    };
    assert_eq!(reply.mac, mac("ACCF232419C0"));
    assert_eq!(reply.content, OrviboContent::Settings(settings));
}

#[test]
fn names() {
    for (field, expected) in [
        (b"lamp\0\0\0\0\0\0\0\0\0\0\0\0", Some("lamp")),
        (b"sixteen bytes ok", Some("sixteen bytes ok")),
        (&[0xFF; 16], None),
        (&[0x20; 16], None),
        (&[0; 16], None),
        (
            b"B\xC3\xBCro\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF",
            Some("B\u{fc}ro"),
        ),
        (b"fifteen bytes \xC3\xBC", Some("fifteen bytes \u{fc}")),
        (b"cut off here  !\xC3", Some("cut off here  !")),
        (b"\x1B[31mred        ", Some("[31mred")),
    ] {
        assert_eq!(name(field).as_deref(), expected, "{}", field.escape_ascii());
    }
}

#[test]
fn lengths_that_lie() {
    let good = settings_reply(b"lamp            ");
    for (place, byte, error) in [
        (3, 0xA7, OrviboReplyError::Length),
        (2, 0x01, OrviboReplyError::Length),
        (28, 0x8B, OrviboReplyError::Field),
        (28, 0x20, OrviboReplyError::Field),
        (29, 0xFF, OrviboReplyError::Field),
        (23, 3, OrviboReplyError::Field),
        (46, 0, OrviboReplyError::Field),
        (0, b'H', OrviboReplyError::Foreign),
        (5, b'u', OrviboReplyError::Command),
    ] {
        let mut bytes = good.clone();
        bytes[place] = byte;
        assert_eq!(OrviboReply::parse(&bytes), Err(error), "byte {place}");
    }
    for length in 0..good.len() {
        assert!(OrviboReply::parse(&good[..length]).is_err(), "{length}");
    }
}

#[test]
fn impossible_fields() {
    let on = "68 64 00 17 73 66 AC CF 23 55 FE 22 20 20 20 20 20 20 00 00 00 00 01";
    let discovered = "68 64 00 2A 71 61 00 AC CF 23 55 FE 22 20 20 20 20 20 20 22 FE 55 23 CF AC 20 20 20 20 20 20 53 4F 43 30 30 35 5E A5 19 BC 01";
    for (text, place, byte) in [(on, 22, 2), (discovered, 19, 0), (discovered, 31, 0x1B)] {
        let mut bytes = hex(text);
        bytes[place] = byte;
        assert_eq!(OrviboReply::parse(&bytes), Err(OrviboReplyError::Field));
    }
    let mut unknown = hex(discovered);
    unknown[41] = 9;
    let reply = OrviboReply::parse(&unknown).unwrap();
    assert!(
        matches!(reply.content, OrviboContent::Discovered { relay: None, .. }),
        "it is there, whatever its relay does"
    );
    let mut nobody = hex(on);
    nobody[6..12].fill(0);
    assert_eq!(OrviboReply::parse(&nobody), Err(OrviboReplyError::Field));
}

#[test]
fn our_own_requests_are_no_replies_that_tell_a_state() {
    let mac = mac("ACCF2355FE22");
    for request in [
        DISCOVER.to_vec(),
        subscribe(mac),
        read_settings(mac),
        hex("68 64 00 12 71 67 AC CF 23 24 19 C0 20 20 20 20 20 20"),
        hex("68 64 00 16 68 62 AC CF 23 55 FE 22 20 20 20 20 20 20 00 00 00 00"),
    ] {
        assert!(OrviboReply::parse(&request).is_err());
    }
}

proptest! {
    #[test]
    fn never_panics(bytes: Vec<u8>) {
        let _ = OrviboReply::parse(&bytes);
    }

    #[test]
    fn never_panics_near_a_reply(place in 0..168usize, byte: u8, length in 0..=168usize) {
        let mut bytes = settings_reply(b"lamp            ");
        bytes[place] = byte;
        let length_of_itself = u16::try_from(length).unwrap().to_be_bytes();
        bytes.truncate(length);
        let _ = OrviboReply::parse(&bytes);
        if length > 4 {
            bytes[2..4].copy_from_slice(&length_of_itself);
        }
        let _ = OrviboReply::parse(&bytes);
    }

    #[test]
    fn an_echo_of_a_countdown_is_read_as_it_was_written(octets: [u8; 6], seconds: u16) {
        prop_assume!(octets != [0; 6]);
        let mac = Mac::new(octets);
        let reply = OrviboReply::parse(&count_down(mac, RelayState::On, seconds)).unwrap();
        prop_assert_eq!(reply.mac, mac);
        prop_assert_eq!(reply.content, OrviboContent::CountingDown(RelayState::On, seconds));
    }
}
