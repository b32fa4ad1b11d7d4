//! The web page: a login without any page.

use super::bench::{PLUG, TwinBench};
use crate::reco::*;

#[test]
fn the_web_page_has_a_login_and_nothing_behind_it() {
    let mut bench = TwinBench::new(&[]);
    assert_eq!(
        bench.web("GET / HTTP/1.1\r\nHost: plug\r\n\r\n"),
        "HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Basic realm=\"HF-LPB100\"\r\nContent-Type: text/html\r\n\
         Content-Length: 22\r\nConnection: close\r\n\r\nERROR:401 Unauthorized"
    );
    // ADMIN:ADMIN, admin:admin, ADMIN:wrong
    let found = bench.web_login("Basic QURNSU46QURNSU4=");
    assert!(found.starts_with("HTTP/1.1 404 ") && found.ends_with("\r\n\r\nERROR:404 Not Found"));
    for wrong in [
        "Basic YWRtaW46YWRtaW4=",
        "Basic QURNSU46d3Jvbmc=",
        "Basic",
        "Bearer QURNSU46QURNSU4=",
        "Basic %%%",
    ] {
        let denied = bench.web_login(wrong);
        assert!(denied.starts_with("HTTP/1.1 401 "), "{wrong}");
    }
    assert!(bench.web("HEAD / HTTP/1.1\r\n\r\n").ends_with("\r\n\r\n"));
    assert!(bench.web("no HTTP\r\n\r\n").starts_with("HTTP/1.1 400 "));
}

#[test]
fn a_request_that_is_never_complete_is_closed() {
    let mut bench = TwinBench::new(&[]);
    assert_eq!(bench.web("GET / HTTP/1.1\r\n"), "");
    let at = SocketAddrV4::new(PLUG, 80);
    let connection = ConnectionId(1);
    assert!(bench.twin.handle_connect(bench.now, connection, at));
    bench.segment(1, b"GET / ");
    let closed = bench.wait(Duration::from_secs(10));
    assert_eq!(closed, [TwinOutput::Close { connection }]);
    assert!(
        bench
            .web(&format!("GET /{} HTTP/1.1\r\n", "x".repeat(20_000)))
            .starts_with("HTTP/1.1 400 ")
    );
}
