//! A bridge that can be called.

use std::io;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

use super::certificate::{Certificate, Known, Policy, Trust};
use super::http::Failure;
use super::line::{Line, Trouble, tcp};
use super::{Bounds, Lan};
use crate::address::{Address, Scheme};
use crate::call::Call;
use crate::error::HueError;
use crate::flow::{Bridge, lights};
use crate::identity::{BridgeId, Identity};
use crate::key::AppKey;
use crate::keyring::{Entry, KeyRing};
use crate::reply::Meaning;
use crate::tcp30000::{Outcome, REQUEST, Touchlink};
use crate::transport::{Answer, Transport};

/// A bridge that was identified and whose certificate was judged, so that it may get a key.
///
/// It holds no socket: each call has a connection of its own, one at a time to each bridge, and each is held against the same
/// certificate.
#[derive(Debug)]
pub struct Connection {
    line: Line,
    identity: Identity,
    certificate: Option<Certificate>,
    touchlink_port: u16,
    bounds: Bounds,
}

impl Connection {
    /// Ties what was found on a way to exactly the certificate that was shown on it.
    pub(super) fn new(lan: &Lan, found: &Line, identity: Identity) -> Result<Self, HueError> {
        let address = found.address();
        let verdict = found.verdict();
        let line = match (found.scheme, &verdict) {
            (Scheme::Https, Some((id, certificate))) => {
                let known = Known {
                    id: id.clone(),
                    pin: Some(certificate.fingerprint),
                    root_signed: certificate.root_signed,
                };
                let policy = Policy {
                    roots: lan.roots.clone(),
                    expected: Some(id.clone()),
                    known: vec![known],
                    trust: Trust::default(),
                };
                Line::secure(&address, Some(policy), lan.bounds)?
            }
            _ => Line::plain(&address, lan.bounds),
        };
        Ok(Self {
            line,
            identity,
            certificate: verdict.map(|(_, certificate)| certificate),
            touchlink_port: lan.touchlink_port,
            bounds: lan.bounds,
        })
    }

    /// Returns what the bridge says of itself. The id is missing only at the oldest firmware.
    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    /// Returns where it is and how it is spoken to.
    pub fn address(&self) -> Address {
        self.line.address()
    }

    /// Returns its certificate; there is none in the clear.
    pub fn certificate(&self) -> Option<&Certificate> {
        self.certificate.as_ref()
    }

    /// Returns its id, or its address where it has none, for a message.
    pub fn label(&self) -> String {
        match &self.identity.id {
            Some(id) => id.to_string(),
            None => self.address().to_string(),
        }
    }

