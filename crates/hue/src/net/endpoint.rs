//! The HTTP endpoint of a bridge: scheme, host, port, and the verifier of its certificate.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::net::{TcpSocket, TcpStream};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::binding::bind_device;
use super::certificate::{
    Certificate, CertificatePolicy, CertificateVerifier, certificate_problem,
};
use super::config::{BridgeTimeouts, NetworkConfig};
use super::http::{self, HttpError, HttpReply};
use super::request_lock;
use crate::address::{Address, Scheme};
use crate::error::HueNoReplyReason;
use crate::key::AppKey;
use crate::reply::is_error;
use crate::request::HueRequest;

/// Maximum number of times that an overloaded bridge is asked.
const MAX_ATTEMPTS: u32 = 25;
/// Delay before the first repetition; each further delay is longer by this.
const BUSY_DELAY: Duration = Duration::from_millis(250);

/// An HTTP endpoint.
#[derive(Debug)]
pub(super) struct HueEndpoint {
    pub(super) scheme: Scheme,
    pub(super) host: String,
    pub(super) port: u16,
    tls: Option<Arc<ClientConfig>>,
    verifier: Option<Arc<CertificateVerifier>>,
    /// The devices by which it may be reached; none: by the system's routes.
    devices: Vec<String>,
    timeouts: BridgeTimeouts,
}

impl HueEndpoint {
    /// An endpoint without encryption.
    pub(super) fn plain(address: &Address, network: &NetworkConfig) -> Self {
        Self {
            scheme: Scheme::Http,
            host: address.host.clone(),
            port: address.port_for(Scheme::Http),
            tls: None,
            verifier: None,
            devices: network.devices_towards(&address.host),
            timeouts: network.timeouts,
        }
    }

    /// An endpoint with TLS. Without a policy every certificate is accepted, for a bridge that is identified and gets no key.
    pub(super) fn secure(
        address: &Address,
        policy: Option<CertificatePolicy>,
        network: &NetworkConfig,
    ) -> Self {
        let verifier = CertificateVerifier::new(policy);
        Self {
            scheme: Scheme::Https,
            host: address.host.clone(),
            port: address.port_for(Scheme::Https),
            tls: Some(verifier.client_config()),
            verifier: Some(verifier),
            devices: network.devices_towards(&address.host),
            timeouts: network.timeouts,
        }
    }

    /// An internet server, whose certificate is verified as in a browser.
    pub(super) fn internet(host: &str, tls: Arc<ClientConfig>, timeouts: BridgeTimeouts) -> Self {
        Self {
            scheme: Scheme::Https,
            host: host.to_owned(),
            port: Scheme::Https.port(),
            tls: Some(tls),
            verifier: None,
            devices: Vec::new(),
            timeouts,
        }
    }

    /// Returns the address, with its scheme.
    pub(super) fn address(&self) -> Address {
        Address {
            scheme: Some(self.scheme),
            host: self.host.clone(),
            port: (self.port != self.scheme.port()).then_some(self.port),
        }
    }

    /// Returns the certificate that was accepted in the last handshake.
    pub(super) fn certificate(&self) -> Option<Certificate> {
        self.verifier.as_ref()?.accepted()
    }

    /// Opens a TCP connection to a port of the host.
    pub(super) async fn connect(&self, port: u16) -> Result<TcpStream, HueNoReplyReason> {
        let connecting = async {
            match self.host.parse() {
                Ok(host) if !self.devices.is_empty() => connect_by(&self.devices, host, port).await,
                _ => TcpStream::connect((self.host.as_str(), port)).await,
            }
        };
        let stream = match timeout(self.timeouts.connect, connecting).await {
            Ok(Ok(stream)) => stream,
            Ok(Err(error)) => return Err(no_reply_reason(&error)),
            Err(_) => return Err(HueNoReplyReason::TimedOut),
        };
        // A request is one small write. Without this option it is only slower.
        let _ = stream.set_nodelay(true);
        Ok(stream)
    }

