//! Server-Sent Events, as the hub sends them.

use std::collections::VecDeque;
use std::time::Duration;

use super::{Call, Download};
use crate::error::{Failure, Kind};

/// The hub sends a sign of life more often than this.
const SILENCE: Duration = Duration::from_secs(60);
/// The longest event; the hub's have a few hundred bytes.
const LONGEST_EVENT: usize = 1024 * 1024;

/// One event.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ServerEvent {
    /// Its place in the stream, to go on from.
    pub id: Option<String>,
    /// What it is: `plug`, `reading`, `availability`, `schedule`, `rule`, `reset`.
    pub name: String,
    /// Its data: JSON.
    pub data: String,
}

/// The events of a hub, as they happen.
#[derive(Debug)]
pub struct EventStream {
    download: Download,
    parser: Parser,
    last_id: Option<String>,
}

impl EventStream {
    pub(super) async fn open(call: Call<'_>, last: Option<&str>) -> Result<Self, Failure> {
        Ok(Self {
            download: call.listening(last).download().await?,
            parser: Parser::default(),
            last_id: last.map(str::to_owned),
        })
    }

    /// Returns the next event; `None` when the hub ends the stream.
    ///
    /// # Errors
    ///
    /// `unavailable` when the connection breaks or the hub gives no sign of life, `bad_answer` for what is no event.
    pub async fn next(&mut self) -> Result<Option<ServerEvent>, Failure> {
        loop {
            if let Some(event) = self.parser.events.pop_front() {
                if event.id.is_some() {
                    self.last_id.clone_from(&event.id);
                }
                return Ok(Some(event));
            }
            match self.download.next_within(SILENCE).await? {
                Some(bytes) => self.parser.take(bytes.as_ref())?,
                None => return Ok(None),
            }
        }
    }

    /// Returns the id of the last event that had one: where to go on after a cut.
    pub fn last_id(&self) -> Option<&str> {
        self.last_id.as_deref()
    }
}

/// Makes events of bytes, however these are cut.
#[derive(Debug, Default)]
struct Parser {
    line: Vec<u8>,
    /// The line before ended with a carriage return, of which the line feed may still come.
    after_return: bool,
    event: ServerEvent,
    has_data: bool,
    events: VecDeque<ServerEvent>,
}

impl Parser {
    fn take(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        for byte in bytes {
            let after_return = std::mem::replace(&mut self.after_return, *byte == b'\r');
            match byte {
                b'\n' if after_return => {}
                b'\n' | b'\r' => {
                    let line = std::mem::take(&mut self.line);
                    self.line(&String::from_utf8_lossy(&line));
                }
                _ => self.line.push(*byte),
            }
            if self.line.len() + self.event.data.len() > LONGEST_EVENT {
                let message = "the hub sends an event that does not end";
                return Err(Failure::new(Kind::BadAnswer, message));
            }
        }
        Ok(())
    }

    fn line(&mut self, line: &str) {
        if line.is_empty() {
            let event = std::mem::take(&mut self.event);
            if std::mem::take(&mut self.has_data) {
                self.events.push_back(event);
            }
            return;
        }
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "event" => value.clone_into(&mut self.event.name),
            "id" => self.event.id = Some(value.to_owned()),
            "data" => {
                if std::mem::replace(&mut self.has_data, true) {
                    self.event.data.push('\n');
                }
                self.event.data.push_str(value);
            }
            // A comment (its field is empty) is a sign of life; others are not ours.
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = ": hello\n\nid: 1-2\nevent: plug\ndata: {\"a\":1}\n\nevent:reset\ndata\n\nevent: nothing\n\nid: 1-3\r\nevent: reading\r\ndata: a\r\ndata:  b\r\n\r\n";

    fn event(id: Option<&str>, name: &str, data: &str) -> ServerEvent {
        ServerEvent {
            id: id.map(str::to_owned),
            name: name.into(),
            data: data.into(),
        }
    }

    fn expected() -> Vec<ServerEvent> {
        vec![
            event(Some("1-2"), "plug", "{\"a\":1}"),
            event(None, "reset", ""),
            event(Some("1-3"), "reading", "a\n b"),
        ]
    }

    #[test]
    fn events_however_they_are_cut() {
        for size in 1..TEXT.len() {
            let mut parser = Parser::default();
            for piece in TEXT.as_bytes().chunks(size) {
                parser.take(piece).unwrap();
            }
            assert_eq!(Vec::from(parser.events), expected(), "pieces of {size}");
        }
    }

    #[test]
    fn an_event_without_end_is_refused() {
        let mut parser = Parser::default();
        let piece = [b'x'; 64 * 1024];
        let refused = (0..40).find_map(|_| parser.take(&piece).err());
        assert_eq!(refused.unwrap().kind(), Kind::BadAnswer);
    }

    proptest::proptest! {
        #[test]
        fn never_panics(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..200)) {
            let _ = Parser::default().take(&bytes);
        }
    }
}
