//! A twin that repeats a transcript: it replies to what was recorded, and to nothing else.
//!
//! A request that sets something moves to its place in the transcript, and a query is answered as it was answered there: after
//! the recorded switching on, a scan shows what the scan after it showed. Of a Reco plug the state of the relay is known by
//! itself, so that a scan is right whatever was recorded around it.

mod request;

use std::collections::{BTreeMap, BTreeSet};
use std::net::{Ipv4Addr, SocketAddrV4};
use std::time::{Duration, Instant};

use hiflying::{DATA_PORT, Mac, PORT};
use jiff::Timestamp;
use zeroize::Zeroizing;

use self::request::{RecordedRequest, RelayChange};
use crate::config::PlugConfig;
use crate::outbox::Outbox;
use crate::transcript::{
    TranscriptDirection, TranscriptError, TranscriptLine, TranscriptTransport, presence,
    readdressed,
};
use crate::twin::{ConnectionId, TcpPort, Twin, TwinArrival, TwinOutput};

/// Longest delay before a reply; a longer one was no delay of the plug.
const MAX_DELAY: Duration = Duration::from_secs(3);
const NOT_RECORDED: &[u8] = b"+ERROR\r\n\r\n";

/// One recorded request with its replies.
#[derive(Debug)]
struct RecordedExchange {
    transport: TranscriptTransport,
    request: RecordedRequest,
    at: Timestamp,
    replies: Vec<(Duration, Vec<u8>)>,
}

/// Twin of the plug in a transcript.
#[derive(Debug)]
pub struct ReplayTwin {
    listen: Ipv4Addr,
    mac: Mac,
    exchanges: Vec<RecordedExchange>,
    /// Bytes that the plug sends first on each TCP connection.
    banner: Vec<u8>,
    /// The plug replies to the source port rather than to 48899.
    to_source_port: bool,
    /// Place in the transcript: the request that set something last.
    place: usize,
    /// Number of times that each exchange was repeated.
    repeated: BTreeMap<usize, usize>,
    relay: Option<bool>,
    timer: Option<(Instant, bool)>,
    streams: BTreeSet<ConnectionId>,
    outbox: Outbox,
}

impl ReplayTwin {
    /// Makes a twin at an address.
    ///
    /// # Errors
    ///
    /// [`TranscriptError::Empty`] if no request was recorded.
    pub fn new(listen: Ipv4Addr, lines: &[TranscriptLine]) -> Result<Self, TranscriptError> {
        let mut twin = Self {
            listen,
            mac: PlugConfig::at(listen).mac,
            exchanges: Vec::new(),
            banner: Vec::new(),
            to_source_port: false,
            place: 0,
            repeated: BTreeMap::new(),
            relay: None,
            timer: None,
            streams: BTreeSet::new(),
            outbox: Outbox::default(),
        };
        twin.learn(lines);
        if twin.exchanges.is_empty() {
            return Err(TranscriptError::Empty);
        }
        Ok(twin)
    }

    fn learn(&mut self, lines: &[TranscriptLine]) {
        // The last request of each conversation: by address over UDP, where the reply may go to another port.
        let mut open: BTreeMap<(TranscriptTransport, Ipv4Addr, u16), Option<usize>> =
            BTreeMap::new();
        let mut ports = BTreeSet::new();
        for line in lines {
            let port = match line.transport {
                TranscriptTransport::Udp => 0,
                TranscriptTransport::Tcp => line.peer.port(),
            };
            let conversation = (line.transport, *line.peer.ip(), port);
            match line.direction {
                TranscriptDirection::ToPlug => {
                    open.insert(conversation, Some(self.exchanges.len()));
                    self.exchanges.push(RecordedExchange {
                        transport: line.transport,
                        request: RecordedRequest::new(&line.bytes),
                        at: line.at,
                        replies: Vec::new(),
                    });
                }
                TranscriptDirection::FromPlug => {
                    if line.transport == TranscriptTransport::Udp {
                        ports.insert(line.peer.port());
                    }
                    let index = *open.entry(conversation).or_default();
                    self.reply(index, line);
                }
            }
        }
        self.to_source_port = ports.iter().any(|port| *port != PORT);
        let mac = lines.iter().find_map(|line| presence(&line.bytes));
        self.mac = mac.unwrap_or(self.mac);
    }