    /// Sends a request, and again while the bridge is overloaded: its 429 or 503 says that nothing was done. Nothing else is
    /// repeated.
    pub(super) async fn send(
        &self,
        request: &HueRequest,
        key: Option<&AppKey>,
    ) -> Result<HttpReply, HttpError> {
        let until = Instant::now() + self.timeouts.busy;
        let mut attempt = 1;
        loop {
            let reply = self.send_once(request, key).await?;
            let delay = BUSY_DELAY * attempt;
            let is_busy = matches!(reply.reply.status, 429 | 503) && !is_error(&reply.reply.body);
            if !is_busy || attempt == MAX_ATTEMPTS || Instant::now() + delay > until {
                return Ok(reply);
            }
            sleep(delay).await;
            attempt += 1;
        }
    }

    pub(super) async fn send_once(
        &self,
        request: &HueRequest,
        key: Option<&AppKey>,
    ) -> Result<HttpReply, HttpError> {
        let request = http::build(request, key, &self.address().authority());
        let request = request.ok_or(HttpError::InvalidRequest)?;
        let lock = request_lock::of(&self.host, self.port);
        // Other requests hold it no longer than the same timeouts.
        let _guard = lock.lock().await;
        let stream = self.connect(self.port).await;
        let stream = stream.map_err(HttpError::NoReply)?;
        let exchange = async {
            match &self.tls {
                None => http::exchange(stream, request).await,
                Some(config) => {
                    let stream = handshake(config.clone(), &self.host, stream).await?;
                    http::exchange(stream, request).await
                }
            }
        };
        match timeout(self.timeouts.reply, exchange).await {
            Ok(reply) => reply,
            Err(_) => Err(HttpError::NoReply(HueNoReplyReason::TimedOut)),
        }
    }
}

/// Opens a TCP connection by one of these devices, whichever reaches the host first.
async fn connect_by(devices: &[String], host: Ipv4Addr, port: u16) -> io::Result<TcpStream> {
    let mut attempts = JoinSet::new();
    for device in devices {
        let device = device.clone();
        attempts.spawn(async move {
            let socket = TcpSocket::new_v4()?;
            if let Err(error) = bind_device(&socket, &device) {
                tracing::debug!(device, %error, "the connection is not bound to its device");
            }
            socket.connect(SocketAddr::from((host, port))).await
        });
    }
    let mut outcome = Err(io::ErrorKind::NetworkUnreachable.into());
    while let Some(ended) = attempts.join_next().await {
        outcome = ended.map_err(io::Error::other).flatten();
        if outcome.is_ok() {
            break;
        }
    }
    outcome
}

async fn handshake(
    config: Arc<ClientConfig>,
    host: &str,
    stream: TcpStream,
) -> Result<TlsStream<TcpStream>, HttpError> {
    // `CertificateVerifier` ignores the name, so a host that is no valid one does not matter.
    let placeholder = || ServerName::from(IpAddr::V4(Ipv4Addr::UNSPECIFIED));
    let name = ServerName::try_from(host.to_owned()).unwrap_or_else(|_| placeholder());
    let connecting = TlsConnector::from(config).connect(name, stream);
    connecting.await.map_err(|error| {
        let tls = error.get_ref().and_then(|source| source.downcast_ref());
        match tls {
            None => HttpError::NoReply(no_reply_reason(&error)),
            Some(tls) => match certificate_problem(tls) {
                Some(problem) => HttpError::Certificate(problem),
                None => HttpError::NotTls(format!("TLS handshake failed ({tls})")),
            },
        }
    })
}

fn no_reply_reason(error: &io::Error) -> HueNoReplyReason {
    use io::ErrorKind::{
        BrokenPipe, ConnectionAborted, ConnectionRefused, ConnectionReset, TimedOut, UnexpectedEof,
    };
    match error.kind() {
        ConnectionRefused => HueNoReplyReason::Refused,
        TimedOut => HueNoReplyReason::TimedOut,
        ConnectionReset | ConnectionAborted | BrokenPipe | UnexpectedEof => {
            HueNoReplyReason::Closed
        }
        _ => HueNoReplyReason::Unreachable,
    }
}
