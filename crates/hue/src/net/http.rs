//! One call and its answer, on a connection of its own.
//!
//! A bridge serves three connections at once and drops idle ones without a word; a connection for each call is what it does best
//! with, and then nobody has to guess whether a call on an old connection arrived.

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

use crate::call::{Call, Method};
use crate::error::Silence;
use crate::key::AppKey;
use crate::transport::Answer;

/// A bridge with all its lights, scenes and rules says some 200 KiB.
const LARGEST_BODY: usize = 1 << 20;
const LARGEST_HEAD: usize = 32 << 10;
const MOST_HEADERS: usize = 64;
/// So much of what is not HTTP is kept to be shown; enough that a key in what is shown is there in full, and can be taken out.
const EXCERPT: usize = 512;

/// What came back.
#[derive(Debug)]
pub(super) struct Reply {
    pub(super) answer: Answer,
    /// Where it sends us, when it does.
    pub(super) location: Option<String>,
}

/// Why no answer came.
#[derive(Debug)]
pub(super) enum Failure {
    /// Nothing was heard.
    Silent(Silence),
    /// Something was heard, but no whole answer, or one that is too large.
    Bad {
        /// The status, as far as it was told; else 0.
        status: u16,
        /// What came.
        body: Vec<u8>,
    },
    /// The call cannot be written as HTTP.
    Call,
}

/// Makes the request. Its head is the one of the protocol page.
pub(super) fn request(
    call: &Call,
    key: Option<&AppKey>,
    authority: &str,
) -> Option<Request<Full<Bytes>>> {
    let path = call.path(key);
    if !path.starts_with('/') {
        return None;
    }
    let mut request = Request::builder()
        .method(call.method.as_str())
        .uri(path.as_str())
        .header(HOST, authority);
    let body = call.body.clone().unwrap_or_default();
    if call.body.is_some() {
        request = request.header(CONTENT_TYPE, "application/json");
    }
    if call.body.is_some() || matches!(call.method, Method::Post | Method::Put) {
        request = request.header(CONTENT_LENGTH, body.len());
    }
    if let Some(key) = key.filter(|_| call.has_key_header()) {
        let mut value = HeaderValue::from_str(key.expose()).ok()?;
        value.set_sensitive(true);
        request = request.header("hue-application-key", value);
    }
    request = request.header(CONNECTION, "close");
    request.body(Full::new(Bytes::from(body))).ok()
}

/// Sends a request on a fresh connection and reads the answer to its end. The caller bounds the time.
pub(super) async fn exchange<S>(stream: S, request: Request<Full<Bytes>>) -> Result<Reply, Failure>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let heard = Heard::default();
    let listener = heard.clone();
    let stream = InspectReader::new(stream, move |bytes: &[u8]| listener.add(bytes));
    let handshake = http1::Builder::new()
        .title_case_headers(true)
        .max_buf_size(LARGEST_HEAD)
        .max_headers(MOST_HEADERS)
        .handshake(TokioIo::new(stream));
    let (mut sender, connection) = handshake
        .await
        .map_err(|_| heard.failure(Silence::Closed))?;
    // Ends with this function, however it ends.
    let mut driver = JoinSet::new();
    driver.spawn(connection);
    let response = sender.send_request(request).await;
    let response = response.map_err(|_| heard.failure(Silence::Closed))?;
    read(response).await
}

async fn read(response: Response<Incoming>) -> Result<Reply, Failure> {
    let status = response.status().as_u16();
    let location = response.headers().get(LOCATION);
    let location = location.and_then(|value| value.to_str().ok().map(str::to_owned));
    let mut incoming = response.into_body();
    let mut body = Vec::new();
    while let Some(frame) = incoming.frame().await {
        let Ok(frame) = frame else {
            return Err(Failure::Bad { status, body });
        };
        if let Some(data) = frame.data_ref() {
            body.extend_from_slice(data);
        }
        if body.len() > LARGEST_BODY {
            return Err(Failure::Bad { status, body });
        }
    }
    let answer = Answer { status, body };
    Ok(Reply { answer, location })
}

/// The first bytes that came, to tell silence from an answer that is none.
#[derive(Debug, Clone, Default)]
struct Heard(Arc<Mutex<Vec<u8>>>);

impl Heard {
    fn add(&self, bytes: &[u8]) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let room = EXCERPT.saturating_sub(kept.len());
        kept.extend(bytes.iter().take(room));
    }

    fn failure(&self, silence: Silence) -> Failure {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match kept.as_slice() {
            [] => Failure::Silent(silence),
            bytes => Failure::Bad {
                status: told_status(bytes),
                body: bytes.to_vec(),
            },
        }
    }
}

/// Reads the status out of a head that is no whole one; 0 where it has none.
fn told_status(bytes: &[u8]) -> u16 {
    let text = String::from_utf8_lossy(bytes);
    let told = text.strip_prefix("HTTP/1.").and_then(|rest| rest.get(2..5));
    told.and_then(|digits| digits.parse().ok()).unwrap_or(0)
}
