//! The ports of one bridge.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::time::Duration;

use hiflying::Mac;
use rustls::ServerConfig;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;

use super::super::config::{BridgeConfig, TwinModel};
use super::announce::Announcer;
use super::host::BridgeHost;
use super::tls::{self, CertificateError};
use super::{http, touchlink};
use crate::server::{ServerError, bind};

/// Connections of one port; further ones are sent away.
const MAX_CONNECTIONS: usize = 64;
/// Time for a TLS handshake.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);
/// After a failure to accept, which means that there are no descriptors left.
const ACCEPT_RETRY_DELAY: Duration = Duration::from_millis(100);

/// A bridge that answers from now on, and where.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BridgeReady {
    /// Its address.
    pub address: Ipv4Addr,
    /// Its MAC.
    pub mac: Mac,
    /// Address of HTTP.
    pub http: Option<SocketAddrV4>,
    /// Address of HTTPS.
    pub https: Option<SocketAddrV4>,
    /// Address of touchlink without a key.
    pub touchlink: Option<SocketAddrV4>,
}

impl BridgeReady {
    pub(super) fn ports(&self) -> [Option<SocketAddrV4>; 3] {
        [self.http, self.https, self.touchlink]
    }
}

/// Purpose of a port.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// HTTP, usually 80.
    Http,
    /// HTTPS, usually 443.
    Https,
    /// Touchlink, usually 30000.
    Touchlink,
}

/// A failure to serve bridges.
#[derive(Debug, thiserror::Error)]
pub enum BridgeServerError {
    /// A port cannot be had.
    #[error("{source}")]
    Port {
        /// Its purpose.
        purpose: Purpose,
        /// The failure.
        source: ServerError,
    },
    /// Two bridges were given one address.
    #[error(transparent)]
    Addresses(#[from] ServerError),
    /// HTTPS cannot be offered.
    #[error(transparent)]
    Certificate(#[from] CertificateError),
}

/// The open ports of one bridge.
#[derive(Debug)]
pub(super) struct BridgePorts {
    ready: BridgeReady,
    http: Option<TcpListener>,
    https: Option<(TcpListener, Arc<ServerConfig>)>,
    touchlink: Option<TcpListener>,
    announcer: Announcer,
}

impl BridgePorts {
    /// Opens the ports that the bridge's model and faults leave open.
    pub(super) fn open(mut config: BridgeConfig) -> Result<Self, BridgeServerError> {
        let quirks = config.quirks();
        let has_http = !quirks.no_http;
        let has_https = config.model.has_https() && !quirks.tls.closed;
        let has_touchlink = config.model == TwinModel::Round && !quirks.touchlink.no_port;
        let open = |is_open: bool, port: u16, purpose: Purpose| {
            is_open
                .then(|| open(config.listen, port, purpose))
                .transpose()
        };
        let http = open(has_http, config.http_port, Purpose::Http)?;
        let https = open(has_https, config.https_port, Purpose::Https)?;
        let tls = https
            .is_some()
            .then(|| tls::server_config(&config, &quirks.tls))
            .transpose()?;
        let touchlink = open(has_touchlink, config.touchlink_port, Purpose::Touchlink)?;
        let ready = BridgeReady {
            address: config.listen,
            mac: config.mac,
            http: address(http.as_ref()),
            https: address(https.as_ref()),
            touchlink: address(touchlink.as_ref()),
        };
        config.set_ports(ready.ports());
        Ok(Self {
            ready,
            http,
            https: https.zip(tls),
            touchlink,
            announcer: Announcer::open(config, &quirks),
        })
    }

    pub(super) fn ready(&self) -> BridgeReady {
        self.ready
    }

    /// Serves each port in a task of its own.
    pub(super) fn serve(self, tasks: &mut JoinSet<()>, host: &BridgeHost) {
        let parallel = Arc::new(AtomicUsize::new(0));
        if let Some(listener) = self.http {
            let (host, parallel) = (host.clone(), parallel.clone());
            tasks.spawn(accept(listener, move |stream, peer| {
                http::serve(stream, peer, false, host.clone(), parallel.clone())
            }));
        }
        if let Some((listener, config)) = self.https {
            let acceptor = TlsAcceptor::from(config);
            let host = host.clone();
            tasks.spawn(accept(listener, move |stream, peer| {
                secure(
                    acceptor.clone(),
                    stream,
                    peer,
                    host.clone(),
                    parallel.clone(),
                )
            }));
        }
        self.announcer.serve(tasks);
        if let Some(listener) = self.touchlink {
            let host = host.clone();
            tasks.spawn(accept(listener, move |stream, peer| {
                touchlink::serve(stream, peer, host.clone())
            }));
        }
    }
}

fn open(address: Ipv4Addr, port: u16, purpose: Purpose) -> Result<TcpListener, BridgeServerError> {
    bind::tcp(address, port)
        .map_err(|source: ServerError| BridgeServerError::Port { purpose, source })
}

fn address(listener: Option<&TcpListener>) -> Option<SocketAddrV4> {
    match listener?.local_addr() {
        Ok(SocketAddr::V4(address)) => Some(address),
        _ => None,
    }
}

/// Shakes hands, and serves what comes over the secure line.
async fn secure(
    acceptor: TlsAcceptor,
    stream: TcpStream,
    peer: SocketAddrV4,
    host: BridgeHost,
    parallel: Arc<AtomicUsize>,
) {
    match timeout(HANDSHAKE_TIMEOUT, acceptor.accept(stream)).await {
        Ok(Ok(stream)) => http::serve(stream, peer, true, host, parallel).await,
        // A client that does not like the certificate ends it here.
        Ok(Err(error)) => tracing::debug!(%error, "TLS handshake with {peer}"),
        Err(_) => tracing::debug!("TLS handshake with {peer} takes too long"),
    }
}

/// Takes clients for ever, each in a task of its own that ends with this one.
async fn accept<F>(listener: TcpListener, mut serve: impl FnMut(TcpStream, SocketAddrV4) -> F)
where
    F: Future<Output = ()> + Send + 'static,
{
    let mut clients = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            Some(ended) = clients.join_next() => {
                if let Err(error) = ended {
                    tracing::error!(%error, "a connection to an emulated bridge");
                }
                continue;
            }
        };
        match accepted {
            Ok((stream, SocketAddr::V4(peer))) if clients.len() < MAX_CONNECTIONS => {
                // Pieces of a reply must not be held back and joined.
                let _ = stream.set_nodelay(true);
                clients.spawn(serve(stream, peer));
            }
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
            Err(error) => {
                tracing::warn!(%error, "an emulated bridge cannot take a connection");
                tokio::time::sleep(ACCEPT_RETRY_DELAY).await;
            }
        }
    }
}
