//! One bridge as its connections see it, and the records of its exchanges, without keys.

use std::net::SocketAddrV4;

use hiflying::Mac;
use jiff::Timestamp;
use serde::Serialize;

use super::super::reply::{BridgeAnswer, RoomRequest};
use super::handle::RoomHandle;
use crate::record::{Direction, RecordWriter};

/// One bridge of the room, as its connections see it.
#[derive(Debug, Clone)]
pub(super) struct BridgeHost {
    pub(super) room: RoomHandle,
    pub(super) bridge: usize,
    pub(super) mac: Mac,
    pub(super) recorder: Option<RecordWriter>,
}

/// Transport of an exchange.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum RecordedTransport {
    Http,
    Https,
    Touchlink,
}

#[derive(Serialize)]
struct BridgeRecordLine<'a> {
    time: Timestamp,
    bridge: Mac,
    transport: RecordedTransport,
    peer: SocketAddrV4,
    direction: Direction,
    text: &'a str,
}

/// Longer bodies are cut.
const MAX_TEXT: usize = 64 * 1024;

impl BridgeHost {
    pub(super) fn note_request(&self, peer: SocketAddrV4, request: &RoomRequest<'_>) {
        if self.recorder.is_none() {
            return;
        }
        let body = String::from_utf8_lossy(request.body);
        let text = format!("{} {}\n{body}", request.method, without_key(request.path));
        self.note(
            way(request.is_secure),
            peer,
            Direction::In,
            text.trim_end().as_bytes(),
        );
    }

    pub(super) fn note_answer(&self, peer: SocketAddrV4, is_secure: bool, answer: &BridgeAnswer) {
        if self.recorder.is_none() {
            return;
        }
        let text = format!(
            "{}\n{}",
            answer.status,
            String::from_utf8_lossy(&answer.body)
        );
        self.note(
            way(is_secure),
            peer,
            Direction::Out,
            text.trim_end().as_bytes(),
        );
    }

    pub(super) fn note(
        &self,
        way: RecordedTransport,
        peer: SocketAddrV4,
        direction: Direction,
        bytes: &[u8],
    ) {
        let Some(recorder) = &self.recorder else {
            return;
        };
        let shown = String::from_utf8_lossy(bytes.get(..MAX_TEXT).unwrap_or(bytes));
        let text = masked(&shown, &self.room.secrets(self.bridge));
        recorder.append(&BridgeRecordLine {
            time: crate::clock::now(),
            bridge: self.mac,
            transport: way,
            peer,
            direction,
            text: &text,
        });
    }
}

fn way(is_secure: bool) -> RecordedTransport {
    if is_secure {
        RecordedTransport::Https
    } else {
        RecordedTransport::Http
    }
}

/// The path with what stands where a key stands left out, be it one or not.
fn without_key(path: &str) -> String {
    let mut segments: Vec<&str> = path.split('/').collect();
    if let ["", "api", key, ..] = segments.as_mut_slice()
        && *key != "config"
        && !key.is_empty()
    {
        *key = "***";
    }
    segments.join("/")
}

/// The text without what the bridge keeps secret.
fn masked(text: &str, secrets: &[String]) -> String {
    secrets
        .iter()
        .fold(text.to_owned(), |text, secret| text.replace(secret, "***"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_left_out() {
        assert_eq!(without_key("/api/abcdef/lights/1"), "/api/***/lights/1");
        assert_eq!(without_key("/api/not-a-known-key"), "/api/***");
        assert_eq!(without_key("/api/config"), "/api/config");
        assert_eq!(without_key("/api"), "/api");
        assert_eq!(without_key("/clip/v2/resource"), "/clip/v2/resource");
        let secrets = ["KEY0KEY0".to_owned()];
        assert_eq!(
            masked(r#"[{"success":{"username":"KEY0KEY0"}}]"#, &secrets),
            r#"[{"success":{"username":"***"}}]"#
        );
    }
}
