//! Everything a module, or a liar in its place, can put into a datagram: no panic, and what parses can be written again.
#![no_main]

use hiflying::{AtReply, AtRequest, Credentials, ModuleIdentity, wscan};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let reply = AtReply::parse(bytes);
    let _ = reply.masked("WSKEY");
    if let Ok(request) = AtRequest::parse(bytes) {
        let again = request.emit(hiflying::Terminator::CrLf);
        assert_eq!(AtRequest::parse(&again), Ok(request));
    }
    if let Some(identity) = ModuleIdentity::parse(bytes) {
        assert_eq!(
            ModuleIdentity::parse(&identity.emit())
                .as_ref()
                .map(|again| again.mac),
            Some(identity.mac)
        );
    }
    for network in wscan::parse(bytes) {
        let _ = network.emit_row();
    }
    let _ = Credentials::parse(bytes);
});
