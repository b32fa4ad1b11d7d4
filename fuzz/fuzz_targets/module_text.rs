//! Everything a module, or a liar in its place, can put into a datagram: no panic, and what parses can be written again.
#![no_main]

use hiflying::{Credentials, Identity, Reply, Request, wscan};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let reply = Reply::parse(bytes);
    let _ = reply.masked("WSKEY");
    if let Ok(request) = Request::parse(bytes) {
        let again = request.emit(hiflying::Terminator::CrLf);
        assert_eq!(Request::parse(&again), Ok(request));
    }
    if let Some(identity) = Identity::parse(bytes) {
        assert_eq!(
            Identity::parse(&identity.emit())
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
