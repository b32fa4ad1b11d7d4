//! The end: soon, whatever is open, and what was begun is finished where there is time.

use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use super::{LIMITS, TEST_TIMEOUT, TestServer, all, until};
use crate::server::Limits;

#[test]
fn by_default_it_is_within_what_is_promised() {
    // Whatever keeps contact and serves has two seconds.
    assert!(Limits::default().shutdown_timeout < Duration::from_secs(2));
}

async fn asking(served: &TestServer, path: &str) -> TcpStream {
    let mut stream = served.connect().await;
    let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    stream
}

#[tokio::test]
async fn who_waits_for_nothing_does_not_hold_it_up() {
    let limits = Limits {
        head_timeout: TEST_TIMEOUT,
        shutdown_timeout: TEST_TIMEOUT,
        ..LIMITS
    };
    let served = TestServer::with("127.75.3.1", limits, None).await;
    let mut idle = asking(&served, "/").await;
    until(&mut idle, "hello").await;
    let address = served.address;
    assert!(served.end().await < TEST_TIMEOUT / 2);
    assert_eq!(all(&mut idle).await, "");
    assert!(TcpStream::connect(address).await.is_err());
}

#[tokio::test]
async fn an_event_stream_ends_at_once_and_in_order() {
    let limits = Limits {
        shutdown_timeout: TEST_TIMEOUT,
        ..LIMITS
    };
    let served = TestServer::with("127.75.3.2", limits, None).await;
    let mut events = asking(&served, "/events").await;
    until(&mut events, "first").await;
    assert!(served.end().await < TEST_TIMEOUT / 2);
    // The last chunk: the client knows that nothing was lost on the way.
    assert!(all(&mut events).await.ends_with("0\r\n\r\n"));
}

#[tokio::test]
async fn what_was_begun_is_finished() {
    let served = TestServer::new("127.75.3.3").await;
    let mut slow = asking(&served, "/slow").await;
    let mut quick = asking(&served, "/").await;
    until(&mut quick, "hello").await;
    served.end().await;
    assert!(all(&mut slow).await.ends_with("done"));
}

#[tokio::test]
async fn what_does_not_end_is_cut_off() {
    let served = TestServer::new("127.75.3.4").await;
    let mut open = vec![
        asking(&served, "/hang").await,
        asking(&served, "/flood").await,
    ];
    let mut half = served.connect().await;
    half.write_all(b"GET / HT").await.unwrap();
    let mut quick = asking(&served, "/").await;
    until(&mut quick, "hello").await;
    let took = served.end().await;
    assert!(took >= LIMITS.shutdown_timeout / 2, "{took:?}");
    assert!(took < LIMITS.shutdown_timeout * 5, "{took:?}");
    for stream in &mut open {
        all(stream).await;
    }
    assert!(!all(&mut half).await.contains("200"));
}
