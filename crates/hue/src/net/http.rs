//! One HTTP request and its reply, on a connection of its own.
//!
//! A bridge serves three connections at a time and silently drops idle ones, so each request has a connection of its own: it is then
//! never unclear whether a request on an old connection arrived.
//!
//! This is hyper and not reqwest, because a request is to be the bytes of the protocol page (reqwest adds `Accept`), a path that a
//! person wrote is sent unchanged (reqwest normalises it), and a reply that is not HTTP is quoted and told apart from no reply
//! (reqwest reports both as an incomplete message).

use std::sync::{Arc, Mutex, PoisonError};

use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1;
use hyper::header::{CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, HOST, HeaderValue, LOCATION};
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::task::JoinSet;
use tokio_util::io::InspectReader;

use crate::address::Address;
use crate::error::{CertificateProblem, HueError, HueNoReplyReason};
use crate::identity::NotABridge;
use crate::key::AppKey;
use crate::reply::BadReply;
use crate::request::{HueRequest, Method};
use crate::transport::BridgeReply;

/// Maximum size of a body; a bridge with all its lights, scenes and rules has some 200 KiB.
const MAX_BODY: usize = 1 << 20;
/// Maximum size of a reply's head.
const MAX_HEAD: usize = 32 << 10;
/// Maximum number of headers of a reply.
const MAX_HEADERS: usize = 64;
/// Maximum length of what is kept of a malformed reply; long enough that a key in the quoted part is complete and can be masked.
const MAX_EXCERPT: usize = 512;

/// A reply, and where it redirects to.
#[derive(Debug)]
pub(super) struct HttpReply {
    pub(super) reply: BridgeReply,
    pub(super) location: Option<String>,
}

/// Failure of a request.
#[derive(Debug)]
pub(super) enum HttpError {
    /// Nothing arrived.
    NoReply(HueNoReplyReason),
    /// The reply is malformed, incomplete or too large.
    BadReply {
        /// The status, or 0 if there was none.
        status: u16,
        /// The beginning of the reply.
        body: Vec<u8>,
    },
    /// The server does not speak TLS.
    NotTls(String),
    /// The certificate was not accepted.
    Certificate(CertificateProblem),
    /// The request cannot be written as HTTP.
    InvalidRequest,
}

impl HttpError {
    /// Adds the address.
    pub(super) fn at(self, address: &Address) -> HueError {
        let at = address.to_string();
        match self {
            Self::NoReply(reason) => HueError::NoReply { at, reason },
            Self::BadReply { status, body } => HueError::BadReply {
                at,
                reply: BadReply::new(status, &body),
            },
            Self::NotTls(problem) => HueError::NotABridge {
                at,
                problem: NotABridge(problem),
            },
            Self::Certificate(problem) => HueError::Certificate { at, problem },
            Self::InvalidRequest => HueError::Usage("this path cannot be sent as HTTP".to_owned()),
        }
    }
}

/// Builds the HTTP request. Its head is that of the protocol page.
pub(super) fn build(
    request: &HueRequest,
    key: Option<&AppKey>,
    authority: &str,
) -> Option<Request<Full<Bytes>>> {
    let path = request.path(key);
    if !path.starts_with('/') {
        return None;
    }
    let mut builder = Request::builder()
        .method(request.method.as_str())
        .uri(path.as_str())
        .header(HOST, authority);
    if request.body.is_some() {
        builder = builder.header(CONTENT_TYPE, "application/json");
    }
    let body = Bytes::from(request.body.clone().unwrap_or_default());
    if request.body.is_some() || matches!(request.method, Method::Post | Method::Put) {
        builder = builder.header(CONTENT_LENGTH, body.len());
    }
    if let Some(key) = key.filter(|_| request.has_key_header()) {
        let mut value = HeaderValue::from_str(key.expose()).ok()?;
        value.set_sensitive(true);
        builder = builder.header("hue-application-key", value);
    }
    builder
        .header(CONNECTION, "close")
        .body(Full::new(body))
        .ok()
}

/// Sends a request on a new connection and reads the reply to its end. The caller limits the time.
pub(super) async fn exchange<S>(
    stream: S,
    request: Request<Full<Bytes>>,
) -> Result<HttpReply, HttpError>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let received = ReceivedBytes::default();
    let inspected = received.clone();
    let stream = InspectReader::new(stream, move |bytes: &[u8]| inspected.add(bytes));
    let handshake = http1::Builder::new()
        .title_case_headers(true)
        .max_buf_size(MAX_HEAD)
        .max_headers(MAX_HEADERS)
        .handshake(TokioIo::new(stream));
    let (mut sender, connection) = handshake.await.map_err(|_| received.error())?;
    // Aborts the connection's task when this function ends.
    let mut driver = JoinSet::new();
    driver.spawn(connection);
    let response = sender.send_request(request).await;
    read(response.map_err(|_| received.error())?).await
}

async fn read(response: Response<Incoming>) -> Result<HttpReply, HttpError> {
    let status = response.status().as_u16();
    let location = response.headers().get(LOCATION);
    let location = location.and_then(|value| value.to_str().ok().map(str::to_owned));
    let mut incoming = response.into_body();
    let mut body = Vec::new();
    while let Some(frame) = incoming.frame().await {
        let Ok(frame) = frame else {
            return Err(HttpError::BadReply { status, body });
        };
        if let Some(data) = frame.data_ref() {
            body.extend_from_slice(data);
        }
        if body.len() > MAX_BODY {
            return Err(HttpError::BadReply { status, body });
        }
    }
    let reply = BridgeReply { status, body };
    Ok(HttpReply { reply, location })
}

/// The first bytes received, to tell no reply from a malformed one.
#[derive(Debug, Clone, Default)]
struct ReceivedBytes(Arc<Mutex<Vec<u8>>>);

impl ReceivedBytes {
    fn add(&self, bytes: &[u8]) {
        let mut received = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let room = MAX_EXCERPT.saturating_sub(received.len());
        received.extend(bytes.iter().take(room));
    }

    fn error(&self) -> HttpError {
        let received = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match received.as_slice() {
            [] => HttpError::NoReply(HueNoReplyReason::Closed),
            bytes => HttpError::BadReply {
                status: parse_status(bytes).unwrap_or(0),
                body: bytes.to_vec(),
            },
        }
    }
}

/// Parses the status of an incomplete head.
fn parse_status(head: &[u8]) -> Option<u16> {
    let status = head.strip_prefix(b"HTTP/1.")?.get(2..5)?;
    str::from_utf8(status).ok()?.parse().ok()
}
