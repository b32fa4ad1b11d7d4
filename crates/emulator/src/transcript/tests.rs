use std::process::Command;

use proptest::prelude::*;

use super::line::MAX_LINE;
use super::mask::{ConversationMask, SecretWords};
use super::*;

#[allow(
    dead_code,
    unreachable_pub,
    reason = "shared with other tests, which use other parts of it"
)]
#[path = "../../../mains/tests/cli/needs.rs"]
mod needs;

const APP: SocketAddrV4 = SocketAddrV4::new(Ipv4Addr::new(192, 0, 2, 1), 50123);
const PLUG: SocketAddrV4 = SocketAddrV4::new(Ipv4Addr::new(192, 0, 2, 9), 48899);

#[test]
fn a_line_is_that_of_the_contract() {
    let line = TranscriptLine {
        at: "2026-11-22T12:00:00.123Z".parse().unwrap(),
        transport: TranscriptTransport::Udp,
        direction: TranscriptDirection::ToPlug,
        peer: APP,
        bytes: b"YZ-RECOSCAN".to_vec(),
        text: Some("YZ-RECOSCAN".to_owned()),
    };
    let json = serde_json::to_string(&line).unwrap();
    assert_eq!(
        json,
        r#"{"at":"2026-11-22T12:00:00.123Z","transport":"udp","direction":"to_plug","peer":"192.0.2.1:50123","hex":"595a2d5245434f5343414e","text":"YZ-RECOSCAN"}"#
    );
    assert_eq!(parse(&format!("\n{json}\n\n")).unwrap(), [line]);
}

#[test]
fn a_wrong_line_is_named() {
    let good = r#"{"at":"2026-11-22T12:00:00Z","transport":"tcp","direction":"from_plug","peer":"192.0.2.1:1","hex":"2b6f6b","text":null}"#;
    assert_eq!(parse(good).unwrap()[0].bytes, b"+ok");
    for (wrong, reason) in [
        ("hello".to_owned(), "expected value"),
        (good.replace("2b6f6b", "2b6f6"), "`hex` is not hexadecimal"),
        (good.replace("2b6f6b", "2b6fé"), "`hex` is not hexadecimal"),
        (good.replace("tcp", "sctp"), "unknown variant"),
        (good.replace("192.0.2.1:1", "192.0.2.1"), "invalid"),
        (
            good.replace("2b6f6b", &"00".repeat(MAX_LINE)),
            "longer than",
        ),
        ("{}".to_owned(), "missing field"),
    ] {
        let error = parse(&format!("{good}\n{wrong}")).unwrap_err().to_string();
        assert!(
            error.starts_with("line 2 is not one of a transcript: ") && error.contains(reason),
            "{error}"
        );
    }
}

#[test]
fn field_1_alone_changes() {
    let own = Ipv4Addr::new(10, 0, 0, 1);
    for (reply, expected) in [
        (
            "192.168.1.107,ACCF23123456,900000621,0,1,x\r\n",
            Some("10.0.0.1,ACCF23123456,900000621,0,1,x\r\n"),
        ),
        (
            "10.10.100.254,ACCF235676D6,HF-LPB100",
            Some("10.0.0.1,ACCF235676D6,HF-LPB100"),
        ),
        (
            "192.168.213.252,B4E842E10588,",
            Some("10.0.0.1,B4E842E10588,"),
        ),
        ("+ok=192.168.1.107,ACCF23123456", None),
        (
            "+ok=DHCP,192.168.1.123,255.255.255.0,192.168.1.1\r\n\r\n",
            None,
        ),
        ("192.168.1.1,255.255.255.0", None),
        ("", None),
    ] {
        let changed = readdressed(reply.as_bytes(), own);
        assert_eq!(changed.as_deref(), expected.map(str::as_bytes), "{reply}");
    }
}

