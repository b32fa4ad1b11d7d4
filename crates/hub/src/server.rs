//! Serves HTTP: listens, does TLS, limits what clients can hold, and ends in time.
//!
//! A client that is silent, slow or stuck is disconnected, and no address gets all connections.

mod connections;
mod event_stream;
mod limits;
mod proven;
mod tls;
mod unread;

use std::convert::Infallible;
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

use self::connections::{ConnectionLimiter, ConnectionPermit};
use crate::http::stuck;

pub use self::event_stream::end_when_cancelled;
pub use self::limits::Limits;
pub(crate) use self::proven::ProvenAddresses;
pub use self::tls::acceptor;
pub(crate) use self::tls::{digest, fingerprint};

/// The two ends of the connection of a request; an extension of every request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PeerAddresses {
    /// Address of the client.
    pub remote: SocketAddr,
    /// Address of the hub that was called.
    pub local: SocketAddr,
}

/// Extension of the response to a client that has shown credentials.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ShownCredentials;

const MAX_HEAD_BYTES: usize = 32 * 1024;
const MAX_HEADERS: usize = 64;
/// Delay after an accept that failed, e.g. because no descriptor was left.
const ACCEPT_RETRY_DELAY: Duration = Duration::from_millis(200);

/// Listens on an address.
///
/// # Errors
///
/// [`RequestError`] of kind `local` when the address is in use or not of this machine.
pub async fn bind(address: SocketAddr) -> Result<TcpListener, RequestError> {
    TcpListener::bind(address).await.map_err(|error| {
        let message = format!("cannot listen on {address}: {error}");
        let hint =
            "stop the program that listens there, or change `listen` under `[hub]` in mains.toml";
        RequestError::new(ErrorKind::Local, message).hint(hint)
    })
}

/// Serves until cancelled, then lets requests end within [`Limits::shutdown_timeout`] and cuts off the rest.
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
    let context = ConnectionContext {
        limits,
        router: router.layer(RequestBodyTimeoutLayer::new(limits.body_timeout)),
        tls,
        cancel: cancel.clone(),
    };
    let limiter = ConnectionLimiter::new(limits);
    let mut connections = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            () = cancel.cancelled() => break,
            Some(done) = connections.join_next() => {
                log_panic(done);
                continue;
            }
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, remote)) => {
                // The connection of a client over the limit is closed without a reply, so that the client tries again.
                if let Some(permit) = limiter.take(remote.ip()) {
                    connections.spawn(context.clone().run(stream, remote, permit));
                }
            }
            Err(error) => {
                tracing::warn!(%error, "a connection cannot be accepted");
                cancel.run_until_cancelled(sleep(ACCEPT_RETRY_DELAY)).await;
            }
        }
    }
    drop(listener);
    let _ = timeout(limits.shutdown_timeout, async {
        while let Some(done) = connections.join_next().await {
            log_panic(done);
        }
    })
    .await;
    connections.shutdown().await;
}

fn log_panic(done: Result<(), JoinError>) {
    if let Err(error) = done
        && error.is_panic()
    {
        tracing::error!(%error, "a request handler panicked");
    }
}

/// Context that every connection needs.
#[derive(Clone)]
struct ConnectionContext {
    limits: Limits,
    router: Router,
    tls: Option<TlsAcceptor>,
    cancel: CancellationToken,
}

impl ConnectionContext {
    async fn run(self, stream: TcpStream, remote: SocketAddr, permit: ConnectionPermit) {
        let Ok(local) = stream.local_addr() else {
            return;
        };
        let peer = PeerAddresses { remote, local };
        // Small responses and events are sent at once.
        let _ = stream.set_nodelay(true);
        let stream = stuck::bound_writes(stream, self.limits.write_timeout);
        let Some(tls) = &self.tls else {
            return self.talk(stream, peer, &permit).await;
        };
        let handshake = timeout(self.limits.handshake_timeout, tls.accept(stream));
        match self.cancel.run_until_cancelled(handshake).await {
            Some(Ok(Ok(stream))) => self.talk(stream, peer, &permit).await,
            Some(Ok(Err(error))) => tracing::debug!(%remote, %error, "TLS handshake failed"),
            Some(Err(_)) => tracing::debug!(%remote, "TLS handshake timed out"),
            None => {}
        }
    }

    async fn talk(
        &self,
        stream: impl AsyncRead + AsyncWrite + Unpin,
        peer: PeerAddresses,
        permit: &ConnectionPermit,
    ) {
        let service = service_fn(|request: Request<Incoming>| {
            let (request, unread) = unread::returned(request);
            let mut request = request.map(Body::new);
            request.extensions_mut().insert(peer);
            let answer = self.router.clone().oneshot(request);
            let cancel = self.cancel.clone();
            async move {
                let response = answer.await?;
                if response.extensions().get::<ShownCredentials>().is_some() {
                    permit.prove();
                }
                cancel.run_until_cancelled(unread.discard()).await;
                Ok::<_, Infallible>(end_when_cancelled(response, cancel))
            }
        });
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(self.limits.head_timeout)
            .max_headers(MAX_HEADERS)
            .max_buf_size(MAX_HEAD_BYTES)
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
            tracing::debug!(remote = %peer.remote, %error, "connection failed");
        }
    }
}

#[cfg(test)]
mod tests;
