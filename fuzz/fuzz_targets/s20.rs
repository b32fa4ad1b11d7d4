//! Everything a device can send from UDP port 10000, and everything a client can send to it.
#![no_main]

use std::net::{Ipv4Addr, SocketAddrV4};
use std::time::{Duration, Instant};

use emulator::twin::{Twin, TwinArrival};
use emulator::{OrviboConfig, OrviboTwin};
use hiflying::Mac;
use libfuzzer_sys::fuzz_target;
use plugs::exchange::Exchange;
use plugs::orvibo::OrviboExchange;
use plugs::orvibo::message::OrviboReply;
use plugs::{Minutes, PlugCommand, RelayState};

const HERE: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 9);
const MAC: Mac = Mac::new([0xAC, 0xCF, 0x23, 0x55, 0xFE, 0x22]);

/// Runs an exchange on these datagrams; it ends, and with one outcome.
fn run(command: PlugCommand, datagrams: &[&[u8]]) {
    let mut now = Instant::now();
    let mut exchange = OrviboExchange::new(MAC, command).expect("a command of the family");
    exchange.handle_open(now);
    let mut outcome = None;
    for datagram in datagrams {
        exchange.handle_input(now, datagram);
        now += Duration::from_millis(100);
        exchange.handle_timeout(now);
        outcome = outcome.or(exchange.poll_outcome());
    }
    while let Some(due) = exchange.poll_timeout() {
        exchange.handle_timeout(due);
        if let Some(later) = exchange.poll_outcome() {
            assert_eq!(outcome.replace(later), None);
        }
    }
    outcome.expect("every exchange ends");
}

fuzz_target!(|bytes: &[u8]| {
    let _ = OrviboReply::parse(bytes);
    let datagrams: Vec<&[u8]> = bytes.split(|&byte| byte == 0xFF).collect();
    for command in [
        PlugCommand::Switch(RelayState::On),
        PlugCommand::Delay(RelayState::Off, Minutes::MIN),
        PlugCommand::Version,
        PlugCommand::Label,
    ] {
        run(command, &datagrams);
    }

    let mut now = Instant::now();
    let config = OrviboConfig {
        mac: MAC,
        ..OrviboConfig::at(HERE)
    };
    let mut twin = OrviboTwin::new(config, now);
    let arrival = TwinArrival {
        from: SocketAddrV4::new(Ipv4Addr::LOCALHOST, 10_000),
        at: SocketAddrV4::new(HERE, 10_000),
        broadcast: false,
    };
    twin.handle_datagram(now, arrival, &plugs::orvibo::message::subscribe(MAC));
    for datagram in datagrams {
        now += Duration::from_millis(50);
        twin.handle_datagram(now, arrival, datagram);
        twin.handle_timeout(now);
        while twin.poll_transmit(now).is_some() {}
    }
});