    /// Returns it as the flows take it; without a key to pair with it.
    pub fn bridge(&self, key: Option<AppKey>) -> Bridge<'_, Self> {
        Bridge::new(self, self.identity.clone(), self.address(), key)
    }

    /// Returns what is kept of this bridge; nothing of one that does not tell its id.
    ///
    /// # Errors
    ///
    /// [`HueError::Local`] when the keys cannot be read.
    pub fn kept_in(&self, ring: &KeyRing) -> Result<Option<Entry>, HueError> {
        match &self.identity.id {
            Some(id) => Ok(ring.entry(id)?),
            None => Ok(None),
        }
    }

    /// Tells whether the bridge still takes the key that is kept for it. One that shows another certificate than before is not
    /// given it.
    ///
    /// # Errors
    ///
    /// [`HueError`] for all but a key that the bridge does not know.
    pub async fn still_takes(&self, known: &Entry) -> Result<bool, HueError> {
        let is_same = match &self.certificate {
            Some(shown) => shown.root_signed || known.pin == Some(shown.fingerprint),
            None => known.pin.is_none() && !known.root_signed,
        };
        if !is_same {
            return Ok(false);
        }
        match lights(&self.bridge(Some(known.key.clone()))).await {
            Ok(_) => Ok(true),
            Err(HueError::Refused { error, .. }) if error.meaning() == Meaning::Unauthorized => {
                Ok(false)
            }
            Err(error) => Err(error),
        }
    }

    /// Returns what to keep of it after pairing.
    ///
    /// # Errors
    ///
    /// [`HueError::Usage`] for a bridge that does not tell its id: nothing could be found by it again.
    pub fn entry(&self, key: AppKey, paired_at: Timestamp) -> Result<Entry, HueError> {
        let id: &BridgeId = self.identity.id.as_ref().ok_or_else(|| {
            let at = self.address();
            HueError::Usage(format!(
                "the bridge at {at} does not tell its id, so its key cannot be kept; give it with --app-key-file"
            ))
        })?;
        let identity = &self.identity;
        let mut entry = Entry {
            id: id.clone(),
            key,
            address: self.address(),
            name: identity.name.clone(),
            model: identity.model.clone(),
            software: identity.software.clone(),
            api: identity.api,
            pin: None,
            root_signed: false,
            paired_at,
        };
        self.note_certificate(&mut entry);
        Ok(entry)
    }

    /// Brings an entry up to date. Returns whether there was news.
    pub(super) fn note_in(&self, entry: &mut Entry) -> bool {
        let is_certificate_new = self.note_certificate(entry);
        entry.update(&self.identity, &self.address()) || is_certificate_new
    }

    /// A certificate of the bridge's own is pinned, one of the vendor's need not be.
    fn note_certificate(&self, entry: &mut Entry) -> bool {
        let before = (entry.pin, entry.root_signed);
        match self.certificate {
            Some(Certificate {
                root_signed: true, ..
            }) => {
                entry.root_signed = true;
                entry.pin = None;
            }
            Some(own) => entry.pin = Some(own.fingerprint),
            None => {}
        }
        before != (entry.pin, entry.root_signed)
    }

    async fn touchlink_on(&self, mut stream: TcpStream) -> Result<Outcome, io::Error> {
        stream.write_all(REQUEST).await?;
        let mut touchlink = Touchlink::sent(Instant::now());
        let mut buffer = [0; 512];
        loop {
            if let Some(outcome) = touchlink.outcome() {
                return Ok(outcome.clone());
            }
            let left = touchlink
                .poll_timeout()
                .saturating_duration_since(Instant::now());
            match timeout(left, stream.read(&mut buffer)).await {
                Ok(Ok(length @ 1..)) => {
                    let arrived = buffer.get(..length).unwrap_or_default();
                    touchlink.handle_input(Instant::now(), arrived);
                }
                // What was asked for may have been done, however the connection ended.
                Ok(Ok(0) | Err(_)) => touchlink.handle_closed(Instant::now()),
                Err(_) => touchlink.handle_timeout(Instant::now()),
            }
        }
    }
}

impl Transport for Connection {
    async fn call(&self, call: &Call, key: Option<&AppKey>) -> Result<Answer, HueError> {
        let called = self.line.call(call, key).await;
        let sent = key.cloned().or_else(|| call.typed_key());
        let called = called.map_err(|trouble| match (trouble, sent) {
            // What cannot be understood is shown to people.
            (Trouble::Http(Failure::Bad { status, body }), Some(key)) => {
                let body = key.taken_out_of(&body);
                Trouble::Http(Failure::Bad { status, body })
            }
            (trouble, _) => trouble,
        });
        let reply = called.map_err(|trouble| trouble.at(&self.address()));
        match &reply {
            Ok(reply) => {
                tracing::debug!(bridge = self.label(), %call, status = reply.answer.status);
            }
            Err(error) => tracing::debug!(bridge = self.label(), %call, %error),
        }
        let reply = reply?;
        match reply.answer.status {
            status @ (429 | 503) => Err(HueError::Busy {
                at: self.address().to_string(),
                status,
            }),
            _ => Ok(reply.answer),
        }
    }

    async fn touchlink(&self) -> Result<Outcome, HueError> {
        let at = || format!("{} port {}", self.line.host, self.touchlink_port);
        let connected = tcp(&self.line.host, self.touchlink_port, self.bounds.connect).await;
        let stream = connected.map_err(|how| HueError::NoAnswer { at: at(), how })?;
        let asked = self.touchlink_on(stream).await;
        // Nothing was sent, or no bridge would know that something was.
        asked.map_err(|_| HueError::NoAnswer {
            at: at(),
            how: crate::error::Silence::Closed,
        })
    }

    async fn sleep(&self, time: Duration) {
        sleep(time).await;
    }

    fn now(&self) -> Instant {
        Instant::now()
    }
}