/// Masks requests and the replies to each; returns all as one text.
fn conversation(exchanges: &[(&str, &str)]) -> String {
    let (mut words, mut mask) = (SecretWords::default(), ConversationMask::default());
    let mut all = Vec::new();
    for (request, reply) in exchanges {
        all.extend(mask.request(&mut words, request.as_bytes()));
        all.push(b'>');
        all.extend(mask.reply(&mut words, reply.as_bytes()));
        all.push(b'|');
    }
    String::from_utf8(all).unwrap()
}

#[test]
fn keys_are_masked_and_nothing_else() {
    for (request, reply, shown) in [
        (
            "AT+WSKEY=WPA2PSK,AES,secret\r",
            "+ok\r\n\r\n",
            "AT+WSKEY=WPA2PSK,AES,***\r>+ok\r\n\r\n|",
        ),
        (
            "at+wskey\n",
            "+ok=WPA2PSK,AES,sec,ret\r\n\r\n",
            "at+wskey\n>+ok=WPA2PSK,AES,***\r\n\r\n|",
        ),
        (" AT+WSKEY = secret", "+ERR=-4", " AT+WSKEY =***>+ERR=-4|"),
        (
            "AT+WSKEY=OPEN,NONE\r",
            "+ok=OPEN,NONE",
            "AT+WSKEY=OPEN,NONE\r>+ok=OPEN,NONE|",
        ),
        (
            "AT+WEBU\r",
            "+ok=admin,secret\r\n\r\n",
            "AT+WEBU\r>+ok=***\r\n\r\n|",
        ),
        (
            "AT+WEBU=admin,secret",
            "AT+WEBU=admin,secret\n\r+ok",
            "AT+WEBU=***>AT+WEBU=***\n\r+ok|",
        ),
        (
            "AT+WSLK\r",
            "+ok=Home(ACCF23123456)\r\n\r\n",
            "AT+WSLK\r>+ok=Home(ACCF23123456)\r\n\r\n|",
        ),
        (
            "AT+YZSWITCH=1,ON,201410292146\r\n",
            "+ok\r\n\r\n",
            "AT+YZSWITCH=1,ON,201410292146\r\n>+ok\r\n\r\n|",
        ),
        (
            "HF-A11ASSISTHREAD",
            "10.10.100.254,ACCF235676D6,HF-LPB100",
            "HF-A11ASSISTHREAD>10.10.100.254,ACCF235676D6,HF-LPB100|",
        ),
        (
            "AT+NEW",
            "> +ok=WPA2PSK,AES,secret",
            "AT+NEW>> +ok=WPA2PSK,AES,***|",
        ),
        // Whatever the verb was, the form of a key tells.
        (
            "AT+NEW",
            "+ok=WPA2PSK,AES,secret",
            "AT+NEW>+ok=WPA2PSK,AES,***|",
        ),
    ] {
        assert_eq!(conversation(&[(request, reply)]), shown);
    }
}

#[test]
fn a_discovery_word_of_ones_own_is_masked_from_then_on() {
    let shown = conversation(&[
        ("my-own-word", "10.0.0.1,ACCF235676D6,HF-LPB100"),
        ("AT+ASWD=my-own-word\r", "+ok\r\n\r\n"),
        ("MY-OWN-WORD\r\n", "10.0.0.1,ACCF235676D6,HF-LPB100"),
        ("AT+ASWD\r", "+ok=another\r\n\r\n"),
        ("another", ""),
        ("HF-A11ASSISTHREAD", ""),
    ]);
    let expected = "my-own-word>10.0.0.1,ACCF235676D6,HF-LPB100|AT+ASWD=***\r>+ok\r\n\r\n|\
                    ***\r\n>10.0.0.1,ACCF235676D6,HF-LPB100|AT+ASWD\r>+ok=***\r\n\r\n|***>|HF-A11ASSISTHREAD>|";
    assert_eq!(shown, expected);
}

