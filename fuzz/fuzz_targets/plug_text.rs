//! Everything a plug can reply to a scan or on TCP 8899.
#![no_main]

use libfuzzer_sys::fuzz_target;
use plugs::reco::{MeterReply, RecoReply, ScanReply};

fuzz_target!(|bytes: &[u8]| {
    let _ = RecoReply::parse(bytes);
    let _ = ScanReply::parse(bytes);
    if let Ok(text) = std::str::from_utf8(bytes) {
        let _ = MeterReply::parse(text);
    }
});
