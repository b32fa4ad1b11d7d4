//! The TCP connections: the plug's own commands on 8899, each segment one command or several lines, and the web page.

use std::time::{Duration, Instant};

use super::at::echoed;
use super::connection::CommandStream;
use super::{RecoTwin, trim_end};
use crate::twin::{ConnectionId, TwinOutput};

/// Delay between the two segments of a split reply: longer than the kernel's, shorter than any client's timeout.
const SPLIT_DELAY: Duration = Duration::from_millis(60);
const BABBLE_INTERVAL: Duration = Duration::from_millis(10);
const BABBLE_BYTES: usize = 512;
const PROMPT: &[u8] = b"> ";
/// Greeting of a published capture.
const BANNER: &[u8] = b"AT+YZCMPVER=MW3_16U_5408_5.0B-S\r\n\r\n";

impl RecoTwin {
    /// Takes a piece of a web request, and answers it once it is complete.
    pub(super) fn handle_web(&mut self, now: Instant, connection: ConnectionId, bytes: &[u8]) {
        let mut login = self.setting("WEBU").to_vec();
        if let Some(comma) = login.iter_mut().find(|byte| **byte == b',') {
            *comma = b':';
        }
        let realm = self.module();
        let found = self.web.iter_mut().find(|it| it.id == connection);
        if let Some(reply) = found.and_then(|it| it.handle(bytes, &login, &realm)) {
            self.web.retain(|it| it.id != connection);
            let bytes = reply.into_bytes();
            self.outbox
                .send(now, TwinOutput::Segment { connection, bytes });
            self.outbox.send(now, TwinOutput::Close { connection });
        }
    }

    /// Closes the web connections whose requests take too long.
    pub(super) fn advance_web(&mut self, now: Instant) {
        for late in self.web.extract_if(.., |it| it.deadline() <= now) {
            let connection = late.id;
            self.outbox.send(now, TwinOutput::Close { connection });
        }
    }

    /// Returns the port of the data socket: 8899 unless `AT+NETP` moved it.
    pub(super) fn command_port(&self) -> Option<u16> {
        if self.behaviour.stream.refused {
            return None;
        }
        let socket = self.setting("NETP");
        let text = String::from_utf8_lossy(&socket);
        let mut fields = text.split(',');
        (fields.next() == Some("TCP") && fields.next() == Some("Server")).then_some(())?;
        fields.next()?.parse().ok()
    }

    /// Admits a connection, unless there are as many as the module serves.
    pub(super) fn admit_stream(&mut self, now: Instant, id: ConnectionId) -> bool {
        if self.streams.len() >= self.max_clients() {
            return false;
        }
        let next_babble = self.behaviour.stream.babble.then_some(now);
        self.streams.push(CommandStream {
            id,
            heard: now,
            busy_until: now,
            next_babble,
        });
        self.advance_streams(now);
        if self.behaviour.stream.banner {
            self.answer_stream(now, id, BANNER.to_vec());
        }
        true
    }

    /// Takes the bytes of one read.
    pub(super) fn handle_stream(&mut self, now: Instant, id: ConnectionId, chunk: &[u8]) {
        let rules = self.behaviour.stream.clone();
        let Some(stream) = self.streams.iter_mut().find(|it| it.id == id) else {
            return;
        };
        stream.heard = now;
        if rules.half_open || rules.babble || trim(chunk).is_empty() {
            return;
        }
        if rules.reset_on_command {
            self.streams.retain(|it| it.id != id);
            self.outbox.send(now, TwinOutput::Reset { connection: id });
            return;
        }
        let ended = chunk.iter().any(|byte| matches!(byte, b'\r' | b'\n'));
        if rules.needs_line_end && !ended {
            return;
        }
        let lines = chunk
            .split(|byte| matches!(byte, b'\r' | b'\n' | 0))
            .map(trim);
        for line in lines.filter(|line| !line.is_empty()) {
            let reply = self.run_plug_command(now, line);
            if !reply.is_empty() {
                let reply = match self.behaviour.wording.echo {
                    true => echoed(line, &reply).to_vec(),
                    false => reply,
                };
                let reply = match rules.prompt {
                    true => [PROMPT, &reply].concat(),
                    false => reply,
                };
                self.answer_stream(now, id, reply);
            }
        }
    }

    fn answer_stream(&mut self, now: Instant, id: ConnectionId, reply: Vec<u8>) {
        let delay = self.behaviour.wire.jitter(&mut self.random);
        let Some(stream) = self.streams.iter_mut().find(|it| it.id == id) else {
            return;
        };
        let mut due = stream.busy_until.max(now + delay);
        let middle = if self.behaviour.wire.split {
            reply.len() / 2
        } else {
            0
        };
        let (head, tail) = reply.split_at(middle);
        let segment = |bytes: &[u8]| TwinOutput::Segment {
            connection: id,
            bytes: bytes.to_vec(),
        };
        if !head.is_empty() {
            self.outbox.send(due, segment(head));
            due += SPLIT_DELAY;
        }
        self.outbox.send(due, segment(tail));
        stream.busy_until = due;
        if self.behaviour.stream.close_after_reply {
            self.streams.retain(|it| it.id != id);
            self.outbox.send(due, TwinOutput::Close { connection: id });
        }
    }

