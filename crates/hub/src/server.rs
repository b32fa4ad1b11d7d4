//! Serves HTTP: listens, does TLS, bounds what strangers can hold, and ends in time.
//!
//! It knows nothing of what is served. Whoever is silent, slow or stuck is cut off; nobody gets all connections.

mod slots;
mod stream;
mod tls;

use std::net::SocketAddr;
use std::time::Duration;

use api::{ErrorKind, RequestError};
use axum::Router;
use axum::body::Body;
use axum::http::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinError, JoinSet};
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;
use tower_http::timeout::RequestBodyTimeoutLayer;

use self::slots::{Slot, Slots};
use crate::http::stuck;

pub use self::stream::until;
pub use self::tls::acceptor;

/// The two ends of the connection that a request came by; an extension of every request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Peer {
    /// Who asks.
    pub remote: SocketAddr,
    /// The address of ours that was asked.
    pub local: SocketAddr,
}

/// What strangers can hold, and for how long.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// So many connections at once.
    pub connections: usize,
    /// So many of them from one address.
    pub per_address: usize,
    /// So long for TLS to begin.
    pub handshake: Duration,
    /// So long for a request's head to come, and between two requests.
    pub head: Duration,
    /// So long between two pieces of a request's body.
    pub body: Duration,
    /// So long may a client take nothing of what it asked for.
    pub stuck: Duration,
    /// So long may requests go on once the hub ends.
    pub grace: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 512,
            per_address: 256,
            handshake: Duration::from_secs(10),
            head: Duration::from_secs(15),
            body: Duration::from_secs(10),
            stuck: stuck::WAIT,
            grace: Duration::from_millis(1_500),
        }
    }
}

/// The largest head of a request.
const LARGEST_HEAD: usize = 32 * 1024;
/// The most headers of a request.
const MOST_HEADERS: usize = 64;
/// After an accept that failed (no descriptors left), before the next.
const BREATH: Duration = Duration::from_millis(200);

/// Takes an address.
///
/// # Errors
///
/// [`RequestError`] of kind `local` when it is taken, or not ours.
pub async fn bind(address: SocketAddr) -> Result<TcpListener, RequestError> {
    TcpListener::bind(address).await.map_err(|error| {
        let message = format!("cannot listen on {address}: {error}");
        let hint = "end what listens there, or change `listen` under `[hub]` in mains.toml";
        RequestError::new(ErrorKind::Local, message).hint(hint)
    })
}

/// Serves until it is cancelled, then lets requests end within bounds and cuts off the rest.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    tls: Option<TlsAcceptor>,
    cancel: CancellationToken,
) {
    serve_within(Limits::default(), listener, router, tls, cancel).await;
}

/// As [`serve`], with other limits.
pub async fn serve_within(
    limits: Limits,
    listener: TcpListener,
    router: Router,
    tls: Option<TlsAcceptor>,
    cancel: CancellationToken,
) {
    let visit = Visit {
        limits,
        router: router.layer(RequestBodyTimeoutLayer::new(limits.body)),
        tls,
        cancel: cancel.clone(),
    };
    let slots = Slots::new(limits.connections, limits.per_address);
    let mut visits = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            () = cancel.cancelled() => break,
            Some(done) = visits.join_next() => {
                note(done);
                continue;
            }
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, remote)) => {
                // Who gets no slot is hung up on: a client that is told nothing tries again.
                if let Some(slot) = slots.take(remote.ip()) {
                    visits.spawn(visit.clone().run(stream, remote, slot));
                }
            }
            Err(error) => {
                tracing::warn!(%error, "a connection cannot be accepted");
                cancel.run_until_cancelled(sleep(BREATH)).await;
            }
        }
    }
    drop(listener);
    let _ = timeout(limits.grace, async {
        while let Some(done) = visits.join_next().await {
            note(done);
        }
    })
    .await;
    visits.shutdown().await;
}

fn note(done: Result<(), JoinError>) {
    if let Err(error) = done
        && error.is_panic()
    {
        tracing::error!(%error, "a request ended badly");
    }
}

/// What every connection needs.
#[derive(Clone)]
struct Visit {
    limits: Limits,
    router: Router,
    tls: Option<TlsAcceptor>,
    cancel: CancellationToken,
}

impl Visit {
    async fn run(self, stream: TcpStream, remote: SocketAddr, _slot: Slot) {
        let Ok(local) = stream.local_addr() else {
            return;
        };
        let peer = Peer { remote, local };
        // Small answers and events leave at once.
        let _ = stream.set_nodelay(true);
        let stream = stuck::bound_writes(stream, self.limits.stuck);
        let Some(tls) = &self.tls else {
            return self.talk(stream, peer).await;
        };
        let handshake = timeout(self.limits.handshake, tls.accept(stream));
        match self.cancel.run_until_cancelled(handshake).await {
            Some(Ok(Ok(stream))) => self.talk(stream, peer).await,
            Some(Ok(Err(error))) => tracing::debug!(%remote, %error, "TLS did not begin"),
            Some(Err(_)) => tracing::debug!(%remote, "TLS did not begin in time"),
            None => {}
        }
    }

    async fn talk(&self, stream: impl AsyncRead + AsyncWrite + Unpin, peer: Peer) {
        let service = service_fn(|request: Request<Incoming>| {
            let mut request = request.map(Body::new);
            request.extensions_mut().insert(peer);
            let answer = self.router.clone().oneshot(request);
            let cancel = self.cancel.clone();
            async move { answer.await.map(|response| until(response, cancel)) }
        });
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(self.limits.head)
            .max_headers(MOST_HEADERS)
            .max_buf_size(LARGEST_HEAD)
            .serve_connection(TokioIo::new(stream), service);
        let mut connection = std::pin::pin!(connection);
        let result = tokio::select! {
            result = connection.as_mut() => result,
            () = self.cancel.cancelled() => {
                connection.as_mut().graceful_shutdown();
                connection.await
            }
        };
        if let Err(error) = result {
            tracing::debug!(remote = %peer.remote, %error, "a connection broke off");
        }
    }
}

#[cfg(test)]
mod tests;
