//! Arbitrary lengths of frames to a twin that listens to them, and arbitrary confirmations to a sender: no panic.
#![no_main]

use std::net::{Ipv4Addr, SocketAddrV4};
use std::time::{Duration, Instant};

use emulator::twin::{Twin, TwinArrival};
use emulator::{Mode, PlugConfig, RecoTwin};
use hiflying::WifiKey;
use hiflying::smartlink::{SMARTLINK_PORT, SmartLink};
use libfuzzer_sys::fuzz_target;

const HERE: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);
const FILLER: [u8; 600] = [5; 600];

fuzz_target!(|bytes: &[u8]| {
    let mut now = Instant::now();
    let config = PlugConfig {
        mode: Mode::Ap,
        smart_link: true,
        home_networks: vec!["Home:s3cret-K3y!".parse().expect("a network")],
        ..PlugConfig::at(HERE)
    };
    let mut twin = RecoTwin::new(config, now);
    let arrival = TwinArrival {
        from: SocketAddrV4::new(Ipv4Addr::LOCALHOST, SMARTLINK_PORT),
        at: SocketAddrV4::new(HERE, SMARTLINK_PORT),
        broadcast: true,
    };
    for pair in bytes.chunks_exact(2) {
        let length = usize::from(pair[0]) + 2 * usize::from(pair[1] & 0x7f);
        now += Duration::from_millis(u64::from(pair[1] >> 4));
        twin.handle_datagram(now, arrival, &FILLER[..length.min(FILLER.len())]);
        twin.handle_timeout(now);
        while twin.poll_transmit(now).is_some() {}
    }

    let mut sender = SmartLink::new(Some(&WifiKey::new("s3cret-K3y!")), now);
    for datagram in bytes.split(|&byte| byte == 0xff) {
        sender.handle_datagram(HERE, datagram);
        let _ = sender.poll_confirmation();
        now = now.max(sender.poll_timeout());
        sender.handle_timeout(now);
        while sender.poll_transmit().is_some() {}
    }
});
