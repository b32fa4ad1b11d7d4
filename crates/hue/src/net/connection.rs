//! A bridge that was identified, with requests over HTTP and touchlinks over TCP.

use std::io;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

use super::certificate::{Certificate, CertificatePolicy, CertificateTrust, KnownCertificate};
use super::config::NetworkConfig;
use super::endpoint::HueEndpoint;
use super::http::HttpError;
use crate::address::Address;
use crate::error::{HueError, HueNoReplyReason};
use crate::flow::{BridgeClient, lights};
use crate::identity::BridgeIdentity;
use crate::key::AppKey;
use crate::keyring::{KeyRing, PairedBridge};
use crate::reply::{BridgeErrorKind, is_error};
use crate::request::HueRequest;
use crate::tcp30000::{REQUEST, TouchlinkExchange, TouchlinkOutcome};
use crate::transport::{BridgeReply, HueTransport};

/// A bridge that was identified and whose certificate was verified, so that it may get a key.
///
/// It holds no socket: each request has a connection of its own, one at a time to each bridge, and each must show the same
/// certificate.
#[derive(Debug)]
pub struct BridgeConnection {
    endpoint: HueEndpoint,
    identity: BridgeIdentity,
    certificate: Option<Certificate>,
    touchlink_port: u16,
}

impl BridgeConnection {
    /// Binds an identified endpoint to the certificate that it has shown.
    pub(super) fn new(
        network: &NetworkConfig,
        identified: &HueEndpoint,
        identity: BridgeIdentity,
    ) -> Self {
        let address = identified.address();
        let certificate = identified.certificate();
        let endpoint = match &certificate {
            Some(certificate) => {
                let known = KnownCertificate {
                    bridge: certificate.bridge.clone(),
                    pin: Some(certificate.fingerprint),
                    root_signed: certificate.root_signed,
                };
                let policy = CertificatePolicy {
                    roots: network.roots.clone(),
                    expected: Some(certificate.bridge.clone()),
                    known: vec![known],
                    trust: CertificateTrust::default(),
                };
                HueEndpoint::secure(&address, Some(policy), network)
            }
            None => HueEndpoint::plain(&address, network),
        };
        Self {
            endpoint,
            identity,
            certificate,
            touchlink_port: network.touchlink_port,
        }
    }

    /// Returns the public identity of the bridge. The id is missing only with the oldest firmware.
    pub fn identity(&self) -> &BridgeIdentity {
        &self.identity
    }

    /// Returns the address, with its scheme.
    pub fn address(&self) -> Address {
        self.endpoint.address()
    }

    /// Returns the certificate; there is none over plain HTTP.
    pub fn certificate(&self) -> Option<&Certificate> {
        self.certificate.as_ref()
    }

    /// Returns the name for messages: the id, or the address where the bridge reports no id.
    pub fn label(&self) -> String {
        match &self.identity.id {
            Some(id) => id.to_string(),
            None => self.address().to_string(),
        }
    }

