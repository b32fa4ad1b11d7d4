//! Requests that are not HTTP, or nearly.

use std::time::Duration;

use proptest::prelude::*;
use tokio::io::AsyncWriteExt;

use super::{LIMITS, TestServer, all};
use crate::server::Limits;

const QUICK: Limits = Limits {
    max_connections: 1000,
    max_connections_per_address: 1000,
    head_timeout: Duration::from_millis(50),
    ..LIMITS
};

#[tokio::test]
async fn is_answered_with_a_refusal_or_not_at_all() {
    let served = TestServer::with("127.75.4.1", QUICK, None).await;
    for words in [
        &b"\n"[..],
        b"\0\0\0\0",
        b"hello\r\n\r\n",
        b"GET /\r\n\r\n",
        b"GET / HTTP/0.9\r\n\r\n",
        b"GET / HTTP/3.0\r\nHost: localhost\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost : localhost\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\n folded: b\r\n\r\n",
        b"GET / HTTP/1.1\r\nX\0: y\r\n\r\n",
        b"GET / HTTP/1.1\r\nX: \x01\r\n\r\n",
        b"GET /\0 HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"GET /a b HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"GET \xff HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"G\xc3\xa9T / HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"POST /length HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nxy",
        b"POST /length HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
        b"POST /length HTTP/1.1\r\nContent-Length: 99999999999999999999999\r\n\r\n",
        b"POST /length HTTP/1.1\r\nTransfer-Encoding: gzip\r\n\r\n",
        b"POST /length HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n",
        b"POST /length HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    ] {
        let mut stream = served.connect().await;
        let _ = stream.write_all(words).await;
        let answer = all(&mut stream).await;
        let is_refused = answer.starts_with("HTTP/1.1 4") || answer.starts_with("HTTP/1.0 4");
        assert!(is_refused || answer.is_empty(), "{words:?}: {answer}");
    }
    assert!(served.ask("/").await.ends_with("hello"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    /// Random bytes do no harm.
    #[test]
    fn noise(pieces in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..200), 1..10)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let served = TestServer::with("127.75.4.2", QUICK, None).await;
            for piece in pieces {
                let mut stream = served.connect().await;
                let _ = stream.write_all(&piece).await;
                let answer = all(&mut stream).await;
                prop_assert!(!answer.contains(" 200 "), "{:?}", piece);
            }
            prop_assert!(served.ask("/").await.ends_with("hello"));
            served.end().await;
            Ok(())
        })?;
    }
}
