//! Arbitrary replies of a bridge, and arbitrary user input about one.
#![no_main]

use std::time::Instant;

use hue::tcp30000::TouchlinkExchange;
use hue::{Address, BridgeIdentity, BridgeName, BulbSerial, Fingerprint};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let _ = BridgeIdentity::parse(bytes);
    for status in [200, 403, 503] {
        let refused = hue::reply::changes(status, bytes);
        if let Ok(json) = hue::reply::object(status, bytes) {
            let _ = hue::lights::parse_list(&json);
        }
        if hue::reply::is_error(bytes) {
            assert!(matches!(refused, Err(hue::reply::ReplyError::Api(_))));
        }
    }
    let _ = hue::json::check(bytes);
    let now = Instant::now();
    let mut touchlink = TouchlinkExchange::sent(now);
    let (first, second) = bytes.split_at(bytes.len() / 2);
    touchlink.handle_input(now, first);
    touchlink.handle_input(now, second);
    touchlink.handle_closed(now);
    assert!(touchlink.outcome().is_some());
    if let Ok(text) = std::str::from_utf8(bytes) {
        let _ = (text.parse::<BridgeName>(), text.parse::<BulbSerial>(), text.parse::<Fingerprint>());
        if let Ok(address) = text.parse::<Address>() {
            assert_eq!(address.to_string().parse(), Ok(address));
        }
    }
});
