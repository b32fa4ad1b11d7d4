//! Arbitrary transcripts: what is read can be written again, and its twin does not panic.
#![no_main]

use std::net::{Ipv4Addr, SocketAddrV4};
use std::time::{Duration, Instant};

use emulator::ReplayTwin;
use emulator::transcript::parse;
use emulator::twin::{ConnectionId, Twin, TwinArrival};
use libfuzzer_sys::fuzz_target;

const HERE: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);

fuzz_target!(|bytes: &[u8]| {
    let Ok(lines) = parse(&String::from_utf8_lossy(bytes)) else {
        return;
    };
    let Ok(mut twin) = ReplayTwin::new(HERE, &lines) else {
        return;
    };
    let now = Instant::now();
    let arrival = TwinArrival {
        from: SocketAddrV4::new(Ipv4Addr::LOCALHOST, 48899),
        at: SocketAddrV4::new(HERE, 48899),
        broadcast: false,
    };
    let connection = ConnectionId(1);
    twin.handle_connect(now, connection, SocketAddrV4::new(HERE, 8899));
    for line in &lines {
        twin.handle_datagram(now, arrival, &line.bytes);
        twin.handle_segment(now, connection, &line.bytes);
    }
    while twin.poll_transmit(now + Duration::from_secs(9)).is_some() {}
});
