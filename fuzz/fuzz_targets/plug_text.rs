//! Everything a plug can reply to a scan or on TCP 8899.
#![no_main]

use std::time::{Duration, Instant};

use jiff::civil::DateTime;
use libfuzzer_sys::fuzz_target;
use plugs::exchange::{Exchange, ExchangeError};
use plugs::reco::{MeterReply, RecoExchange, RecoReply, ScanReply};
use plugs::{PlugCommand, PlugReply, RelayState};

/// Runs an exchange on these pieces; it ends, and with one outcome.
fn run(command: PlugCommand, pieces: &[&[u8]]) -> Result<PlugReply, ExchangeError> {
    let mut now = Instant::now();
    let mut exchange = RecoExchange::new(command, DateTime::default(), now).expect("a command of the family");
    exchange.handle_open(now);
    for piece in pieces {
        exchange.handle_input(now, piece);
        now += Duration::from_millis(100);
    }
    let mut outcome = exchange.poll_outcome();
    while let Some(due) = exchange.poll_timeout() {
        exchange.handle_timeout(due);
        if let Some(later) = exchange.poll_outcome() {
            assert_eq!(outcome.replace(later), None);
        }
    }
    outcome.expect("every exchange ends")
}

fuzz_target!(|bytes: &[u8]| {
    let _ = RecoReply::parse(bytes);
    let _ = ScanReply::parse(bytes);
    if let Ok(text) = std::str::from_utf8(bytes) {
        let _ = MeterReply::parse(text);
    }
    let (first, second) = bytes.split_at(bytes.len() / 2);
    for command in [
        PlugCommand::Switch(RelayState::On),
        PlugCommand::Meter,
        PlugCommand::Version,
    ] {
        let plain = run(command, &[first, second]);
        let greeted = run(command, &[b"AT+YZCMPVER=MW3\r\n\r\n", first, second]);
        // A greeting changes nothing, unless there is too much of all.
        assert!(plain == greeted || bytes.len() > 4000, "{plain:?} {greeted:?}");
    }
});
