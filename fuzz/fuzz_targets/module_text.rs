//! Arbitrary datagrams from a module: no panic, and any parsed value can be written again.
#![no_main]

use hiflying::command::{AtCommand, Wslk};
use hiflying::settings::{LinkStatus, WireValue};
use hiflying::{AtReply, AtRequest, Credentials, ModuleIdentity, smartlink, wscan};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let reply = AtReply::parse(bytes);
    let _ = reply.masked("WSKEY");
    // A greeting changes nothing.
    if !matches!(reply, AtReply::Unknown(_)) {
        let greeted = [b"AT+YZCMPVER=MW3\r\n\r\n", bytes].concat();
        assert_eq!(AtReply::parse(&greeted), reply);
    }
    let _ = (Wslk.parse(bytes), LinkStatus::parse(bytes));
    assert!(AtRequest::set("MAKER", bytes).masked().ends_with("=***"));
    if let Some(identity) = ModuleIdentity::parse(bytes) {
        assert_eq!(
            ModuleIdentity::parse(&identity.emit())
                .as_ref()
                .map(|again| again.mac),
            Some(identity.mac)
        );
    }
    let _ = smartlink::parse_confirmation(bytes);
    let _ = wscan::parse(bytes);
    let _ = Credentials::parse(bytes);
});
