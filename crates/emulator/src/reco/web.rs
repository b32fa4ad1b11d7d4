//! TCP 80: a login without any page.

use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use httparse::{EMPTY_HEADER, Request, Status};

use crate::twin::ConnectionId;

/// The port of the web page.
pub(super) const WEB_PORT: u16 = 80;
/// Time in which a request must be complete.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);
/// Longest request.
const MAX_REQUEST: usize = 16 * 1024;

/// A connection whose request is not complete yet. It serves one request.
#[derive(Debug)]
pub(super) struct WebConnection {
    pub(super) id: ConnectionId,
    opened: Instant,
    request: Vec<u8>,
}

impl WebConnection {
    pub(super) fn new(id: ConnectionId, opened: Instant) -> Self {
        Self {
            id,
            opened,
            request: Vec::new(),
        }
    }

    pub(super) fn deadline(&self) -> Instant {
        self.opened + REQUEST_TIMEOUT
    }

    /// Takes a piece of the request; returns the reply once its head is complete, after which the connection is closed.
    pub(super) fn handle(&mut self, bytes: &[u8], login: &[u8], realm: &str) -> Option<String> {
        self.request.extend_from_slice(bytes);
        reply(&self.request, login, realm)
    }
}

/// Answers a request for any page; nothing while its head is incomplete.
fn reply(request: &[u8], login: &[u8], realm: &str) -> Option<String> {
    let mut headers = [EMPTY_HEADER; 64];
    let mut parsed = Request::new(&mut headers);
    match parsed.parse(request) {
        Ok(Status::Complete(_)) => {}
        Ok(Status::Partial) if request.len() <= MAX_REQUEST => return None,
        Ok(Status::Partial) | Err(_) => return Some(respond("400 Bad Request", "", "")),
    }
    let authorization = parsed
        .headers
        .iter()
        .find(|header| header.name.eq_ignore_ascii_case("authorization"));
    let is_user = authorization.is_some_and(|header| is_login(header.value, login));
    let is_head = parsed.method == Some("HEAD");
    let body = |text| if is_head { "" } else { text };
    Some(if is_user {
        // The SP-2 accepts the login and has not a single page.
        respond("404 Not Found", "", body("ERROR:404 Not Found"))
    } else {
        let realm = realm.replace(['"', '\\'], "");
        let challenge = format!("WWW-Authenticate: Basic realm=\"{realm}\"\r\n");
        respond(
            "401 Unauthorized",
            &challenge,
            body("ERROR:401 Unauthorized"),
        )
    })
}

fn is_login(header: &[u8], login: &[u8]) -> bool {
    let text = std::str::from_utf8(header).unwrap_or_default().trim();
    text.split_once(' ').is_some_and(|(scheme, encoded)| {
        scheme.eq_ignore_ascii_case("basic")
            && BASE64_STANDARD
                .decode(encoded.trim())
                .is_ok_and(|given| given == login)
    })
}

fn respond(status: &str, header: &str, body: &str) -> String {
    format!(
        "HTTP/1.1 {status}\r\n{header}Content-Type: text/html\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    )
}