    /// Returns the reply, which is empty where the plug does not answer.
    fn run_plug_command(&mut self, now: Instant, line: &[u8]) -> Vec<u8> {
        if self.behaviour.stream.refuse_all {
            return self.error();
        }
        let Ok(text) = std::str::from_utf8(line) else {
            return self.error();
        };
        let strict = self.behaviour.stream.strict_words;
        let (verb, value) = match text.split_once('=') {
            Some((verb, value)) => (verb, Some(value)),
            None => (text, None),
        };
        let verb = if strict {
            verb.to_owned()
        } else {
            verb.to_ascii_uppercase()
        };
        let outcome = match (verb.as_str(), value) {
            ("AT+YZSWITCH", Some(value)) => self.run_switch(now, value),
            ("AT+YZDELAY", Some(value)) => self.run_delay(now, value),
            ("AT+YZOUT", None) => self.run_meter(now),
            ("AT+VER", None) => Some(self.ok(Some(&self.version()))),
            _ => None,
        };
        outcome.unwrap_or_else(|| self.error())
    }

    /// `<socket>,<ON|OFF>,<time stamp>`; any text is taken for a time stamp.
    fn run_switch(&mut self, now: Instant, value: &str) -> Option<Vec<u8>> {
        let mut fields = value.splitn(3, ',');
        let socket = self.socket(fields.next()?)?;
        let state = self.state(fields.next()?)?;
        self.check_stamp(fields.next()?)?;
        self.outlet
            .switch(now, socket, state, &self.behaviour, &mut self.random);
        if self.behaviour.relay.silent {
            return Some(Vec::new());
        }
        let mut reply = self.ok(None);
        if self.behaviour.relay.second_line {
            reply.extend_from_slice(b"+error");
            reply.extend_from_slice(self.behaviour.wording.end);
        }
        Some(reply)
    }

    /// `<socket>,<ON|OFF>,<minutes>,<time stamp>`.
    fn run_delay(&mut self, now: Instant, value: &str) -> Option<Vec<u8>> {
        let mut fields = value.splitn(4, ',');
        let socket = self.socket(fields.next()?)?;
        let state = self.state(fields.next()?)?;
        let minutes = fields
            .next()?
            .parse::<u32>()
            .ok()
            .filter(|minutes| (1..=2000).contains(minutes))?;
        self.check_stamp(fields.next()?)?;
        self.outlet
            .delay(now + Duration::from_secs(60) * minutes, socket, state);
        Some(self.ok(None))
    }

    fn run_meter(&mut self, now: Instant) -> Option<Vec<u8>> {
        if self.behaviour.meter.refused {
            return None;
        }
        let reading = self.outlet.reading(now, &self.behaviour, &mut self.random);
        Some(self.ok(Some(&reading)))
    }

    /// Reads the socket number: its effect other than 1 is unknown on a plug with one socket, and an error here.
    fn socket(&self, text: &str) -> Option<u32> {
        let socket = text.parse::<u32>().ok()?;
        (socket == 1 || self.behaviour.stream.any_socket).then_some(1)
    }

    /// Reads `ON` and `OFF`; tells whether it is on.
    fn state(&self, text: &str) -> Option<bool> {
        let strict = self.behaviour.stream.strict_words;
        let is = |word: &str| text == word || (!strict && text.eq_ignore_ascii_case(word));
        (is("ON") || is("OFF")).then(|| is("ON"))
    }

    fn check_stamp(&self, text: &str) -> Option<()> {
        let twelve_digits = text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit());
        (!text.is_empty() && (twelve_digits || !self.behaviour.stream.strict_stamp)).then_some(())
    }

    fn ok(&self, value: Option<&str>) -> Vec<u8> {
        self.behaviour.wording.ok(value.map(str::as_bytes)).to_vec()
    }

    fn error(&self) -> Vec<u8> {
        let mut reply = self.behaviour.wording.error.as_bytes().to_vec();
        reply.extend_from_slice(self.behaviour.wording.end);
        reply
    }

    /// `AT+TCPTO` in seconds, 0 for never.
    fn stream_idle(&self) -> Option<Duration> {
        let idle = self
            .behaviour
            .stream
            .idle
            .unwrap_or_else(|| Duration::from_secs(self.running_number("TCPTO")));
        (!idle.is_zero()).then_some(idle)
    }

    fn max_clients(&self) -> usize {
        usize::try_from(self.running_number("MAXSK")).unwrap_or(1)
    }

    fn running_number(&self, verb: &str) -> u64 {
        let value = self.setting(verb);
        String::from_utf8_lossy(&value)
            .parse()
            .expect("the verb stores numbers only")
    }

    pub(super) fn streams_timeout(&self) -> Option<Instant> {
        if self.streams.is_empty() {
            return None;
        }
        let idle = self.stream_idle();
        let ends = self
            .streams
            .iter()
            .filter_map(|stream| Some(stream.heard + idle?));
        ends.chain(self.streams.iter().filter_map(|stream| stream.next_babble))
            .min()
    }

    pub(super) fn advance_streams(&mut self, now: Instant) {
        if self.streams.is_empty() {
            return;
        }
        let idle = self.stream_idle();
        for stream in &mut self.streams {
            if stream.next_babble.is_some_and(|due| due <= now) {
                stream.next_babble = Some(now + BABBLE_INTERVAL);
                let bytes = (0..BABBLE_BYTES)
                    .map(|_| self.random.u8(0x20..0x7f))
                    .collect();
                self.outbox.send(
                    now,
                    TwinOutput::Segment {
                        connection: stream.id,
                        bytes,
                    },
                );
            }
        }
        let is_over = |stream: &CommandStream| {
            idle.is_some_and(|idle| now.saturating_duration_since(stream.heard) >= idle)
        };
        for stream in self.streams.extract_if(.., |stream| is_over(stream)) {
            self.outbox.send(
                now,
                TwinOutput::Close {
                    connection: stream.id,
                },
            );
        }
    }
}

fn trim(bytes: &[u8]) -> &[u8] {
    let bytes = trim_end(bytes);
    let start = bytes
        .iter()
        .position(|byte| !matches!(byte, b'\r' | b'\n' | 0 | b' '));
    bytes.get(start.unwrap_or(0)..).unwrap_or_default()
}
