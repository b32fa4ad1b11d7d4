//! Faults of the settings that a lock-down changes, and of the signal.

use std::time::Duration;

use super::faults::PlugFaultCase;
use crate::twin::TwinOutput;

#[rustfmt::skip]
pub(super) const SETTING_CASES: &[PlugFaultCase] = &[
    ("sockb=TCP,8816,192.0.2.7", |mut bench| {
        let server = "192.0.2.7:8816".parse().unwrap();
        let is_call = |sent: &TwinOutput| matches!(sent, TwinOutput::Connect { to, .. } if *to == server);
        assert!(bench.wait(Duration::from_secs(6)).iter().any(is_call));
        bench.open();
        assert_eq!(bench.at("AT+SOCKB"), "+ok=TCP,8816,192.0.2.7");
    }),
    ("netp=TCP,Client,17000,192.0.2.7", |mut bench| {
        bench.open();
        assert_eq!(bench.at("AT+NETP"), "+ok=TCP,Client,17000,192.0.2.7");
    }),
    ("ap-stays", |mut bench| {
        bench.open();
        assert_eq!(bench.at("AT+WMODE"), "+ok=APSTA");
    }),
    ("forgets=WEBU", |mut bench| {
        bench.open();
        assert_eq!(bench.at("AT+WEBU=ADMIN,new"), "+ok");
        assert_eq!(bench.at("AT+WEBU"), "+ok=ADMIN,ADMIN");
    }),
    ("reverts=WEBU", |mut bench| {
        bench.open();
        assert_eq!(bench.at("AT+WEBU=ADMIN,new"), "+ok");
        assert_eq!(bench.at("AT+WEBU"), "+ok=ADMIN,new");
        bench.twin.restart(bench.now);
        bench.wait(Duration::from_secs(5));
        bench.open();
        assert_eq!(bench.at("AT+WEBU"), "+ok=ADMIN,ADMIN");
    }),
    ("silent-after=SOCKB", |mut bench| {
        bench.open();
        assert_eq!(bench.at("AT+SOCKB=TCP,1,192.0.2.7"), "+ok");
        bench.twin.restart(bench.now);
        bench.wait(Duration::from_secs(5));
        assert!(bench.datagrams(b"YZ-RECOSCAN").is_empty());
    }),
    ("cut-word", |mut bench| {
        bench.open();
        assert_eq!(bench.at("AT+ASWD=12345678901234567890"), "+ok");
        assert_eq!(bench.at("AT+ASWD"), "+ok=12345678901234567");
    }),
    ("signal=37", |mut bench| {
        bench.open();
        assert_eq!(bench.at("AT+WSLQ"), "+ok=37");
    }),
];
