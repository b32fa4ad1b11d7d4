//! Everything a plug can answer to a scan or on TCP 8899, and everything a client can ask a twin.
#![no_main]

use libfuzzer_sys::fuzz_target;
use plugs::reco::{Command, MeterReply, Reply, ScanReply};

fuzz_target!(|bytes: &[u8]| {
    let _ = Reply::parse(bytes);
    if let Some(scan) = ScanReply::parse(bytes) {
        let again = ScanReply::parse(&scan.emit()).map(|again| (again.mac, again.status));
        assert_eq!(again, Some((scan.mac, scan.status)));
    }
    if let Ok(command) = Command::parse(bytes) {
        assert_eq!(Command::parse(&command.emit()), Ok(command));
    }
    if let Ok(text) = std::str::from_utf8(bytes) {
        let _ = MeterReply::parse(text);
    }
});
