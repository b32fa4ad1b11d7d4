//! Arbitrary bytes of an app and a plug with a recorder between them: no panic, and what was recorded can be read again.
#![no_main]

use std::io::Write;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use emulator::transcript::{TranscriptWriter, parse};
use emulator::twin::{ConnectionId, Twin, TwinArrival};
use emulator::{RecordWriter, RelayTwin};
use libfuzzer_sys::fuzz_target;

const HERE: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 3);
const PLUG: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);
const APP: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 1);

/// A file in memory.
#[derive(Clone, Default)]
struct RecordedLines(Arc<Mutex<Vec<u8>>>);

impl Write for RecordedLines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().expect("no panic").extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

fuzz_target!(|bytes: &[u8]| {
    let sink = RecordedLines::default();
    let transcript = TranscriptWriter::default().with_lines(RecordWriter::new(sink.clone()));
    let mut relay = RelayTwin::new(HERE, PLUG, transcript);
    let now = Instant::now();
    let (app, plug) = (ConnectionId(1), ConnectionId(2));
    relay.handle_peer(app, SocketAddrV4::new(APP, 40312));
    relay.handle_connect(now, app, SocketAddrV4::new(HERE, 8899));
    relay.handle_peer(plug, SocketAddrV4::new(PLUG, 8899));
    relay.handle_connect(now, plug, SocketAddrV4::new(PLUG, 8899));
    for (place, message) in bytes.split(|&byte| byte == 0xff).enumerate() {
        let from = if place % 2 == 0 { APP } else { PLUG };
        let arrival = TwinArrival {
            from: SocketAddrV4::new(from, 48899),
            at: SocketAddrV4::new(HERE, 48899),
            broadcast: false,
        };
        relay.handle_datagram(now, arrival, message);
        relay.handle_segment(now, if place % 2 == 0 { app } else { plug }, message);
        while relay.poll_transmit(now).is_some() {}
    }
    relay.handle_close(now, app);
    let written = sink.0.lock().expect("no panic");
    let text = std::str::from_utf8(&written).expect("JSON is text");
    assert!(written.is_empty() || parse(text).is_ok(), "{text}");
});
