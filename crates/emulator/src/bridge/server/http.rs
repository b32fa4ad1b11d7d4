//! One connection over which HTTP is spoken, with or without TLS below.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddrV4;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use futures_util::stream;
use http_body_util::{BodyExt, Collected, Either, Full, Limited, StreamBody};
use hyper::body::{Body, Bytes, Frame, Incoming};
use hyper::header::{CONNECTION, CONTENT_TYPE, HeaderValue, LOCATION};
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use parking_lot::Mutex;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::time::{sleep, timeout};

use super::super::behaviour::Mangle;
use super::super::config::TwinModel;
use super::super::reply::{BridgeAnswer, RoomRequest};
use super::host::BridgeHost;
use super::mangle::{self, ConnectionEnd};

/// Time after which an idle client is disconnected.
const IDLE_TIMEOUT: Duration = Duration::from_secs(60);
/// Longest body of a request.
const MAX_BODY: usize = 64 * 1024;
/// Maximum number of concurrent requests; a bridge denies more.
const MAX_PARALLEL: usize = 3;

/// Interval at which new events are sent.
const EVENT_INTERVAL: Duration = Duration::from_millis(50);

/// A body that never fails, but could by its type.
type StreamError = Box<dyn std::error::Error + Send + Sync>;

/// Spoils the reply that is written at present.
type Spoiling = Arc<Mutex<Vec<Mangle>>>;

/// Serves one connection until it ends.
pub(super) async fn serve<S>(
    stream: S,
    peer: SocketAddrV4,
    is_secure: bool,
    host: BridgeHost,
    parallel: Arc<AtomicUsize>,
) where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let spoiling = Spoiling::default();
    let service = service_fn(|request| {
        let client = HttpClient {
            peer,
            is_secure,
            host: host.clone(),
            parallel: parallel.clone(),
            spoiling: spoiling.clone(),
        };
        async move { Ok::<_, Infallible>(client.answer(request).await) }
    });
    let tap = Tap {
        stream,
        spoiling: spoiling.clone(),
        held: Vec::new(),
    };
    let served = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(IDLE_TIMEOUT)
        .max_buf_size(64 * 1024)
        .serve_connection(TokioIo::new(tap), service)
        .without_shutdown()
        .await;
    match served {
        Ok(parts) => finish(parts.io.into_inner()).await,
        Err(error) => tracing::debug!(%error, "HTTP connection of {peer}"),
    }
}

struct HttpClient {
    peer: SocketAddrV4,
    is_secure: bool,
    host: BridgeHost,
    parallel: Arc<AtomicUsize>,
    spoiling: Spoiling,
}

impl HttpClient {
    async fn answer(
        self,
        request: Request<Incoming>,
    ) -> Response<impl Body<Data = Bytes, Error = StreamError> + use<>> {
        let (head, body) = request.into_parts();
        let Ok(body) = Limited::new(body, MAX_BODY).collect().await else {
            return respond(BridgeAnswer::new(413, "text/html", "too large")).map(Either::Left);
        };
        let body = body.to_bytes();
        let path = head.uri.path_and_query().map_or("/", |path| path.as_str());
        let key = head
            .headers
            .get("hue-application-key")
            .and_then(|key| key.to_str().ok());
        let request = RoomRequest {
            method: head.method.as_str(),
            path,
            key,
            body: &body,
            is_secure: self.is_secure,
        };
        self.host.note_request(self.peer, &request);
        let answer = self.ask(&request).await;
        self.host.note_answer(self.peer, self.is_secure, &answer);
        *self.spoiling.lock() = answer.mangles.clone();
        let is_stream = answer.is_stream;
        let response = respond(answer);
        if is_stream {
            return response.map(|beginning| Either::Right(events(beginning, self.host)));
        }
        response.map(Either::Left)
    }