    fn reply(&mut self, index: Option<usize>, line: &TranscriptLine) {
        match index.and_then(|index| self.exchanges.get_mut(index)) {
            Some(exchange) => {
                let delay = line.at.duration_since(exchange.at);
                // The clock was set back meanwhile: at once.
                let delay = Duration::try_from(delay)
                    .unwrap_or(Duration::ZERO)
                    .min(MAX_DELAY);
                exchange.replies.push((delay, line.bytes.clone()));
            }
            None if line.transport == TranscriptTransport::Tcp && self.banner.is_empty() => {
                self.banner.clone_from(&line.bytes);
            }
            None => {}
        }
    }

    /// Returns the exchange that answers a request at this place of the transcript.
    fn find(&mut self, transport: TranscriptTransport, bytes: &[u8]) -> Option<usize> {
        let is_it = |(_, exchange): &(usize, &RecordedExchange)| {
            exchange.transport == transport && exchange.request.matches(bytes)
        };
        let found: Vec<usize> = self
            .exchanges
            .iter()
            .enumerate()
            .filter(is_it)
            .map(|(index, _)| index)
            .collect();
        let first = *found.first()?;
        let sets = |index: &usize| {
            self.exchanges
                .get(*index)
                .is_some_and(|exchange| exchange.request.sets())
        };
        if sets(&first) {
            let next = found.iter().copied().find(|index| *index > self.place);
            self.place = next.unwrap_or(first);
            return Some(self.place);
        }
        let until = (self.place + 1..self.exchanges.len())
            .find(sets)
            .unwrap_or(self.exchanges.len());
        let is_answered = |index: &&usize| {
            self.exchanges
                .get(**index)
                .is_some_and(|exchange| !exchange.replies.is_empty())
        };
        let here: Vec<usize> = found
            .iter()
            .filter(|index| (self.place..until).contains(*index))
            .filter(is_answered)
            .copied()
            .collect();
        let Some(first_here) = here.first() else {
            let next = found
                .iter()
                .filter(|index| **index >= until)
                .find(is_answered);
            let last = found.iter().rev().find(is_answered);
            return Some(*next.or(last).unwrap_or(&first));
        };
        let count = self.repeated.entry(*first_here).or_default();
        let index = here.get(*count % here.len()).copied();
        *count += 1;
        index
    }

    /// Repeats the replies to a request, if it was recorded; `send` makes the output of one.
    fn repeat(
        &mut self,
        now: Instant,
        transport: TranscriptTransport,
        bytes: &[u8],
        send: impl Fn(Vec<u8>) -> TwinOutput,
    ) -> bool {
        let Some(exchange) = self
            .find(transport, bytes)
            .and_then(|index| self.exchanges.get(index))
        else {
            return false;
        };
        let is_accepted = |(_, reply): &(Duration, Vec<u8>)| {
            reply
                .get(..3)
                .is_some_and(|start| start.eq_ignore_ascii_case(b"+ok"))
        };
        let change =
            RelayChange::of(bytes).filter(|_| exchange.replies.first().is_some_and(is_accepted));
        let replies: Vec<_> = exchange
            .replies
            .iter()
            .map(|(delay, reply)| (now + *delay, self.current(reply)))
            .collect();
        for (due, reply) in replies {
            self.outbox.send(due, send(reply));
        }
        match change {
            Some(RelayChange { on, after: None }) => {
                self.relay = Some(on);
                self.timer = None;
            }
            Some(RelayChange {
                on,
                after: Some(after),
            }) => self.timer = Some((now + after, on)),
            None => {}
        }
        true
    }