    /// Returns a client for the flows; without a key for pairing.
    pub fn client(&self, key: Option<AppKey>) -> BridgeClient<'_, Self> {
        BridgeClient::new(self, self.identity.clone(), self.address(), key)
    }

    /// Returns this bridge's entry in the ring; none for a bridge that reports no id.
    ///
    /// # Errors
    ///
    /// [`HueError::Local`] if the ring cannot be read.
    pub fn paired_bridge(&self, ring: &KeyRing) -> Result<Option<PairedBridge>, HueError> {
        match &self.identity.id {
            Some(id) => Ok(ring.bridge(id)?),
            None => Ok(None),
        }
    }

    /// Tells whether the bridge still accepts its key. A bridge with a changed certificate does not get to see the key.
    ///
    /// # Errors
    ///
    /// [`HueError`], except for a key that the bridge does not know.
    pub async fn still_accepts(&self, paired: &PairedBridge) -> Result<bool, HueError> {
        let is_same = match &self.certificate {
            Some(shown) => shown.root_signed || paired.pin == Some(shown.fingerprint),
            None => paired.pin.is_none() && !paired.root_signed,
        };
        if !is_same {
            return Ok(false);
        }
        match lights(&self.client(Some(paired.key.clone()))).await {
            Ok(_) => Ok(true),
            Err(HueError::Refused { error, .. })
                if error.kind() == BridgeErrorKind::Unauthorized =>
            {
                Ok(false)
            }
            Err(error) => Err(error),
        }
    }

    /// Returns the entry to save after pairing.
    ///
    /// # Errors
    ///
    /// [`HueError::Usage`] for a bridge that reports no id, because the entry could not be found again.
    pub fn to_paired(&self, key: AppKey, paired_at: Timestamp) -> Result<PairedBridge, HueError> {
        let identity = self.identity.clone();
        let id = identity.id.ok_or_else(|| {
            let at = self.address();
            HueError::Usage(format!(
                "the bridge at {at} does not report its id, so its key cannot be saved; give the key with --app-key-file"
            ))
        })?;
        let mut paired = PairedBridge {
            id,
            key,
            address: self.address(),
            name: identity.name,
            model: identity.model,
            software: identity.software,
            api: identity.api,
            pin: None,
            root_signed: false,
            paired_at,
        };
        self.update_certificate(&mut paired);
        Ok(paired)
    }

    /// Updates an entry with the current identity, address and certificate. Returns whether anything changed.
    pub(super) fn update_bridge(&self, paired: &mut PairedBridge) -> bool {
        let is_certificate_changed = self.update_certificate(paired);
        paired.update(&self.identity, &self.address()) || is_certificate_changed
    }

    /// Pins a self-signed certificate; one signed by the vendor need not be pinned.
    fn update_certificate(&self, paired: &mut PairedBridge) -> bool {
        let before = (paired.pin, paired.root_signed);
        match &self.certificate {
            Some(certificate) if certificate.root_signed => {
                paired.root_signed = true;
                paired.pin = None;
            }
            Some(certificate) => paired.pin = Some(certificate.fingerprint),
            None => {}
        }
        before != (paired.pin, paired.root_signed)
    }
}

async fn run_touchlink(mut stream: TcpStream) -> io::Result<TouchlinkOutcome> {
    stream.write_all(REQUEST).await?;
    let mut touchlink = TouchlinkExchange::sent(Instant::now());
    let mut buffer = Vec::with_capacity(512);
    loop {
        if let Some(outcome) = touchlink.outcome() {
            return Ok(outcome.clone());
        }
        let deadline = touchlink.poll_timeout();
        let left = deadline.saturating_duration_since(Instant::now());
        buffer.clear();
        match timeout(left, stream.read_buf(&mut buffer)).await {
            Ok(Ok(1..)) => touchlink.handle_input(Instant::now(), &buffer),
            // The touchlink may have been done, however the connection ended.
            Ok(Ok(0) | Err(_)) => touchlink.handle_closed(Instant::now()),
            Err(_) => touchlink.handle_timeout(Instant::now()),
        }
    }
}

impl HueTransport for BridgeConnection {
    async fn send(
        &self,
        request: &HueRequest,
        key: Option<&AppKey>,
    ) -> Result<BridgeReply, HueError> {
        let sent = self.endpoint.send(request, key).await;
        let response = sent.map_err(|error| {
            let secret = key.cloned().or_else(|| request.typed_key());
            let error = match (error, secret) {
                // The quotation in the error must not show the key.
                (HttpError::BadReply { status, body }, Some(secret)) => {
                    let body = secret.mask(&body);
                    HttpError::BadReply { status, body }
                }
                (error, _) => error,
            };
            error.at(&self.address())
        });
        match &response {
            Ok(response) => {
                tracing::debug!(bridge = self.label(), %request, status = response.reply.status);
            }
            Err(error) => tracing::debug!(bridge = self.label(), %request, %error),
        }
        let reply = response?.reply;
        match reply.status {
            status @ (429 | 503) if !is_error(&reply.body) => Err(HueError::Busy {
                at: self.address().to_string(),
                status,
            }),
            _ => Ok(reply),
        }
    }

    async fn touchlink(&self) -> Result<TouchlinkOutcome, HueError> {
        let (host, port) = (&self.endpoint.host, self.touchlink_port);
        let no_reply = |reason| HueError::NoReply {
            at: format!("{host} port {port}"),
            reason,
        };
        let connected = self.endpoint.connect(port).await;
        let stream = connected.map_err(no_reply)?;
        // Only writing the request can fail, and then the bridge has not received it.
        let outcome = run_touchlink(stream).await;
        outcome.map_err(|_| no_reply(HueNoReplyReason::Closed))
    }

    async fn sleep(&self, time: Duration) {
        sleep(time).await;
    }

    fn now(&self) -> Instant {
        Instant::now()
    }
}
