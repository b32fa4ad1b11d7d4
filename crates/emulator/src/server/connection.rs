//! One TCP connection to a twin: a task that carries bytes to it and obeys its orders, and one that speaks HTTP for it.

use std::io;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::time::Duration;

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue, WWW_AUTHENTICATE};
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;

use super::driver::TwinInput;
use crate::reco::{ConnectionId, WebReply};

/// What a twin wants of a connection.
#[derive(Debug)]
pub(super) enum StreamOrder {
    Write(Vec<u8>),
    Close,
    Reset,
}

/// Orders that wait for a peer that does not read; further ones are dropped, and the twin babbles on.
pub(super) const MOST_ORDERS: usize = 32;
/// More than any client sends at once.
const CHUNK: usize = 1024;
/// A peer that takes no bytes for so long is gone.
const PATIENCE: Duration = Duration::from_secs(10);
/// No client needs longer for a page that is not there.
const WEB_PATIENCE: Duration = Duration::from_secs(60);

/// Carries bytes until either side ends it, and tells the twin at the end.
pub(super) async fn carry(
    mut stream: TcpStream,
    id: ConnectionId,
    post: mpsc::Sender<TwinInput>,
    mut orders: mpsc::Receiver<StreamOrder>,
) {
    // The two segments of a split reply must not be held back and joined.
    let _ = stream.set_nodelay(true);
    let mut buffer = [0; CHUNK];
    loop {
        tokio::select! {
            received = stream.read(&mut buffer) => {
                let chunk = match received {
                    Ok(length) if length > 0 => buffer.get(..length).unwrap_or_default().to_vec(),
                    _ => break,
                };
                if post.send(TwinInput::Chunk { id, chunk }).await.is_err() {
                    break;
                }
            }
            order = orders.recv() => match order {
                Some(StreamOrder::Write(bytes)) => {
                    let written = timeout(PATIENCE, stream.write_all(&bytes)).await;
                    if !matches!(written, Ok(Ok(()))) {
                        break;
                    }
                }
                Some(StreamOrder::Reset) => {
                    let _ = stream.set_zero_linger();
                    break;
                }
                Some(StreamOrder::Close) | None => {
                    let _ = stream.shutdown().await;
                    break;
                }
            },
        }
    }
    drop(stream);
    let _ = post.send(TwinInput::Closed { id }).await;
}

/// Serves the web page on one connection.
pub(super) async fn serve_web(
    stream: TcpStream,
    at: Ipv4Addr,
    peer: SocketAddrV4,
    post: mpsc::Sender<TwinInput>,
) {
    let service = service_fn(|request| answer(request, at, peer, post.clone()));
    let serving = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(PATIENCE)
        .max_buf_size(16 * 1024)
        .serve_connection(TokioIo::new(stream), service);
    match timeout(WEB_PATIENCE, serving).await {
        Ok(Ok(())) | Err(_) => {}
        Ok(Err(error)) => tracing::debug!(%error, "web connection of {peer}"),
    }
}

async fn answer(
    request: Request<Incoming>,
    at: Ipv4Addr,
    peer: SocketAddrV4,
    post: mpsc::Sender<TwinInput>,
) -> io::Result<Response<Full<Bytes>>> {
    let authorization = request
        .headers()
        .get(AUTHORIZATION)
        .and_then(|value| value.to_str().ok());
    let authorization = authorization.map(str::to_owned);
    let line = format!("{} {}", request.method(), request.uri().path());
    let (reply, answered) = oneshot::channel();
    let asked = post
        .send(TwinInput::Web {
            at,
            peer,
            line,
            authorization,
            reply,
        })
        .await;
    // A twin that has gone off the air in the meantime says nothing at all.
    match (asked, answered.await) {
        (Ok(()), Ok(reply)) => Ok(respond(reply)),
        _ => Err(io::ErrorKind::ConnectionReset.into()),
    }
}

fn respond(reply: WebReply) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from_static(reply.body.as_bytes())));
    *response.status_mut() =
        StatusCode::from_u16(reply.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static("text/html"));
    let realm = reply.realm.map(|realm| realm.replace(['"', '\\'], ""));
    if let Some(challenge) =
        realm.and_then(|realm| HeaderValue::from_str(&format!("Basic realm=\"{realm}\"")).ok())
    {
        response.headers_mut().insert(WWW_AUTHENTICATE, challenge);
    }
    response
}
