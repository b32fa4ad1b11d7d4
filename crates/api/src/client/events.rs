//! Server-Sent Events, as the hub sends them.

use std::collections::VecDeque;

use super::{ClientError, Download};
use crate::Event;

/// Maximum size of an event; those of a hub have a few hundred bytes.
const MAX_EVENT_LEN: usize = 1024 * 1024;

/// An event of the stream.
#[derive(Debug, Clone, PartialEq)]
pub struct ReceivedEvent {
    /// Its place in the stream, from which to resume.
    pub id: Option<String>,
    /// The event; `None` if events were lost before this place.
    pub event: Option<Event>,
}

/// One event as it is sent.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct RawEvent {
    id: Option<String>,
    name: String,
    data: String,
}

/// Name of the event that stands for lost events.
const RESET: &str = "reset";

/// The events of a hub as they happen.
#[derive(Debug)]
pub struct EventStream {
    download: Download,
    parser: EventParser,
    last_id: Option<String>,
}

impl EventStream {
    pub(super) fn new(download: Download, last: Option<&str>) -> Self {
        Self {
            download,
            parser: EventParser::default(),
            last_id: last.map(str::to_owned),
        }
    }

    /// Returns the next event; `None` when the hub ends the stream. Events that this version does not know are skipped.
    ///
    /// # Errors
    ///
    /// [`ClientError`] when the connection breaks, the hub shows no sign of life, or an event is too long.
    pub async fn next(&mut self) -> Result<Option<ReceivedEvent>, ClientError> {
        loop {
            while let Some(RawEvent { id, name, data }) = self.parser.events.pop_front() {
                if id.is_some() {
                    self.last_id.clone_from(&id);
                }
                let event = match name.as_str() {
                    RESET => None,
                    _ => match Event::parse(&name, &data) {
                        Ok(Some(event)) => Some(event),
                        Ok(None) => continue,
                        Err(error) => {
                            tracing::debug!(name, %error, "an event is skipped");
                            continue;
                        }
                    },
                };
                return Ok(Some(ReceivedEvent { id, event }));
            }
            match self.download.next().await? {
                Some(bytes) if self.parser.push(bytes.as_ref()) => {}
                Some(_) => return Err(self.download.too_long()),
                None => return Ok(None),
            }
        }
    }

    /// Returns the id of the last event: where to resume after a lost connection.
    pub fn last_id(&self) -> Option<&str> {
        self.last_id.as_deref()
    }
}

/// Splits a stream of bytes into events, however it is cut.
#[derive(Debug, Default)]
struct EventParser {
    line: Vec<u8>,
    /// `true` if the last byte was a carriage return, which a line feed may follow.
    after_return: bool,
    event: RawEvent,
    has_data: bool,
    events: VecDeque<RawEvent>,
}

impl EventParser {
    /// Reads the next bytes; returns whether the event that they belong to is still short enough.
    fn push(&mut self, bytes: &[u8]) -> bool {
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
            if self.line.len() + self.event.data.len() > MAX_EVENT_LEN {
                return false;
            }
        }
        true
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
            // A comment (with an empty field) is a sign of life; other fields are not used.
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = ": hello\n\nid: 1-2\nevent: plug\ndata: {\"a\":1}\n\nevent:reset\ndata\n\nevent: nothing\n\nid: 1-3\r\nevent: reading\r\ndata: a\r\ndata:  b\r\n\r\n";

    fn event(id: Option<&str>, name: &str, data: &str) -> RawEvent {
        RawEvent {
            id: id.map(str::to_owned),
            name: name.into(),
            data: data.into(),
        }
    }

    fn expected() -> Vec<RawEvent> {
        vec![
            event(Some("1-2"), "plug", "{\"a\":1}"),
            event(None, "reset", ""),
            event(Some("1-3"), "reading", "a\n b"),
        ]
    }

    #[test]
    fn events_are_read_however_they_are_cut() {
        for size in 1..TEXT.len() {
            let mut parser = EventParser::default();
            for piece in TEXT.as_bytes().chunks(size) {
                assert!(parser.push(piece));
            }
            assert_eq!(Vec::from(parser.events), expected(), "pieces of {size}");
        }
    }

    #[test]
    fn an_event_without_end_is_refused() {
        let mut parser = EventParser::default();
        let piece = [b'x'; 64 * 1024];
        assert!((0..40).any(|_| !parser.push(&piece)));
    }

    proptest::proptest! {
        #[test]
        fn never_panics(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..200)) {
            let _ = EventParser::default().push(&bytes);
        }
    }
}
