//! The ports of one bridge.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::time::Duration;

use rustls::ServerConfig;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;

use super::super::config::BridgeModel;
use super::super::room::Room;
use super::announce::Announcer;
use super::{BridgeHost, BridgeReady, BridgeServerError, Purpose, http, tls, touchlink};
use crate::server::{ServerError, bind};

/// Connections of one port; further ones are sent away.
const MOST_CONNECTIONS: usize = 64;
/// How long a client may take to agree on a secure line.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// After a failure to accept, which means that there are no descriptors left.
const REST: Duration = Duration::from_millis(100);

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
    /// Opens what the bridge's model and faults leave open, and tells the room which ports these are.
    pub(super) fn open(room: &mut Room, bridge: usize) -> Result<Self, BridgeServerError> {
        let (Some(config), Some(quirks)) =
            (room.bridges().nth(bridge).cloned(), room.quirks(bridge))
        else {
            return Err(BridgeServerError::Twice(Ipv4Addr::UNSPECIFIED));
        };
        let has_http = !quirks.no_http;
        let has_https = config.model.has_https() && !quirks.tls.closed;
        let has_touchlink = config.model == BridgeModel::Round && !quirks.touchlink.no_port;
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
        let quirks = quirks.clone();
        room.take_ports(bridge, &ready);
        let config = room.bridges().nth(bridge).cloned().unwrap_or(config);
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
    match timeout(HANDSHAKE, acceptor.accept(stream)).await {
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
            Ok((stream, SocketAddr::V4(peer))) if clients.len() < MOST_CONNECTIONS => {
                // Pieces of a reply must not be held back and joined.
                let _ = stream.set_nodelay(true);
                clients.spawn(serve(stream, peer));
            }
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
            Err(error) => {
                tracing::warn!(%error, "an emulated bridge cannot take a connection");
                tokio::time::sleep(REST).await;
            }
        }
    }
}