proptest! {
    /// In pieces of any size, a key is never shown, not even the rest of one.
    #[test]
    fn a_key_in_pieces_is_masked(key in "[a-z]{8,20}", cuts in prop::collection::vec(1_usize..60, 0..6)) {
        let request = format!("AT+VER\r\nAT+WSKEY=WPA2PSK,AES,{key}\r\nAT+Z\r\n");
        let (mut words, mut mask) = (SecretWords::default(), ConversationMask::default());
        let mut shown = Vec::new();
        let mut rest = request.as_bytes();
        for cut in cuts.into_iter().chain([usize::MAX]) {
            let (piece, after) = rest.split_at(cut.min(rest.len()));
            shown.extend(mask.request_piece(&mut words, piece));
            rest = after;
        }
        let shown = String::from_utf8(shown).unwrap();
        prop_assert!(!shown.contains(&key[..4]) && !shown.contains(&key[key.len() - 4..]), "{shown}");
        prop_assert!(shown.starts_with("AT+VER\r\n") && shown.ends_with("\r\nAT+Z\r\n"), "{shown}");
    }

    #[test]
    fn other_bytes_stay_as_they_are(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        prop_assume!(!bytes.windows(3).any(|window| window.eq_ignore_ascii_case(b"AT+")));
        let mut mask = ConversationMask::default();
        prop_assert_eq!(mask.request(&mut SecretWords::default(), &bytes), bytes);
    }

    #[test]
    fn no_text_panics(text in ".{0,300}") {
        let _ = parse(&text);
        let _ = readdressed(text.as_bytes(), Ipv4Addr::LOCALHOST);
    }
}

/// Wireshark's own reader takes the packets, with right checksums and streams in order.
#[test]
fn tshark_reads_the_packets() {
    let Some(()) = needs::met(needs::tool("tshark", "--version", "tshark")) else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("a.pcapng");
    let data = SocketAddrV4::new(*PLUG.ip(), 8899);
    // Two sections in one file.
    for _ in 0..2 {
        let writer = TranscriptWriter::default().with_packets(&file).unwrap();
        writer.write(
            TranscriptTransport::Udp,
            TranscriptDirection::ToPlug,
            APP,
            PLUG,
            b"YZ-RECOSCAN",
        );
        writer.write(
            TranscriptTransport::Udp,
            TranscriptDirection::FromPlug,
            APP,
            PLUG,
            b"192.0.2.9,ACCF23123456,900000621,0,1,",
        );
        writer.open(APP, data);
        writer.write(
            TranscriptTransport::Tcp,
            TranscriptDirection::ToPlug,
            APP,
            data,
            b"AT+YZOUT\r\n",
        );
        writer.write(
            TranscriptTransport::Tcp,
            TranscriptDirection::FromPlug,
            APP,
            data,
            b"+ok=3\r\n\r\n",
        );
        writer.close(APP, data);
    }
    let output = Command::new("tshark")
        .args([
            "-o",
            "udp.check_checksum:TRUE",
            "-o",
            "tcp.check_checksum:TRUE",
            "-o",
            "ip.check_checksum:TRUE",
            "-T",
            "fields",
        ])
        .args([
            "-e",
            "ip.checksum.status",
            "-e",
            "udp.checksum.status",
            "-e",
            "tcp.checksum.status",
            "-e",
            "tcp.analysis.flags",
            "-e",
            "data.data",
            "-r",
        ])
        .arg(&file)
        .output()
        .unwrap();
    let shown = String::from_utf8(output.stdout).unwrap();
    let packets: Vec<Vec<&str>> = shown
        .lines()
        .map(|line| line.split('\t').collect())
        .collect();
    assert_eq!(
        packets.len(),
        20,
        "{shown}{}",
        String::from_utf8_lossy(&output.stderr)
    );
    for packet in &packets {
        // 1 is good.
        assert_eq!(
            (packet[0], [packet[1], packet[2]].concat().as_str()),
            ("1", "1"),
            "{shown}"
        );
    }
    assert!(
        packets[..10].iter().all(|packet| packet[3].is_empty()),
        "{shown}"
    );
    assert_eq!(packets[0][4], "595a2d5245434f5343414e");
}