    /// Returns a recorded reply with the address and the relay state of the twin.
    fn current(&self, reply: &[u8]) -> Vec<u8> {
        let Some(mut reply) = readdressed(reply, self.listen) else {
            return reply.to_vec();
        };
        let commas: Vec<usize> = reply
            .iter()
            .enumerate()
            .filter(|(_, byte)| **byte == b',')
            .map(|(at, _)| at)
            .collect();
        // The fifth field of a scan reply is the relay state.
        if let (Some(relay), Some(comma)) = (self.relay, commas.get(3))
            && let Some(state) = reply.get_mut(comma + 1)
            && matches!(*state, b'0' | b'1')
        {
            *state = if relay { b'1' } else { b'0' };
        }
        reply
    }

    fn answer_datagram(
        &mut self,
        now: Instant,
        from: SocketAddrV4,
        at: SocketAddrV4,
        bytes: &[u8],
    ) {
        let port = if self.to_source_port {
            from.port()
        } else {
            PORT
        };
        let to = SocketAddrV4::new(*from.ip(), port);
        self.repeat(now, TranscriptTransport::Udp, bytes, |reply| {
            TwinOutput::Datagram {
                from: at,
                to,
                bytes: Zeroizing::new(reply),
                secret: false,
            }
        });
    }

    fn answer_segment(&mut self, now: Instant, connection: ConnectionId, bytes: &[u8]) {
        let send = |bytes| TwinOutput::Segment { connection, bytes };
        if self.repeat(now, TranscriptTransport::Tcp, bytes, send) {
            return;
        }
        // Several commands at once, or one that was not recorded.
        let lines = bytes.split(|byte| matches!(byte, b'\r' | b'\n' | 0));
        for line in lines.filter(|line| !line.trim_ascii().is_empty()) {
            if !self.repeat(now, TranscriptTransport::Tcp, line, send) {
                self.outbox.send(now, send(NOT_RECORDED.to_vec()));
            }
        }
    }
}

impl Twin for ReplayTwin {
    fn mac(&self) -> Mac {
        self.mac
    }

    fn addresses(&self) -> Vec<Ipv4Addr> {
        vec![self.listen]
    }

    fn is_reachable(&self, _: Ipv4Addr) -> bool {
        true
    }

    fn udp_ports(&self) -> &[u16] {
        &[PORT]
    }

    fn tcp_ports(&self, _: Ipv4Addr) -> Vec<TcpPort> {
        vec![TcpPort::Command(DATA_PORT)]
    }

    fn handle_datagram(&mut self, now: Instant, arrival: TwinArrival, bytes: &[u8]) {
        self.handle_timeout(now);
        self.answer_datagram(now, arrival.from, arrival.at, bytes);
    }

    fn handle_connect(&mut self, now: Instant, connection: ConnectionId, _: SocketAddrV4) -> bool {
        self.streams.insert(connection);
        if !self.banner.is_empty() {
            let bytes = self.banner.clone();
            self.outbox
                .send(now, TwinOutput::Segment { connection, bytes });
        }
        true
    }

    fn handle_segment(&mut self, now: Instant, connection: ConnectionId, bytes: &[u8]) {
        self.handle_timeout(now);
        if self.streams.contains(&connection) {
            self.answer_segment(now, connection, bytes);
        }
    }

    fn handle_close(&mut self, _: Instant, connection: ConnectionId) {
        self.streams.remove(&connection);
        self.outbox.forget(connection);
    }

    fn handle_timeout(&mut self, now: Instant) {
        if let Some((_, on)) = self.timer.take_if(|(due, _)| *due <= now) {
            self.relay = Some(on);
        }
    }

    fn poll_transmit(&mut self, now: Instant) -> Option<TwinOutput> {
        self.outbox.poll(now)
    }

    fn poll_timeout(&self) -> Option<Instant> {
        let timer = self.timer.map(|(due, _)| due);
        timer.into_iter().chain(self.outbox.timeout()).min()
    }
}

impl From<ReplayTwin> for Box<dyn Twin> {
    fn from(twin: ReplayTwin) -> Self {
        Box::new(twin)
    }
}

#[cfg(test)]
mod tests;
