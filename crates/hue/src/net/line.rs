//! One way to speak to one bridge: a scheme, a host, a port, and who judges its certificate.

use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;

use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep, timeout};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::Bounds;
use super::certificate::{self, Judge, Policy, Verdict};
use super::gate;
use super::http::{self, Failure, Reply};
use crate::address::{Address, Scheme};
use crate::call::Call;
use crate::error::{CertificateProblem, HueError, Silence};
use crate::identity::NotABridge;
use crate::key::AppKey;
use crate::reply::BadReply;

/// So often an overloaded bridge is asked, with a pause that grows by this.
const MOST_TRIES: u32 = 25;
const PAUSE: Duration = Duration::from_millis(250);

/// One way to speak to one bridge.
#[derive(Debug)]
pub(super) struct Line {
    pub(super) scheme: Scheme,
    pub(super) host: String,
    pub(super) port: u16,
    tls: Option<Arc<ClientConfig>>,
    judge: Option<Arc<Judge>>,
    bounds: Bounds,
}

/// Why a call came to nothing.
#[derive(Debug)]
pub(super) enum Trouble {
    /// Nothing was heard.
    Silent(Silence),
    /// TLS was asked for, and what answers speaks something else.
    NotTls(String),
    /// The certificate is not the bridge's.
    Certificate(CertificateProblem),
    /// What came is no whole answer, or the call was none.
    Http(Failure),
}

impl Trouble {
    /// Makes it an error that names where.
    pub(super) fn at(self, address: &Address) -> HueError {
        let at = address.to_string();
        match self {
            Self::Silent(how) | Self::Http(Failure::Silent(how)) => HueError::NoAnswer { at, how },
            Self::NotTls(what) => HueError::NotABridge {
                at,
                problem: NotABridge(what),
            },
            Self::Certificate(problem) => HueError::Certificate { at, problem },
            Self::Http(Failure::Bad { status, body }) => HueError::BadReply {
                at,
                reply: BadReply::new(status, &body),
            },
            Self::Http(Failure::Call) => {
                HueError::Usage("this path cannot be asked for".to_owned())
            }
        }
    }
}

impl Line {
    /// A way in the clear.
    pub(super) fn plain(address: &Address, bounds: Bounds) -> Self {
        Self {
            scheme: Scheme::Http,
            host: address.host.clone(),
            port: address.port_for(Scheme::Http),
            tls: None,
            judge: None,
            bounds,
        }
    }

    /// A way over TLS. Without a policy every certificate is let through, for a bridge that is only looked at.
    pub(super) fn secure(
        address: &Address,
        policy: Option<Policy>,
        bounds: Bounds,
    ) -> Result<Self, HueError> {
        let judge = Judge::new(policy);
        let config = judge.config().map_err(|error| HueError::Local {
            what: "TLS cannot be set up".to_owned(),
            source: io::Error::other(error),
        })?;
        Ok(Self {
            scheme: Scheme::Https,
            host: address.host.clone(),
            port: address.port_for(Scheme::Https),
            tls: Some(config),
            judge: Some(judge),
            bounds,
        })
    }

    /// A way to a server in the internet, whose certificate is judged as a browser does.
    pub(super) fn internet(host: &str, config: Arc<ClientConfig>, bounds: Bounds) -> Self {
        Self {
            scheme: Scheme::Https,
            host: host.to_owned(),
            port: Scheme::Https.port(),
            tls: Some(config),
            judge: None,
            bounds,
        }
    }

    /// Returns it as an address that says how.
    pub(super) fn address(&self) -> Address {
        Address {
            scheme: Some(self.scheme),
            host: self.host.clone(),
            port: (self.port != self.scheme.port()).then_some(self.port),
        }
    }

    /// Returns whose certificate the last handshake showed.
    pub(super) fn verdict(&self) -> Option<Verdict> {
        self.judge.as_ref()?.verdict()
    }

    /// Calls, and asks an overloaded bridge again: its 429 or 503 says that it did nothing. Nothing else is repeated.
    pub(super) async fn call(&self, call: &Call, key: Option<&AppKey>) -> Result<Reply, Trouble> {
        let until = Instant::now() + self.bounds.busy;
        let mut tries = 1;
        loop {
            let reply = self.call_once(call, key).await?;
            let pause = PAUSE * tries;
            let is_busy = matches!(reply.answer.status, 429 | 503);
            if !is_busy || tries == MOST_TRIES || Instant::now() + pause > until {
                return Ok(reply);
            }
            sleep(pause).await;
            tries += 1;
        }
    }

    pub(super) async fn call_once(
        &self,
        call: &Call,
        key: Option<&AppKey>,
    ) -> Result<Reply, Trouble> {
        let authority = Address {
            scheme: None,
            ..self.address()
        };
        let request = http::request(call, key, &authority.authority());
        let request = request.ok_or(Trouble::Http(Failure::Call))?;
        let gate = gate::of(&self.host, self.port);
        // Whoever is before us has the same bounds.
        let _turn = gate.lock().await;
        let stream = tcp(&self.host, self.port, self.bounds.connect).await;
        let stream = stream.map_err(Trouble::Silent)?;
        let answering = async {
            let reply = match &self.tls {
                None => http::exchange(stream, request).await,
                Some(config) => {
                    let stream = handshake(config.clone(), &self.host, stream).await?;
                    http::exchange(stream, request).await
                }
            };
            reply.map_err(Trouble::Http)
        };
        match timeout(self.bounds.answer, answering).await {
            Ok(reply) => reply,
            Err(_) => Err(Trouble::Silent(Silence::TimedOut)),
        }
    }
}

/// Opens a TCP connection.
pub(super) async fn tcp(host: &str, port: u16, within: Duration) -> Result<TcpStream, Silence> {
    let connecting = timeout(within, TcpStream::connect((host, port)));
    let stream = match connecting.await {
        Ok(Ok(stream)) => stream,
        Ok(Err(error)) => return Err(silence(&error)),
        Err(_) => return Err(Silence::TimedOut),
    };
    // Requests are one small write.
    let _ = stream.set_nodelay(true);
    Ok(stream)
}

async fn handshake(
    config: Arc<ClientConfig>,
    host: &str,
    stream: TcpStream,
) -> Result<TlsStream<TcpStream>, Trouble> {
    // A judge of ours does not look at it.
    let nobody = || ServerName::from(IpAddr::V4(Ipv4Addr::UNSPECIFIED));
    let name = ServerName::try_from(host.to_owned()).unwrap_or_else(|_| nobody());
    let connecting = TlsConnector::from(config).connect(name, stream);
    connecting.await.map_err(|error| {
        let tls = error.get_ref().and_then(|source| source.downcast_ref());
        match tls {
            None => Trouble::Silent(silence(&error)),
            Some(tls) => match certificate::problem(tls) {
                Some(problem) => Trouble::Certificate(problem),
                None => Trouble::NotTls(format!("no TLS with it ({tls})")),
            },
        }
    })
}

/// Tells how nothing was heard.
fn silence(error: &io::Error) -> Silence {
    use io::ErrorKind::{
        BrokenPipe, ConnectionAborted, ConnectionRefused, ConnectionReset, TimedOut, UnexpectedEof,
    };
    match error.kind() {
        ConnectionRefused => Silence::Refused,
        TimedOut => Silence::TimedOut,
        ConnectionReset | ConnectionAborted | BrokenPipe | UnexpectedEof => Silence::Closed,
        _ => Silence::Unreachable,
    }
}
