//! Arbitrary replies at arbitrary times: the session neither panics nor runs for ever, and leaves with `AT+Q`.
#![no_main]

use std::time::{Duration, Instant};

use hiflying::AtRequest;
use hiflying::session::{AtSession, AtSessionConfig, AtSessionEvent};
use libfuzzer_sys::fuzz_target;

/// Maximum number of datagrams of a session until its three commands have succeeded or failed.
const MAX_SENT: usize = 1_000;

fuzz_target!(|bytes: &[u8]| {
    let mut now = Instant::now();
    let mut session = AtSession::new(AtSessionConfig::default(), now);
    for verb in ["WMODE", "WSCAN", "WSKEY"] {
        session.submit(now, AtRequest::query(verb));
    }
    for datagram in bytes.split(|&byte| byte == 0xff) {
        now += Duration::from_millis(u64::from(*datagram.first().unwrap_or(&0)) * 20);
        session.handle_timeout(now);
        session.handle_datagram(now, datagram);
        while session.poll_transmit().is_some() {}
        while session.poll_event().is_some() {}
    }
    session.close(now);
    let mut sent = 0;
    loop {
        while session.poll_transmit().is_some() {
            sent += 1;
        }
        while let Some(event) = session.poll_event() {
            if matches!(event, AtSessionEvent::Closed) {
                return;
            }
        }
        let Some(next) = session.poll_timeout() else {
            return;
        };
        now = now.max(next);
        session.handle_timeout(now);
        assert!(sent < MAX_SENT, "does not end");
    }
});
