//! The server against clients that mean no good, over real sockets of 127.75.x.y.

mod bounds;
mod ending;
mod tls;
mod words;

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::Extension;
use axum::response::sse::{Event, Sse};
use axum::routing::{get, post};
use futures_util::StreamExt;
use futures_util::stream::{once, pending, repeat_with};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

use super::{Limits, PeerAddresses, bind, serve_within};

/// Longer than anything here may take, on a busy machine.
const TEST_TIMEOUT: Duration = Duration::from_secs(20);

/// Short enough for a test, long enough for a busy machine.
const LIMITS: Limits = Limits {
    max_connections: 20,
    max_connections_per_address: 10,
    handshake_timeout: Duration::from_millis(400),
    head_timeout: Duration::from_millis(400),
    body_timeout: Duration::from_millis(400),
    write_timeout: Duration::from_millis(400),
    shutdown_timeout: Duration::from_millis(800),
    ..Limits::DEFAULT
};

/// A server with a few things to ask for.
struct TestServer {
    address: SocketAddr,
    cancel: CancellationToken,
    task: JoinHandle<()>,
    /// Number of endless responses that have not ended.
    endless: Arc<AtomicUsize>,
}

/// Counts itself while it is there.
struct StreamCounter(Arc<AtomicUsize>);

impl StreamCounter {
    fn new(counter: &Arc<AtomicUsize>) -> Self {
        counter.fetch_add(1, Ordering::SeqCst);
        Self(Arc::clone(counter))
    }
}

impl Drop for StreamCounter {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

fn router(endless: Arc<AtomicUsize>) -> Router {
    let flood = async move || {
        let counted = StreamCounter::new(&endless);
        let chunk = Bytes::from(vec![b'x'; 64 * 1024]);
        Body::from_stream(repeat_with(move || {
            let _ = &counted;
            Ok::<_, Infallible>(chunk.clone())
        }))
    };
    let events = async || {
        let first = once(async { Ok::<_, Infallible>(Event::default().data("first")) });
        Sse::new(first.chain(pending()))
    };
    let slow = async || {
        sleep(Duration::from_millis(300)).await;
        "done"
    };
    let hang = async || pending::<()>().next().await.map_or("never", |()| "never");
    let peer =
        async |Extension(peer): Extension<PeerAddresses>| format!("{} {}", peer.remote, peer.local);
    Router::new()
        .route("/", get(async || "hello"))
        .route("/peer", get(peer))
        .route("/slow", get(slow))
        .route("/hang", get(hang))
        .route("/events", get(events))
        .route("/flood", get(flood))
        .route("/length", post(async |body: Bytes| body.len().to_string()))
}

impl TestServer {
    async fn new(host: &str) -> Self {
        Self::with(host, LIMITS, None).await
    }

    async fn with(host: &str, limits: Limits, tls: Option<TlsAcceptor>) -> Self {
        let listener = bind(format!("{host}:0").parse().unwrap()).await.unwrap();
        let address = listener.local_addr().unwrap();
        let (cancel, endless) = (CancellationToken::new(), Arc::default());
        let router = router(Arc::clone(&endless));
        let task = tokio::spawn(serve_within(limits, listener, router, tls, cancel.clone()));
        Self {
            address,
            cancel,
            task,
            endless,
        }
    }

    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    async fn connect_from(&self, host: &str) -> TcpStream {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind(format!("{host}:0").parse().unwrap()).unwrap();
        socket.connect(self.address).await.unwrap()
    }

    /// Asks on a connection of its own; returns all that comes.
    async fn ask(&self, path: &str) -> String {
        ask(self.connect().await, path).await
    }

    /// Ends it, and returns how long that took.
    async fn end(self) -> Duration {
        let start = Instant::now();
        self.cancel.cancel();
        timeout(TEST_TIMEOUT, self.task).await.unwrap().unwrap();
        start.elapsed()
    }
}

async fn ask(mut stream: impl AsyncRead + AsyncWrite + Unpin, path: &str) -> String {
    let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    all(&mut stream).await
}

/// Returns all that comes until the other side ends, in whatever way.
async fn all(stream: &mut (impl AsyncRead + Unpin)) -> String {
    let mut bytes = Vec::new();
    let _ = timeout(TEST_TIMEOUT, stream.read_to_end(&mut bytes))
        .await
        .expect("an end");
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Reads until this has come.
async fn until(stream: &mut (impl AsyncRead + Unpin), wanted: &str) -> String {
    let mut text = String::new();
    while !text.contains(wanted) {
        let mut piece = [0; 1024];
        let length = timeout(TEST_TIMEOUT, stream.read(&mut piece))
            .await
            .unwrap()
            .unwrap();
        assert_ne!(length, 0, "ended after {text:?}");
        text.push_str(&String::from_utf8_lossy(&piece[..length]));
    }
    text
}

#[tokio::test]
async fn both_ends_are_known() {
    let served = TestServer::new("127.75.1.1").await;
    let stream = served.connect_from("127.75.1.2").await;
    let expected = format!("{} {}", stream.local_addr().unwrap(), served.address);
    assert!(ask(stream, "/peer").await.ends_with(&expected));
}

#[tokio::test]
async fn an_address_that_is_taken_is_named() {
    let listener = bind("127.75.1.3:0".parse().unwrap()).await.unwrap();
    let address = listener.local_addr().unwrap();
    let error = bind(address).await.unwrap_err();
    assert_eq!(error.kind(), api::ErrorKind::Local);
    assert!(error.message().contains(&address.to_string()), "{error}");
}
