use std::io::Write;
use std::sync::{Arc, Mutex};

use super::*;
use crate::record::RecordWriter;
use crate::transcript::{TranscriptLine, parse};

const LISTEN: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 3);
const PLUG: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);
const APP: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 1);

#[derive(Clone, Default)]
struct SharedBytes(Arc<Mutex<Vec<u8>>>);

impl Write for SharedBytes {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

fn relay() -> (RelayTwin, SharedBytes) {
    let sink = SharedBytes::default();
    let transcript = TranscriptWriter::default().with_lines(RecordWriter::new(sink.clone()));
    (RelayTwin::new(LISTEN, PLUG, transcript), sink)
}

fn lines(sink: &SharedBytes) -> Vec<TranscriptLine> {
    parse(std::str::from_utf8(&sink.0.lock().unwrap()).unwrap()).unwrap()
}

fn hear(
    relay: &mut RelayTwin,
    from: (Ipv4Addr, u16),
    at: u16,
    broadcast: bool,
    bytes: &[u8],
) -> Option<(u16, SocketAddrV4, Vec<u8>)> {
    let arrival = TwinArrival {
        from: SocketAddrV4::new(from.0, from.1),
        at: SocketAddrV4::new(LISTEN, at),
        broadcast,
    };
    let now = Instant::now();
    relay.handle_datagram(now, arrival, bytes);
    match relay.poll_transmit(now) {
        Some(TwinOutput::Datagram {
            from, to, bytes, ..
        }) => Some((from.port(), to, bytes.to_vec())),
        None => None,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_scan_comes_back_with_the_address_of_the_relay() {
    let (mut relay, sink) = relay();
    let passed = hear(&mut relay, (APP, 48899), 48899, true, b"YZ-RECOSCAN");
    assert_eq!(
        passed,
        Some((
            48899,
            SocketAddrV4::new(PLUG, 48899),
            b"YZ-RECOSCAN".to_vec()
        ))
    );
    let reply = b"127.0.0.2,ACCF23123456,900000621,0,1,";
    let passed = hear(&mut relay, (PLUG, 48899), 48899, false, reply);
    assert_eq!(
        passed,
        Some((
            48899,
            SocketAddrV4::new(APP, 48899),
            b"127.0.0.3,ACCF23123456,900000621,0,1,".to_vec()
        ))
    );
    // What is recorded is what the plug sent.
    let lines = lines(&sink);
    assert_eq!(lines[1].bytes, reply);
    assert_eq!(lines[1].peer, SocketAddrV4::new(APP, 48899));
}

#[test]
fn either_kind_of_reply_port_is_kept() {
    let (mut relay, _) = relay();
    let (out, to, _) = hear(&mut relay, (APP, 40000), 48899, false, b"AT+MID\n").unwrap();
    assert_eq!((out, to.port()), (SOURCE_PORT, 48899));
    // One that replies to the source port, and one that replies to 48899 whatever it was.
    let (_, to, _) = hear(
        &mut relay,
        (PLUG, 48899),
        SOURCE_PORT,
        false,
        b"+ok=HF-LPB100\r\n\r\n",
    )
    .unwrap();
    assert_eq!(to, SocketAddrV4::new(APP, 40000));
    let (_, to, _) = hear(
        &mut relay,
        (PLUG, 48899),
        48899,
        false,
        b"+ok=HF-LPB100\r\n\r\n",
    )
    .unwrap();
    assert_eq!(to, SocketAddrV4::new(APP, 48899));
}

#[test]
fn what_nobody_asked_for_goes_nowhere() {
    let (mut relay, sink) = relay();
    assert_eq!(
        hear(&mut relay, (PLUG, 48899), 48899, false, b"hello"),
        None
    );
    assert_eq!(
        hear(&mut relay, (APP, 40000), SOURCE_PORT, false, b"hello"),
        None
    );
    hear(&mut relay, (APP, 48899), 48899, false, b"YZ-RECOSCAN");
    assert_eq!(
        hear(&mut relay, (PLUG, 48899), 48899, true, b"to all"),
        None
    );
    assert_eq!(lines(&sink).len(), 1);
}

#[test]
fn keys_pass_and_are_not_recorded() {
    let (mut relay, sink) = relay();
    let (_, _, passed) = hear(
        &mut relay,
        (APP, 48899),
        48899,
        false,
        b"AT+WSKEY=WPA2PSK,AES,secret\r",
    )
    .unwrap();
    assert_eq!(passed, b"AT+WSKEY=WPA2PSK,AES,secret\r");
    let (_, _, passed) = hear(
        &mut relay,
        (PLUG, 48899),
        48899,
        false,
        b"+ok=WPA2PSK,AES,secret\r\n\r\n",
    )
    .unwrap();
    assert_eq!(passed, b"+ok=WPA2PSK,AES,secret\r\n\r\n");
    let written = String::from_utf8(sink.0.lock().unwrap().clone()).unwrap();
    let hex: String = "secret".bytes().map(|byte| format!("{byte:02x}")).collect();
    assert!(
        !written.contains("secret") && !written.contains(&hex),
        "{written}"
    );
    assert_eq!(
        lines(&sink)[0].text.as_deref(),
        Some("AT+WSKEY=WPA2PSK,AES,***\r")
    );
}

#[test]
fn a_connection_waits_for_that_to_the_plug() {
    let (mut relay, sink) = relay();
    let now = Instant::now();
    let (app, plug) = (ConnectionId(1), ConnectionId(2));
    let peer = SocketAddrV4::new(APP, 50000);
    relay.handle_peer(app, peer);
    assert!(relay.handle_connect(now, app, SocketAddrV4::new(LISTEN, 8899)));
    relay.handle_segment(now, app, b"AT+YZOUT\r\n");
    let to = SocketAddrV4::new(PLUG, 8899);
    assert_eq!(
        relay.poll_transmit(now),
        Some(TwinOutput::Connect { from: LISTEN, to })
    );
    assert_eq!(relay.poll_transmit(now), None);
    relay.handle_peer(plug, to);
    assert!(relay.handle_connect(now, plug, SocketAddrV4::new(LISTEN, 33333)));
    assert_eq!(
        relay.poll_transmit(now),
        Some(TwinOutput::Segment {
            connection: plug,
            bytes: b"AT+YZOUT\r\n".to_vec()
        })
    );
    relay.handle_segment(now, plug, b"+ok=1\r\n\r\n");
    assert_eq!(
        relay.poll_transmit(now),
        Some(TwinOutput::Segment {
            connection: app,
            bytes: b"+ok=1\r\n\r\n".to_vec()
        })
    );
    relay.handle_close(now, plug);
    assert_eq!(
        relay.poll_transmit(now),
        Some(TwinOutput::Close { connection: app })
    );
    let lines = lines(&sink);
    assert!(
        lines
            .iter()
            .all(|line| line.peer == peer && line.transport == TranscriptTransport::Tcp)
    );
    assert_eq!(lines.len(), 2);
}

#[test]
fn a_plug_that_takes_no_connection_ends_that_of_the_app() {
    let (mut relay, _) = relay();
    let now = Instant::now();
    let app = ConnectionId(1);
    relay.handle_peer(app, SocketAddrV4::new(APP, 50000));
    assert!(relay.handle_connect(now, app, SocketAddrV4::new(LISTEN, 8899)));
    relay.poll_transmit(now);
    let due = relay.poll_timeout().unwrap();
    relay.handle_timeout(due);
    assert_eq!(
        relay.poll_transmit(due),
        Some(TwinOutput::Reset { connection: app })
    );
    assert_eq!(relay.poll_timeout(), None);
    // A connection that opens too late has nobody.
    relay.handle_peer(ConnectionId(2), SocketAddrV4::new(PLUG, 8899));
    assert!(!relay.handle_connect(due, ConnectionId(2), SocketAddrV4::new(LISTEN, 33333)));
}
