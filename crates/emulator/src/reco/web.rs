//! TCP 80: a login without any page behind it.

use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use httparse::{EMPTY_HEADER, Request, Status};

use super::RecoTwin;
use crate::twin::{ConnectionId, Transmit};

/// The port of the web page.
pub(super) const WEB_PORT: u16 = 80;
/// Time in which a request must be complete.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);
/// Longest request.
const MAX_REQUEST: usize = 16 * 1024;

/// A connection whose request is not complete yet.
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
}

impl RecoTwin {
    /// Takes a piece of a request, and answers once its head is complete. A connection serves one request.
    pub(super) fn handle_web(&mut self, now: Instant, id: ConnectionId, bytes: &[u8]) {
        let (login, realm) = (self.web_login(), self.module());
        let Some(connection) = self.web.iter_mut().find(|it| it.id == id) else {
            return;
        };
        connection.request.extend_from_slice(bytes);
        let Some(reply) = reply(&connection.request, &login, &realm) else {
            return;
        };
        self.web.retain(|it| it.id != id);
        let bytes = reply.into_bytes();
        let segment = Transmit::Segment {
            connection: id,
            bytes,
        };
        self.outbox.send(now, segment);
        self.outbox.send(now, Transmit::Close { connection: id });
    }

    /// Returns `user:password`, as a client sends it.
    fn web_login(&self) -> Vec<u8> {
        let mut login = self.setting("WEBU").to_vec();
        if let Some(comma) = login.iter_mut().find(|byte| **byte == b',') {
            *comma = b':';
        }
        login
    }

    /// Closes the connections whose requests take too long.
    pub(super) fn advance_web(&mut self, now: Instant) {
        let late = self.web.extract_if(.., |it| it.deadline() <= now);
        for connection in late.map(|it| it.id) {
            self.outbox.send(now, Transmit::Close { connection });
        }
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
