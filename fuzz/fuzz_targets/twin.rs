//! Arbitrary datagrams from a client: the twin does not panic.
#![no_main]

use std::net::{Ipv4Addr, SocketAddrV4};
use std::time::{Duration, Instant};

use emulator::twin::{Twin, TwinArrival};
use emulator::{PlugConfig, RecoTwin};
use libfuzzer_sys::fuzz_target;

const HERE: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);
const ARRIVAL: TwinArrival = TwinArrival {
    from: SocketAddrV4::new(Ipv4Addr::LOCALHOST, 48899),
    at: SocketAddrV4::new(HERE, 48899),
    broadcast: false,
};

fuzz_target!(|bytes: &[u8]| {
    let mut now = Instant::now();
    let mut twin = RecoTwin::new(PlugConfig::at(HERE), now);
    for opening in [&b"HF-A11ASSISTHREAD"[..], b"+ok"] {
        twin.handle_datagram(now, ARRIVAL, opening);
    }
    for datagram in bytes.split(|&byte| byte == 0xff) {
        now += Duration::from_millis(50);
        twin.handle_datagram(now, ARRIVAL, datagram);
        twin.handle_timeout(now);
        while twin.poll_transmit(now).is_some() {}
    }
});