    async fn ask(&self, request: &RoomRequest<'_>) -> BridgeAnswer {
        let _place = match RequestSlot::take(&self.parallel) {
            Err(place) if self.denies() => {
                drop(place);
                return BridgeAnswer::new(
                    if self.is_secure { 429 } else { 503 },
                    "text/html",
                    "too many requests",
                );
            }
            Ok(place) | Err(place) => place,
        };
        let answer = self.host.room.request(self.host.bridge, request);
        sleep(answer.after).await;
        answer
    }

    fn denies(&self) -> bool {
        let configs = self.host.room.bridges();
        configs
            .get(self.host.bridge)
            .is_some_and(|config| config.model != TwinModel::Round)
    }
}

/// One of the few requests that a bridge takes at a time.
struct RequestSlot(Arc<AtomicUsize>);

impl RequestSlot {
    /// Counts a request; an error when it is one too many.
    fn take(parallel: &Arc<AtomicUsize>) -> Result<Self, Self> {
        let before = parallel.fetch_add(1, Ordering::SeqCst);
        let place = Self(parallel.clone());
        if before < MAX_PARALLEL {
            Ok(place)
        } else {
            Err(place)
        }
    }
}

impl Drop for RequestSlot {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

/// Returns the events of a bridge as a body that never ends.
fn events(beginning: Full<Bytes>, host: BridgeHost) -> impl Body<Data = Bytes, Error = Infallible> {
    let (seen, _) = host.room.events(host.bridge, None);
    let begin = (host, seen, Some(beginning));
    StreamBody::new(stream::unfold(
        begin,
        |(host, mut seen, mut beginning)| async move {
            if let Some(beginning) = beginning.take() {
                let bytes = beginning.collect().await.map(Collected::to_bytes);
                return Some((bytes.map(Frame::data), (host, seen, None)));
            }
            loop {
                sleep(EVENT_INTERVAL).await;
                let (count, text) = host.room.events(host.bridge, Some(seen));
                seen = count;
                if !text.is_empty() {
                    return Some((Ok(Frame::data(Bytes::from(text))), (host, seen, None)));
                }
            }
        },
    ))
}

fn respond(answer: BridgeAnswer) -> Response<Full<Bytes>> {
    let is_spoilt = !answer.mangles.is_empty();
    let mut response = Response::new(Full::new(Bytes::from(answer.body)));
    *response.status_mut() =
        StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(answer.content_type));
    if let Some(location) = answer
        .location
        .and_then(|location| HeaderValue::from_str(&location).ok())
    {
        headers.insert(LOCATION, location);
    }
    if is_spoilt {
        // What is spoilt is the last on its connection, so that the whole of it is at hand.
        headers.insert(CONNECTION, HeaderValue::from_static("close"));
    }
    response
}

/// A connection that holds back a reply that is to be spoilt.
struct Tap<S> {
    stream: S,
    spoiling: Spoiling,
    held: Vec<u8>,
}

impl<S> Tap<S> {
    fn holds(&self) -> bool {
        !self.spoiling.lock().is_empty()
    }
}

/// Ends a connection, with the reply that was held back spoilt.
async fn finish<S: AsyncRead + AsyncWrite + Unpin>(tap: Tap<S>) {
    let Tap {
        mut stream,
        spoiling,
        held,
    } = tap;
    let mangles = std::mem::take(&mut *spoiling.lock());
    let spoilt = mangle::spoil(held, &mangles);
    for piece in spoilt.pieces {
        sleep(spoilt.pause).await;
        if !matches!(
            timeout(IDLE_TIMEOUT, stream.write_all(&piece)).await,
            Ok(Ok(()))
        ) {
            return;
        }
        let _ = stream.flush().await;
    }
    match spoilt.end {
        ConnectionEnd::Close => {
            let _ = timeout(IDLE_TIMEOUT, stream.shutdown()).await;
        }
        ConnectionEnd::Stay => {
            let mut rest = [0; 256];
            while matches!(
                timeout(IDLE_TIMEOUT * 10, stream.read(&mut rest)).await,
                Ok(Ok(1..))
            ) {}
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Tap<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Tap<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        if self.holds() {
            self.held.extend_from_slice(bytes);
            return Poll::Ready(Ok(bytes.len()));
        }
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
