//! Arbitrary datagrams from a module: no panic, and any parsed value can be written again.
#![no_main]

use hiflying::{AtReply, Credentials, ModuleIdentity, wscan};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let reply = AtReply::parse(bytes);
    let _ = reply.masked("WSKEY");
    if let Some(identity) = ModuleIdentity::parse(bytes) {
        assert_eq!(
            ModuleIdentity::parse(&identity.emit())
                .as_ref()
                .map(|again| again.mac),
            Some(identity.mac)
        );
    }
    let _ = wscan::parse(bytes);
    let _ = Credentials::parse(bytes);
});
